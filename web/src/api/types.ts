// SPDX-License-Identifier: Apache-2.0
// The shapes of /api/v1, as respond/api/openapi.yaml describes them.
// Times are RFC 3339 in UTC with up to nine decimals, unless a name ends in _ms.
import type { Kind } from '../receipt/statement'

export type Severity = 'unknown' | 'info' | 'low' | 'medium' | 'high' | 'critical'
export type Role = 'viewer' | 'analyst' | 'biomed' | 'engineer' | 'admin'
export type Permission =
  | 'read' // everything but users, tokens of others and the audit trail
  | 'view.edit' // own and shared saved searches
  | 'theatre.state' // set the state of a case by hand
  | 'finding.edit' // decide about findings, suppress, run backtests
  | 'packet.read' // packets as they were seen, patient data in clear
  | 'device.edit'
  | 'theatre.edit'
  | 'rule.edit' // switch rules, write own ones
  | 'settings.edit'
  | 'record.write' // operation records into the ledger
  | 'identity.edit' // enrolment codes, certificates from requests
  | 'identity.revoke'
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
  runs: string[] // of "ledger" and "identity": only what runs has a page in the rail
  sites: NamedSite[] // empty where there is one only
}
export interface NamedSite { name: string; title: string; own: boolean }

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
  site: string // "" for the own
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
  site: string // "" for the own
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
  site: string // "" for the own
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
  certificates: DeviceCertificate[] // the first to expire first
  evidence: Evidence[]
  finding_list: Finding[]
}
export interface DeviceCertificate { service: string; validity: 'valid' | 'expiring' | 'expired'; not_before: string; not_after: string; issuer: string; self_signed: boolean; key_type: string; key_bits: number; sha256: string; source: string; confidence: number; first: string; last: string }
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
 *   event: changed data: {"what": "devices"|"theatres"|"status"|"findings"|"rules"|"settings"|"views", "revision": number}
 */
export interface StreamEvents { events: EventRow[] }
export interface StreamChanged { what: 'devices' | 'theatres' | 'status' | 'findings' | 'rules' | 'settings' | 'views'; revision: number }

/** GET /events/export?...&format=ndjson|csv|ocsf&limit= (streamed) */

// ---- findings: what needs a person ------------------------------------------

export type FindingState = 'open' | 'acknowledged' | 'closed'
export type FindingOutcome = 'true' | 'false' | 'benign' | 'wont-fix'
export type FindingAction = 'acknowledge' | 'assign' | 'close' | 'reopen' | 'note' | 'snooze'
/**
 * GET /findings?state=&min_severity=&severity=&rule=&family=&device=&theatre=&case=&assignee=&outcome=&q=&suppressed=&snoozed=&from=&to=&sort=&order=&limit=&cursor=&group=
 * Without state: open and acknowledged ones. state=all: all of them. suppressed and snoozed are no (default), yes or all. assignee=me, assignee=none.
 * sort is severity (default), last, first, count, title, rule, device, theatre or state. from and to are about the last occurrence.
 * group=rule|device|theatre fills groups, of all that match.
 */
export interface FindingList {
  findings: Finding[]
  total: number // that match
  next: string | null // cursor
  revision: number // changes with any finding
  counts: FindingCounts // of all, whatever is filtered
  facets: FindingFacet[] // of what matches
  groups: FindingGroup[]
}
export interface FindingCounts {
  open: number // not acknowledged, neither suppressed nor snoozed
  acknowledged: number
  closed: number
  suppressed: number
  snoozed: number
  mine: number // assigned to who asks, not closed
  critical: number // of open and acknowledged
  high: number
}
export interface FindingFacet {
  field: 'severity' | 'rule' | 'family' | 'theatre' | 'device' | 'state' | 'assignee'
  values: FindingFacetValue[]
}
export interface FindingFacetValue {
  value: string
  label: string
  count: number
}
export interface FindingGroup {
  key: string // rule, device ID or theatre ID
  label: string
  findings: number
  open: number
  occurrences: number
  worst: Severity
  first: string
  last: string
}
export interface Finding {
  id: string
  rule: string
  family: string
  severity: Severity
  severity_why: string[] // why it is not the rule's own
  confidence: number // percent
  title: string
  room: string // the same for the people in the theatre
  devices: { id: string; name: string }[]
  site: string // "" for the own
  theatre: string
  case_state: string // idle, in-case, maintenance: at its worst occurrence; "" when nobody knows
  count: number
  first: string
  last: string
  attack: string[]
  evidence: string[] // the latest occurrences in words, three at most
  state: FindingState
  assignee: string
  outcome: string // '' until it is closed
  snoozed_until: string | null
  suppressed_by: string // ID of the suppression or maintenance window that hides it
  suppressed_count: number // occurrences that were hidden
  revision: number // for decisions; occurrences do not change it
}
/** GET /findings/{id}, and the answer of POST /findings/{id}/{action} */
export interface FindingDetail extends Finding {
  description: string
  playbook: string[]
  references: string[]
  false_positives: string[]
  entities: { name: string; value: string }[]
  occurrences: FindingEvidence[] // the first and the latest, oldest first
  pace: { hour: string; count: number }[]
  reason: string // of closing
  history: FindingStep[] // oldest first
  previous: string | null // the finding of the same group that was closed before
  following: string | null // and the one after it
  related: Finding[] // of the same devices or theatre at that time, and of the same rule; at most 20
  rule_known: boolean // the rule is still there: GET /rules/{rule}
  rule_version: number
  events_query: string // of the events page: what the devices did around it
  suppression: Suppression | null // a draft that would hide exactly this, for suppress-with-backtest
}
export interface FindingEvidence {
  time: string
  event: string | null // id, while it is kept: GET /events/{id}
  sentence: string
  expected: string // what would have been normal
  fields: { name: string; value: string; decided: boolean }[]
}
export interface FindingStep {
  at: string
  who: string
  action: string
  note: string
  state: string // before
  assignee: string // before
}
/**
 * POST /findings/{id}/acknowledge|assign|close|reopen|note|snooze. revision is needed, except for note. assign with "" takes it back; snooze without until ends it.
 * close needs outcome, and a reason unless the outcome is true.
 */
export interface FindingDecision {
  revision?: number
  note?: string
  assignee?: string
  outcome?: FindingOutcome
  reason?: string
  until?: string // a time, or now-relative: "+4h", "+1d"
}
/** POST /findings/bulk: ids, or search (the query of GET /findings) for all that match, 2000 at most */
export interface FindingBulk {
  action: FindingAction
  ids?: string[]
  search?: string
  note?: string
  assignee?: string
  outcome?: FindingOutcome
  reason?: string
  until?: string
}
export interface FindingBulkResult {
  done: number
  failed: number
  results: { id: string; ok: boolean; message: string }[]
}

// ---- rules --------------------------------------------------------------------

/** GET /rules?family=&q=&state=on|off|failing|learning */
export interface RuleList {
  rules: RuleRow[]
  families: string[]
  engines: RuleEngine[]
}
/** A process that detects */
export interface RuleEngine {
  name: string
  at: string // when it last said so
  partitions: number // of 32
  behind_events: number
  behind_seconds: number
  events_per_second: number
  rules: number
  problem: string // '' when there is none
}
export interface RuleRow {
  id: string
  family: string
  title: string // with {names} of what it fills in
  version: number
  origin: 'shipped' | 'own' | 'sigma' | 'suricata' | 'internal'
  kind: string // trigger, count, unique, sequence, absence, rate, baseline, ioc, go, internal
  severity: Severity
  in_case: Severity // unknown where it is the same
  confidence: number
  attack: string[]
  state: 'on' | 'off' | 'failing'
  why: string // it is off or failing
  alerts: number // findings kept
  open: number
  last_fired: string | null
  per_day: number // findings a day over the last 7 days
  noise: number // percent of its closed findings that were false or benign; -1 while none was closed
  evaluations: number
  errors: number
  nanoseconds: number // an evaluation, on average
  keys: number
  evicted: number
  baseline: 'none' | 'learning' | 'ready'
  learning: number // keys
  ready: number
  distrusted: number // values learned while a finding was open
  revision: number // of what people set or wrote; 0 for nothing
}
/** GET /rules/{id} */
export interface RuleDetail extends RuleRow {
  description: string
  room: string
  playbook: string[]
  references: string[]
  false_positives: string[]
  needs: string[]
  text: string // YAML; '' of internal ones
  samples: { name: string; fires: boolean }[]
  changed_by: string
  changed_at: string | null
}
/** POST /rules, PUT /rules/{id}: a rule of one's own. PUT needs revision. */
export interface RuleText {
  text: string
  revision?: number
}
/** POST /rules/{id}/enable|disable */
export interface RuleSwitch {
  reason: string
  revision?: number
}
/** POST /rules/test answers with this */
export interface RuleTest {
  ok: boolean
  errors: string[] // in the text
  samples: { name: string; ok: boolean; expected: string; found: string }[]
}

// ---- backtests ----------------------------------------------------------------

/** POST /backtests: exactly one of text, rule and suppression. 202; look at GET /backtests/{id}. DELETE ends it. */
export interface BacktestRequest {
  text?: string // YAML of a rule
  rule?: string // ID of one that there is
  suppression?: SuppressionRequest
  from: string // a time, or -7d
  to?: string
}
export interface Backtest {
  id: string
  kind: 'rule' | 'suppression'
  subject: string // rule's ID or the suppression in words
  state: 'running' | 'done' | 'cancelled' | 'failed'
  problem: string
  by: string
  started: string
  ended: string | null
  from: string
  to: string
  progress: number // 0..1
  complete: boolean // false: the bound of events or time came first; reached says how far
  reached: string
  events: number // looked at
  findings: number // that there would have been, or would have been hidden
  occurrences: number
  still_open: number // of a suppression: hidden ones that are open now
  true_hidden: number // of a suppression: hidden ones that people closed as true
  by_day: { day: string; findings: number; occurrences: number }[]
  by_device: { device: string; name: string; findings: number; occurrences: number }[]
  by_severity: Record<string, number>
  examples: Finding[] // 20 at most
}

/** GET /backtests: newest first */
export interface BacktestList { backtests: Backtest[] }

// ---- suppressions, maintenance --------------------------------------------------

/** GET /suppressions?state=active|expired|all */
export interface SuppressionList { suppressions: Suppression[] }
/** A field that is empty matches everything; at least one is not. */
export interface SuppressionRequest {
  rules?: string[] // IDs, or dicom.*
  devices?: string[]
  theatres?: string[]
  entities?: Record<string, string>
  expression?: string
  owner?: string // who asks, when it is left out
  reason: string
  expires: string // within 365 days
  revision?: number // needed to change one
}
export interface Suppression {
  id: string // '' for a draft
  rules: string[]
  devices: string[]
  theatres: string[]
  entities: Record<string, string>
  expression: string
  owner: string
  reason: string
  expires: string
  state: 'active' | 'expired' | 'broken' | 'draft' // broken: its expression does not fit any more, it hides nothing
  problem: string
  created: string
  created_by: string
  hidden: number // occurrences
  last_hidden: string | null
  findings: number // that it hides now
  revision: number
}
/** GET /maintenance */
export interface MaintenanceList { windows: MaintenanceWindow[] }
export interface MaintenanceRequest {
  name: string
  theatres?: string[]
  devices?: string[]
  rules?: string[] // none for all
  effect: 'lower' | 'hide'
  repeat: 'once' | 'daily' | 'weekly' | 'monthly'
  from: string // day, 2026-11-22
  until?: string // last day
  at: string // 22:30, on the wall in zone
  minutes: number
  weekdays?: number[] // 0 is Sunday
  nth?: number // monthly: 1 to 4, -1 for the last
  zone?: string // the site's when it is left out
  owner?: string
  reason: string
  revision?: number
}
export interface MaintenanceWindow {
  id: string
  name: string
  theatres: string[]
  devices: string[]
  rules: string[]
  effect: 'lower' | 'hide'
  repeat: 'once' | 'daily' | 'weekly' | 'monthly'
  from: string
  until: string
  at: string
  minutes: number
  weekdays: number[]
  nth: number
  zone: string
  owner: string
  reason: string
  created: string
  created_by: string
  active: boolean
  next_from: string | null // when it begins next, or began when it is active
  next_to: string | null
  hidden: number
  last_hidden: string | null
  revision: number
}

// ---- baselines ------------------------------------------------------------------

/** GET /baselines?rule=&q=&state=&limit= */
export interface BaselineList {
  baselines: Baseline[]
  more: boolean
}
export interface Baseline {
  rule: string
  key: string
  label: string // the key with names of devices
  state: 'learning' | 'ready' | 'frozen'
  since: string
  ready_since: string | null
  samples: number
  values: BaselineValue[] // 200 at most
  distrusted: number
}
export interface BaselineValue {
  value: string
  first: string
  last: string
  count: number
  trusted: boolean
  by: string // who accepted it
}
/** POST /baselines: 204. accept and remove need value. */
export interface BaselineChange {
  rule: string
  key: string
  action: 'accept' | 'remove' | 'reset' | 'freeze' | 'thaw'
  value?: string
  reason?: string
}

// ---- alert budget ---------------------------------------------------------------

/** GET, PUT /alert-budget: how many findings of medium or above a room and shift can stand */
export interface AlertBudget {
  per_shift: number
  rooms: Record<string, number> // other numbers, by theatre
  shifts: { name: string; from: string }[] // in the order of the day; each ends where the next begins
  revision: number
}
/** GET /alert-budget/status */
export interface AlertBudgetStatus {
  shift: string
  from: string
  to: string
  rooms: { theatre: string; name: string; findings: number; budget: number; over: boolean; history: number[] }[] // history: findings of the 20 shifts before, oldest first
}

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
export interface Storage { engine: string; events: number; first: string | null; last: string | null; bytes: number; free: number | null; days: { day: string; events: number; bytes: number }[]; bus: { messages: number; bytes: number; mode: string; hub: BusHub | null; sites: BusSite[] } }
export interface BusHub { connected: boolean; waiting: number; oldest: string | null } // how far the hub is behind this site, in batches of events
export interface BusSite { name: string; state: 'current' | 'late' | 'silent'; waiting: number; heard: string | null } // what this server, as a hub, has of a site

/** GET /views?page=, POST /views, PUT/DELETE /views/{id} */
export interface View { id: string; page: 'devices' | 'events' | 'map' | 'findings'; name: string; query: string; shared: boolean; owner: string; revision: number }

/** GET /search?q= : devices and rooms by any of their names and addresses, findings that need somebody by their words; for events, the query to open. */
export interface SearchResult { devices: DeviceRow[]; theatres: { id: string; name: string }[]; findings: Finding[]; events_query: string }

// ---- advisories -------------------------------------------------------------

export type AdvisoryVerdict = 'affected' | 'unknown' | 'not-affected'
export type DecisionStatus = 'affected' | 'not-affected' | 'fixed' | 'accepted' | 'under-investigation'
/** GET /advisories?q=&vendor=&verdict=&min_severity=&exploited=&device=&theatre=&decided=&sort=&limit=&after= ; verdict=none: concerns no device here */
export interface AdvisoryList {
  knowledge: Knowledge
  total: number
  counts: AdvisoryCounts // of all, whatever is filtered
  vendors: ValueCount[]
  advisories: AdvisoryRow[]
  next: string | null
}
export interface ValueCount {
  value: string
  count: number
}
/** What is known, and of when */
export interface Knowledge {
  date: string // of the newest advisory in it
  built: string
  source: string
  origin: 'shipped' | 'updated'
  advisories: number
  cves: number
  products: number
  not_understood: number // product entries that no device is compared with
  kev: string // version of the catalogue of known exploited vulnerabilities
  kev_cves: number
  imported: number // advisories that were imported here
  matched?: string // when devices were last compared; none before the first time
}
/** Advisories by their worst verdict, and devices */
export interface AdvisoryCounts {
  affected: number
  unknown: number
  not_affected: number
  none: number
  exploited: number // affected or unknown, and known to be exploited
  devices_affected: number
  devices_unknown: number
  decided: number // matches that a person decided
}
export interface AdvisoryRow {
  id: string
  title: string
  vendors: string[]
  severity: Severity
  cvss: number // 0 when it is not known
  cves: string[]
  exploited: boolean
  due?: string // day by which it was to be fixed, as the catalogue says
  published: string
  updated: string
  affected: number // devices
  unknown: number
  not_affected: number
  decided: number
  imported: boolean
}
/** GET /advisories/{id} */
export interface Advisory {
  advisory: AdvisoryRow
  summary: string
  url: string
  publisher: string
  revision: string
  vulnerabilities: AdvisoryVulnerability[]
  products: AdvisoryProduct[]
  remediations: AdvisoryRemediation[]
  matches: AdvisoryMatch[]
  decisions: AdvisoryDecision[]
}
export interface AdvisoryVulnerability {
  cve: string
  title: string
  summary: string
  cwe: string
  cwe_name: string
  cvss: number
  vector: string
  severity: Severity
  exploited: boolean
  due?: string
  ransomware: boolean // known to be used by ransomware
}
export interface AdvisoryProduct {
  id: string
  vendor: string
  model: string
  versions: string // in words: "up to 9.33"
  text: string // as the advisory says it
  status: AdvisoryVerdict // what the advisory says of it
  understood: boolean
  why?: string // what is not understood
  conditions: string[] // what must hold besides the version
}
export interface AdvisoryRemediation {
  kind: string // vendor_fix, mitigation, workaround, none_available, no_fix_planned
  text: string
  url?: string
  products: string[]
}
/** One advisory for one device */
export interface AdvisoryMatch {
  advisory: string
  title: string
  severity: Severity
  cvss: number
  exploited: boolean
  due?: string
  device: string
  device_name: string
  device_class: string
  theatre: string
  product: string // of the advisory
  cves: string[]
  verdict: AdvisoryVerdict // with what people decided
  found: AdvisoryVerdict // without
  confidence: number
  evidence: string[]
  missing: string[] // what would decide it
  decision?: AdvisoryDecision
  since: string
}
/** POST /advisories/{id}/decisions AdvisoryDecisionRequest; DELETE /advisories/{id}/decisions/{decision}?revision= */
export interface AdvisoryDecision {
  id: string
  advisory: string
  device?: string // for one device; without device and model for the site
  vendor?: string
  model?: string
  cves: string[] // empty: all of the advisory
  status: DecisionStatus
  justification?: string // one of OpenVEX, with not-affected
  reason: string
  who: string
  at: string
  until?: string
  expired: boolean
  revision: number
}
export interface AdvisoryDecisionRequest {
  device?: string
  vendor?: string
  model?: string
  cves?: string[]
  status: DecisionStatus
  justification?: 'component_not_present' | 'vulnerable_code_not_present' | 'vulnerable_code_not_in_execute_path' | 'vulnerable_code_cannot_be_controlled_by_adversary' | 'inline_mitigations_already_exist'
  reason: string
  until?: string // a time or a day; accepted needs it
}
/** GET /advisories/matches?verdict=&limit= : device by device, the worst first */
export interface AdvisoryMatches {
  matches: AdvisoryMatch[]
  total: number // that match, beyond the limit too
}
/** GET /devices/{id}/advisories */
export interface DeviceAdvisories {
  device: string
  name: string
  matches: AdvisoryMatch[]
  sboms: AdvisorySBOM[]
  statements: DeviceStatement[] // what the manufacturer says of it (MDS2)
  facts: DeviceFactUsed[] // what was compared
}
export interface DeviceFactUsed {
  attribute: string
  value: string
  confidence: number
  sources: string[]
}
/** DELETE /imports/{id} */
export interface AdvisorySBOM {
  id: string
  format: string
  name: string
  components: number
  vulnerabilities: number
  device?: string
  vendor?: string
  model?: string
  file: string
  who: string
  at: string
}
export interface DeviceStatement {
  question: string // "SGUD-1"
  topic: string // what it is about, in words
  answer: string // yes, no, n/a, or a note
  note?: string
  file: string
  at: string
}
/** POST /advisories/import?file=&device=&vendor=&model= (the file is the body: CSAF, CycloneDX, SPDX, MDS2) */
export interface AdvisoryImport {
  id: string
  kind: 'csaf' | 'cyclonedx' | 'spdx' | 'mds2'
  title: string
  change: 'added' | 'replaced' | 'unchanged'
  products: number
  components: number
  vulnerabilities: number
  answers: number
  not_understood: string[]
}

// ---- the ledger: what happened, provable to anybody ---------------------------

/** GET /ledger. 404: no ledger runs here. POST /ledger/check reads the log again and answers a LedgerCheck. */
export interface LedgerStatus {
  origin: string // the log's name, as checkpoints have it
  size: number
  required: number // witnesses that have to sign
  published: LedgerCheckpoint // the newest that the log signed
  witnessed: LedgerCheckpoint // the newest that enough witnesses signed
  witnesses: LedgerWitness[]
  unwitnessed: number // entries that wait for witnesses
  unwitnessed_since?: string
  alarm: boolean // they have waited longer than is allowed
  per_minute: number
  audit: LedgerAudit
}
export interface LedgerCheckpoint { size: number; root: string; time?: string }
export interface LedgerWitness { name: string; url?: string; size: number; last?: string; error?: string; failed?: string }
export interface LedgerAudit { checked: number; last?: string; problem?: string }
export interface LedgerCheck { checked: number; problem?: string }

/** GET /ledger/entries?digest=&hash=&device=&case=&theatre=&kind=&from=&to=&before=&limit= (newest first; pass before for the next page) */
export interface LedgerEntries { entries: LedgerEntry[]; before?: number }
/** GET /ledger/entries/{index}; GET /ledger/entries/{index}/receipt?state=witnessed|published is the receipt file, 409 while no checkpoint covers it; GET /ledger/trust is the trust file. */
export interface LedgerEntry {
  index: number
  state: 'recorded' | 'published' | 'witnessed'
  leaf: string
  hash: string // SHA-256 of the canonical statement
  recorded: string // by the ledger's clock
  kind: Kind
  time: string // by the clock of who says so
  sentence: string // what happened, in words
  theatre?: string
  device?: string
  device_name?: string
  actor: LedgerActor
  case?: LedgerCase
  reason?: string
  subjects: LedgerSubject[]
  detail?: Record<string, unknown>
  statement: unknown // the in-toto statement as it is in the log
}
export interface LedgerActor { software?: string; device?: string; device_name?: string; certificate?: string; user?: string }
/** case is a commitment: who knows the case and its salt can tell that it is that case, nobody else. */
export interface LedgerCase { case: string; sequence: number; previous?: string }
export interface LedgerSubject { name: string; digest: Record<string, string> }
/** GET /ledger/artefacts/{sha256}: its life, oldest first, 500 entries at most. */
export interface LedgerArtefact { sha256: string; entries: LedgerEntry[]; custody: 'verified' | 'unverified' | 'broken'; why: string }
/** POST /ledger/cases/find {case}: the commitment by which a case's entries are found. POST /ledger/cases/erase {case}: what identifies people in it can never be told again. */
export interface LedgerFoundCase { case: string }
/** POST /records {id, type, device, time?, theatre?, case?, patient?, operator?, reason?, data} */
export interface RecordAnswer { entry: LedgerEntry; receipt?: string }

// ---- identity: one certificate per device -------------------------------------

/** GET /identity; GET /identity/bundle.pem is what others have to trust. */
export interface IdentityStatus {
  trust_domain: string
  authorities: IdentityAuthority[]
  counts: IdentityCounts
  est?: string // address where devices enrol
  ocsp?: string
  profiles: IdentityProfile[]
}
export interface IdentityAuthority { id: string; subject: string; not_before: string; not_after: string; active: boolean; root: boolean; crl_number?: number; crl_next?: string; sha256: string }
export interface IdentityCounts { good: number; due: number; expiring: number; expired: number; revoked: number; long_life: number; codes: number }
export interface IdentityProfile { name: string; client: boolean; server: boolean; lifetime_hours: number; long_life_hours?: number; what: string }

/** GET /identity/certificates?device=&profile=&status=&due=true&after=&limit= */
export interface IdentityCertificates { certificates: IdentityCertificate[]; after?: string }
export interface IdentityCertificate {
  serial: string
  device: string // "" for a service that is no device
  device_name?: string
  theatre?: string
  spiffe: string
  profile: string
  subject: string
  issuer: string
  not_before: string
  not_after: string
  renew_from: string
  sha256: string
  status: 'good' | 'revoked' | 'expired' | 'superseded'
  revoked?: string
  reason?: string // as in RFC 5280
  note?: string
  via?: string
  long_life?: boolean
  due: boolean // renew_from is past
}
/** GET /identity/certificates/{serial} */
export interface IdentityCertificateDetail { certificate: IdentityCertificate; pem: string; history: LedgerEntry[] }
/** POST /identity/certificates {device?, service?, profile, csr, dns?, ips?, long_life?} */
export interface IdentityIssued { certificate: IdentityCertificate; pem: string; chain: string }
/** GET /identity/certificates/{serial}/impact: what revoking it would cut now. POST .../revoke {reason, note, confirm_in_case?} */
export interface IdentityImpact { live: IdentityLive[]; theatre?: string; in_case: boolean; sentence: string }
export interface IdentityLive { consumer: string; peer: string; since: string; policy: 'cut' | 'finish' | 'alarm' }

/** GET /identity/codes, DELETE /identity/codes/{id} */
export interface IdentityCodes { codes: IdentityCode[] }
export interface IdentityCode { id: string; device: string; device_name?: string; service?: string; profile: string; made: string; by: string; expires: string; used?: string; serial?: string; long_life?: string }
/** POST /identity/codes {device?, service?, profile, hours, dns?, ips?, long_life?}: the only time that the code can be read. */
export interface IdentityNewCode { code: IdentityCode; text: string; uri: string }
