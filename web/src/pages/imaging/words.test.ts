// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { sentence } from '@/api/said'
import type { ImagingDestination, ImagingOverview } from '@/api/types'
import { commitmentWords, deliverySum, dependency, destinationSentence, diskWords, elementName, encryption, failWords, givenUp, perSecond, problemName, titleOf, truth, verdictMeans, whyHeld } from './words'

const nb = '\u00a0'
const now = Date.parse('2026-11-22T10:00:00Z')
const at = (s: number) => new Date(now - s * 1000).toISOString()
const overview = (o: Partial<ImagingOverview> = {}): ImagingOverview => ({
  name: 'gateway-or', since: at(9000), listeners: [{ name: 'tls', kind: 'dicom-tls', address: '10.0.0.9:2762', state: 'open', open: 1, plain: 0 }], received: { instances: 10, bytes: 1, per_second: 4.23, rate: 1 }, forwarded: { instances: 10, bytes: 1, per_second: 12.7, rate: 1 },
  flagged: 0, sanitised: 0, quarantined: 0, refused: 0, held: 0, waiting: 0, dead: 0, disk: { used: 1, free: 1, warn: 1, stop: 1, state: 'ok' }, ledger: { state: 'ok' }, trust: { state: 'ok' }, audit: { state: 'ok' }, policy: { sha256: '', loaded: at(1), rules: 1 }, routes: [], minutes: [], advice: [], ...o,
})
const route = { name: 'to the headsets', match: '', destinations: [], fail: 'closed' as const }

describe('how the gateway stands is one sentence', () => {
  it.each<[string, Partial<ImagingOverview>, string]>([
    ['all flows', {}, `4.2${nb}images/s in, 13${nb}images/s out, and nothing waits.`],
    ['nothing comes', { received: { instances: 0, bytes: 0, per_second: 0, rate: 0 } }, 'No image has come in the last minute, and nothing waits.'],
    ['some waits and some is held', { waiting: 7, held: 1, dead: 2 }, `4.2${nb}images/s in, 13${nb}images/s out; 2${nb}deliveries were given up, 1${nb}image is in quarantine, 7${nb}deliveries wait.`],
    ['a route lets pass although something failed', { routes: [{ ...route, state: 'open', why: 'the ledger does not answer' }] }, 'Images pass on to the headsets although something failed: the ledger does not answer.'],
    ['a route lets nothing pass, which is worse', { routes: [{ ...route, state: 'open' }, { ...route, name: 'archive', state: 'closed', why: 'the ledger does not answer.' }] }, 'Nothing passes on archive: the ledger does not answer.'],
    ['a door is shut', { listeners: [{ name: 'a', kind: 'dicom-tls', address: '10.0.0.9:2762', state: 'failed', why: 'the address is in use', open: 0, plain: 0 }] }, 'Nothing comes in at 10.0.0.9:2762: the address is in use.'],
    ['the disk is full, which goes before all else', { disk: { used: 1, free: 0, warn: 1, stop: 1, state: 'full' }, dead: 3 }, 'The disk is full: nothing more is taken. What was taken is kept.'],
  ])('%s', (_, o, says) => expect(truth(overview(o))).toBe(says))
})

describe('rates', () => {
  it.each([[0, `0${nb}images/s`], [0.02, `1${nb}a${nb}minute`], [0.001, `1${nb}a${nb}minute`], [0.5, `0.5${nb}images/s`], [9.96, `10.0${nb}images/s`], [120, `120${nb}images/s`]])('%d', (n, says) => expect(perSecond(n)).toBe(says))
})

describe('what the gateway depends on', () => {
  it('works', () => expect(dependency('ledger', { state: 'ok' })).toMatchObject({ word: 'Records', note: '', tone: 'ok' }))
  it('works with trouble, with what waits and what to do', () => expect(dependency('audit', { state: 'degraded', why: 'it closes the connection', hint: 'look at the collector', lag: 311 }).note).toBe(`It closes the connection. 311${nb}statements wait. Look at the collector.`))
  it('is off: without a ledger nothing can be proved, without an audit trail things go on', () => {
    expect(dependency('ledger', { state: 'off' })).toMatchObject({ tone: 'medium' })
    expect(dependency('audit', { state: 'off' })).toMatchObject({ tone: 'quiet' })
  })
  it('says what the disk still takes', () => expect((['ok', 'low', 'full'] as const).map((state) => diskWords({ used: 1, free: 1, warn: 1, stop: 1, state }).tone)).toEqual(['ok', 'high', 'critical']))
})

describe('a destination', () => {
  const d = (o: Partial<ImagingDestination>): ImagingDestination => ({ name: 'PACS', kind: 'dimse', address: 'a:1', tls: true, state: 'idle', waiting: 0, urgent: 0, bytes: 0, in_flight: 0, dead: 0, sent: 0, per_second: 0, commitment: 'off', commitment_waiting: 0, in_case: false, ...o })
  it.each<[string, Partial<ImagingDestination>, string]>([
    ['that nothing was sent to', {}, 'Nothing waits; nothing was sent yet.'],
    ['that is idle', { success: at(3700) }, 'Nothing waits; last success 1 h ago.'],
    ['that sends', { state: 'sending', per_second: 3, waiting: 1, oldest: at(12) }, `Sending 3.0${nb}images/s; 1${nb}image waits, the oldest for 12 s.`],
    ['that fails', { state: 'backing-off', why: 'the connection was refused', waiting: 36, oldest: at(870), next: at(-25) }, `The connection was refused. 36${nb}images wait, the oldest for 14 min; next try in 25 s.`],
    ['that is gone, with what waits for it', { state: 'gone', waiting: 7, oldest: at(7200) }, `It is in the gateway’s configuration no more, so nothing is sent to it. 7${nb}images wait, the oldest for 2 h.`],
    ['that is gone, with only what was given up', { state: 'gone', dead: 2 }, 'It is in the gateway’s configuration no more, so nothing is sent to it. Nothing waits.'],
    ['that a person paused', { state: 'paused', waiting: 2 }, `Paused: 2${nb}images wait.`],
  ])('%s', (_, o, says) => expect(destinationSentence(d(o), now)).toBe(says))
  it('has as many deliveries to give up as did not work; one that is gone also those that wait', () => expect([d({ waiting: 5 }), d({ waiting: 5, dead: 2 }), d({ state: 'gone', waiting: 5, dead: 2 })].map(givenUp)).toEqual([0, 2, 7]))
  it('says what of storage commitment is awaited', () => expect([d({}), d({ commitment: 'ok' }), d({ commitment: 'waiting', commitment_waiting: 4 })].map(commitmentWords)).toEqual(['not asked for', 'given for all', 'waits for 4']))
})

describe('an image', () => {
  it('is named as people name it', () => {
    const sender = { way: 'dimse' as const, device: 'dev-1', calling_ae: 'CT1', address: '10.0.0.1', association: 'a' }
    const r = { number: 1, state: 'accepted' as const, received: at(1), sender, sop_class: '1.2.840.10008.5.1.4.1.1.104.1', sop_instance: '1', transfer_syntax: '', study: '1', series: '1', data_set: '', bytes: 1, verdict: 'pass' as const, policy: '', revision: 1 }
    expect(titleOf({ ...r, modality: 'CT', device_name: 'CT-OR3' })).toBe('CT from CT-OR3')
    expect(titleOf(r)).toBe('Encapsulated PDF from dev-1')
    expect(titleOf({ ...r, sop_class: '1.9', sender: { ...sender, device: '' } })).toBe('1.9 from CT1')
  })
  it('is held because of its worst rule', () => {
    expect(whyHeld({ hits: [{ rule: 'a', verdict: 'flag', why: 'A private group' }, { rule: 'b', verdict: 'quarantine', why: 'It runs a script' }], more_hits: 3 })).toBe(`It runs a script. And 4${nb}other rules.`)
    expect(whyHeld({})).toBe('No rule is named.')
  })
  it('has one word for where its deliveries stand, the worst first', () => {
    const to = (state: 'waiting' | 'delivered' | 'committed' | 'dead', destination = 'A') => ({ destination, route: 'r', state, attempts: 1 })
    expect(deliverySum([])).toBeUndefined()
    expect(deliverySum([to('committed')])?.word).toBe('Committed')
    expect(deliverySum([to('committed'), to('delivered'), to('dead')])).toEqual({ state: 'dead', word: 'Given up: 1 of 3' })
  })
})

describe('words', () => {
  it('of an element are those of its keyword', () => expect(['SOPClassUID', 'PatientName', 'KVP', 'Patient’s Name', 'SpecificCharacterSet', 'PatientID', 'MIMETypeOfEncapsulatedDocument'].map(elementName)).toEqual(['SOP Class UID', 'Patient Name', 'KVP', 'Patient’s Name', 'Specific Character Set', 'Patient ID', 'MIME Type Of Encapsulated Document']))
  it('of a problem are known or made of its code', () => expect([problemName('plain-on-tls'), problemName('something-new')]).toEqual(['No TLS on a port for TLS', 'Something new']))
  it('end with one full stop', () => expect([sentence('a'), sentence('a. '), sentence('a...')]).toEqual(['a.', 'a.', 'a.']))
  it('of encryption', () => expect([encryption('TLSv1.3'), encryption(''), encryption(undefined)]).toEqual(['TLS 1.3', 'in clear', 'in clear']))
  it('say of each fail mode and verdict what becomes of the image', () => {
    for (const w of Object.values(failWords)) expect(w.means).toMatch(/ledger or the firewall fails/)
    for (const w of Object.values(verdictMeans)) expect(w).toMatch(/\.$/)
  })
})
