// SPDX-License-Identifier: Apache-2.0
// From the answer of the API to what is drawn: rows (a device, or a class of
// devices that has not been unfolded) and links between rows, one a protocol.

import type { MapEdge, MapNode, Severity } from '../../api/types'

/** Above this many devices, classes are drawn and unfolded on demand. */
export const FOLD_ABOVE = 300

export interface Row {
  id: string // the device's id, or "zone|theatre|class" of a folded class
  name: string
  class: string
  className: string
  theatre: string
  zone: string
  worst: Severity
  medical: boolean
  members: MapNode[] // one, unless folded
  folded: boolean
}

export interface Link {
  id: string
  from: string // row ids; the initiator, where known
  to: string
  protocol: string
  bytes: number
  flows: number
  failed: number
  isNew: boolean
  policy: 'in' | 'out' | 'unknown'
  edges: MapEdge[]
}

export type ZoneKey = string
export const OUTSIDE: ZoneKey = '\u0000outside'
export const MANY: ZoneKey = '\u0000many'

/** What the columns of the map are. */
export type By = 'zone' | 'theatre'

export function zoneOf(n: MapNode): ZoneKey {
  return !n.outside ? n.zone : reachesMany(n.id) ? MANY : OUTSIDE
}

/** Multicast and broadcast addresses stand for many devices, here and not outside. A last octet of 255 is taken for a broadcast. */
export function reachesMany(address: string): boolean {
  return /^ff[0-9a-f]{2}:/i.test(address) || /^(22[4-9]|23\d)\.\d+\.\d+\.\d+$/.test(address) || /^\d+\.\d+\.\d+\.255$/.test(address)
}

/** Puts rooms where zones are, for a hospital that has no zones yet or wants to see it so. */
export function arrange(nodes: readonly MapNode[], by: By): MapNode[] {
  return by === 'zone' ? [...nodes] : nodes.map((n) => ({ ...n, zone: n.theatre, theatre: '' }))
}

const worstOrder: readonly Severity[] = ['unknown', 'info', 'low', 'medium', 'high', 'critical']
export function worseOf(a: Severity, b: Severity): Severity {
  return worstOrder.indexOf(a) >= worstOrder.indexOf(b) ? a : b
}

export function foldKey(n: MapNode): string {
  return `${zoneOf(n)}|${n.theatre}|${n.class}`
}

/** Folds devices into classes. A class of one is shown as its device: folding it would hide a name and save nothing. */
export function rowsOf(nodes: readonly MapNode[], fold: boolean, unfolded: ReadonlySet<string>): Row[] {
  const groups = new Map<string, MapNode[]>()
  for (const n of nodes) {
    const key = foldKey(n)
    const group = groups.get(key)
    if (group) group.push(n)
    else groups.set(key, [n])
  }
  const rows: Row[] = []
  for (const [key, members] of groups) {
    const first = members[0]
    if (!first) continue
    if (!fold || members.length === 1 || unfolded.has(key)) {
      for (const n of members) rows.push(rowOf(n.id, n.name, n, [n], false))
    } else {
      const row = rowOf(key, `${members.length} × ${first.class_name}`, first, members, true)
      row.worst = members.reduce<Severity>((w, n) => worseOf(w, n.worst), 'unknown')
      rows.push(row)
    }
  }
  return rows
}

function rowOf(id: string, name: string, n: MapNode, members: MapNode[], folded: boolean): Row {
  return {
    id, name, members, folded, class: n.class, className: n.class_name, theatre: n.theatre, zone: zoneOf(n), worst: n.worst, medical: n.medical,
  }
}

/** Which row stands for each device. */
export function rowIndex(rows: readonly Row[]): Map<string, Row> {
  const index = new Map<string, Row>()
  for (const r of rows) for (const n of r.members) index.set(n.id, r)
  return index
}

export interface LinkFilter { protocols: ReadonlySet<string>; onlyNew: boolean; onlyOut: boolean }
export const everyLink: LinkFilter = { protocols: new Set(), onlyNew: false, onlyOut: false }

/** Sums conversations up: one link per pair of rows, direction and protocol. Conversations inside a folded row are that row's own. */
export function linksOf(edges: readonly MapEdge[], index: ReadonlyMap<string, Row>, filter: LinkFilter = everyLink): Link[] {
  const links = new Map<string, Link>()
  for (const e of edges) {
    if (filter.protocols.size > 0 && !filter.protocols.has(e.protocol)) continue
    if ((filter.onlyNew && !e.new) || (filter.onlyOut && e.in_policy !== false)) continue
    const a = index.get(e.from)
    const b = index.get(e.to)
    if (!a || !b) continue
    const id = `${a.id} ${b.id} ${e.protocol}`
    const bytes = e.bytes_out + e.bytes_in
    const policy = e.in_policy === null ? 'unknown' : e.in_policy ? 'in' : 'out'
    const link = links.get(id)
    if (!link) {
      links.set(id, { id, from: a.id, to: b.id, protocol: e.protocol, bytes, flows: e.flows, failed: e.failed, isNew: e.new, policy, edges: [e] })
      continue
    }
    link.bytes += bytes
    link.flows += e.flows
    link.failed += e.failed
    // New only when all of it is; out of policy as soon as any of it is.
    link.isNew &&= e.new
    link.policy = link.policy === 'out' || policy === 'out' ? 'out' : link.policy === 'unknown' || policy === 'unknown' ? 'unknown' : 'in'
    link.edges.push(e)
  }
  return [...links.values()]
}

/** Line width in pixels: by the logarithm, because a CT series is a million times a DNS answer. */
export function linkWidth(bytes: number): number {
  return Math.min(4.5, 0.75 + Math.max(0, Math.log10(Math.max(1, bytes)) - 4) * 0.6)
}

export function protocolsOf(edges: readonly MapEdge[]): { protocol: string; bytes: number; conversations: number }[] {
  const sums = new Map<string, { protocol: string; bytes: number; conversations: number }>()
  for (const e of edges) {
    const s = sums.get(e.protocol) ?? { protocol: e.protocol, bytes: 0, conversations: 0 }
    s.bytes += e.bytes_in + e.bytes_out
    s.conversations++
    sums.set(e.protocol, s)
  }
  return [...sums.values()].sort((a, b) => b.conversations - a.conversations || (a.protocol < b.protocol ? -1 : 1))
}

/** The rows that talk to one of the given rows, and they themselves. */
export function neighbours(links: readonly Link[], ids: ReadonlySet<string>): Set<string> {
  const near = new Set(ids)
  for (const l of links) {
    if (ids.has(l.from)) near.add(l.to)
    if (ids.has(l.to)) near.add(l.from)
  }
  return near
}
