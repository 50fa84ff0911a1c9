// SPDX-License-Identifier: Apache-2.0
// Beside a list that was loaded: that it is old, and that there is more of it.

import { useQuery } from '@tanstack/react-query'
import { Button, Notice, time } from '@/ui'
import { overview } from './queries'

interface Asked { isError: boolean; dataUpdatedAt: number; isFetchNextPageError?: boolean; refetch: () => Promise<unknown> }

/** Says from when a list is that could not be loaded again. Where the gateway does not answer at all the page has said it. */
export function Stale({ gateway, query, kept }: { gateway: string; query: Asked; kept?: string }) {
  const away = useQuery({ ...overview(gateway), enabled: false }).isError
  if (!query.isError || query.isFetchNextPageError === true || away) return null
  return <Notice kind="attention" action={<Button small onClick={() => void query.refetch()}>Try again</Button>}>This list is from {time.clock(query.dataUpdatedAt)}: the gateway did not give a newer one since.{kept && ` ${kept}`}</Notice>
}

interface Pages { hasNextPage: boolean; isFetchingNextPage: boolean; isFetchNextPageError: boolean; fetchNextPage: () => Promise<unknown> }

export function More({ query, label = 'Load older ones' }: { query: Pages; label?: string }) {
  if (!query.hasNextPage) return null
  return <p className="im-foot"><Button small busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{label}</Button>{query.isFetchNextPageError && <span className="im-warn" role="status"> They did not come. Try again.</span>}</p>
}
