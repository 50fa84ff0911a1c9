// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { absolute, clock, relative, short, span } from './time'

const s = 1_000
const min = 60 * s
const h = 60 * min
const d = 24 * h

describe('times', () => {
  it('are absolute in the zone of the hospital, on a 24 hour clock', () => {
    expect(absolute('2026-11-22T23:05:06.123456789Z', { tz: 'Europe/Berlin' })).toBe('2026-11-23 00:05:06 CET')
    expect(absolute('2026-07-01T12:00:00Z', { tz: 'Europe/Berlin', millis: true })).toMatch(/^2026-07-01 14:00:00\.000 (CEST|GMT\+2)$/)
    expect(clock('2026-11-22T00:00:00Z', { tz: 'UTC' })).toBe('00:00:00')
  })
  it('keep the two hours of a night when clocks go back apart by their zone', () => {
    const first = absolute('2026-10-25T00:30:00Z', { tz: 'Europe/Berlin' })
    const second = absolute('2026-10-25T01:30:00Z', { tz: 'Europe/Berlin' })
    expect(first.slice(0, 19)).toBe(second.slice(0, 19))
    expect(first).not.toBe(second)
  })
  it('say the date only when it is another day', () => {
    expect(short('2026-11-22T04:46:05Z', '2026-11-22T20:00:00Z', 'UTC')).toBe('04:46')
    expect(short('2026-11-21T04:46:05Z', '2026-11-22T20:00:00Z', 'UTC')).toBe('21 Nov 04:46')
  })
  it('say so when they are no times', () => {
    expect(absolute('')).toBe('unknown time')
    expect(relative('never')).toBe('at an unknown time')
    expect(clock('x')).toBe('–')
  })
  it('are relative in one unit', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    expect(relative(now - 2 * s, now)).toBe('just now')
    expect(relative(now - 59 * s, now)).toBe('59 s ago')
    expect(relative(now - 3 * min, now)).toBe('3 min ago')
    expect(relative(now - 26 * h, now)).toBe('1 d ago')
    expect(relative(now + 2 * d, now)).toBe('in 2 d')
  })
})

describe('spans', () => {
  it.each([
    [0, '0 s'],
    [-5 * s, '0 s'],
    [59_999, '59 s'],
    [74 * min, '1 h 14 min'],
    [2 * h + 5 * min, '2 h 05 min'],
    [3 * h, '3 h'],
    [23 * h + 40 * min, '23 h'],
    [26 * h, '1 d 2 h'],
    [400 * d, '1 y 35 d'],
  ])('of %d ms are “%s”', (ms, text) => expect(span(ms)).toBe(text))
})
