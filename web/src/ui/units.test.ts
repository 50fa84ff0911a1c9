// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { bits, bytes, compact, count, percent, plural } from './units'

const plain = (s: string) => s.replace(/[\u00a0\u202f]/g, ' ')

describe('numbers', () => {
  it.each([
    [bytes(0), '0 B'],
    [bytes(1023), '1023 B'],
    [bytes(1024), '1 KiB'],
    [bytes(1024 * 1024 - 1), '1 MiB'],
    [bytes(1536), '1.50 KiB'],
    [bytes(200 * 1024 ** 3), '200 GiB'],
    [bits(999.9), '1 kbit/s'],
    [bits(118e6), '118 Mbit/s'],
    [compact(9_999), '9999'],
    [compact(12_300), '12.3 k'],
    [compact(999_999), '1 M'],
    [count(1234567), '1 234 567'],
    [count(1234), '1234'],
    [count(-12345), '−12 345'],
    [plural(1, 'device'), '1 device'],
    [plural(0, 'device'), '0 devices'],
    [bytes(NaN), '–'],
  ])('%s is %s', (said, wanted) => expect(plain(said)).toBe(wanted))

  it('never read as zero when they are not, nor as all when some is missing', () => {
    expect(plain(percent(0))).toBe('0 %')
    expect(plain(percent(0.0002))).toBe('0.02 %')
    expect(plain(percent(1e-9))).toBe('< 0.01 %')
    expect(plain(percent(0.99999))).toBe('> 99.99 %')
    expect(plain(percent(1))).toBe('100 %')
  })
})
