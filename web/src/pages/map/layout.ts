// SPDX-License-Identifier: Apache-2.0
// Where things stand on the map. Zones are columns and devices rows in them, by
// theatre and class, so that a device keeps its place from one day to the next.
// Links of one protocol between two columns run through one bundle.

import { MANY, OUTSIDE, type Link, type Row, type ZoneKey } from './model'

export const ROW = 22
export const HEAD = 40 // of a column
export const SUBHEAD = 24 // of a theatre in a column
export const COLUMN = 164
export const GAP = 72 // at least, between columns: where bundles run
export const MARGIN = 16
const DETOUR = 48 // how far a bundle may lead a link beyond its ends

export interface PlacedRow { row: Row; y: number; first: boolean } // y of the middle; first under a heading
export interface PlacedGroup { theatre: string; y: number } // y of the top
export interface Column { zone: ZoneKey; x: number; rows: PlacedRow[]; groups: PlacedGroup[]; devices: number; bottom: number }
export interface Layout { columns: Column[]; width: number; height: number; place: Map<string, { x: number; y: number; column: number }> }

export interface LayoutOptions {
  theatreOrder: (theatre: string) => number // as the board orders them
  classOrder: (cls: string) => number // as the taxonomy orders them
  columnOrder?: (a: ZoneKey, b: ZoneKey) => number // default: zoneOrder
  width?: number // to spread over, when there is more room than needed
}

export const byName = new Intl.Collator('en', { numeric: true }).compare

const zoneRank = (z: ZoneKey) => (z === MANY ? 3 : z === OUTSIDE ? 2 : z === '' ? 1 : 0)

/** Named zones by name, then devices without a zone, then what is outside the hospital, then addresses of many. */
export function zoneOrder(a: ZoneKey, b: ZoneKey): number {
  return zoneRank(a) - zoneRank(b) || byName(a, b)
}

export function layout(rows: readonly Row[], options: LayoutOptions): Layout {
  const zones = new Map<ZoneKey, Row[]>()
  for (const r of rows) {
    const z = zones.get(r.zone)
    if (z) z.push(r)
    else zones.set(r.zone, [r])
  }
  const keys = [...zones.keys()].sort(options.columnOrder ?? zoneOrder)
  const theatreOrder = once(options.theatreOrder)
  const classOrder = once(options.classOrder)
  const least = 2 * MARGIN + keys.length * COLUMN + Math.max(0, keys.length - 1) * GAP + GAP / 2
  const spread = keys.length > 1 ? Math.min(200, Math.max(0, ((options.width ?? 0) - least) / (keys.length - 1))) : 0
  const place: Layout['place'] = new Map()
  const columns = keys.map((zone, i): Column => {
    const x = MARGIN + i * (COLUMN + GAP + spread)
    const own = [...(zones.get(zone) ?? [])].sort(
      (a, b) =>
        byTheatre(a.theatre, b.theatre, theatreOrder) ||
        classOrder(a.class) - classOrder(b.class) ||
        byName(a.name, b.name) ||
        (a.id < b.id ? -1 : 1),
    )
    const placed: PlacedRow[] = []
    const groups: PlacedGroup[] = []
    let y = HEAD
    let theatre: string | null = null
    // A sub-heading per theatre only where a column has theatres at all.
    const named = own.some((r) => r.theatre !== '')
    for (const row of own) {
      if (named && row.theatre !== theatre) {
        if (theatre !== null) y += 6
        groups.push({ theatre: row.theatre, y })
        y += SUBHEAD
        theatre = row.theatre
      }
      placed.push({ row, y: y + ROW / 2, first: placed.length === 0 || groups.at(-1)?.y === y - SUBHEAD })
      place.set(row.id, { x, y: y + ROW / 2, column: i })
      y += ROW
    }
    return { zone, x, rows: placed, groups, devices: own.reduce((n, r) => n + r.members.length, 0), bottom: y }
  })
  return {
    columns, place,
    width: Math.max(options.width ?? 0, least + spread * Math.max(0, keys.length - 1)),
    height: Math.max(HEAD + ROW, ...columns.map((c) => c.bottom)) + MARGIN,
  }
}

/** A function whose answers are kept: sorting asks for the same ones again and again. */
function once(f: (key: string) => number): (key: string) => number {
  const known = new Map<string, number>()
  return (key) => {
    let v = known.get(key)
    if (v === undefined) known.set(key, (v = f(key)))
    return v
  }
}

function byTheatre(a: string, b: string, order: (t: string) => number): number {
  if (a === b) return 0
  if (a === '' || b === '') return a === '' ? 1 : -1
  return order(a) - order(b) || byName(a, b)
}

/**
 * How far each column has moved down with the scrolled window. A column that is
 * shorter than the tallest stays in sight, as CSS does it for position: sticky.
 */
export function shiftsOf(at: Layout, scrollTop: number, viewHeight: number): number[] {
  return at.columns.map((c) => Math.min(Math.max(0, at.height - MARGIN - c.bottom), Math.max(0, scrollTop + Math.min(0, viewHeight - c.bottom - MARGIN))))
}

/** The part of the map for which there are elements: the window and OVER on each side, in steps, so that little scrolling changes nothing. */
export interface Sight { top: number; left: number; width: number; height: number }
export const OVER = 264
const STEP = 6 * ROW

export function inSight(left: number, top: number, width: number, height: number): Sight {
  const down = (v: number) => Math.floor(v / STEP) * STEP
  return { top: down(top) - OVER, left: down(left) - OVER, width: width + 2 * OVER + STEP, height: height + 2 * OVER + STEP }
}

export function sameSight(a: Sight, b: Sight): boolean {
  return a.top === b.top && a.left === b.left && a.width === b.width && a.height === b.height
}

/** shiftsOf for the place in which the window is, to a STEP. */
export function shiftsIn(at: Layout, sight: Sight): number[] {
  return shiftsOf(at, sight.top + OVER, sight.height - 2 * OVER - STEP)
}

/** The rows of a column that are in sight, by place: the first, and the first that is not. */
export function rowsInSight(c: Column, sight: Sight, shift: number): [from: number, to: number] {
  if (c.x + COLUMN < sight.left || c.x > sight.left + sight.width) return [0, 0]
  const from = firstBelow(c.rows, sight.top - shift)
  return [from, firstBelow(c.rows, sight.top + sight.height - shift)]
}

/** The first row whose middle is at or below a height. */
function firstBelow(rows: readonly PlacedRow[], y: number): number {
  let lo = 0
  let hi = rows.length
  while (lo < hi) {
    const mid = (lo + hi) >> 1
    if ((rows[mid]?.y ?? 0) < y) lo = mid + 1
    else hi = mid
  }
  return lo
}

/** Rooms as the board orders them. */
export function theatreColumns(order: (theatre: string) => number): (a: ZoneKey, b: ZoneKey) => number {
  return (a, b) => zoneRank(a) - zoneRank(b) || (zoneRank(a) === 0 ? order(a) - order(b) : 0) || zoneOrder(a, b)
}

/** A path as cubic curves: a start, then triples of control, control, end. */
export interface Path { link: Link; points: readonly number[]; top: number; bottom: number; left: number; right: number }

/**
 * Routes links. Between two columns all links of one protocol are drawn
 * together to one height half-way, the mean of their ends, pulled towards the
 * visible middle: that is the bundle. Links inside a column bow out to its right.
 * shifts is how far each column stands below its place.
 */
export function route(links: readonly Link[], at: Layout, shifts: readonly number[] = []): Path[] {
  const placeOf = (id: string) => {
    const p = at.place.get(id)
    const shift = p ? (shifts[p.column] ?? 0) : 0
    return p && shift !== 0 ? { x: p.x, y: p.y + shift, column: p.column } : p
  }
  const bundles = new Map<string, { sum: number; count: number }>()
  const key = (a: number, b: number, protocol: string) => `${Math.min(a, b)} ${Math.max(a, b)} ${protocol}`
  for (const l of links) {
    const a = placeOf(l.from)
    const b = placeOf(l.to)
    if (!a || !b || a.column === b.column) continue
    const k = key(a.column, b.column, l.protocol)
    const bundle = bundles.get(k) ?? { sum: 0, count: 0 }
    bundle.sum += (a.y + b.y) / 2
    bundle.count++
    bundles.set(k, bundle)
  }
  const paths: Path[] = []
  for (const l of links) {
    const a = placeOf(l.from)
    const b = placeOf(l.to)
    if (!a || !b) continue
    paths.push(a.column === b.column ? loop(l, a.x + COLUMN, a.y, b.y) : across(l, a, b, bundles.get(key(a.column, b.column, l.protocol))))
  }
  return paths
}

function loop(link: Link, x: number, y1: number, y2: number): Path {
  // A row to itself: a small ear. Otherwise the further, the wider, within the gap.
  if (y1 === y2) {
    return { link, points: [x, y1 - 4, x + 22, y1 - 9, x + 22, y2 + 9, x, y2 + 4], top: y1 - 10, bottom: y1 + 10, left: x, right: x + 22 }
  }
  const bow = Math.min(GAP * 0.6, 20 + Math.sqrt(Math.abs(y1 - y2)) * 3)
  return { link, points: [x, y1, x + bow, y1, x + bow, y2, x, y2], top: Math.min(y1, y2), bottom: Math.max(y1, y2), left: x, right: x + bow }
}

function across(link: Link, a: { x: number; y: number }, b: { x: number; y: number }, bundle: { sum: number; count: number } | undefined): Path {
  const [left, right] = a.x < b.x ? [a, b] : [b, a]
  const x1 = left.x + COLUMN
  const x2 = right.x
  const xm = (x1 + x2) / 2
  const straight = (left.y + right.y) / 2
  // One conversation alone needs no bundle; many are drawn almost wholly to it.
  const pull = bundle && bundle.count > 1 ? 0.85 : 0
  const pulled = bundle ? straight + (bundle.sum / bundle.count - straight) * pull : straight
  // A bundle must not lead a link far out of its way.
  const ym = Math.min(Math.max(left.y, right.y) + DETOUR, Math.max(Math.min(left.y, right.y) - DETOUR, pulled))
  const reach = Math.max(24, Math.min(GAP, (x2 - x1) * 0.45))
  const points = [x1, left.y, x1 + reach * 0.75, left.y, xm - reach * 0.4, ym, xm, ym, xm + reach * 0.4, ym, x2 - reach * 0.75, right.y, x2, right.y]
  return { link, points, top: Math.min(left.y, right.y, ym), bottom: Math.max(left.y, right.y, ym), left: x1, right: x2 }
}

/** Points along a path, for finding what the pointer is on. */
export function sample(points: readonly number[], steps = 12): [number, number][] {
  const out: [number, number][] = []
  const p = (i: number) => points[i] ?? 0
  for (let c = 2; c + 5 < points.length; c += 6) {
    for (let s = 0; s <= steps; s++) {
      const t = s / steps
      const u = 1 - t
      const at = (o: number) => u * u * u * p(c - 2 + o) + 3 * u * u * t * p(c + o) + 3 * u * t * t * p(c + 2 + o) + t * t * t * p(c + 4 + o)
      out.push([at(0), at(1)])
    }
  }
  return out
}

/** The path nearest to a place, within a distance; later ones win, because they are drawn on top. */
export function hit(paths: readonly Path[], x: number, y: number, within = 6): Path | null {
  let best: Path | null = null
  let least = within * within
  for (const path of paths) {
    if (y < path.top - within || y > path.bottom + within || x < path.left - within || x > path.right + within) continue
    const line = sample(path.points)
    for (let i = 1; i < line.length; i++) {
      const d = toSegment(x, y, line[i - 1] ?? [0, 0], line[i] ?? [0, 0])
      if (d <= least) {
        least = d
        best = path
      }
    }
  }
  return best
}

function toSegment(x: number, y: number, [x1, y1]: [number, number], [x2, y2]: [number, number]): number {
  const dx = x2 - x1
  const dy = y2 - y1
  const length = dx * dx + dy * dy
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / length))
  return (x - x1 - t * dx) ** 2 + (y - y1 - t * dy) ** 2
}
