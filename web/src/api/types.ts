// SPDX-License-Identifier: Apache-2.0
// The shapes of /api/v1, as respond/api/openapi.yaml describes them.
// Times are RFC 3339 in UTC with up to nine decimals, unless a name ends in _ms.

export type Severity = 'unknown' | 'info' | 'low' | 'medium' | 'high' | 'critical'
export type Role = 'viewer' | 'analyst' | 'biomed' | 'engineer' | 'admin'
export type Permission =
  | 'read' // everything but users, tokens of others and the audit trail
  | 'view.edit' // own and shared saved searches
  | 'theatre.state' // set the state of a case by hand
  | 'device.edit'
  | 'theatre.edit'
  | 'settings.edit'
  | 'user.edit'
  | 'audit.read'

/** application/problem+json, RFC 9457. */
export interface Problem {
  type: string // "about:blank" or a path of the documentation
  title: string
  status: number
  detail?: string
  hint?: string // what to do
  errors?: { field: string; message: string; hint?: string }[]
  retry_after?: number // seconds
}

// ---- session ------------------------------------------------------------

/** GET /auth: what a person who is not logged in may know. */
export interface AuthInfo {
  setup_needed: boolean
  password: boolean
  oidc: { name: string } | null // log in by GET /api/v1/auth/oidc?return=/path
  demo: boolean
  site: string
  version: string
}

/** GET /session, and the answer of POST /session {name, password} and POST /setup {token, name, display_name, password}. */
export interface Session {
  user: { name: string; display_name: string; roles: Role[]; local: boolean }
  permissions: Permission[]
  csrf: string // send as X-CSRF-Token with every request that is not GET
  expires: string
  demo: boolean
  site: Site
  version: string
}
export interface Site { id: string; name: string; timezone: string }

/** GET /sessions (own; all with user.edit and ?all=true), DELETE /sessions/{id}, DELETE /session. */
export interface SessionInfo { id: string; user: string; current: boolean; created: string; last_seen: string; from: string; agent: string; expires: string }

/** GET/POST /users, PATCH/DELETE /users/{name}; POST takes password too; PUT /account/password {old, new}; POST /users/{name}/password {new}. */
export interface User { name: string; display_name: string; roles: Role[]; local: boolean; disabled: boolean; created: string; last_login?: string; revision: number }

/** GET/POST /tokens, DELETE /tokens/{id}. POST {name, permissions, expires_in_days} answers with the secret once. */
export interface Token { id: string; name: string; owner: string; permissions: Permission[]; created: string; expires: string; last_used?: string }
export interface NewToken extends Token { secret: string }

/** GET /audit?before=&who=&action=&object=&limit= */
export interface AuditEntry { id: number; time: string; who: string; from?: string; action: string; object?: string; before?: unknown; after?: unknown; result: 'done' | 'refused' | 'failed'; note?: string }
export interface AuditPage { entries: AuditEntry[]; next: number | null }

// ---- the truth about the system itself ------------------------------------

export type Health = 'ok' | 'attention' | 'stop'

/** GET /status */
export interface Status {
  state: 'live' | 'lagging' | 'blind' | 'down'
  sentence: string // "Live." "Events are shown 12 s late: the store is catching up." ...
  demo: boolean
  time: string
  lag_seconds: number // between what the sensors saw and what is stored
  lost_events: number // since the start, reported by sensors or found missing on the bus
  components: { name: string; state: Health; sentence: string; since: string }[]
  theatres_in_case: { id: string; name: string }[]
}

// ---- theatres -------------------------------------------------------------

export type CaseState = 'idle' | 'in-case' | 'maintenance'
export interface Light { level: 'calm' | 'attention' | 'stop' | 'unknown'; sentence: string }

/** GET /board: the rooms in building order. */
export interface Board { time: string; theatres: Tile[]; unassigned_devices: number }
export interface Tile {
  id: string; name: string; order: number
  state: CaseState; since: string; source: string
  lights: { devices: Light; images: Light; network: Light }
  devices: number; findings: number
}

/** GET /theatres/{id}/room */
export interface Room {
  theatre: Theatre
  tile: Tile
  groups: { name: 'imaging' | 'display' | 'robot' | 'anaesthesia' | 'it' | 'other'; devices: DeviceRow[] }[]
  imaging_path: PathStep[] // scanner -> gateway -> processor -> headset, what is known of it
  findings: Finding[]
  last_hour: { start: string; events: number; worst: Severity }[] // 60 steps of a minute
  contact?: string // whom to call
}
export interface PathStep { role: 'scanner' | 'archive' | 'gateway' | 'processor' | 'headset'; device?: DeviceRow; objects_last_hour: number; failed_last_hour: number; encrypted: boolean | null; custody: 'verified' | 'unverified' | 'broken' | 'none'; last?: string }

/** GET/POST /theatres, GET/PUT/DELETE /theatres/{id} (send revision); PUT /theatres/{id}/state {state, note}. */
export interface Theatre {
  id: string; name: string; order: number; building?: string; contact?: string
  vlans: number[]; prefixes: string[] // devices seen there belong to this theatre unless a person says otherwise
  state: CaseState; since: string; source: string
  revision: number
}

// ---- devices --------------------------------------------------------------

/** GET /devices?q=&class=&theatre=&zone=&vendor=&speaks=&seen_after=&limit=&after= (all when no limit is given) */
export interface DeviceList { revision: number; total: number; devices: DeviceRow[]; next: string | null }
export interface DeviceRow {
  id: string
  name: string // the best there is: a person's name for it, host name, AE title, or its address
  class: string; class_name: string; confidence: number; medical: boolean
  vendor: string; model: string; firmware: string; serial: string; os: string
  macs: string[]; ips: string[]; vlans: number[]; ae_titles: string[]
  theatre: string; zone: string; criticality: '' | 'low' | 'medium' | 'high' | 'life-supporting'
  speaks: string[] // protocols offered or used
  certificate: '' | 'valid' | 'expiring' | 'expired'
  findings: number; worst: Severity
  conflicts: number
  first: string; last: string
  by_person: string[] // attributes that a person set
}

/** GET /devices/{id}; PATCH /devices/{id} {name?, class?, vendor?, model?, theatre?, criticality?}: null gives the attribute back to observation. */
export interface Device extends DeviceRow {
  aliases: string[]
  class_why: string
  udi: string; via: string
  randomised_mac: boolean
  interfaces: { mac: string; ips: string[]; vlans: number[] }[]
  services: string[]; uses: string[]
  facts: Record<string, { value: string; stated?: string; confidence: number; sources: string[]; by_person?: boolean }>
  conflict_list: { attribute: string; values: string[]; why: string }[]
  joined: { why: string; confidence: number }[]
  notes: { text: string; who: string; at: string }[]
  evidence: Evidence[]
  finding_list: Finding[]
}
export interface Evidence { attribute: string; value: string; source: string; confidence: number; first: string; last: string; count: number }

/** GET /devices/{id}/conversations?from=&to= */
export interface Conversations { from: string; to: string; conversations: Conversation[]; more: boolean }
export interface Conversation { peer: string; peer_name: string; peer_class: string; outgoing: boolean; protocol: string; transport: string; port: number; flows: number; failed: number; bytes_out: number; bytes_in: number; first: string; last: string; since: string }

/** GET /devices/{id}/activity?from=&to=&steps= */
export interface Activity { from: string; to: string; steps: { start: string; events: number; classes: Record<string, number>; worst: Severity }[] }

/** GET /devices/{id}/edits; POST /edits/{seq}/undo; POST /devices/{id}/notes {text}; POST /devices/{id}/merge {with}; POST /devices/{id}/split {parts}. */
export interface Edit { seq: number; kind: string; device: string; value?: string; keys?: string[]; who: string; at: string; undone_by?: string; undone_at?: string }

// ---- map ------------------------------------------------------------------

/** GET /map?from=&to=&limit= */
export interface NetworkMap {
  from: string; to: string
  kept: { from: string; to: string } // what the time slider can reach
  nodes: MapNode[]
  edges: MapEdge[]
  more: boolean // edges beyond the limit were left out, the smallest
}
export interface MapNode { id: string; name: string; class: string; class_name: string; theatre: string; zone: string; medical: boolean; worst: Severity; outside: boolean }
export interface MapEdge { from: string; to: string; protocol: string; transport: string; port: number; flows: number; failed: number; bytes_out: number; bytes_in: number; first: string; last: string; new: boolean; in_policy: boolean | null }

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
 *   event: changed data: {"what": "devices"|"theatres"|"status"|"findings"|"settings"|"views", "revision": number}
 */
export interface StreamEvents { events: EventRow[] }
export interface StreamChanged { what: 'devices' | 'theatres' | 'status' | 'findings' | 'settings' | 'views'; revision: number }

/** GET /events/export?...&format=ndjson|csv|ocsf&limit= (streamed) */

// ---- findings (what the inventory and the sensor itself cannot reconcile) ----

/** GET /findings?theatre=&device=&limit= */
export interface Finding { id: string; rule: string; severity: Severity; title: string; room: string; devices: { id: string; name: string }[]; theatre: string; count: number; first: string; last: string; attack: string[]; evidence: string[] }
export interface FindingList { findings: Finding[]; total: number }

// ---- sensors ----------------------------------------------------------------

/** GET /sensors */
export interface SensorList { sentence: string; sensors: Sensor[] }
export interface Sensor {
  name: string; source: string // "eth1", "theatre.pcapng (replayed)"
  state: 'watching' | 'silent' | 'lossy' | 'gone' | 'finished'
  sentence: string
  started: string; reported: string
  packets: number; bytes: number; packets_per_second: number; bits_per_second: number
  dropped: number; loss: number // share of packets lost in the last hour, 0 to 1
  undecoded: number; gaps: number; gap_bytes: number; one_sided: number; mid_stream: number
  flows: number; active_flows: number; flows_evicted: number; analyses_evicted: number; over_budget: number; panics: number
  unrecognised: number; unrecognised_bytes: number
  events: number; events_lost: number; queued_events: number
  protocols: { name: string; count: number }[]
  vlans: { id: number; packets: number; theatre: string }[]
  blind_spots: { what: string; why: string; hint: string }[]
}
/** GET /sensors/{name}/series?from=&to= : columns for a plot, oldest first, equal steps. */
export interface SensorSeries { start: string; step_ms: number; packets_per_second: (number | null)[]; bits_per_second: (number | null)[]; dropped: (number | null)[]; events_per_second: (number | null)[]; active_flows: (number | null)[] }

// ---- settings, views, search -------------------------------------------------

/** GET/PUT /settings (send revision) */
export interface Settings { revision: number; site: Site; retention: { events_days: number; events_max_bytes: number; audit_days: number }; silence_minutes: number }
/** GET /storage */
export interface Storage { engine: string; events: number; first: string | null; last: string | null; bytes: number; free: number | null; days: { day: string; events: number; bytes: number }[]; bus: { messages: number; bytes: number; mode: string } }

/** GET /views?page=, POST /views, PUT/DELETE /views/{id} */
export interface View { id: string; page: 'devices' | 'events' | 'map'; name: string; query: string; shared: boolean; owner: string; revision: number }

/** GET /search?q= : devices and rooms by any of their names and addresses; for events, the query to open. */
export interface SearchResult { devices: DeviceRow[]; theatres: { id: string; name: string }[]; events_query: string }
