// SPDX-License-Identifier: Apache-2.0
// What the pages ask for, each with its key. A key's first part is a `what` of
// GET /stream: a change of it refetches everything under that key.
import { QueryClient, queryOptions } from '@tanstack/react-query'
import { api, ApiError, setCsrf } from './client'
import type {
  AuditPage,
  AuthInfo,
  Board,
  FindingList,
  Room,
  SearchResult,
  SensorList,
  SensorSeries,
  Session,
  SessionInfo,
  Settings,
  Status,
  Storage,
  Theatre,
  Token,
  User,
  View,
} from './types'

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: true,
      // What the server refuses, it refuses again.
      retry: (n, e) => !(e instanceof ApiError && e.status < 500) && n < 2,
      retryDelay: (n) => 500 * 2 ** n,
    },
  },
})

export const authInfo = queryOptions({
  queryKey: ['auth'],
  queryFn: ({ signal }) => api.get<AuthInfo>('/auth', undefined, signal),
  staleTime: 0,
})

/** null: nobody is logged in. */
export const session = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      const s = await api.get<Session>('/session', undefined, signal)
      setCsrf(s.csrf)
      return s
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) return null
      throw e
    }
  },
  staleTime: 60_000,
})

export const status = queryOptions({
  queryKey: ['status'],
  queryFn: ({ signal }) => api.get<Status>('/status', undefined, signal),
  refetchInterval: 10_000,
})

export const board = queryOptions({
  queryKey: ['theatres', 'board'],
  queryFn: ({ signal }) => api.get<Board>('/board', undefined, signal),
  refetchInterval: 10_000,
})

export const theatres = queryOptions({
  queryKey: ['theatres', 'list'],
  queryFn: ({ signal }) => api.get<Theatre[]>('/theatres', undefined, signal),
})

export const room = (id: string) =>
  queryOptions({
    queryKey: ['theatres', 'room', id],
    queryFn: ({ signal }) => api.get<Room>(`/theatres/${encodeURIComponent(id)}/room`, undefined, signal),
    refetchInterval: 15_000,
  })

export const findings = (p: { theatre?: string; device?: string; limit?: number }) =>
  queryOptions({
    queryKey: ['findings', p],
    queryFn: ({ signal }) => api.get<FindingList>('/findings', p, signal),
  })

export const sensors = queryOptions({
  queryKey: ['status', 'sensors'],
  queryFn: ({ signal }) => api.get<SensorList>('/sensors', undefined, signal),
  refetchInterval: 5_000,
})

export const sensorSeries = (name: string, from: string) =>
  queryOptions({
    queryKey: ['status', 'series', name, from],
    queryFn: ({ signal }) => api.get<SensorSeries>(`/sensors/${encodeURIComponent(name)}/series`, { from }, signal),
    refetchInterval: 15_000,
    placeholderData: (old) => old,
  })

export const settings = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => api.get<Settings>('/settings', undefined, signal),
})
export const storage = queryOptions({
  queryKey: ['storage'],
  queryFn: ({ signal }) => api.get<Storage>('/storage', undefined, signal),
  refetchInterval: 30_000,
})
export const users = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) => api.get<User[]>('/users', undefined, signal),
})
export const tokens = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => api.get<Token[]>('/tokens', undefined, signal),
})
export const sessions = (all: boolean) =>
  queryOptions({
    queryKey: ['sessions', all],
    queryFn: ({ signal }) => api.get<SessionInfo[]>('/sessions', all ? { all: true } : undefined, signal),
  })

export interface AuditFilter {
  who?: string
  action?: string
  object?: string
}
export const audit = (f: AuditFilter, before: number | null) => api.get<AuditPage>('/audit', { ...f, before, limit: 100 })

export const views = (page: View['page']) =>
  queryOptions({
    queryKey: ['views', page],
    queryFn: ({ signal }) => api.get<View[]>('/views', { page }, signal),
  })

export const search = (q: string) =>
  queryOptions({
    queryKey: ['search', q],
    queryFn: ({ signal }) => api.get<SearchResult>('/search', { q }, signal),
    enabled: q.trim() !== '',
    staleTime: 5_000,
    placeholderData: (old) => old,
  })
