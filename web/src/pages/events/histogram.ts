// SPDX-License-Identifier: Apache-2.0
// The time brush in numbers: bars stacked by severity, ticks at round local
// times, and what a drag over it selects.

import type { EventHistogram, Severity } from '../../api/types'
import type { Span } from './query'

/** Bottom to top: the worst stands on the axis, where its height can be compared. */
export const stackOrder: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info', 'unknown']

export interface Bar { start: number; end: number; total: number; parts: { severity: Severity; from: number; to: number }[] }

export function bars(h: EventHistogram): Bar[] {
  return h.steps.map((s) => {
    const start = Date.parse(s.start)
    const parts: Bar['parts'] = []
    let sum = 0
    for (const severity of stackOrder) {
      const n = s.by[severity] ?? 0
      if (n > 0) parts.push({ severity, from: sum, to: sum + n })
      sum += n
    }
    return { start, end: start + h.step_ms, total: sum, parts }
  })
}

/** The top of the scale: 1, 2 or 5 times a power of ten. */
export function niceMax(max: number): number {
  if (max <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(max))
  for (const m of [1, 2, 5, 10]) if (m * power >= max) return m * power
  return 10 * power
}

const steps = [
  1e3, 5e3, 15e3, 30e3, 60e3, 300e3, 900e3, 1800e3, 3600e3, 3 * 3600e3, 6 * 3600e3, 12 * 3600e3, 86400e3, 2 * 86400e3, 7 * 86400e3, 30 * 86400e3,
]

/** Times for labels, at most `count`, on round steps of the zone whose offset from UTC is given in milliseconds. */
export function ticks(span: Span, count: number, offset: number): { at: number; step: number }[] {
  const length = span.to - span.from
  const step = steps.find((s) => length / s <= count) ?? length
  const out: { at: number; step: number }[] = []
  for (let at = Math.ceil((span.from + offset) / step) * step - offset; at < span.to; at += step) out.push({ at, step })
  return out
}

/** What a drag between two places (0 to 1) selects: whole steps, at least one; null for a click. */
export function brushed(span: Span, stepMs: number, a: number, b: number): Span | null {
  const low = Math.max(0, Math.min(a, b))
  const high = Math.min(1, Math.max(a, b))
  const length = span.to - span.from
  if ((high - low) * length < stepMs / 2 && high - low < 0.01) return null
  const snap = (x: number, round: (n: number) => number) => span.from + round((x * length) / stepMs) * stepMs
  const from = snap(low, Math.floor)
  const to = Math.min(span.to, Math.max(from + stepMs, snap(high, Math.ceil)))
  return { from, to }
}

export function countBy(h: EventHistogram): { severity: Severity; count: number }[] {
  return stackOrder
    .map((severity) => ({ severity, count: h.steps.reduce((n, s) => n + (s.by[severity] ?? 0), 0) }))
    .filter((s) => s.count > 0)
}
