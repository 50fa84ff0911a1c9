// SPDX-License-Identifier: Apache-2.0
import type { Severity } from './base'

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
