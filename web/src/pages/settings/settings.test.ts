// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { agent } from './agent'
import { changes } from './changes'
import { parsePrefixes, parseVLANs } from './networks'

describe('VLANs', () => {
  it('are read as people write them, each once', () => expect(parseVLANs(' 110, 111;112 110 120-122').values).toEqual([110, 111, 112, 120, 121, 122]))
  it.each(['0', '4095', 'ten', '1.5', '-3', '20-10', '1-4000'])('refuse %s and say which', (s) => expect(parseVLANs(s).problem).toContain(s))
  it('may be none', () => expect(parseVLANs('  ')).toEqual({ values: [] }))
})

describe('address ranges', () => {
  it('are IPv4 and IPv6 with a length', () => expect(parsePrefixes('10.20.110.0/24, fd00:110::/64 ::/0').values).toEqual(['10.20.110.0/24', 'fd00:110::/64', '::/0']))
  it.each(['10.20.110.0', '10.20.110/24', '10.20.110.256/24', '10.0.0.0/33', '010.0.0.0/8', 'fd00::1::/64', 'fd00::/129', 'host/24', '1:2:3:4:5:6:7:8:9/64'])('refuse %s', (s) =>
    expect(parsePrefixes(s).problem).toBeTruthy(),
  )
})

describe('a change in the audit trail', () => {
  it('shows only what differs', () =>
    expect(changes({ name: 'OR 1', vlans: [1, 2], site: { zone: 'UTC' }, revision: 1 }, { name: 'OR 1', vlans: [1, 3], site: { zone: 'CET' }, revision: 2 })).toEqual([
      { field: 'vlans', before: '1, 2', after: '1, 3' },
      { field: 'site.zone', before: 'UTC', after: 'CET' },
    ]))
  it('shows what is new and what is gone', () => {
    expect(changes(undefined, { name: 'a' })).toEqual([{ field: 'name', before: undefined, after: 'a' }])
    expect(changes({ name: 'a' }, undefined)).toEqual([{ field: 'name', before: 'a', after: undefined }])
  })
  it('counts what is too much to show', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, i]))
    expect(changes(undefined, many).at(-1)?.after).toBe('18 more')
  })
})

it('a browser is named so that one knows one’s own again', () => {
  expect(agent('Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0')).toBe('Edge on Windows')
  expect(agent('curl/8.1')).toBe('curl')
  expect(agent('')).toBe('Unknown')
})
