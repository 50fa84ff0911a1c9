// SPDX-License-Identifier: Apache-2.0
// The chosen site as the pages see it. Only a hub has several.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useSyncExternalStore } from 'react'
import { status } from '../api/queries'
import { chooseSite, onSite, site } from '../api/site'
import type { NamedSite } from '../api/types'

const alone: NamedSite[] = []

export interface Sites {
  /** To choose from; none where there is one only. */
  all: NamedSite[]
  /** Its name; "" for all. */
  chosen: string
  choose: (name: string) => void
  /** What people call the site of a device or a room; "" where there is nothing to tell apart, because there is one site, or one is looked at. */
  title: (place: string) => string
}

export function useSites(): Sites {
  const client = useQueryClient()
  const all = useQuery({ ...status, refetchInterval: false, select: (s) => s.sites }).data ?? alone
  const chosen = useSyncExternalStore(onSite, site)
  const choose = useCallback(
    (name: string) => {
      chooseSite(name)
      // Nothing of another site may be shown as this one's, not for a moment.
      void client.resetQueries({ predicate: (q) => !['session', 'auth', 'status'].includes(String(q.queryKey[0])) })
      void client.invalidateQueries({ queryKey: ['status'] })
    },
    [client],
  )
  const title = useCallback((place: string) => (all.length < 2 || chosen !== '' ? '' : (all.find((s) => (s.own ? place === '' : s.name === place))?.title ?? place)), [all, chosen])
  return { all, chosen, choose, title }
}

/** Goes back to all sites when the chosen one is none any more. */
export function useSiteThatIs(known: NamedSite[] | undefined): string {
  const { chosen, choose } = useSites()
  useEffect(() => {
    if (known && chosen !== '' && !known.some((s) => s.name === chosen)) choose('')
  }, [known, chosen, choose])
  return chosen
}
