// SPDX-License-Identifier: Apache-2.0
// The map as a matrix: who (down) talks to whom (across). It starts with zones;
// a zone unfolds to its classes, a class to its devices.

import type { MapEdge, MapNode } from '../../api/types'
import { byName, zoneOrder } from './layout'
import { zoneOf } from './model'

export interface AxisItem {
  key: string
  label: string
  level: 0 | 1 | 2 // zone, class, device
  open: boolean
  opens: boolean // whether it can be unfolded
  devices: number
  device: string // its id, at level 2
}

export interface Cell { bytes: number; flows: number; failed: number; conversations: number; fresh: number; out: number; protocols: string[] }

export interface Matrix {
  axis: AxisItem[]
  cells: Map<string, Cell>
  most: number
  index: Map<string, number> // where on the axis each device is counted
}

export const cellKey = (from: number, to: number) => `${from} ${to}`

export function matrix(
  nodes: readonly MapNode[], edges: readonly MapEdge[], open: ReadonlySet<string>, zoneName: (zone: string) => string, classOrder: (cls: string) => number,
  order: (a: string, b: string) => number = zoneOrder,
): Matrix {
  const zones = new Map<string, Map<string, MapNode[]>>()
  for (const n of nodes) {
    const zone = zoneOf(n)
    const classes = zones.get(zone) ?? new Map<string, MapNode[]>()
    zones.set(zone, classes)
    const members = classes.get(n.class)
    if (members) members.push(n)
    else classes.set(n.class, [n])
  }
  const axis: AxisItem[] = []
  const index = new Map<string, number>()
  for (const zone of [...zones.keys()].sort(order)) {
    const classes = zones.get(zone) ?? new Map<string, MapNode[]>()
    const all = [...classes.values()].flat()
    const key = `z:${zone}`
    const isOpen = open.has(key)
    const at = axis.push({ key, label: zoneName(zone), level: 0, open: isOpen, opens: true, devices: all.length, device: '' }) - 1
    if (!isOpen) {
      for (const n of all) index.set(n.id, at)
      continue
    }
    for (const cls of [...classes.keys()].sort((a, b) => classOrder(a) - classOrder(b))) {
      const members = classes.get(cls) ?? []
      const classKey = `c:${zone}|${cls}`
      const classOpen = open.has(classKey)
      const classAt =
        axis.push({ key: classKey, label: members[0]?.class_name ?? cls, level: 1, open: classOpen, opens: true, devices: members.length, device: '' }) - 1
      if (!classOpen) {
        for (const n of members) index.set(n.id, classAt)
        continue
      }
      for (const n of [...members].sort((a, b) => byName(a.name, b.name))) {
        index.set(n.id, axis.push({ key: `d:${n.id}`, label: n.name, level: 2, open: false, opens: false, devices: 1, device: n.id }) - 1)
      }
    }
  }
  const cells = new Map<string, Cell>()
  let most = 0
  for (const e of edges) {
    const a = index.get(e.from)
    const b = index.get(e.to)
    if (a === undefined || b === undefined) continue
    const key = cellKey(a, b)
    const cell = cells.get(key) ?? { bytes: 0, flows: 0, failed: 0, conversations: 0, fresh: 0, out: 0, protocols: [] }
    cells.set(key, cell)
    cell.bytes += e.bytes_in + e.bytes_out
    cell.flows += e.flows
    cell.failed += e.failed
    cell.conversations++
    if (e.new) cell.fresh++
    if (e.in_policy === false) cell.out++
    if (!cell.protocols.includes(e.protocol)) cell.protocols.push(e.protocol)
    most = Math.max(most, cell.bytes)
  }
  return { axis, cells, most, index }
}

/** How full a cell is drawn, 1 to 4, by the logarithm of its bytes against the fullest. */
export function shade(bytes: number, most: number): 1 | 2 | 3 | 4 {
  const share = Math.log10(Math.max(10, bytes)) / Math.log10(Math.max(10, most))
  return share > 0.85 ? 4 : share > 0.65 ? 3 : share > 0.45 ? 2 : 1
}
