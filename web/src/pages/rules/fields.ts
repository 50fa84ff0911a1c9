// SPDX-License-Identifier: Apache-2.0
// What rules are filtered by, and their words.

import type { RuleRow, Severity } from '@/api/types'
import { familyName } from '../findings/fields'
import { plainTitle } from './title'

export const ruleFields = ['family', 'severity', 'state', 'kind', 'origin', 'baseline', 'noise', 'attack'] as const
export type RuleField = (typeof ruleFields)[number]
export const fieldName: Record<RuleField, string> = { family: 'Family', severity: 'Severity', state: 'State', kind: 'Kind', origin: 'From', baseline: 'Baseline', noise: 'Noise', attack: 'ATT&CK' }

export const kindName: Record<string, string> = {
  trigger: 'One event', count: 'Count in a window', unique: 'Different values in a window', sequence: 'Sequence', absence: 'Absence', rate: 'Against a learned level', baseline: 'Not seen before', ioc: 'Indicator list', go: 'Analysis', internal: 'Detection itself',
}
export const originName: Record<string, string> = { shipped: 'Shipped', own: 'Own', sigma: 'Sigma', suricata: 'Suricata', internal: 'Detection itself' }
export const stateName: Record<RuleRow['state'], string> = { on: 'On', off: 'Off', failing: 'Failing' }
export const baselineName: Record<RuleRow['baseline'], string> = { none: 'needs none', learning: 'Learning', ready: 'Ready' }
const severityName: Record<Severity, string> = { unknown: 'Not rated', info: 'Info', low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' }
const noiseName: Record<string, string> = { none: 'not judged yet', quiet: 'under 20 %', some: '20 to 60 %', noisy: 'over 60 %' }

export function noiseBucket(noise: number): string {
  return noise < 0 ? 'none' : noise < 20 ? 'quiet' : noise <= 60 ? 'some' : 'noisy'
}

export function valuesOf(r: RuleRow, field: string): readonly string[] {
  switch (field as RuleField) {
    case 'family': return [r.family]
    case 'severity': return [r.severity]
    case 'state': return [r.state]
    case 'kind': return [r.kind]
    case 'origin': return [r.origin]
    case 'baseline': return [r.baseline]
    case 'noise': return [noiseBucket(r.noise)]
    case 'attack': return r.attack
  }
}
export function valueName(field: RuleField, value: string): string {
  switch (field) {
    case 'family': return familyName[value] ?? value
    case 'severity': return severityName[value as Severity] ?? value
    case 'state': return stateName[value as RuleRow['state']] ?? value
    case 'kind': return kindName[value] ?? value
    case 'origin': return originName[value] ?? value
    case 'baseline': return baselineName[value as RuleRow['baseline']] ?? value
    case 'noise': return noiseName[value] ?? value
    case 'attack': return value === '' ? 'none' : value
  }
}

const texts = new WeakMap<RuleRow, string>()
export function searchText(r: RuleRow): string {
  let text = texts.get(r)
  if (text === undefined) {
    text = [r.id, plainTitle(r.title), familyName[r.family] ?? r.family, ...r.attack].join('\n').toLowerCase()
    texts.set(r, text)
  }
  return text
}

/** 350 → "350 ns", 12500 → "12.5 µs" */
export function nanoseconds(n: number): string {
  if (n <= 0) return '–'
  if (n < 1000) return `${Math.round(n)}\u00a0ns`
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)}\u00a0µs`
  return `${(n / 1_000_000).toFixed(1)}\u00a0ms`
}
