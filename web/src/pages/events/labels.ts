// SPDX-License-Identifier: Apache-2.0
// Values of fields in words. The server says most of them; these are for what
// stands in a link before any answer has come.

import type { EventField, Severity } from '@/api/types'
import { severityName } from '@/ui/Severity'

/** The classes of events by their OCSF class_uid, as ocsf/ publishes them. */
const kinds: Record<string, string> = {
  4001: 'Network Activity', 4002: 'HTTP Activity', 4003: 'DNS Activity', 4004: 'DHCP Activity', 4005: 'RDP Activity', 4006: 'SMB Activity', 4007: 'SSH Activity',
  4008: 'FTP Activity', 4013: 'NTP Activity', 76104001: 'DICOM Association', 76104002: 'DICOM Operation', 76104003: 'HL7 Message', 76104004: 'Medical Device Message',
  76104005: 'FHIR Request', 76104006: 'Application Activity', 76105001: 'Device Evidence', 76106001: 'Sensor Health',
}
const results: Record<string, string> = { success: 'success', failure: 'failed', unknown: 'not known' }

export interface Lookups {
  theatre: (id: string) => string
  device: (id: string) => string | undefined
  kind: (field: 'class' | 'activity', value: string) => string | undefined
}

export function valueLabel(field: EventField, value: string, given: string | undefined, look: Lookups): string {
  if (value === '') return 'none'
  switch (field) {
    case 'severity': return severityName[value as Severity] ?? value
    case 'status': return results[value] ?? value
    case 'theatre': return look.theatre(value)
    case 'class': return given || look.kind('class', value) || kinds[value] || value
    case 'activity': return given || look.kind('activity', value) || value
    case 'device':
    case 'src_device':
    case 'dst_device': return (given !== value && given) || look.device(value) || given || value
    default: return given || value
  }
}
