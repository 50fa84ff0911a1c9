// SPDX-License-Identifier: Apache-2.0
// What the Identity page asks for, and what it does. The keys begin with
// "identity".

import { queryOptions } from '@tanstack/react-query'
import { api } from '@/api/client'
import type { IdentityCertificate, IdentityCertificateDetail, IdentityCertificates, IdentityCode, IdentityCodes, IdentityImpact, IdentityIssued, IdentityNewCode, IdentityStatus } from '@/api/types'

export const identityStatus = queryOptions({
  queryKey: ['identity', 'status'],
  queryFn: ({ signal }) => api.get<IdentityStatus>('/identity', undefined, signal),
  refetchInterval: 30_000,
})

const PAGE = 1000
// Every renewal leaves an old certificate behind: of those only so many are loaded.
const most = { good: 50_000, revoked: 20_000, expired: 5_000, superseded: 5_000 }

async function allOf(status: keyof typeof most, signal: AbortSignal): Promise<{ list: IdentityCertificate[]; more: boolean }> {
  const list: IdentityCertificate[] = []
  let after: string | undefined
  do {
    const page: IdentityCertificates = await api.get('/identity/certificates', { status, after, limit: PAGE }, signal)
    list.push(...page.certificates)
    after = page.after
  } while (after && list.length < most[status])
  return { list, more: Boolean(after) }
}

/** The certificates that count, and the newest that do not any more: the grid searches and sorts them here. */
export const certificates = queryOptions({
  queryKey: ['identity', 'certificates'],
  queryFn: async ({ signal }) => {
    const parts = await Promise.all((['good', 'revoked', 'expired', 'superseded'] as const).map((s) => allOf(s, signal)))
    // One may have changed its state between two questions.
    const bySerial = new Map(parts.flatMap((p) => p.list).map((c) => [c.serial, c]))
    return { certificates: [...bySerial.values()], more: parts.some((p) => p.more) }
  },
  refetchInterval: (q) => ((q.state.data?.certificates.length ?? 0) > 3_000 ? 300_000 : 30_000), // a large list is a lot to ask for
  staleTime: 15_000,
})
const path = (serial: string) => `/identity/certificates/${encodeURIComponent(serial)}`
export const certificate = (serial: string) => queryOptions({ queryKey: ['identity', 'one', serial], queryFn: ({ signal }) => api.get<IdentityCertificateDetail>(path(serial), undefined, signal), enabled: serial !== '' })
export const ofDevice = (device: string) => queryOptions({ queryKey: ['identity', 'device', device], queryFn: ({ signal }) => api.get<IdentityCertificates>('/identity/certificates', { device, limit: 50 }, signal), staleTime: 30_000 })
/** What revoking cuts, as it is this moment. */
export const impact = (serial: string) => queryOptions({ queryKey: ['identity', 'impact', serial], queryFn: ({ signal }) => api.get<IdentityImpact>(`${path(serial)}/impact`, undefined, signal), staleTime: 0, gcTime: 0, refetchInterval: 5_000 })
export const codes = queryOptions({ queryKey: ['identity', 'codes'], queryFn: ({ signal }) => api.get<IdentityCodes>('/identity/codes', undefined, signal), refetchInterval: 10_000 })

export interface About { device?: string; service?: string; profile: string; dns?: string[]; ips?: string[]; long_life?: string }
export const makeCode = (about: About & { hours: number }) => api.post<IdentityNewCode>('/identity/codes', about)
export const withdraw = (code: IdentityCode) => api.del(`/identity/codes/${encodeURIComponent(code.id)}`)
export const signRequest = (about: About & { csr: string }) => api.post<IdentityIssued>('/identity/certificates', about)
export const revoke = (serial: string, body: { reason: string; note: string; confirm_in_case?: boolean }) => api.post<IdentityCertificate>(`${path(serial)}/revoke`, body)
