// SPDX-License-Identifier: Apache-2.0
// The words of the ledger: kinds, states, the fields of a statement, and how it
// stands in one sentence.

import { sentence } from '@/api/said'
import type { LedgerEntry, LedgerStatus, LedgerWitness } from '@/api/types'
import type { Kind } from '@/receipt/statement'
import type { IconName } from '@/ui'
import { relative, short, span } from '@/ui/time'
import { count, plural } from '@/ui/units'

export const kindName: Record<Kind, string> = {
  'artefact-received': 'Received', 'artefact-altered': 'Altered', 'artefact-forwarded': 'Forwarded', 'artefact-displayed': 'Displayed',
  'operation-record': 'Operation record', 'configuration-change': 'Configuration', 'certificate-event': 'Certificate', decision: 'Decision', override: 'Override',
}
export const kindIcon: Record<Kind, IconName> = {
  'artefact-received': 'arrow-down', 'artefact-altered': 'edit', 'artefact-forwarded': 'arrow-right', 'artefact-displayed': 'screen',
  'operation-record': 'note', 'configuration-change': 'settings', 'certificate-event': 'certificate', decision: 'flag', override: 'unlock',
}
export const kindOf = (k: string): { name: string; icon: IconName } => ({ name: kindName[k as Kind] ?? k, icon: kindIcon[k as Kind] ?? 'note' })

export const stateName: Record<LedgerEntry['state'], string> = { recorded: 'Recorded', published: 'Published', witnessed: 'Witnessed' }
export const stateIcon: Record<LedgerEntry['state'], IconName> = { recorded: 'database', published: 'lock', witnessed: 'shield-check' }
export const stateMeans: Record<LedgerEntry['state'], string> = {
  recorded: 'It is kept durably. No checkpoint covers it yet.',
  published: 'It is in a checkpoint that the log signed. Witnesses have not signed that yet.',
  witnessed: 'Enough witnesses signed a checkpoint with it: it cannot be changed or left out unnoticed.',
}

/** Whether a witness signs what is published. */
export function witnessState(w: LedgerWitness, s: LedgerStatus): { is: 'signs' | 'behind' | 'silent'; word: string; icon: IconName } {
  if (w.error && (!w.last || !w.failed || w.failed >= w.last)) return { is: 'silent', word: 'Does not sign', icon: 'warning' }
  if (!w.last) return { is: 'silent', word: 'Never signed', icon: 'warning' }
  if (w.size < s.published.size) return { is: 'behind', word: `${plural(s.published.size - w.size, 'entry', 'entries')} behind`, icon: 'clock' }
  return { is: 'signs', word: 'Signs', icon: 'check' }
}

/** How the ledger stands, the worst first. */
export function truth(s: LedgerStatus, now: number): string {
  if (s.audit.problem) return `The ledger’s own check found something wrong: ${sentence(s.audit.problem)}`
  if (s.size === 0) return 'Nothing has been recorded yet.'
  const all = plural(s.size, 'entry', 'entries')
  if (s.required === 0) return `${all} recorded and signed by this server alone: no witness is required here.`
  const since = s.unwitnessed_since
  if (s.alarm && since) return `Witnesses silent since ${short(since, now)}: ${plural(s.unwitnessed, 'entry waits', 'entries wait')}; recording goes on.`
  if (s.unwitnessed > 0) return `${all} recorded; the newest ${s.unwitnessed === 1 ? 'one' : count(s.unwitnessed)} ${since ? `${s.unwitnessed === 1 ? 'has' : 'have'} waited ${span(now - Date.parse(since))} for witnesses` : 'wait for witnesses'}.`
  const signed = s.witnesses.filter((w) => w.size >= s.witnessed.size).length
  return `${all} recorded, all witnessed by ${Math.max(signed, s.required)} of ${s.witnesses.length}${s.witnessed.time ? `, ${relative(s.witnessed.time, now)}` : ''}.`
}

const labels: Record<string, string> = {
  sop_class: 'SOP class', transfer_syntax: 'Transfer syntax', media_type: 'Type', bytes: 'Size', tls: 'Encryption', peer_certificate: 'Peer’s certificate', registration_error_mm: 'Registration error',
  spiffe: 'SPIFFE ID', not_before: 'Valid from', not_after: 'Valid until', via: 'How', revocation_reason: 'Reason of revocation', crl_number: 'Number of the revocation list', frames: 'Frames', power_w: 'Power', force_n: 'Force', uses_left: 'Uses left', udi: 'UDI',
  duration_ms: 'Duration', latency_ms: 'Latency', what: 'What', why: 'Why', frame_rate: 'Frames per second', battery_percent: 'Battery', approved_by: 'Approved by', type: 'Record of', order: 'Signed order',
}
const suffixes: [RegExp, string][] = [[/_mm$/, 'mm'], [/_ms$/, 'ms'], [/_deg$/, '°'], [/_percent$/, '%'], [/_w$/, 'W'], [/_n$/, 'N']]

/** "back_deg" → "Back" */
export function labelOf(name: string): string {
  const known = labels[name]
  if (known) return known
  const bare = suffixes.reduce((n, [end]) => n.replace(end, ''), name).replace(/[_-]+/g, ' ')
  return bare.charAt(0).toUpperCase() + bare.slice(1)
}

export interface Fact { name: string; label: string; text: string; is: 'text' | 'hash' | 'time' | 'bytes' }

const MOST = 200

/** The fields of a detail, flat and in order, each as a person reads it. */
export function factsOf(detail: unknown, under = '', depth = 0): Fact[] {
  if (typeof detail !== 'object' || detail === null || depth > 16) return []
  const out: Fact[] = []
  for (const [name, v] of Object.entries(detail)) {
    const label = under === '' ? labelOf(name) : `${under}: ${labelOf(name).toLowerCase()}`
    if (Array.isArray(v) && v.every((x) => typeof x !== 'object')) out.push({ name, label, text: v.join(', '), is: 'text' })
    else if (typeof v === 'object' && v !== null) out.push(...factsOf(v, label, depth + 1))
    else out.push({ name, label, ...valueOf(name, v) })
    if (out.length > MOST) return out.slice(0, MOST)
  }
  return out
}

function valueOf(name: string, v: unknown): { text: string; is: Fact['is'] } {
  if (typeof v === 'boolean') return { text: v ? 'yes' : 'no', is: 'text' }
  if (typeof v === 'number') {
    if (name === 'bytes') return { text: String(v), is: 'bytes' }
    const unit = suffixes.find(([end]) => end.test(name))?.[1]
    return { text: unit ? `${v}${unit === '°' ? '' : '\u00a0'}${unit}` : String(v), is: 'text' }
  }
  if (typeof v !== 'string') return { text: String(v), is: 'text' }
  if (/^[0-9a-f]{64}$/.test(v)) return { text: v, is: 'hash' }
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(v) && Number.isFinite(Date.parse(v))) return { text: v, is: 'time' }
  return { text: v, is: 'text' }
}

/** A hash as people paste it: with a prefix, colons, blanks, in capitals. Empty when it is none. */
export function readHash(text: string): string {
  const bare = text.trim().replace(/^sha-?256[:=]\s*/i, '').replace(/[\s:]/g, '').toLowerCase()
  return /^[0-9a-f]{64}$/.test(bare) ? bare : ''
}

/** Why a text is no hash, for whoever typed it; undefined: it is one, or nothing. */
export function whyNoHash(text: string): string | undefined {
  if (text.trim() === '' || readHash(text) !== '') return undefined
  const bare = text.replace(/^sha-?256[:=]/i, '').replace(/[\s:]/g, '')
  return /^[0-9a-fA-F]+$/.test(bare) ? `A SHA-256 has 64 digits, this has ${count(bare.length)}.` : 'Search by a SHA-256 (64 digits from 0 to f), or find a file.'
}
