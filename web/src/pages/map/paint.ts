// SPDX-License-Identifier: Apache-2.0
// Painting links: width is volume, dashes are new this week, red is not in
// policy. Only what is in sight is painted.

import type { Path } from './layout'
import { linkWidth, type Link } from './model'

export interface Inks { normal: string; strong: string; out: string; text: string; behind: string }

/** The theme's colours as a canvas understands them. */
export function inks(canvas: HTMLCanvasElement): Inks {
  const read = (name: string) => {
    canvas.style.color = `var(${name})`
    return getComputedStyle(canvas).color
  }
  return { normal: read('--line-strong'), strong: read('--text'), out: read('--critical'), text: read('--text-2'), behind: read('--bg') }
}

export interface View { left: number; top: number; width: number; height: number }

/** More lines than this at once say nothing and take long; the largest, and all that are not in policy, are what is left. */
export const MOST = 1500
/** And while the map is moved under the hand. */
export const MOST_MOVING = 300

/** Paints the paths, which come largest first. Returns how many are in sight and not painted. */
export function paint(canvas: HTMLCanvasElement, paths: readonly Path[], view: View, ink: Inks, strong: ((l: Link) => boolean) | null, most = MOST): number {
  const ratio = window.devicePixelRatio || 1
  const w = Math.round(view.width * ratio)
  const h = Math.round(view.height * ratio)
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w
    canvas.height = h
    canvas.style.width = `${view.width}px`
    canvas.style.height = `${view.height}px`
  }
  const c = canvas.getContext('2d')
  if (!c) return 0
  c.setTransform(ratio, 0, 0, ratio, 0, 0)
  c.clearRect(0, 0, view.width, view.height)
  c.translate(-view.left, -view.top)
  c.lineCap = 'butt'
  const inSight = paths.filter((p) => p.bottom >= view.top - 20 && p.top <= view.top + view.height + 20 && p.right >= view.left && p.left <= view.left + view.width)
  const seen = inSight.length <= most ? inSight : inSight.filter((p, i) => i < most || strong?.(p.link) || (most === MOST && p.link.policy === 'out'))
  // Faint ones first, so that nothing hides what matters; what is not in policy last.
  const layers: [number, (p: Path) => boolean][] = strong
    ? [[0.07, (p) => !strong(p.link)], [0.9, (p) => strong(p.link) && p.link.policy !== 'out'], [1, (p) => strong(p.link) && p.link.policy === 'out']]
    : [[0.42, (p) => p.link.policy !== 'out'], [0.75, (p) => p.link.policy === 'out']]
  layers.forEach(([alpha, belongs], layer) => {
    c.globalAlpha = alpha
    for (const p of seen) {
      if (!belongs(p)) continue
      c.strokeStyle = p.link.policy === 'out' ? ink.out : strong && layer > 0 ? ink.strong : ink.normal
      c.lineWidth = linkWidth(p.link.bytes)
      c.setLineDash(p.link.isNew ? [5, 4] : [])
      c.beginPath()
      trace(c, p.points)
      c.stroke()
    }
  })
  c.setLineDash([])
  label(c, seen, ink, strong)
  c.globalAlpha = 1
  return inSight.length - seen.length
}

function trace(c: CanvasRenderingContext2D, points: readonly number[]): void {
  const p = (i: number) => points[i] ?? 0
  c.moveTo(p(0), p(1))
  for (let i = 2; i + 5 < points.length; i += 6) c.bezierCurveTo(p(i), p(i + 1), p(i + 2), p(i + 3), p(i + 4), p(i + 5))
}

/** The protocol's name on each bundle, largest first, none over another. */
function label(c: CanvasRenderingContext2D, paths: readonly Path[], ink: Inks, strong: ((l: Link) => boolean) | null): void {
  const bundles = new Map<string, { x: number; y: number; count: number; protocol: string }>()
  for (const p of paths) {
    if (p.points.length < 14 || p.link.protocol === '' || (strong && !strong(p.link))) continue
    const x = p.points[6] ?? 0
    const y = p.points[7] ?? 0
    const key = `${Math.round(x)} ${p.link.protocol}`
    const b = bundles.get(key) ?? { x, y: 0, count: 0, protocol: p.link.protocol }
    b.y += y
    b.count++
    bundles.set(key, b)
  }
  const placed: { x: number; y: number }[] = []
  c.font = '11px "Plex Sans", sans-serif'
  c.textAlign = 'center'
  c.textBaseline = 'middle'
  for (const b of [...bundles.values()].sort((a, z) => z.count - a.count)) {
    const y = b.y / b.count
    if (placed.some((o) => Math.abs(o.x - b.x) < 70 && Math.abs(o.y - y) < 15)) continue
    placed.push({ x: b.x, y })
    const width = c.measureText(b.protocol).width
    c.globalAlpha = 0.88
    c.fillStyle = ink.behind
    c.fillRect(b.x - width / 2 - 3, y - 8, width + 6, 15)
    c.globalAlpha = 1
    c.fillStyle = ink.text
    c.fillText(b.protocol, b.x, y)
  }
}
