// SPDX-License-Identifier: Apache-2.0
// What the Imaging page asks for, and what it does. The keys begin with
// "imaging", so that a change told by the stream asks again; each has the
// gateway that is looked at.

import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, ApiError, type Params } from '@/api/client'
import type {
  ImagingAssociations, ImagingBinding, ImagingBindings, ImagingDestination, ImagingDestinations, ImagingDropped, ImagingDryRun, ImagingEcho, ImagingGateways, ImagingHeader, ImagingHeld, ImagingInstanceDetail, ImagingInstances, ImagingOverview, ImagingPolicy, ImagingPolicyCheck, ImagingProcedureStep, ImagingQuarantine, ImagingReceipts,
  ImagingSteps, ImagingStudies, ImagingTimeline,
} from '@/api/types'
import { fileOf, save } from '../ledger/queries'

const part = encodeURIComponent
const of = (gateway: string): Params => ({ gateway })
const at = (gateway: string) => ({ params: of(gateway) })

export const gateways = queryOptions({ queryKey: ['imaging', 'gateways'], queryFn: ({ signal }) => api.get<ImagingGateways>('/imaging/gateways', undefined, signal), refetchInterval: 30_000 })

export const overview = (gateway: string) =>
  queryOptions({ queryKey: ['imaging', gateway, 'overview'], queryFn: ({ signal }) => api.get<ImagingOverview>('/imaging/overview', of(gateway), signal), refetchInterval: 5_000 })
export const associations = (gateway: string) =>
  queryOptions({ queryKey: ['imaging', gateway, 'associations'], queryFn: ({ signal }) => api.get<ImagingAssociations>('/imaging/associations', of(gateway), signal), refetchInterval: 5_000 })
export const destinations = (gateway: string) =>
  queryOptions({ queryKey: ['imaging', gateway, 'destinations'], queryFn: ({ signal }) => api.get<ImagingDestinations>('/imaging/destinations', of(gateway), signal), refetchInterval: 5_000 })

export type Steer = 'pause' | 'resume' | 'retry'
export const steer = (gateway: string, name: string, action: Steer, confirmed?: boolean) => api.post<ImagingDestination>(`/imaging/destinations/${part(name)}/${action}`, confirmed ? { confirm_in_case: true } : {}, at(gateway))
/** What is decided there and then: the reason stays in the ledger; during a case it is said twice. */
interface Said { reason: string; confirm_in_case?: boolean }
export const drop = (gateway: string, name: string, body: Said) => api.post<ImagingDropped>(`/imaging/destinations/${part(name)}/drop`, body, at(gateway))
export const echo = (gateway: string, name: string, signal: AbortSignal) => api.post<ImagingEcho>(`/imaging/destinations/${part(name)}/echo`, {}, { ...at(gateway), signal })

const PAGE = 100
export const quarantine = (gateway: string) =>
  infiniteQueryOptions({
    queryKey: ['imaging', gateway, 'quarantine'],
    queryFn: ({ pageParam, signal }) => api.get<ImagingQuarantine>('/imaging/quarantine', { ...of(gateway), before: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => last.before,
    refetchInterval: (q) => ((q.state.data?.pages.length ?? 0) > 3 ? false : 10_000),
  })
export type Decision = 'release' | 'destroy' | 'withdraw'
export const decide = (gateway: string, h: ImagingHeld, action: Decision, body: Said) =>
  api.post<ImagingHeld>(`/imaging/quarantine/${h.number}/${action}`, { ...body, revision: h.revision }, at(gateway))

/** The server asks whether it is meant, because somebody is being operated on where it matters. */
export const isInCase = (e: unknown): boolean => e instanceof ApiError && e.status === 409 && e.code === 'case-in-progress'

/** Procedures that say whose images a room makes, with those that ended a while ago. */
export const procedures = (gateway: string) =>
  queryOptions({ queryKey: ['imaging', gateway, 'steps'], queryFn: ({ signal }) => api.get<ImagingSteps>('/imaging/steps', of(gateway), signal), refetchInterval: 10_000 })
export const endProcedure = (gateway: string, uid: string, body: { reason: string }) => api.post<ImagingProcedureStep>(`/imaging/steps/${part(uid)}/end`, body, at(gateway))

/** What the ledger of instances is asked for. Empty: anything. */
export interface InstanceFilter { study: string; series: string; sop_instance: string; sha256: string; device: string; destination: string; state: string; delivery: string; theatre: string; from: string; to: string }
export const instances = (gateway: string, f: InstanceFilter) =>
  infiniteQueryOptions({
    queryKey: ['imaging', gateway, 'instances', f],
    queryFn: ({ pageParam, signal }) => api.get<ImagingInstances>('/imaging/instances', { ...of(gateway), ...f, before: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => last.before,
    staleTime: 30_000,
  })
export type StudyFilter = Pick<InstanceFilter, 'device' | 'theatre' | 'destination' | 'from' | 'to'>
export const studies = (gateway: string, f: StudyFilter) =>
  infiniteQueryOptions({
    queryKey: ['imaging', gateway, 'studies', f],
    queryFn: ({ pageParam, signal }) => api.get<ImagingStudies>('/imaging/studies', { ...of(gateway), ...f, before: pageParam, limit: 50 }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => last.before,
    staleTime: 30_000,
  })
export const instance = (gateway: string, number: string) =>
  queryOptions({ queryKey: ['imaging', gateway, 'instance', number], queryFn: ({ signal }) => api.get<ImagingInstanceDetail>(`/imaging/instances/${part(number)}`, of(gateway), signal), enabled: number !== '', refetchInterval: 10_000 })
export const header = (gateway: string, number: number) =>
  queryOptions({ queryKey: ['imaging', gateway, 'header', number], queryFn: ({ signal }) => api.get<ImagingHeader>(`/imaging/instances/${number}/header`, of(gateway), signal), staleTime: Infinity, refetchOnWindowFocus: false })
/** The header with what identifies the patient. Asked for with a reason, and never kept here longer than it is shown. */
export const clearHeader = (gateway: string, number: number, reason: string) => api.post<ImagingHeader>(`/imaging/instances/${number}/header/clear`, { reason }, at(gateway))

export const timeline = (gateway: string, study: string) =>
  infiniteQueryOptions({
    queryKey: ['imaging', gateway, 'timeline', study],
    queryFn: ({ pageParam, signal }) => api.get<ImagingTimeline>(`/imaging/studies/${part(study)}/timeline`, { ...of(gateway), before: pageParam }, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => last.before,
    enabled: study !== '',
    refetchInterval: (q) => ((q.state.data?.pages.length ?? 0) > 1 ? false : 10_000),
  })
export const saveStudyReceipts = (gateway: string, study: string) => save('The bundle of receipts', () => fileOf(`/imaging/studies/${part(study)}/receipts.zip`, of(gateway)), `receipts-${study}.zip`)
export const saveInstanceReceipts = (gateway: string, sop: string) => save('The bundle of receipts', () => fileOf(`/imaging/receipts/${part(sop)}/bundle.zip`, of(gateway)), `receipts-${sop}.zip`)
/** The receipt of an entry of the gateway's own ledger. */
export const saveReceipt = (gateway: string, entry: number) => save('The receipt', () => fileOf(`/imaging/entries/${entry}/receipt`, of(gateway)), `asepsis-${entry}.receipt.json`)
export const saveTrust = (gateway: string) => save('The trust file', () => fileOf('/imaging/trust', of(gateway)), 'asepsis-trust.json')
/** What the gateway's ledger says about a data set with this SHA-256, wherever it came from. */
export const statementsOf = (gateway: string, artefact: string, signal?: AbortSignal) => api.get<ImagingReceipts>(`/imaging/receipts/${part(artefact)}`, of(gateway), signal)
export const receipts = (gateway: string, artefact: string) => queryOptions({ queryKey: ['imaging', gateway, 'receipts', artefact], queryFn: ({ signal }) => statementsOf(gateway, artefact, signal), enabled: artefact !== '' })
/** The instances that came, or went, with this content; the newest first. */
export const withContent = async (gateway: string, sha256: string, limit: number, signal?: AbortSignal) => (await api.get<ImagingInstances>('/imaging/instances', { ...of(gateway), sha256, limit }, signal)).instances
/** Whether a UID is that of a study, a series or an instance that the gateway knows. */
export async function whatIs(gateway: string, uid: string): Promise<'study' | 'series' | 'instance' | undefined> {
  const kinds = [['study', 'study'], ['series', 'series'], ['instance', 'sop_instance']] as const
  const asked = await Promise.allSettled(kinds.map(([, field]) => api.get<ImagingInstances>('/imaging/instances', { ...of(gateway), [field]: uid, limit: 1 })))
  const found = kinds.find((_, i) => { const a = asked[i]; return a?.status === 'fulfilled' && a.value.instances.length > 0 })
  if (found) return found[0]
  // One that was not answered (older records are still being indexed) may have known it.
  const failed = asked.find((a) => a.status === 'rejected')
  if (failed) throw failed.reason
  return undefined
}

export const policy = (gateway: string) => queryOptions({ queryKey: ['imaging', gateway, 'policy'], queryFn: ({ signal }) => api.get<ImagingPolicy>('/imaging/policy', of(gateway), signal) })
export const checkPolicy = (gateway: string, yaml: string, signal: AbortSignal) => api.post<ImagingPolicyCheck>('/imaging/policy/check', { yaml }, { ...at(gateway), signal })
export const dryRun = (gateway: string, yaml: string, limit: number, signal: AbortSignal) => api.post<ImagingDryRun>('/imaging/policy/dry-run', { yaml, limit }, { ...at(gateway), signal })
export const savePolicy = (gateway: string, yaml: string, sha256: string) => api.put<ImagingPolicy>('/imaging/policy', { yaml, sha256 }, at(gateway))

export const bindings = (gateway: string) => queryOptions({ queryKey: ['imaging', gateway, 'bindings'], queryFn: ({ signal }) => api.get<ImagingBindings>('/imaging/bindings', of(gateway), signal), refetchInterval: 30_000 })
/** What is sent back of a binding: what a person sets, without what the gateway fills in. */
export function sent({ identification: _i, last_seen: _s, refused: _r, last_problem: _p, device_name: _n, ...b }: ImagingBinding): ImagingBinding {
  return b
}
export const saveBindings = (gateway: string, list: ImagingBinding[], revision: string) => api.put<ImagingBindings>('/imaging/bindings', { bindings: list.map(sent), revision }, at(gateway))
