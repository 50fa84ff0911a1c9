// SPDX-License-Identifier: Apache-2.0
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from '@/api/client'
import type { NetworkMap } from '@/api/types'

/** More than a screen can show; what is left out are the smallest. */
export const LIMIT = 5000

/** The window that ends now. */
export const latestMap = (from: string) =>
  queryOptions({
    queryKey: ['map', 'latest', from],
    queryFn: ({ signal }) => api.get<NetworkMap>('/map', { from, limit: LIMIT }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  })

/** A window of the past does not change. */
export const mapBetween = (from: number, to: number) =>
  queryOptions({
    queryKey: ['map', 'between', from, to],
    queryFn: ({ signal }) => api.get<NetworkMap>('/map', { from: new Date(from).toISOString(), to: new Date(to).toISOString(), limit: LIMIT }, signal),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  })
