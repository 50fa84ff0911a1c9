// SPDX-License-Identifier: Apache-2.0
// What the Findings page asks for. Keys begin with "findings", so that a change
// told by the stream asks again.

import { queryOptions } from '@tanstack/react-query'
import { api, type Params } from '@/api/client'
import type { Backtest, FindingDetail, FindingList } from '@/api/types'

/** Which findings: what needs somebody, and what no longer does. */
export const shelves = ['active', 'mine', 'snoozed', 'suppressed', 'closed'] as const
export type Shelf = (typeof shelves)[number]
export const shelfName: Record<Shelf, string> = { active: 'To do', mine: 'Mine', snoozed: 'Put off', suppressed: 'Hidden', closed: 'Closed' }

const MOST = 10_000 // what one answer may hold; the page says when there are more

const asked: Record<Shelf, Params> = {
  active: {},
  mine: { assignee: 'me', suppressed: 'all', snoozed: 'all' },
  snoozed: { snoozed: 'yes' },
  suppressed: { suppressed: 'yes', snoozed: 'all' },
  closed: { state: 'closed', suppressed: 'all', snoozed: 'all', sort: 'last', limit: 2000 },
}

export const findingList = (shelf: Shelf) =>
  queryOptions({
    queryKey: ['findings', 'list', shelf],
    queryFn: ({ signal }) => api.get<FindingList>('/findings', { limit: MOST, ...asked[shelf] }, signal),
    staleTime: 15_000,
  })

export const findingPath = (id: string) => `/findings/${encodeURIComponent(id)}`

export const finding = (id: string) =>
  queryOptions({
    queryKey: ['findings', 'one', id],
    queryFn: ({ signal }) => api.get<FindingDetail>(findingPath(id), undefined, signal),
    enabled: id !== '',
    staleTime: 15_000,
  })

export const backtest = (id: string) =>
  queryOptions({
    queryKey: ['backtests', id],
    queryFn: ({ signal }) => api.get<Backtest>(`/backtests/${encodeURIComponent(id)}`, undefined, signal),
    enabled: id !== '',
    refetchInterval: (q) => (q.state.data && q.state.data.state !== 'running' ? false : 700),
    staleTime: 0,
  })
