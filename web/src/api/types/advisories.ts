// SPDX-License-Identifier: Apache-2.0
import type { Severity } from './base'

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
