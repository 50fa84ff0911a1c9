// SPDX-License-Identifier: Apache-2.0
// What the Events page asks for: one value, written to the URL for people and
// to parameters for the API. A link therefore restores exactly the same view.

import type { EventField, Severity } from '../../api/types'
import { readTerms, writeTerms, type Term } from '../../ui/grid/terms'

/** In the order of the sidebar. */
export const fields: readonly EventField[] = [
  'protocol', 'class', 'activity', 'severity', 'status', 'theatre', 'device', 'src_device', 'dst_device', 'ip', 'src_ip', 'dst_ip', 'sensor',
]

export const fieldNames: Record<EventField, string> = {
  protocol: 'Protocol', class: 'Kind', activity: 'Activity', severity: 'Severity', status: 'Result', theatre: 'Theatre',
  device: 'Device (either end)', src_device: 'From device', dst_device: 'To device', ip: 'Address (either end)', src_ip: 'From address',
  dst_ip: 'To address', sensor: 'Sensor',
}

export const severities: readonly Severity[] = ['unknown', 'info', 'low', 'medium', 'high', 'critical']

export interface EventQuery {
  from: string // "-1h", or RFC 3339
  to: string // "" for now, or RFC 3339
  q: string
  min: Severity | ''
  terms: Term<EventField>[]
  order: 'newest' | 'oldest'
  live: boolean
  evidence: boolean // also what devices say about themselves, which is most of all events
}

/** class_uid of Device Identity Evidence. Devices show it where it belongs; among events it hides the rest. */
export const EVIDENCE = '76105001'

export const DEFAULT_FROM = '-1h'

export const ranges: readonly { from: string; name: string; short: string }[] = [
  { from: '-15m', name: 'Last 15 minutes', short: '15 min' },
  { from: '-1h', name: 'Last hour', short: '1 h' },
  { from: '-6h', name: 'Last 6 hours', short: '6 h' },
  { from: '-24h', name: 'Last 24 hours', short: '24 h' },
  { from: '-7d', name: 'Last 7 days', short: '7 d' },
  { from: '-30d', name: 'Last 30 days', short: '30 d' },
]

export const emptyQuery: EventQuery = { from: DEFAULT_FROM, to: '', q: '', min: '', terms: [], order: 'newest', live: false, evidence: false }

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of "-90m" and the like; null for what is no such thing. */
export function relativeMs(text: string): number | null {
  const m = /^-(\d{1,6})([smhd])$/.exec(text)
  const unit = m ? units[m[2] ?? ''] : undefined
  return m && unit !== undefined && Number(m[1]) > 0 ? Number(m[1]) * unit : null
}

function validTime(text: string | null): string | null {
  if (text === null || text === '') return null
  if (relativeMs(text) !== null) return text
  return /^\d{4}-\d\d-\d\dT/.test(text) && Number.isFinite(Date.parse(text)) ? text : null
}

export function readQuery(params: URLSearchParams): EventQuery {
  const end = validTime(params.get('to')) ?? ''
  const to = relativeMs(end) === null ? end : ''
  let from = validTime(params.get('from')) ?? DEFAULT_FROM
  if (to !== '' && relativeMs(from) === null && Date.parse(from) >= Date.parse(to)) from = new Date(Date.parse(to) - 3_600_000).toISOString()
  const min = severities.find((s) => s === params.get('min')) ?? ''
  const live = params.get('live') === '1' && to === ''
  return {
    from, to, min, live,
    q: params.get('q') ?? '',
    terms: readTerms(params, fields),
    order: params.get('order') === 'oldest' && !live ? 'oldest' : 'newest',
    evidence: params.get('evidence') === '1',
  }
}

export function writeQuery(params: URLSearchParams, query: EventQuery): void {
  if (query.from !== DEFAULT_FROM || query.to !== '') params.set('from', query.from)
  if (query.to !== '') params.set('to', query.to)
  if (query.q !== '') params.set('q', query.q)
  if (query.min !== '') params.set('min', query.min)
  writeTerms(params, query.terms)
  if (query.order !== 'newest') params.set('order', query.order)
  if (query.live && query.to === '') params.set('live', '1')
  if (query.evidence) params.set('evidence', '1')
}

/** A range of time in milliseconds since the epoch. */
export interface Span { from: number; to: number }

/** Fixes what "the last hour" means, so that rows, histogram and counts speak of the same hour. */
export function spanOf(query: Pick<EventQuery, 'from' | 'to'>, now: number): Span {
  const to = query.to === '' ? now : Date.parse(query.to)
  const back = relativeMs(query.from)
  return { from: back === null ? Date.parse(query.from) : to - back, to }
}

/** The parameters that every request about these events takes. */
export function apiParams(query: EventQuery, span: Span): URLSearchParams {
  const params = new URLSearchParams()
  params.set('from', new Date(span.from).toISOString())
  params.set('to', new Date(span.to).toISOString())
  filterParams(params, query)
  return params
}

/** Only what is asked for, without the time: what the live stream takes. */
export function filterParams(params: URLSearchParams, query: EventQuery): void {
  if (query.q.trim() !== '') params.set('q', query.q.trim())
  if (query.min !== '' && query.min !== 'unknown') params.set('min_severity', query.min)
  writeTerms(params, query.terms)
  // Who asks for a kind gets just that; otherwise evidence is left out until it is wanted.
  if (!query.evidence && !query.terms.some((t) => !t.not && (t.field === 'class' || t.field === 'activity'))) params.append('not', `class:${EVIDENCE}`)
}

export function withSpan(query: EventQuery, span: Span): EventQuery {
  return { ...query, from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString(), live: false }
}

/** Twice as long around the same middle, never into the future. */
export function zoomOut(span: Span, now: number): Span {
  const half = Math.max(1000, span.to - span.from) / 2
  const to = Math.min(now, span.to + half)
  return { from: Math.max(0, to - half * 4), to }
}

/** The span before or after, of the same length. */
export function shift(span: Span, by: -1 | 1, now: number): Span {
  const length = span.to - span.from
  const to = Math.min(now, span.to + by * length)
  return { from: to - length, to }
}

/** Says what narrows the events down, for "nothing matches" and names of saved searches. */
export function isNarrowed(query: EventQuery): boolean {
  return query.q.trim() !== '' || query.min !== '' || query.terms.length > 0
}
