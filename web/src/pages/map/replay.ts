// SPDX-License-Identifier: Apache-2.0
// The time slider: a window of fixed length that moves over what is kept, in
// steps of a quarter of an hour, because that is how the store sums up conversations.

export const STEP = 15 * 60_000

export interface Kept { from: number; to: number }
export interface Window { from: number; to: number }

export const lengths: readonly { ms: number; name: string }[] = [
  { ms: 15 * 60_000, name: '15 min' },
  { ms: 3_600_000, name: '1 h' },
  { ms: 6 * 3_600_000, name: '6 h' },
  { ms: 24 * 3_600_000, name: '24 h' },
  { ms: 7 * 24 * 3_600_000, name: '7 d' },
  { ms: 30 * 24 * 3_600_000, name: '30 d' },
]

const down = (t: number) => Math.floor(t / STEP) * STEP
const up = (t: number) => Math.ceil(t / STEP) * STEP

/** The window that ends at a time, moved into what is kept. */
export function windowAt(end: number, length: number, kept: Kept): Window {
  const first = down(kept.from)
  const last = Math.max(first + STEP, up(kept.to))
  const to = Math.min(last, Math.max(Math.min(last, first + length), up(end)))
  return { from: Math.max(first, to - length), to }
}

/** Positions of the slider for a length: 0 is the oldest window. */
export function positions(length: number, kept: Kept): number {
  const span = Math.max(STEP, up(kept.to) - down(kept.from))
  return Math.max(1, Math.ceil((span - length) / jump(length)) + 1)
}

/** How far one step of the player goes: a quarter of the window, so that the eye can follow. */
export function jump(length: number): number {
  return Math.max(STEP, down(length / 4))
}

export function windowOf(position: number, length: number, kept: Kept): Window {
  const back = positions(length, kept) - 1 - position
  return windowAt(up(kept.to) - back * jump(length), length, kept)
}

export function positionOf(end: number, length: number, kept: Kept): number {
  const count = positions(length, kept)
  const back = Math.round((up(kept.to) - end) / jump(length))
  return Math.min(count - 1, Math.max(0, count - 1 - back))
}
