// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { MapEdge, MapNode } from '../../api/types'
import { COLUMN, hit, inSight, layout, route, rowsInSight, shiftsIn, shiftsOf, theatreColumns } from './layout'
import { cellKey, matrix, shade } from './matrix'
import { arrange, foldKey, linksOf, linkWidth, MANY, neighbours, OUTSIDE, reachesMany, rowIndex, rowsOf } from './model'
import { jump, positionOf, positions, STEP, windowAt, windowOf } from './replay'

const node = (id: string, zone: string, cls = 'ct', over: Partial<MapNode> = {}): MapNode => ({
  id, name: id, class: cls, class_name: cls.toUpperCase(), theatre: '', zone, medical: true, worst: 'info', outside: false, ...over,
})
const edge = (from: string, to: string, protocol = 'dicom', over: Partial<MapEdge> = {}): MapEdge => ({
  from, to, protocol, transport: 'tcp', port: 104, flows: 1, failed: 0, bytes_out: 1000, bytes_in: 10, first: '', last: '', new: false, in_policy: null, ...over,
})
const none = new Set<string>()
const order = { theatreOrder: () => 0, classOrder: () => 0 }

describe('rows', () => {
  const nodes = [node('a', 'x'), node('b', 'x'), node('c', 'x', 'mr'), node('d', 'y', 'ct', { worst: 'high' })]
  it('are devices while there are few', () => {
    expect(rowsOf(nodes, false, none).map((r) => r.id)).toEqual(['a', 'b', 'c', 'd'])
  })
  it('are classes when folded, except where a class has one device', () => {
    expect(rowsOf(nodes, true, none).map((r) => [r.name, r.folded])).toEqual([['2 × CT', true], ['c', false], ['d', false]])
  })
  it('unfold on demand', () => {
    expect(rowsOf(nodes, true, new Set([foldKey(node('a', 'x'))])).map((r) => r.id)).toEqual(['a', 'b', 'c', 'd'])
  })
  it('carry the worst of their devices', () => {
    expect(rowsOf([node('a', 'x', 'ct', { worst: 'low' }), node('b', 'x', 'ct', { worst: 'critical' })], true, none)[0]?.worst).toBe('critical')
  })
})

describe('links', () => {
  const nodes = [node('a', 'x'), node('b', 'x'), node('c', 'y')]
  const index = rowIndex(rowsOf(nodes, false, none))
  it('join the ports of one protocol and keep protocols apart', () => {
    const links = linksOf([edge('a', 'c'), edge('a', 'c', 'dicom', { port: 11112, bytes_in: 90 }), edge('a', 'c', 'hl7')], index)
    expect(links.map((l) => [l.protocol, l.bytes, l.edges.length])).toEqual([['dicom', 2100, 2], ['hl7', 1010, 1]])
  })
  it('are out of policy as soon as a part is, and new only when all of it is', () => {
    const [l] = linksOf([edge('a', 'c', 'x', { in_policy: true, new: true }), edge('a', 'c', 'x', { in_policy: false, port: 2 })], index)
    expect([l?.policy, l?.isNew]).toEqual(['out', false])
    const [u] = linksOf([edge('a', 'c', 'x', { in_policy: true }), edge('a', 'c', 'x', { in_policy: null, port: 2 })], index)
    expect(u?.policy).toBe('unknown')
  })
  it('are left out when filtered or when an end is not drawn', () => {
    const edges = [edge('a', 'c'), edge('a', 'gone'), edge('b', 'c', 'hl7', { new: true })]
    expect(linksOf(edges, index, { protocols: new Set(['dicom']), onlyNew: false, onlyOut: false })).toHaveLength(1)
    expect(linksOf(edges, index, { protocols: none, onlyNew: true, onlyOut: false }).map((l) => l.protocol)).toEqual(['hl7'])
    expect(linksOf(edges, index, { protocols: none, onlyNew: false, onlyOut: true })).toEqual([])
  })
  it('isolate a row with its neighbours', () => {
    const links = linksOf([edge('a', 'c'), edge('b', 'b')], index)
    expect([...neighbours(links, new Set(['c']))].sort()).toEqual(['a', 'c'])
  })
  it('are wider with volume, within bounds', () => {
    expect(linkWidth(0)).toBe(0.75)
    expect(linkWidth(1e8)).toBeGreaterThan(linkWidth(1e5))
    expect(linkWidth(1e18)).toBe(4.5)
  })
})

describe('layout', () => {
  it('puts named zones first, none next, outside last', () => {
    const rows = rowsOf([node('o', '', 'ct', { outside: true }), node('n', ''), node('z', 'zone 10'), node('y', 'zone 2')], false, none)
    expect(layout(rows, order).columns.map((c) => c.zone)).toEqual(['zone 2', 'zone 10', '', OUTSIDE])
  })
  it('knows addresses of many from what is outside', () => {
    expect(['224.0.0.251', '239.255.255.250', '10.20.3.255', '255.255.255.255', 'ff02::fb'].map(reachesMany)).toEqual([true, true, true, true, true])
    expect(['10.20.3.25', '8.8.8.8', '2001:db8::1', 'dev-ff02'].map(reachesMany)).toEqual([false, false, false, false])
  })
  it('has theatres as columns where asked, in the order of the board', () => {
    const nodes = arrange([node('a', 'z', 'ct', { theatre: 'or-2' }), node('b', 'z', 'ct', { theatre: 'or-1' }), node('c', 'z'), node('224.0.0.1', '', 'unknown', { outside: true })], 'theatre')
    const columns = layout(rowsOf(nodes, false, none), { ...order, columnOrder: theatreColumns((t) => (t === 'or-2' ? 0 : 1)) }).columns
    expect(columns.map((c) => c.zone)).toEqual(['or-2', 'or-1', '', MANY])
    expect(columns.every((c) => c.groups.length === 0)).toBe(true)
  })
  it('does not depend on the order of the answer', () => {
    const nodes = Array.from({ length: 40 }, (_, i) => node(`d${i}`, `z${i % 4}`, i % 3 ? 'ct' : 'mr', { theatre: i % 5 ? 'or-1' : '' }))
    const a = layout(rowsOf(nodes, false, none), order).place
    const b = layout(rowsOf([...nodes].reverse(), false, none), order).place
    for (const n of nodes) expect(b.get(n.id)).toEqual(a.get(n.id))
  })
  it('groups a column by theatre, devices without one last', () => {
    const rows = rowsOf([node('a', 'x'), node('b', 'x', 'ct', { theatre: 'or-2' }), node('c', 'x', 'ct', { theatre: 'or-1' })], false, none)
    expect(layout(rows, { ...order, theatreOrder: (t) => (t === 'or-2' ? 0 : 1) }).columns[0]?.rows.map((r) => r.row.id)).toEqual(['b', 'c', 'a'])
  })
  it('has no two rows in one place', () => {
    const rows = rowsOf(Array.from({ length: 500 }, (_, i) => node(`d${i}`, `z${i % 7}`)), false, none)
    const places = [...layout(rows, order).place.values()].map((p) => `${p.x} ${p.y}`)
    expect(new Set(places).size).toBe(500)
  })
  it('is drawn once with nothing to draw', () => {
    expect(layout([], order).columns).toEqual([])
  })
})

function never(): never {
  throw new Error('there is a second column')
}

describe('routes', () => {
  const nodes = [node('a', 'x'), node('b', 'x'), node('c', 'y'), node('d', 'y')]
  const rows = rowsOf(nodes, false, none)
  const at = layout(rows, order)
  const index = rowIndex(rows)
  it('start and end at their rows', () => {
    const [p] = route(linksOf([edge('c', 'a')], index), at)
    const a = at.place.get('a')
    const c = at.place.get('c')
    expect(p?.points.slice(0, 2)).toEqual([(a?.x ?? 0) + COLUMN, a?.y])
    expect(p?.points.slice(-2)).toEqual([c?.x, c?.y])
  })
  it('run together half-way, by protocol', () => {
    const mid = (protocolOfSecond: string) => {
      const [p, q] = route(linksOf([edge('a', 'c'), edge('b', 'd', protocolOfSecond)], index), at)
      return Math.abs((p?.points[7] ?? 0) - (q?.points[7] ?? 0))
    }
    expect(mid('dicom')).toBeLessThan(mid('hl7'))
  })
  it('follow columns that stay in sight', () => {
    const tall = rowsOf([...Array.from({ length: 80 }, (_, i) => node(`t${i}`, 'x')), node('s', 'y')], false, none)
    const l = layout(tall, order)
    const shifts = shiftsOf(l, 500, 400)
    expect(shifts[1]).toBe(500)
    expect(shifts[0]).toBe(0)
    const [p] = route(linksOf([edge('t40', 's')], rowIndex(tall)), l, shifts)
    expect(p?.points.at(-1)).toBe((l.place.get('s')?.y ?? 0) + 500)
    // Scrolled to the end, no column stands below the map.
    expect(Math.max(...shiftsOf(l, 99_999, 400).map((d, i) => d + (l.columns[i]?.bottom ?? 0)))).toBeLessThanOrEqual(l.height)
  })
  it('has elements for the rows that the window shows, wherever it is, and for few others', () => {
    const tall = layout(rowsOf([...Array.from({ length: 3000 }, (_, i) => node(`t${i}`, 'x')), ...Array.from({ length: 40 }, (_, i) => node(`s${i}`, 'y'))], false, none), order)
    for (let top = 0; top < tall.height; top += 37) {
      const exact = shiftsOf(tall, top, 700)
      const sight = inSight(0, top, 900, 700)
      const shifts = shiftsIn(tall, sight)
      tall.columns.forEach((c, i) => {
        const [from, to] = rowsInSight(c, sight, shifts[i] ?? 0)
        const seen = c.rows.flatMap((r, n) => (r.y + (exact[i] ?? 0) > top && r.y + (exact[i] ?? 0) < top + 700 ? [n] : []))
        if (seen.length > 0) expect([from <= (seen[0] ?? 0), to > (seen.at(-1) ?? 0)]).toEqual([true, true])
        expect(to - from).toBeLessThan(80)
      })
    }
    // A column far to the side has none.
    expect(rowsInSight(tall.columns[1] ?? never(), inSight(5000, 0, 900, 700), 0)).toEqual([0, 0])
  })
  it('are found under the pointer', () => {
    const paths = route(linksOf([edge('a', 'c'), edge('a', 'b')], index), at)
    const p = paths[0]
    expect(hit(paths, p?.points[6] ?? 0, (p?.points[7] ?? 0) + 2)?.link.id).toBe('a c dicom')
    expect(hit(paths, 5, 5000)).toBeNull()
  })
})

describe('the matrix', () => {
  const nodes = [node('a', 'x'), node('b', 'x', 'mr'), node('c', 'y')]
  const edges = [edge('a', 'c'), edge('b', 'c', 'hl7', { new: true, in_policy: false }), edge('a', 'b')]
  const name = (z: string) => z
  it('starts with zones and counts what it sums up', () => {
    const m = matrix(nodes, edges, none, name, () => 0)
    expect(m.axis.map((x) => x.label)).toEqual(['x', 'y'])
    expect(m.cells.get(cellKey(0, 1))).toMatchObject({ bytes: 2020, conversations: 2, fresh: 1, out: 1, protocols: ['dicom', 'hl7'] })
    expect(m.cells.get(cellKey(0, 0))).toMatchObject({ conversations: 1 })
  })
  it('unfolds zones and classes without counting twice', () => {
    const m = matrix(nodes, edges, new Set(['z:x', 'c:x|ct']), name, () => 0)
    expect(m.axis.map((x) => x.key)).toEqual(['z:x', 'c:x|ct', 'd:a', 'c:x|mr', 'z:y'])
    expect([...m.cells.values()].reduce((n, c) => n + c.conversations, 0)).toBe(edges.length)
    expect(m.cells.get(cellKey(2, 4))).toMatchObject({ conversations: 1 })
  })
  it('shades by order of magnitude', () => {
    expect([shade(1, 1e9), shade(1e5, 1e9), shade(1e9, 1e9)]).toEqual([1, 2, 4])
  })
})

describe('the time slider', () => {
  const kept = { from: Date.parse('2026-03-01T00:07:00Z'), to: Date.parse('2026-03-01T23:52:00Z') }
  it('ends at the newest quarter of an hour', () => {
    const length = 3_600_000
    const w = windowOf(positions(length, kept) - 1, length, kept)
    expect(new Date(w.to).toISOString()).toBe('2026-03-02T00:00:00.000Z')
    expect(w.to - w.from).toBe(length)
  })
  it('starts at the oldest, never before it, and each position comes back', () => {
    const length = 6 * 3_600_000
    expect(new Date(windowOf(0, length, kept).from).toISOString()).toBe('2026-03-01T00:00:00.000Z')
    for (let p = 0; p < positions(length, kept); p++) expect(positionOf(windowOf(p, length, kept).to, length, kept)).toBe(p)
  })
  it('steps by a quarter of the window, by quarters of an hour', () => {
    expect([jump(900_000), jump(3_600_000), jump(86_400_000)]).toEqual([STEP, STEP, 6 * 3_600_000])
  })
  it('shows all that is kept when that is less than the window', () => {
    expect(positions(7 * 86_400_000, kept)).toBe(1)
    expect(windowAt(kept.to, 7 * 86_400_000, kept)).toEqual({ from: Date.parse('2026-03-01T00:00:00Z'), to: Date.parse('2026-03-02T00:00:00Z') })
  })
})
