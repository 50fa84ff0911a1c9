// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { lineOf, template } from './editor'
import { nanoseconds, noiseBucket } from './fields'
import { lasting, scheduleWords } from './schedule'
import { plainTitle } from './title'

const window = { repeat: 'once' as const, from: '2026-11-22', until: '', at: '22:30', minutes: 120, weekdays: [], nth: 0, zone: 'Europe/Berlin' }

describe('a maintenance window in words', () => {
  it('is once', () => expect(scheduleWords(window)).toBe('On 2026-11-22 at 22:30 for 2\u00a0h'))
  it('is on days of the week, Monday first', () => expect(scheduleWords({ ...window, repeat: 'weekly', weekdays: [0, 2, 4] })).toBe('Every Tuesday, Thursday and Sunday at 22:30 for 2\u00a0h, from 2026-11-22'))
  it('is on the last Friday', () => expect(scheduleWords({ ...window, repeat: 'monthly', weekdays: [5], nth: -1, until: '2027-01-31' })).toBe('Every last Friday of the month at 22:30 for 2\u00a0h, from 2026-11-22 to 2027-01-31'))
  it.each([[5, '5\u00a0min'], [60, '1\u00a0h'], [95, '1\u00a0h 35\u00a0min']])('%i minutes are %s', (n, want) => expect(lasting(n)).toBe(want))
})

describe('the editor of rules', () => {
  it.each([
    ['line 12: unknown field "whn"', 12],
    ['rule.yaml:7:3: matcher: unknown', 7],
    ['own.yaml:19: bad', 19],
    ['3:14: found a tab', 3],
    ['it has no sample', 0],
  ])('%s is about line %i', (message, want) => expect(lineOf(message)).toBe(want))
  it('starts from a rule with one sample that fires and one that does not', () => expect([/fires:/.test(template), /quiet: true/.test(template)]).toEqual([true, true]))
})

describe('the figures of a rule', () => {
  it.each([[0, '–'], [350, '350\u00a0ns'], [1250, '1.3\u00a0µs'], [42_000, '42\u00a0µs'], [3_200_000, '3.2\u00a0ms']])('%i ns is %s', (n, want) => expect(nanoseconds(n)).toBe(want))
  it.each([[-1, 'none'], [0, 'quiet'], [20, 'some'], [61, 'noisy']])('%i percent is %s', (n, want) => expect(noiseBucket(n)).toBe(want))
})

describe('the title of a rule, about no finding in particular,', () => {
  it.each([
    ['{src} was refused by {dst} {count} times in {window}', 'A device was refused by another many times in a short time'],
    ['{dst} in {theatre} answers {dst}', 'A device in a theatre answers a device'],
    ['{src} has not been heard for {silence}; it spoke every {usual}', 'A device has not been heard for a while'],
    ['{src} reported values every {usual} and has been silent for {silence}', 'A device reported values every so often and has been silent for a while'],
    ['{src} ({class}) stored an object on {dst}; such a device makes no images', 'A device stored an object on another; such a device makes no images'],
    ['{src} floods {dst} with associations: {count} in {window}, and none brings an image', 'A device floods another with associations'],
    ['{src} reported {the_odd_thing}', 'A device reported a certain the odd thing'],
    ['Nothing in braces (at all)', 'Nothing in braces (at all)'],
  ])('%s: %s', (title, want) => expect(plainTitle(title)).toBe(want))
})
