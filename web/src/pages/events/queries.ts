// SPDX-License-Identifier: Apache-2.0
// What the Events page asks for. Each key holds the exact parameters: a fixed
// range of time does not go stale.

import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from '@/api/client'
import type { EventDetail, EventField, EventHistogram, EventPage, TopValues } from '@/api/types'

export const PAGE = 200
export const STEPS = 120

const forever = { staleTime: Infinity, gcTime: 120_000, refetchOnWindowFocus: false } as const

export const eventPages = (params: string, order: 'newest' | 'oldest') =>
  infiniteQueryOptions({
    queryKey: ['events', 'list', params, order],
    queryFn: ({ pageParam, signal }) => {
      const p = new URLSearchParams(params)
      p.set('limit', String(PAGE))
      if (order === 'oldest') p.set('order', 'oldest')
      if (pageParam !== '') p.set('cursor', pageParam)
      return api.get<EventPage>('/events', p, signal)
    },
    initialPageParam: '',
    getNextPageParam: (last) => last.next ?? undefined,
    ...forever,
  })

export const histogram = (params: string) =>
  queryOptions({
    queryKey: ['events', 'histogram', params],
    queryFn: ({ signal }) => {
      const p = new URLSearchParams(params)
      p.set('steps', String(STEPS))
      return api.get<EventHistogram>('/events/histogram', p, signal)
    },
    placeholderData: keepPreviousData,
    ...forever,
  })

export const topValues = (params: string, field: EventField, limit: number) =>
  queryOptions({
    queryKey: ['events', 'top', params, field, limit],
    queryFn: ({ signal }) => {
      const p = new URLSearchParams(params)
      p.set('field', field)
      p.set('limit', String(limit))
      return api.get<TopValues>('/events/top', p, signal)
    },
    placeholderData: keepPreviousData,
    ...forever,
  })

export const eventDetail = (id: string) =>
  queryOptions({ queryKey: ['events', 'one', id], queryFn: ({ signal }) => api.get<EventDetail>(`/events/${encodeURIComponent(id)}`, undefined, signal), ...forever })
