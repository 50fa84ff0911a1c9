// SPDX-License-Identifier: Apache-2.0
// The words of advisories, and what they are filtered by.

import type { AdvisoryDecisionRequest, AdvisoryMatch, AdvisoryRow, AdvisoryVerdict, DecisionStatus, Severity } from '@/api/types'

export const verdictName: Record<AdvisoryVerdict, string> = { affected: 'Affected', unknown: 'Not known', 'not-affected': 'Not affected' }
export const verdictRank: Record<AdvisoryVerdict | 'none', number> = { affected: 3, unknown: 2, 'not-affected': 1, none: 0 }
export const statusName: Record<DecisionStatus, string> = { affected: 'Affected', 'not-affected': 'Not affected', fixed: 'Fixed', accepted: 'Accepted', 'under-investigation': 'Being looked at' }
export const justifications: { value: NonNullable<AdvisoryDecisionRequest['justification']>; label: string }[] = [
  { value: 'component_not_present', label: 'The component is not in it' },
  { value: 'vulnerable_code_not_present', label: 'The vulnerable code is not in it' },
  { value: 'vulnerable_code_not_in_execute_path', label: 'The vulnerable code is never run' },
  { value: 'vulnerable_code_cannot_be_controlled_by_adversary', label: 'An attacker cannot reach the vulnerable code' },
  { value: 'inline_mitigations_already_exist', label: 'It is protected already' },
]
export const remedyName: Record<string, string> = { vendor_fix: 'Fix by the manufacturer', mitigation: 'Mitigation', workaround: 'Workaround', none_available: 'No fix yet', no_fix_planned: 'No fix planned', optional_patch: 'Optional patch' }
const severityName: Record<Severity, string> = { unknown: 'Not rated', info: 'Info', low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' }

export const advisoryFields = ['verdict', 'severity', 'exploited', 'vendor', 'decided', 'imported'] as const
export type AdvisoryField = (typeof advisoryFields)[number]
export const advisoryFieldName: Record<AdvisoryField, string> = { verdict: 'Here', severity: 'Severity', exploited: 'Known to be exploited', vendor: 'Manufacturer', decided: 'Decided', imported: 'Imported' }

/** The worst verdict of an advisory here. */
export function worstOf(a: AdvisoryRow): AdvisoryVerdict | 'none' {
  return a.affected > 0 ? 'affected' : a.unknown > 0 ? 'unknown' : a.not_affected > 0 ? 'not-affected' : 'none'
}
export function advisoryValues(a: AdvisoryRow, field: string): readonly string[] {
  switch (field as AdvisoryField) {
    case 'verdict': return [worstOf(a)]
    case 'severity': return [a.severity]
    case 'exploited': return [a.exploited ? 'yes' : 'no']
    case 'vendor': return a.vendors
    case 'decided': return [a.decided > 0 ? 'yes' : 'no']
    case 'imported': return [a.imported ? 'yes' : 'no']
  }
}
export function advisoryValueName(field: AdvisoryField, value: string): string {
  if (field === 'verdict') return value === 'none' ? 'Concerns no device' : (verdictName[value as AdvisoryVerdict] ?? value)
  if (field === 'severity') return severityName[value as Severity] ?? value
  return value === '' ? 'none' : value
}

export const matchFields = ['verdict', 'severity', 'exploited', 'device', 'class', 'theatre', 'advisory', 'decided'] as const
export type MatchField = (typeof matchFields)[number]
export const matchFieldName: Record<MatchField, string> = { verdict: 'Verdict', severity: 'Severity', exploited: 'Known to be exploited', device: 'Device', class: 'Class', theatre: 'Theatre', advisory: 'Advisory', decided: 'Decided' }
export function matchValues(m: AdvisoryMatch, field: string): readonly string[] {
  switch (field as MatchField) {
    case 'verdict': return [m.verdict]
    case 'severity': return [m.severity]
    case 'exploited': return [m.exploited ? 'yes' : 'no']
    case 'device': return [m.device]
    case 'class': return [m.device_class]
    case 'theatre': return m.theatre === '' ? [] : [m.theatre]
    case 'advisory': return [m.advisory]
    case 'decided': return [m.decision ? 'yes' : 'no']
  }
}
export interface Names { theatre: (id: string) => string; device: (id: string) => string; class: (c: string) => string }
export function matchValueName(field: MatchField, value: string, names: Names): string {
  switch (field) {
    case 'verdict': return verdictName[value as AdvisoryVerdict] ?? value
    case 'severity': return severityName[value as Severity] ?? value
    case 'device': return names.device(value)
    case 'theatre': return value === '' ? 'no theatre' : names.theatre(value)
    case 'class': return names.class(value)
    default: return value
  }
}

const texts = new WeakMap<object, string>()
function textOf(o: object, make: () => string[]): string {
  let text = texts.get(o)
  if (text === undefined) texts.set(o, (text = make().join('\n').toLowerCase()))
  return text
}
export const advisoryText = (a: AdvisoryRow) => textOf(a, () => [a.id, a.title, ...a.vendors, ...a.cves])
export const matchText = (m: AdvisoryMatch) => textOf(m, () => [m.advisory, m.title, m.device_name, m.device, m.product, ...m.cves, ...m.evidence, ...m.missing])
