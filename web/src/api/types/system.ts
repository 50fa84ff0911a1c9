// SPDX-License-Identifier: Apache-2.0
import type { Site } from './base'
import type { DeviceRow } from './devices'
import type { Finding } from './findings'

// ---- the truth about the system itself ------------------------------------

export type Health = 'ok' | 'attention' | 'stop'

/** GET /status */
export interface Status {
  state: 'live' | 'lagging' | 'blind' | 'down'
  sentence: string // "Live." "Events are shown 12 s late: the store is catching up." ...
  demo: boolean
  time: string
  lag_seconds: number // between what the sensors saw and what is stored
  lost_events: number // since the start, reported by sensors or found missing on the bus
  components: { name: string; state: Health; sentence: string; since: string }[]
  theatres_in_case: { id: string; name: string }[]
  runs: string[] // of "ledger", "identity" and "imaging": only what runs has a page in the rail
  sites: NamedSite[] // empty where there is one only
}
export interface NamedSite { name: string; title: string; own: boolean }

// ---- sensors ----------------------------------------------------------------

/** GET /sensors */
export interface SensorList { sentence: string; sensors: Sensor[] }
export interface Sensor {
  name: string; source: string // "eth1", "theatre.pcapng (replayed)"
  state: 'watching' | 'silent' | 'lossy' | 'gone' | 'finished'
  sentence: string
  started: string; reported: string
  packets: number; bytes: number; packets_per_second: number; bits_per_second: number
  dropped: number; loss: number // share of packets lost in the last hour, 0 to 1
  undecoded: number; gaps: number; gap_bytes: number; one_sided: number; mid_stream: number
  flows: number; active_flows: number; flows_evicted: number; analyses_evicted: number; over_budget: number; panics: number
  unrecognised: number; unrecognised_bytes: number
  events: number; events_lost: number; queued_events: number
  protocols: { name: string; count: number }[]
  vlans: { id: number; packets: number; theatre: string }[]
  blind_spots: { what: string; why: string; hint: string }[]
}
/** GET /sensors/{name}/series?from=&to= : columns for a plot, oldest first, equal steps. */
export interface SensorSeries { start: string; step_ms: number; packets_per_second: (number | null)[]; bits_per_second: (number | null)[]; dropped: (number | null)[]; events_per_second: (number | null)[]; active_flows: (number | null)[] }

// ---- settings, views, search -------------------------------------------------

/** GET/PUT /settings (send revision) */
export interface Settings { revision: number; site: Site; retention: { events_days: number; events_max_bytes: number; audit_days: number }; silence_minutes: number }
/** GET /storage */
export interface Storage { engine: string; events: number; first: string | null; last: string | null; bytes: number; free: number | null; days: { day: string; events: number; bytes: number }[]; bus: { messages: number; bytes: number; mode: string; hub: BusHub | null; sites: BusSite[] } }
export interface BusHub { connected: boolean; waiting: number; oldest: string | null } // how far the hub is behind this site, in batches of events
export interface BusSite { name: string; state: 'current' | 'late' | 'silent'; waiting: number; heard: string | null } // what this server, as a hub, has of a site

/** GET /views?page=, POST /views, PUT/DELETE /views/{id} */
export interface View { id: string; page: 'devices' | 'events' | 'map' | 'findings'; name: string; query: string; shared: boolean; owner: string; revision: number }

/** GET /search?q= : devices and rooms by any of their names and addresses, findings that need somebody by their words; for events, the query to open. */
export interface SearchResult { devices: DeviceRow[]; theatres: { id: string; name: string }[]; findings: Finding[]; events_query: string }
