// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Device, DeviceRow } from '@/api/types'
import { matches, parseText } from '@/ui/grid/text'
import { passes } from '@/ui/grid/terms'
import { applyPatch, reverse } from './edit'
import { countValues, riskRank, searchText, seenBucket, valueName, valuesOf } from './fields'
import { editSentence } from './History'
import { splittable } from './MergeSplit'

const now = Date.parse('2026-03-01T10:00:00Z')
const device = (over: Partial<DeviceRow> = {}): DeviceRow => ({
  id: 'dev-a', name: 'CT-1', class: 'ct', class_name: 'CT', confidence: 84, medical: true, vendor: 'Canon', model: 'Aquilion', firmware: '', serial: 'S1', os: '',
  macs: ['00:1b:21:00:00:00'], ips: ['10.20.110.2'], vlans: [110], ae_titles: ['CT1'], site: '', theatre: 'or-1', zone: 'imaging', criticality: '', speaks: ['dicom', 'tls'],
  certificate: '', findings: 0, worst: 'unknown', conflicts: 0, first: '2026-02-01T00:00:00Z', last: '2026-03-01T09:59:00Z', by_person: [], ...over,
})

describe('filters of devices', () => {
  it('know each value that a device has, and none', () => {
    const d = device()
    expect(valuesOf(d, 'speaks', now)).toEqual(['dicom', 'tls'])
    expect(valuesOf(d, 'os', now)).toEqual([])
    expect(valuesOf(d, 'seen', now)).toEqual(['hour'])
    expect(passes([{ field: 'os', values: [''], not: false }, { field: 'class', values: ['mr'], not: true }], (f) => valuesOf(d, f, now))).toBe(true)
  })
  it('say when a device was last seen in four words', () => {
    const ago = (ms: number) => seenBucket(new Date(now - ms).toISOString(), now)
    expect([ago(60e3), ago(2 * 3600e3), ago(3 * 86400e3), ago(30 * 86400e3)]).toEqual(['hour', 'day', 'week', 'older'])
  })
  it('find by any name, address or title, also in parts', () => {
    const text = searchText(device(), 'OR 1')
    for (const q of ['ct-1', '110.2', '00:1B:21', 'ct1', 'canon aqui', 'or 1', '"or 1"', 'dicom -hl7']) expect(matches(parseText(q), text), q).toBe(true)
    expect(matches(parseText('canon -dicom'), text)).toBe(false)
  })
  it('count values, most first, with none among them', () => {
    const rows = [device(), device({ id: 'b', zone: '' }), device({ id: 'c' })]
    expect(countValues(rows, 'zone', now)).toEqual([{ value: 'imaging', count: 2 }, { value: '', count: 1 }])
  })
  it('speak in words', () => {
    const names = { theatre: (id: string) => id.toUpperCase(), class: (c: string) => c.toUpperCase(), site: () => '' }
    expect([valueName('theatre', 'or-1', names), valueName('theatre', '', names), valueName('criticality', 'life-supporting', names), valueName('worst', 'unknown', names)]).toEqual(['OR-1', 'none', 'Life-supporting', 'No finding'])
  })
})

describe('risk', () => {
  it('orders by the worst finding, then by how critical the device is, then by how many', () => {
    const order = [
      device({ worst: 'critical', findings: 1 }), device({ worst: 'high', findings: 1, criticality: 'life-supporting' }), device({ worst: 'high', findings: 9 }),
      device({ worst: 'high', findings: 1 }), device({ worst: 'unknown', criticality: 'life-supporting' }), device(),
    ].map(riskRank)
    expect(order).toEqual([...order].sort((a, b) => b - a))
    expect(new Set(order).size).toBe(order.length)
  })
})

describe('edits', () => {
  it('are shown at once and marked as set by a person', () => {
    expect(applyPatch(device(), { class: 'mr', theatre: 'or-2' })).toMatchObject({ class: 'mr', class_name: 'MR', theatre: 'or-2', by_person: ['class', 'theatre'] })
  })
  it('given back to observation lose their mark', () => {
    expect(applyPatch(device({ by_person: ['class'] }), { class: null })).toMatchObject({ class: 'ct', by_person: [] })
  })
  it('are undone to what a person had set before, or to observation', () => {
    expect(reverse(device({ by_person: ['theatre'] }), { theatre: 'or-9', class: 'mr' })).toEqual({ theatre: 'or-1', class: null })
  })
  it('are told in sentences', () => {
    const e = { seq: 1, device: 'dev-a', who: 'x', at: '' }
    const said = (kind: string, value?: string, keys?: string[]) => editSentence({ ...e, kind, value, keys }, (t) => `room ${t}`)
    expect([said('class', 'mr'), said('theatre', 'or-1'), said('class'), said('name', 'New'), said('merge', 'dev-b'), said('split', undefined, ['mac'])]).toEqual([
      'set the class to MR', 'set the theatre to room or-1', 'gave the class back to observation', 'set the name to “New”', 'merged it with dev-b', 'split it (mac)',
    ])
  })
})

describe('splitting', () => {
  it('offers interfaces by MAC, or by address where there is none', () => {
    const d = { ...device(), interfaces: [{ mac: 'm1', ips: ['1.1.1.1'], vlans: [5] }, { mac: '', ips: ['2.2.2.2'], vlans: [] }, { mac: '', ips: [], vlans: [] }] } as unknown as Device
    expect(splittable(d)).toEqual([{ key: 'm1', about: '1.1.1.1 · VLAN 5' }, { key: '2.2.2.2', about: '2.2.2.2' }])
  })
})
