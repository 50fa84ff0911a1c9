// SPDX-License-Identifier: Apache-2.0
import type { Severity } from './base'
import type { Finding } from './findings'

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
