// SPDX-License-Identifier: Apache-2.0
// What the pages about devices ask for. Keys begin with "devices", so that a
// change told by the stream asks again.

import { queryOptions } from '@tanstack/react-query'
import { api } from '@/api/client'
import type { Activity, Conversations, Device, DeviceList, Edit } from '@/api/types'

const path = (id: string) => `/devices/${encodeURIComponent(id)}`

// Devices change all the time, by being seen. The whole list is asked for again
// at most for a twentieth of the time that it takes: 10,000 devices must not keep
// the network and the browser busy.
const asked = { at: 0, took: 0 }
const SHARE = 20
const LONGEST = 15_000

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return
  await new Promise<void>((done, stop) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      stop(signal.reason as Error)
    })
  })
}

export const deviceList = queryOptions({
  queryKey: ['devices', 'list'],
  queryFn: async ({ signal }) => {
    await pause(asked.at + Math.min(LONGEST, asked.took * SHARE) - performance.now(), signal)
    const began = performance.now()
    const list = await api.get<DeviceList>('/devices', undefined, signal)
    asked.at = performance.now()
    asked.took = asked.at - began
    return list
  },
  staleTime: 15_000,
})

export const device = (id: string) =>
  queryOptions({ queryKey: ['devices', 'one', id], queryFn: ({ signal }) => api.get<Device>(path(id), undefined, signal) })

export const conversations = (id: string, from: string) =>
  queryOptions({
    queryKey: ['devices', 'conversations', id, from],
    queryFn: ({ signal }) => api.get<Conversations>(`${path(id)}/conversations`, { from }, signal),
    placeholderData: (old) => old,
  })

export const activity = (id: string, from: string, steps: number) =>
  queryOptions({
    queryKey: ['devices', 'activity', id, from, steps],
    queryFn: ({ signal }) => api.get<Activity>(`${path(id)}/activity`, { from, steps }, signal),
    placeholderData: (old) => old,
    refetchInterval: 30_000,
  })

export const edits = (id: string) =>
  queryOptions({ queryKey: ['devices', 'edits', id], queryFn: ({ signal }) => api.get<Edit[]>(`${path(id)}/edits`, undefined, signal) })

export type Attribute = 'name' | 'class' | 'vendor' | 'model' | 'theatre' | 'criticality'
export type DevicePatch = Partial<Record<Attribute, string | null>>

export const patchDevice = (id: string, patch: DevicePatch) => api.patch<Device>(path(id), patch)
export const addNote = (id: string, text: string) => api.post<unknown>(`${path(id)}/notes`, { text })
export const undoEdit = (seq: number) => api.post<unknown>(`/edits/${seq}/undo`)
export const mergeDevice = (id: string, other: string) => api.post<unknown>(`${path(id)}/merge`, { with: other })
export const splitDevice = (id: string, parts: string[]) => api.post<unknown>(`${path(id)}/split`, { parts })
