// SPDX-License-Identifier: Apache-2.0
// Hours in which something happened, as bars without gaps in time.

export interface Bar { start: number; hours: number; count: number }

const HOUR = 3_600_000
const MOST = 72 // bars

/** From the hour before the first to now or a day after the last, whichever is sooner; several hours a bar where there are many. */
export function paceBars(pace: readonly { hour: string; count: number }[], now: number): Bar[] {
  const hours = pace.map((p) => ({ at: Date.parse(p.hour), count: p.count })).filter((p) => Number.isFinite(p.at)).sort((a, b) => a.at - b.at)
  const first = hours[0]
  const last = hours[hours.length - 1]
  if (!first || !last) return []
  const end = Math.max(last.at + HOUR, Math.min(Math.floor(now / HOUR) * HOUR + HOUR, last.at + 24 * HOUR))
  const from = Math.min(first.at - HOUR, end - 12 * HOUR)
  const per = Math.max(1, Math.ceil((end - from) / HOUR / MOST))
  const n = Math.ceil((end - from) / (per * HOUR))
  const bars = Array.from({ length: n }, (_, i): Bar => ({ start: from + i * per * HOUR, hours: per, count: 0 }))
  for (const h of hours) {
    const bar = bars[Math.floor((h.at - from) / (per * HOUR))]
    if (bar) bar.count += h.count
  }
  return bars
}
