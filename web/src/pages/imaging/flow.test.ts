// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ImagingAssociation, ImagingDestination } from '@/api/types'
import { curve, destinationEdge, destinationOrder, hostOf, senderEdge, sendersOf } from './flow'

const now = Date.parse('2026-11-22T10:00:00Z')
const ago = (s: number) => new Date(now - s * 1000).toISOString()
const a = (o: Partial<ImagingAssociation>): ImagingAssociation => ({ id: 'x', way: 'dimse', direction: 'in', device: 'dev-1', device_name: 'CT-1', address: '10.0.0.1:4000', tls: 'TLSv1.3', since: ago(60), instances: 5, bytes: 50, operations: 5, ...o })

describe('who sends', () => {
  it('is one line for a device, whatever it has open', () => expect(sendersOf([a({}), a({ since: ago(300), ended: ago(200), instances: 7 })], now)).toMatchObject([{ name: 'CT-1', open: 1, instances: 12, problem: '' }]))
  it('is who was heard in the last quarter of an hour; what goes out is not among them', () => expect(sendersOf([a({ since: ago(2000), ended: ago(1000) }), a({ direction: 'out', destination: 'PACS' })], now)).toEqual([]))
  it('has a problem until a newer conversation went well', () => {
    const bad = a({ since: ago(100), ended: ago(100), problem: 'plain-on-tls', what: 'no TLS' })
    expect(sendersOf([bad, a({ since: ago(200), ended: ago(150) })], now)[0]).toMatchObject({ problem: 'plain-on-tls', what: 'no TLS' })
    expect(sendersOf([bad, a({ since: ago(50) })], now)[0]).toMatchObject({ problem: '' })
  })
  it('is told apart by AE title or address where no device is known', () => expect(sendersOf([a({ device: undefined, device_name: undefined, calling_ae: 'CT1' }), a({ device: undefined, device_name: undefined, address: '[fd00::1]:9' }), a({ device: undefined, device_name: undefined, address: '10.0.0.7:1' }), a({ device: undefined, device_name: undefined, address: '10.0.0.7:2' })], now).map((s) => s.name).sort()).toEqual(['10.0.0.7', 'CT1', 'fd00::1']))
  it('stands in order: who needs somebody, who is connected, who was heard last', () => {
    const of = (device: string, o: Partial<ImagingAssociation>) => a({ device, device_name: device, ...o })
    expect(sendersOf([of('old', { since: ago(500), ended: ago(400) }), of('open', {}), of('bad', { ended: ago(30), problem: 'aborted' }), of('new', { since: ago(50), ended: ago(40) })], now).map((s) => s.name)).toEqual(['bad', 'open', 'new', 'old'])
  })
  it('speaks in clear as its newest conversation did', () => expect(sendersOf([a({ since: ago(100), ended: ago(90), tls: 'TLSv1.3' }), a({ since: ago(10), tls: undefined })], now)[0]?.clear).toBe(true))
  it('has a line that says how it is', () => {
    const [s] = sendersOf([a({})], now)
    expect(s && senderEdge(s)).toEqual({ tone: 'ok', flows: true, dashed: false })
    expect(s && senderEdge({ ...s, open: 0 })).toEqual({ tone: 'quiet', flows: false, dashed: true })
    expect(s && senderEdge({ ...s, problem: 'aborted' }).tone).toBe('high')
  })
})

describe('destinations', () => {
  const d = (name: string, o: Partial<ImagingDestination>): ImagingDestination => ({ name, kind: 'dimse', address: 'a:1', tls: true, state: 'idle', waiting: 0, urgent: 0, bytes: 0, in_flight: 0, dead: 0, sent: 0, per_second: 0, commitment: 'off', commitment_waiting: 0, in_case: false, ...o })
  it('that need somebody come first', () => expect([d('idle', {}), d('sends', { state: 'sending' }), d('paused', { state: 'paused' }), d('dead', { dead: 1 }), d('gone', { state: 'gone' }), d('fails', { state: 'backing-off' })].sort(destinationOrder).map((x) => x.name)).toEqual(['fails', 'gone', 'dead', 'paused', 'sends', 'idle']))
  it('that are gone hang by a broken line', () => expect(destinationEdge(d('x', { state: 'gone', waiting: 3 }))).toEqual({ tone: 'high', flows: false, dashed: true }))
  it('that gave something up are marked although they send', () => expect(destinationEdge(d('x', { state: 'sending', dead: 1 }))).toEqual({ tone: 'high', flows: true, dashed: false }))
})

it('an address stands without its port', () => expect(['10.0.0.1:104', '[fd00::5]:104', '10.0.0.1', 'fd00::5'].map(hostOf)).toEqual(['10.0.0.1', 'fd00::5', '10.0.0.1', 'fd00::5']))
it('a line leaves and arrives level', () => expect(curve(10, 50, 72)).toBe('M0 10C36 10 36 50 72 50'))
