// SPDX-License-Identifier: Apache-2.0
import type { Severity } from './base'
import type { DeviceRow } from './devices'
import type { Finding } from './findings'

// ---- theatres -------------------------------------------------------------

export type CaseState = 'idle' | 'in-case' | 'maintenance'
export interface Light { level: 'calm' | 'attention' | 'stop' | 'unknown'; sentence: string }

/** GET /board: the rooms in building order. */
export interface Board { time: string; theatres: Tile[]; unassigned_devices: number }
export interface Tile {
  id: string; name: string; order: number
  state: CaseState; since: string; source: string
  lights: { devices: Light; images: Light; network: Light }
  devices: number; findings: number
  site: string // "" for the own
}

/** GET /theatres/{id}/room */
export interface Room {
  theatre: Theatre
  tile: Tile
  groups: { name: 'imaging' | 'display' | 'robot' | 'anaesthesia' | 'it' | 'other'; devices: DeviceRow[] }[]
  imaging_path: PathStep[] // scanner -> gateway -> processor -> headset, what is known of it
  findings: Finding[]
  last_hour: { start: string; events: number; worst: Severity }[] // 60 steps of a minute
  contact?: string // whom to call
}
export interface PathStep { role: 'scanner' | 'archive' | 'gateway' | 'processor' | 'headset'; device?: DeviceRow; objects_last_hour: number; failed_last_hour: number; encrypted: boolean | null; custody: 'verified' | 'unverified' | 'broken' | 'none'; last?: string }

/** GET/POST /theatres, GET/PUT/DELETE /theatres/{id} (send revision); PUT /theatres/{id}/state {state, note}. */
export interface Theatre {
  id: string; name: string; order: number; building?: string; contact?: string
  vlans: number[]; prefixes: string[] // devices seen there belong to this theatre unless a person says otherwise
  state: CaseState; since: string; source: string
  site: string // "" for the own
  revision: number
}
