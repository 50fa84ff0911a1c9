// SPDX-License-Identifier: Apache-2.0
// Where one can go: the rail, the bottom bar and the g+letter keys read this.
// A group is listed when the parts of the product behind it run.
import type { IconName } from '../ui/Icon'

export interface Place {
  to: '/theatres' | '/devices' | '/map' | '/events' | '/advisories' | '/sensor' | '/imaging' | '/ledger' | '/identity' | '/verify' | '/findings' | '/rules' | '/settings'
  name: string
  icon: IconName
  key: string
  /** The part of the product that must run (Status.runs); without it the place is always there. */
  needs?: string
}
export const see: Place[] = [
  { to: '/theatres', name: 'Theatres', icon: 'theatres', key: 't' },
  { to: '/devices', name: 'Devices', icon: 'devices', key: 'd' },
  { to: '/map', name: 'Map', icon: 'map', key: 'm' },
  { to: '/events', name: 'Events', icon: 'events', key: 'e' },
  { to: '/advisories', name: 'Advisories', icon: 'certificate', key: 'a' },
  { to: '/sensor', name: 'Sensor', icon: 'sensor', key: 's' },
]
export const guard: Place[] = [{ to: '/imaging', name: 'Imaging', icon: 'gateway', key: 'g', needs: 'imaging' }]
export const prove: Place[] = [
  { to: '/ledger', name: 'Ledger', icon: 'ledger', key: 'l', needs: 'ledger' },
  { to: '/identity', name: 'Identity', icon: 'key', key: 'i', needs: 'identity' },
  { to: '/verify', name: 'Verify', icon: 'shield-check', key: 'v' }, // needs nothing but the browser
]
export const respond: Place[] = [
  { to: '/findings', name: 'Findings', icon: 'flag', key: 'f' },
  { to: '/rules', name: 'Rules', icon: 'filter', key: 'r' },
]
export const below: Place[] = [{ to: '/settings', name: 'Settings', icon: 'settings', key: ',' }]
export const groups: { name: string; places: Place[] }[] = [
  { name: 'See', places: see },
  { name: 'Guard', places: guard },
  { name: 'Prove', places: prove },
  { name: 'Respond', places: respond },
]
export const places: Place[] = [...groups.flatMap((g) => g.places), ...below]

/** Whether a place is to be listed, by what runs. */
export const running = (p: Place, runs: readonly string[] | undefined): boolean => p.needs === undefined || (runs?.includes(p.needs) ?? false)
