// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { IdentityCertificate, IdentityStatus } from '@/api/types'
import { lifetime, overview, sentenceOf, splitNames, standing, willCut, profileName, purposeOf } from './words'

const now = Date.parse('2026-11-22T10:00:00Z')
const in_ = (hours: number) => new Date(now + hours * 3_600_000).toISOString()
const nb = '\u00a0'
const cert = (o: Partial<IdentityCertificate> = {}): IdentityCertificate => ({
  serial: '1a', device: 'd1', device_name: 'OR-3’s C-arm', spiffe: 'spiffe://northfield.example/device/d1', profile: 'dicom-node', subject: '', issuer: '', not_before: in_(-48), not_after: in_(120), renew_from: in_(60), sha256: '', status: 'good', due: false, ...o,
})

describe('how a certificate stands', () => {
  it.each<[string, Partial<IdentityCertificate>, string, string]>([
    ['good', {}, 'good', 'The certificate of OR-3’s C-arm is good. The device renews it by itself in 2 d.'],
    ['due', { renew_from: in_(-1), due: true }, 'due', 'The certificate of OR-3’s C-arm is good, and the device should renew it about now.'],
    ['not renewed within a tenth of its life', { renew_from: in_(-20), due: true }, 'overdue', 'The certificate of OR-3’s C-arm ends in 5 d, and the device has not renewed it as it should have.'],
    ['a long life that ends', { long_life: true, not_after: in_(24 * 29) }, 'ending', 'The certificate of OR-3’s C-arm ends in 29 d and has to be replaced by hand.'],
    ['a long life', { long_life: true, not_after: in_(24 * 400), due: true }, 'good', 'The certificate of OR-3’s C-arm is good until 2027-12-27. The device cannot renew it by itself.'],
    ['ended by a person', { status: 'revoked', revoked: in_(-3), reason: 'keyCompromise' }, 'revoked', 'The certificate of OR-3’s C-arm was ended 3 h ago: key lost.'],
    ['ended by itself', { status: 'expired', not_after: in_(-2) }, 'expired', 'The certificate of OR-3’s C-arm ended 2 h ago: it was not renewed.'],
    ['past its end though the server has not said so', { not_after: in_(-1) }, 'expired', 'The certificate of OR-3’s C-arm ended 1 h ago: it was not renewed.'],
    ['replaced', { status: 'superseded' }, 'superseded', 'The certificate of OR-3’s C-arm is still good until 2026-11-27, and the device has a newer one.'],
  ])('%s', (_, o, is, says) => expect([standing(cert(o), now), sentenceOf(cert(o), now)]).toEqual([is, says]))
  it('of a service is named by the service', () => expect(sentenceOf(cert({ device: '', device_name: undefined, spiffe: 'spiffe://northfield.example/service/gateway', long_life: true, not_after: in_(10_000) }), now)).toContain('of gateway is good'))
})

describe('identity as a whole', () => {
  const status = (counts: Partial<IdentityStatus['counts']>, ends = 24 * 400): IdentityStatus => ({
    trust_domain: '', authorities: [{ id: 'a', subject: '', not_before: in_(-1), not_after: in_(ends), active: true, root: false, sha256: '' }], profiles: [], counts: { good: 312, due: 0, expiring: 0, expired: 0, revoked: 0, long_life: 0, codes: 0, ...counts },
  })
  it.each<[IdentityStatus, string]>([
    [status({}), `312${nb}certificates are good, and none needs anybody.`],
    [status({ due: 4, expired: 1 }), `312${nb}certificates are good; 4 are due for renewal, 1 ended without a successor.`],
    [status({ good: 0 }), 'No device has a certificate of this authority yet.'],
    [status({}, 24 * 9), 'The issuing authority ends in 9 d: replace it, or nothing can be renewed.'],
    [{ ...status({}), authorities: [] }, 'No issuing authority is active: nothing can be signed or renewed.'],
  ])('is one sentence', (s, says) => expect(overview(s, now)).toBe(says))
})

describe('revoking', () => {
  const live = (...policies: ('cut' | 'finish' | 'alarm')[]) => ({ live: policies.map((policy) => ({ consumer: 'gateway', peer: '10.0.0.1', since: in_(-1), policy })), in_case: false, sentence: '' })
  it('says what it cuts', () => {
    expect(willCut(live())).toBe('It has no connection open now. It is refused from now on.')
    expect(willCut(live('cut', 'cut', 'finish', 'alarm'))).toBe(`2${nb}connections cut at once, 1 after what it is doing, 1 left open with an alarm. New ones are refused.`)
  })
})

describe('names that are typed', () => {
  it('are told apart from addresses, and what is neither is said', () => {
    expect(splitNames('PACS.hospital.example, 10.20.0.5\nfd00::5 or_3 10.20.0.999; -a')).toEqual({ dns: ['pacs.hospital.example'], ips: ['10.20.0.5', 'fd00::5'], wrong: ['or_3', '10.20.0.999', '-a'] })
  })
})

it('lifetimes are said as people say them', () => expect([24, 168, 12, 1095 * 24, 398 * 24].map(lifetime)).toEqual(['a day', '7 days', `12${nb}hours`, '3 years', '398 days']))

describe('what a profile is for', () => {
  it('is said for each that there is, and says more than its name', () => {
    for (const [name, called] of Object.entries(profileName)) {
      const said = purposeOf({ name, what: called })
      expect(said.endsWith('.'), name).toBe(true)
      expect(said.length, name).toBeGreaterThan(called.length + 20)
    }
  })
  it('is the server’s own word for a newer one', () => expect([purposeOf({ name: 'new', what: 'New things' }), purposeOf({ name: 'new', what: '' })]).toEqual(['New things.', '']))
})
