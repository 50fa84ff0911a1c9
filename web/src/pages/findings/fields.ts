// SPDX-License-Identifier: Apache-2.0
// What findings are filtered and searched by. All of a shelf are in the
// browser, so a filter is a function and answers at once.

import type { Finding, FindingOutcome, FindingState, Severity } from '@/api/types'

export const findingFields = ['severity', 'rule', 'family', 'theatre', 'device', 'assignee', 'state', 'case', 'outcome', 'attack'] as const
export type FindingField = (typeof findingFields)[number]

export const fieldName: Record<FindingField, string> = {
  severity: 'Severity', rule: 'Rule', family: 'Family', theatre: 'Theatre', device: 'Device', assignee: 'Assigned to', state: 'State', case: 'Case then', outcome: 'Closed as', attack: 'ATT&CK',
}
export const stateName: Record<FindingState, string> = { open: 'Open', acknowledged: 'Acknowledged', closed: 'Closed' }
export const outcomeName: Record<FindingOutcome, string> = { true: 'True: it was what it says', false: 'False: it was not', benign: 'Benign: it was, and is allowed', 'wont-fix': 'Won’t fix: the risk is taken' }
export const outcomeShort: Record<string, string> = { true: 'True', false: 'False', benign: 'Benign', 'wont-fix': 'Won’t fix', '': 'not closed' }
export const caseName: Record<string, string> = { idle: 'No case running', 'in-case': 'In a case', maintenance: 'Maintenance', '': 'Not known' }
export const familyName: Record<string, string> = {
  dicom: 'DICOM', hl7: 'HL7', display: 'Display', theatre: 'Theatre', fhir: 'FHIR', lab: 'Laboratory', vitals: 'Vitals', exfiltration: 'Exfiltration', safety: 'Display and robot safety', network: 'Network', endpoint: 'Endpoint', sensor: 'The sensor itself',
  inventory: 'Inventory', detect: 'Detection itself', internal: 'Detection itself', policy: 'Policy', lists: 'Indicator lists',
}
const severityName: Record<Severity, string> = { unknown: 'Not rated', info: 'Info', low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' }

/** All values that a finding has for a field; none of them for an empty list. */
export function valuesOf(f: Finding, field: string): readonly string[] {
  const one = (v: string) => (v === '' ? [] : [v])
  switch (field as FindingField) {
    case 'severity': return [f.severity]
    case 'rule': return [f.rule]
    case 'family': return one(f.family)
    case 'theatre': return one(f.theatre)
    case 'device': return f.devices.map((d) => d.id)
    case 'assignee': return one(f.assignee)
    case 'state': return [f.state]
    case 'case': return one(f.case_state)
    case 'outcome': return one(f.outcome)
    case 'attack': return f.attack
  }
}

export interface Names { theatre: (id: string) => string; device: (id: string) => string }

export function valueName(field: FindingField, value: string, names: Names): string {
  switch (field) {
    case 'severity': return severityName[value as Severity] ?? value
    case 'state': return stateName[value as FindingState] ?? value
    case 'family': return familyName[value] ?? value
    case 'theatre': return value === '' ? 'no theatre' : names.theatre(value)
    case 'device': return value === '' ? 'no device' : names.device(value)
    case 'assignee': return value === '' ? 'nobody' : value
    case 'case': return caseName[value] ?? value
    case 'outcome': return outcomeShort[value] ?? value
    case 'attack': return value === '' ? 'none' : value
    default: return value === '' ? 'none' : value
  }
}

const texts = new WeakMap<Finding, string>()
/** Everything of a finding that people search for, in lower case. */
export function searchText(f: Finding, theatre: string): string {
  let text = texts.get(f)
  if (text === undefined) {
    text = [f.title, f.room, f.rule, familyName[f.family] ?? f.family, theatre, f.assignee, ...f.devices.flatMap((d) => [d.name, d.id]), ...f.attack, ...f.evidence, f.id].join('\n').toLowerCase()
    texts.set(f, text)
  }
  return text
}
