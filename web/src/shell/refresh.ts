// SPDX-License-Identifier: Apache-2.0
// Asks again for what changed. What is on its way already is not thrown away for
// it: where changes come faster than answers, nothing would ever arrive. It
// may be from before the change, and is asked for once more when it is there.
import type { QueryClient } from '@tanstack/react-query'

export async function refresh(client: QueryClient, queryKey: readonly string[]): Promise<void> {
  const running = client.getQueryCache().findAll({ queryKey, fetchStatus: 'fetching' })
  await client.invalidateQueries({ queryKey }, { cancelRefetch: false })
  await Promise.all(running.map((q) => client.invalidateQueries({ queryKey: q.queryKey, exact: true }, { cancelRefetch: false })))
}
