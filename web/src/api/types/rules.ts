// SPDX-License-Identifier: Apache-2.0
import type { Severity } from './base'
import type { Finding, SuppressionRequest } from './findings'

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
