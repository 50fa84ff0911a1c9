// SPDX-License-Identifier: Apache-2.0
// Times as people read them: relative, and absolute in the hospital's zone on
// a 24 h clock. "Now" is the server's now, because the clock of a screen on a
// wall is often wrong.
import { useSyncExternalStore } from 'react'

let offset = 0 // server minus this machine, in ms
/** Called with the time in each status. A few hundred milliseconds of travel do not matter here. */
export function serverTime(iso: string): void {
  const t = Date.parse(iso)
  if (Number.isFinite(t)) offset = t - Date.now()
}
export function now(): number {
  return Date.now() + offset
}

let zone = 'UTC'
const zoneListeners = new Set<() => void>()
/** The zone of the site. A name that this browser does not know leaves UTC, and says so in absolute times. */
export function setZone(name: string): void {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: name })
  } catch {
    name = 'UTC'
  }
  if (name === zone) return
  zone = name
  formats.clear()
  for (const f of zoneListeners) f()
}
export function useZone(): string {
  return useSyncExternalStore(
    (f) => {
      zoneListeners.add(f)
      return () => zoneListeners.delete(f)
    },
    () => zone,
  )
}

const formats = new Map<string, Intl.DateTimeFormat>()
function parts(ms: number, tz: string): Record<string, string> {
  let f = formats.get(tz)
  if (!f) {
    f = new Intl.DateTimeFormat('en-GB', {
      timeZone: tz,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'short',
    })
    formats.set(tz, f)
  }
  const out: Record<string, string> = {}
  for (const p of f.formatToParts(ms)) out[p.type] = p.value
  return out
}

type When = string | number
const ms = (t: When) => (typeof t === 'number' ? t : Date.parse(t))

/** "2026-11-22 04:46:05 CET", with milliseconds when asked for. */
export function absolute(t: When, o: { millis?: boolean; tz?: string } = {}): string {
  const at = ms(t)
  if (!Number.isFinite(at)) return 'unknown time'
  const p = parts(at, o.tz ?? zone)
  const frac = o.millis ? `.${String(((at % 1000) + 1000) % 1000).padStart(3, '0')}` : ''
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}${frac} ${p.timeZoneName}`
}
/** "04:46:05" or "04:46:05.123" */
export function clock(t: When, o: { seconds?: boolean; millis?: boolean; tz?: string } = {}): string {
  const at = ms(t)
  if (!Number.isFinite(at)) return '–'
  const p = parts(at, o.tz ?? zone)
  const s = o.seconds === false ? '' : `:${p.second}`
  const frac = o.millis ? `.${String(((at % 1000) + 1000) % 1000).padStart(3, '0')}` : ''
  return `${p.hour}:${p.minute}${s}${frac}`
}
/** "2026-11-22" */
export function day(t: When, tz = zone): string {
  const at = ms(t)
  if (!Number.isFinite(at)) return '–'
  const p = parts(at, tz)
  return `${p.year}-${p.month}-${p.day}`
}
/** "22 Nov 04:46", or "04:46" when it is the same day as `than`. */
export function short(t: When, than: When = now(), tz = zone): string {
  const at = ms(t)
  if (!Number.isFinite(at)) return '–'
  const same = day(at, tz) === day(than, tz)
  if (same) return clock(at, { seconds: false, tz })
  const date = new Intl.DateTimeFormat('en-GB', { timeZone: tz, day: 'numeric', month: 'short' }).format(at)
  return `${date} ${clock(at, { seconds: false, tz })}`
}

const units: [number, string][] = [
  [86_400_000 * 365, 'y'],
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
]
/** "3 min", "2 h 05 min", "6 d": the two largest units where the second still says something. */
export function span(dur: number): string {
  const d = Math.max(0, dur)
  if (d < 1_000) return '0 s'
  for (const [i, [size, unit]] of units.entries()) {
    if (d < size) continue
    const n = Math.floor(d / size)
    const next = units[i + 1]
    if (next && n < 10 && unit !== 'min' && unit !== 's') {
      const rest = Math.floor((d % size) / next[0])
      if (rest > 0) return `${n} ${unit} ${unit === 'h' ? String(rest).padStart(2, '0') : rest} ${next[1]}`
    }
    return `${n} ${unit}`
  }
  return '0 s'
}
/** "just now", "3 min ago", "in 2 d" */
export function relative(t: When, than: number = now()): string {
  const at = ms(t)
  if (!Number.isFinite(at)) return 'at an unknown time'
  const d = than - at
  if (Math.abs(d) < 5_000) return 'just now'
  return d >= 0 ? `${coarse(d)} ago` : `in ${coarse(-d)}`
}
function coarse(d: number): string {
  for (const [size, unit] of units) if (d >= size) return `${Math.floor(d / size)} ${unit}`
  return '0 s'
}

/** Re-renders every `step` ms (1 s or 10 s …), all users of a step together; stands still while the page is hidden. */
export function useNow(step = 10_000): number {
  const tick = ticker(step)
  return useSyncExternalStore(tick.subscribe, tick.get)
}
interface Ticker {
  subscribe: (f: () => void) => () => void
  get: () => number
}
const tickers = new Map<number, Ticker>()
function ticker(step: number): Ticker {
  const existing = tickers.get(step)
  if (existing) return existing
  const listeners = new Set<() => void>()
  let timer: ReturnType<typeof setInterval> | undefined
  let value = now()
  const beat = () => {
    if (document.hidden) return
    value = now()
    for (const f of listeners) f()
  }
  const t: Ticker = {
    subscribe: (f) => {
      listeners.add(f)
      if (timer === undefined) {
        timer = setInterval(beat, step)
        document.addEventListener('visibilitychange', beat)
        value = now()
      }
      return () => {
        listeners.delete(f)
        if (listeners.size > 0) return
        clearInterval(timer)
        document.removeEventListener('visibilitychange', beat)
        timer = undefined
      }
    },
    get: () => value,
  }
  tickers.set(step, t)
  return t
}
