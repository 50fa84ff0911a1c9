// SPDX-License-Identifier: Apache-2.0
// What the Advisories page asks for. The keys begin with "advisories"; devices
// and what people decide change them, not the stream of findings.

import { queryOptions } from '@tanstack/react-query'
import { api, ApiError, apiURL, toProblem, Unreachable } from '@/api/client'
import type { Advisory, AdvisoryImport, AdvisoryList, AdvisoryMatches, DeviceAdvisories } from '@/api/types'

export const advisoryList = queryOptions({
  queryKey: ['advisories', 'list'],
  queryFn: ({ signal }) => api.get<AdvisoryList>('/advisories', { limit: 10_000 }, signal),
  staleTime: 30_000,
})
export const advisoryMatches = queryOptions({
  queryKey: ['advisories', 'matches'],
  queryFn: ({ signal }) => api.get<AdvisoryMatches>('/advisories/matches', { limit: 10_000 }, signal),
  staleTime: 30_000,
})
export const advisoryPath = (id: string) => `/advisories/${encodeURIComponent(id)}`
export const advisory = (id: string) => queryOptions({ queryKey: ['advisories', 'one', id], queryFn: ({ signal }) => api.get<Advisory>(advisoryPath(id), undefined, signal) })
export const deviceAdvisories = (id: string) =>
  queryOptions({ queryKey: ['advisories', 'device', id], queryFn: ({ signal }) => api.get<DeviceAdvisories>(`/devices/${encodeURIComponent(id)}/advisories`, undefined, signal), staleTime: 30_000 })

const MOST = 16 * 1024 * 1024

export interface About { device?: string; vendor?: string; model?: string }

/** Hands a file over as it is. */
export async function importFile(file: File, about: About): Promise<AdvisoryImport> {
  if (file.size > MOST) throw new ApiError({ type: 'about:blank', status: 413, title: 'The file is too large.', detail: `${file.name} is larger than 16 MiB.`, hint: 'Import the parts of it one by one.' })
  return api.upload<AdvisoryImport>('/advisories/import', file, { file: file.name.slice(0, 200), ...about })
}

/** A file that the server makes, or the reason why it does not. */
export async function exportVEX(format: 'openvex' | 'csaf', about: { device?: string; advisory?: string }): Promise<{ name: string; text: string }> {
  let res: Response
  try {
    res = await fetch(apiURL('/advisories/export', { format, ...about }), { credentials: 'same-origin' })
  } catch {
    throw new Unreachable()
  }
  if (!res.ok) throw new ApiError(await toProblem(res))
  const named = /filename="?([\w.-]+)"?/.exec(res.headers.get('content-disposition') ?? '')?.[1]
  return { name: named ?? `asepsis-${about.advisory ?? about.device ?? 'site'}.${format}.json`, text: await res.text() }
}
