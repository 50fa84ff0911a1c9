// SPDX-License-Identifier: Apache-2.0
// The live tail: what has come in, what of it is shown, and what is known to be
// missing. Events wait behind "12 new" until asked for, unless the reader
// follows; nothing here knows of time or network.

import type { EventRow } from '../../api/types'

export const MAX_SHOWN = 5000
export const MAX_WAITING = 2000

export interface Gap { from: string; to: string; why: string }

export interface Tail {
  shown: readonly EventRow[] // newest first, on top of what was loaded
  waiting: readonly EventRow[] // newest first
  skipped: number // waiting events that were let go because too many came: a reload shows them
  trimmed: boolean // the oldest shown ones were let go
  paused: boolean
  follow: boolean // new events are shown at once
  last: string // id of the newest event received: where the stream resumes
  lag: { behind: number; seconds: number } | null
  gaps: readonly Gap[]
}

export const emptyTail: Tail = {
  shown: [], waiting: [], skipped: 0, trimmed: false, paused: false, follow: false, last: '', lag: null, gaps: [],
}

export type TailAction =
  | { do: 'start'; after: string } // a new first page was loaded; after is its newest id
  | { do: 'receive'; events: readonly EventRow[] }
  | { do: 'lag'; behind: number; seconds: number }
  | { do: 'gap'; gap: Gap }
  | { do: 'show' }
  | { do: 'pause'; paused: boolean }
  | { do: 'follow'; follow: boolean }

/** Ids are decimal sequence numbers, larger than a double can tell apart. */
export function newer(a: string, b: string): boolean {
  return a.length !== b.length ? a.length > b.length : a > b
}

export function newestId(rows: readonly EventRow[]): string {
  return rows.reduce((best, r) => (newer(r.id, best) ? r.id : best), '')
}

export function tailStep(tail: Tail, action: TailAction): Tail {
  switch (action.do) {
    case 'start':
      return { ...emptyTail, paused: tail.paused, follow: tail.follow, last: action.after, lag: tail.lag }
    case 'receive':
      return receive(tail, action.events)
    case 'lag':
      return { ...tail, lag: action.behind > 0 || action.seconds >= 1 ? { behind: action.behind, seconds: action.seconds } : null }
    case 'gap':
      return { ...tail, gaps: [...tail.gaps, action.gap] }
    case 'show':
      return tail.skipped > 0 ? tail : reveal(tail)
    case 'pause':
      return !action.paused && tail.follow ? reveal({ ...tail, paused: false }) : { ...tail, paused: action.paused }
    case 'follow':
      return action.follow ? reveal({ ...tail, follow: true, paused: false }) : { ...tail, follow: false }
  }
}

function receive(tail: Tail, events: readonly EventRow[]): Tail {
  // A stream that resumes may repeat itself; sequence numbers only grow.
  const fresh: EventRow[] = []
  let last = tail.last
  for (const e of events) {
    if (last !== '' && !newer(e.id, last)) continue
    fresh.push(e)
    last = e.id
  }
  if (fresh.length === 0) return tail
  const waiting = [...fresh.reverse(), ...tail.waiting]
  const over = Math.max(0, waiting.length - MAX_WAITING)
  const next = { ...tail, last, waiting: over > 0 ? waiting.slice(0, MAX_WAITING) : waiting, skipped: tail.skipped + over }
  return tail.follow && !tail.paused ? reveal(next) : next
}

function reveal(tail: Tail): Tail {
  if (tail.waiting.length === 0) return tail
  const shown = [...tail.waiting, ...tail.shown]
  return { ...tail, shown: shown.slice(0, MAX_SHOWN), trimmed: tail.trimmed || shown.length > MAX_SHOWN, waiting: [], skipped: 0 }
}

export function waitingCount(tail: Tail): number {
  return tail.waiting.length + tail.skipped
}
