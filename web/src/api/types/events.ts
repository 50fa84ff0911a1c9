// SPDX-License-Identifier: Apache-2.0
import type { Severity } from './base'

// ---- events ---------------------------------------------------------------

export type EventField = 'class' | 'activity' | 'severity' | 'status' | 'protocol' | 'sensor' | 'theatre' | 'device' | 'src_device' | 'dst_device' | 'ip' | 'src_ip' | 'dst_ip'

/**
 * What every request about events takes: from, to (RFC 3339, or "-1h" and the like), q (text), min_severity,
 * is=field:value and not=field:value (repeated; several values of one field: any of them), limit, cursor, order=newest|oldest.
 */
export interface EventPage {
  events: EventRow[]
  next: string | null
  complete: boolean // false: the time allowed for one request ended at `reached`; ask again with next
  reached: string
  took_ms: number
}
export interface EventRow {
  id: string // decimal sequence number in the store: compare as BigInt
  time: string
  class: number; class_name: string; activity: number; activity_name: string
  severity: Severity; status: 'unknown' | 'success' | 'failure'
  protocol: string; sensor: string; theatre: string
  message: string
  src: EventEnd | null; dst: EventEnd | null
}
export interface EventEnd { ip: string; port: number; mac: string; device: string; name: string }

/** GET /events/{id} */
export interface EventDetail extends EventRow {
  uid: string
  groups: { title: string; fields: { name: string; label: string; value: string; field?: EventField; raw?: unknown }[] }[] // decoded, for people, deciding ones first
  ocsf: Record<string, unknown>
}

/** GET /events/histogram?...&steps=120 */
export interface EventHistogram { from: string; to: string; step_ms: number; steps: { start: string; by: Partial<Record<Severity, number>> }[]; complete: boolean; reached: string }
/** GET /events/top?...&field=protocol&limit=10 */
export interface TopValues { field: EventField; values: { value: string; label: string; count: number }[]; others: number; complete: boolean; reached: string }

/**
 * GET /events/stream?...&after=ID: server-sent events, "id:" is the event's id, so that Last-Event-ID resumes without loss.
 *   event: events  data: {"events": EventRow[]}
 *   event: lag     data: {"behind": number, "seconds": number}   the reader is slow, or the store is
 *   event: gap     data: {"from": string, "to": string, "why": string}   what was asked for is no longer kept
 * GET /stream: changes of everything else.
 *   event: changed data: {"what": "devices"|"theatres"|"status"|"findings"|"rules"|"settings"|"views", "revision": number}
 */
export interface StreamEvents { events: EventRow[] }
export interface StreamChanged { what: 'devices' | 'theatres' | 'status' | 'findings' | 'rules' | 'settings' | 'views' | 'imaging'; revision: number }

/** GET /events/export?...&format=ndjson|csv|ocsf&limit= (streamed) */
