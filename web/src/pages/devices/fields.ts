// SPDX-License-Identifier: Apache-2.0
// What devices are searched and filtered by. All of them are in the browser, so
// a filter is a function and answers at once.

import type { DeviceRow, Severity } from '@/api/types'
import { countBy } from '@/ui/grid/countby'
import type { Choice } from '@/ui/grid'

export const deviceFields = [
  'class', 'vendor', 'model', 'site', 'theatre', 'zone', 'worst', 'criticality', 'speaks', 'certificate', 'os', 'firmware', 'vlan', 'seen', 'medical', 'edited', 'conflict',
] as const
export type DeviceField = (typeof deviceFields)[number]

export const fieldName: Record<DeviceField, string> = {
  class: 'Class', vendor: 'Vendor', model: 'Model', site: 'Site', theatre: 'Theatre', zone: 'Zone', worst: 'Worst finding', criticality: 'Criticality', speaks: 'Speaks',
  certificate: 'Certificate', os: 'Operating system', firmware: 'Firmware', vlan: 'VLAN', seen: 'Last seen', medical: 'Medical device',
  edited: 'Set by a person', conflict: 'Conflicts',
}

export const criticalityName: Record<string, string> = { '': 'not set', low: 'Low', medium: 'Medium', high: 'High', 'life-supporting': 'Life-supporting' }
export const criticalities = ['', 'low', 'medium', 'high', 'life-supporting'] as const
export const certificateName: Record<string, string> = { '': 'none seen', valid: 'Valid', expiring: 'Expiring', expired: 'Expired' }
const severityName: Record<Severity, string> = { unknown: 'No finding', info: 'Info', low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' }
const seenName: Record<string, string> = { hour: 'in the last hour', day: 'in the last 24 hours', week: 'in the last 7 days', older: 'longer ago' }
/** What a person can set, in the words of the page. */
export const attributeName: Record<string, string> = { name: 'name', class: 'class', vendor: 'vendor', model: 'model', theatre: 'theatre', criticality: 'criticality' }

export function seenBucket(last: string, now: number): string {
  const ago = now - Date.parse(last)
  return ago < 3_600_000 ? 'hour' : ago < 86_400_000 ? 'day' : ago < 7 * 86_400_000 ? 'week' : 'older'
}

/** All values that a device has for a field; none of them for an empty list. */
export function valuesOf(d: DeviceRow, field: string, now: number): readonly string[] {
  const one = (v: string) => (v === '' ? [] : [v])
  switch (field as DeviceField) {
    case 'class': return [d.class]
    case 'vendor': return one(d.vendor)
    case 'model': return one(d.model)
    case 'site': return [d.site]
    case 'theatre': return one(d.theatre)
    case 'zone': return one(d.zone)
    case 'worst': return [d.worst]
    case 'criticality': return one(d.criticality)
    case 'speaks': return d.speaks
    case 'certificate': return one(d.certificate)
    case 'os': return one(d.os)
    case 'firmware': return one(d.firmware)
    case 'vlan': return d.vlans.map(String)
    case 'seen': return [seenBucket(d.last, now)]
    case 'medical': return [d.medical ? 'yes' : 'no']
    case 'edited': return d.by_person
    case 'conflict': return [d.conflicts > 0 ? 'yes' : 'no']
  }
}

export interface Names { theatre: (id: string) => string; class: (cls: string) => string; site: (place: string) => string }

/** A value in words. */
export function valueName(field: DeviceField, value: string, names: Names): string {
  switch (field) {
    case 'class': return names.class(value)
    case 'site': return names.site(value) || value || 'this one'
    case 'theatre': return value === '' ? 'none' : names.theatre(value)
    case 'worst': return severityName[value as Severity] ?? value
    case 'criticality': return criticalityName[value] ?? value
    case 'certificate': return certificateName[value] ?? value
    case 'seen': return seenName[value] ?? value
    case 'edited': return value === '' ? 'nothing' : (attributeName[value] ?? value)
    case 'speaks': return value === '' ? 'nothing recognised' : value
    default: return value === '' ? 'unknown' : value
  }
}

export function choice(field: DeviceField, value: string, names: Names): Choice {
  return { field, value, label: `${fieldName[field]}: ${valueName(field, value, names)}` }
}

const texts = new WeakMap<DeviceRow, string>()
/** Everything of a device that people search for, in lower case. */
export function searchText(d: DeviceRow, theatre: string): string {
  let text = texts.get(d)
  if (text === undefined) {
    text = [
      d.name, d.class_name, d.vendor, d.model, d.firmware, d.serial, d.os, ...d.macs, ...d.ips, ...d.ae_titles, theatre, d.zone, ...d.speaks, d.id,
    ].join('\n').toLowerCase()
    texts.set(d, text)
  }
  return text
}

const severityRank: Record<Severity, number> = { unknown: 0, info: 1, low: 2, medium: 3, high: 4, critical: 5 }
export const criticalityRank: Record<string, number> = { '': 0, low: 1, medium: 2, high: 3, 'life-supporting': 4 }
/** Worst finding first; among equals, what matters more to the patient. */
export function riskRank(d: DeviceRow): number {
  return severityRank[d.worst] * 1000 + (criticalityRank[d.criticality] ?? 0) * 100 + Math.min(99, d.findings)
}

/** How often each value of a field occurs, most first. */
export function countValues(rows: readonly DeviceRow[], field: DeviceField, now: number): { value: string; count: number }[] {
  return countBy(rows, (d) => valuesOf(d, field, now))
}
