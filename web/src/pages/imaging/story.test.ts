// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ImagingHeaderElement, ImagingInstance, ImagingLife, ImagingStudy, LedgerEntry } from '@/api/types'
import { byChange } from './DryRunView'
import { weigh } from './HeaderView'
import { readSought, sameBits, storyOf } from './story'
import { studyNote } from './studyColumns'
import { proofOf } from './StudyView'

const t = (s: number) => new Date(Date.parse('2026-11-22T10:00:00Z') + s * 1000).toISOString()
const r = (o: Partial<ImagingInstance> = {}): ImagingInstance => ({ number: 1, state: 'accepted', received: t(0), sender: { way: 'dimse', device: 'd', address: '', association: '' }, sop_class: '', sop_instance: '1.2', transfer_syntax: '', study: '1', series: '1', data_set: 'aa', bytes: 1, verdict: 'pass', policy: '', revision: 1, ...o })
const entry = (index: number, kind: LedgerEntry['kind'], s: number, sentence: string): LedgerEntry => ({ index, kind, time: t(s), recorded: t(s), sentence, state: 'witnessed', leaf: '', hash: '', actor: {}, subjects: [], statement: {} })

describe('what happened to an image', () => {
  it('is what the ledger has, and what is still to do, in the order of time', () =>
    expect(storyOf({ instance: r({ deliveries: [{ destination: 'XR', route: 'a', state: 'delivered', attempts: 1, at: t(2) }, { destination: 'PACS', route: 'b', state: 'waiting', attempts: 7, at: t(9), why: 'refused' }] }), entries: [entry(5, 'artefact-forwarded', 2, 'sent to XR'), entry(4, 'artefact-received', 0, 'came')] }).map((m) => [m.text, m.entry])).toEqual([['came', 4], ['sent to XR', 5], ['Waits to be sent to PACS, tried 7 times: refused.', undefined]]))
  it('is told without a ledger too', () =>
    expect(storyOf({ instance: r({ state: 'released', deliveries: [{ destination: 'XR', route: 'a', state: 'delivered', attempts: 1, at: t(2) }] }), entries: [] }).map((m) => [m.text, m.state])).toEqual([['It came', undefined], ['Two people released it', undefined], ['Sent to XR', undefined]]))
  it('says what was given up, dropped, and taken responsibility for', () =>
    expect(storyOf({ instance: r({ deliveries: (['dead', 'dropped', 'committed'] as const).map((state, i) => ({ destination: `D${i}`, route: '', state, attempts: 2, at: t(i + 1), why: state === 'dead' ? 'No answer.' : undefined })) }), entries: [] }).slice(1).map((m) => m.text)).toEqual(['Given up for D0: No answer.', 'Not sent to D1 any more', 'D2 took responsibility for it']))
  it('says that an urgent one goes first', () => expect(storyOf({ instance: r({ deliveries: [{ destination: 'XR', route: '', state: 'waiting', attempts: 0, urgent: true }] }), entries: [] })[1]?.text).toBe('Waits to be sent to XR, first: a case is in progress there'))
})

describe('the bits', () => {
  const sent = (...forwarded: (string | undefined)[]) => r({ deliveries: forwarded.map((f) => ({ destination: 'x', route: '', state: 'delivered', attempts: 1, forwarded: f })) })
  it.each<[string, ImagingInstance, string | undefined]>([['went as they came', sent('aa', 'aa'), 'same'], ['were changed for one', sent('aa', 'bb'), 'changed'], ['went nowhere yet', sent(undefined), undefined], ['go nowhere', r(), undefined]])('%s', (_, i, says) => expect(sameBits(i)).toBe(says))
})

describe('what somebody looks for', () => {
  const h = '0123456789abcdef'.repeat(4)
  it.each([h, h.toUpperCase(), `sha256:${h}`, ` ${h.match(/../g)?.join(':') ?? ''} `])('a digest: %j', (text) => expect(readSought(text)).toEqual({ digest: h }))
  it('a UID', () => expect(readSought(' 1.2.840.10008.5 ')).toEqual({ uid: '1.2.840.10008.5' }))
  it('nothing', () => expect(readSought('  ')).toBeUndefined())
  it.each([['1.2..3', /numbers with dots/], [`1.${'2'.repeat(70)}`, /at most 64 characters, this has 72/], ['abcdef0123456789abcd', /64 digits, this has 20/], ['Weber', /Search by the UID/]])('%s is neither, and why is said', (text, why) => expect(readSought(text)).toEqual({ why: expect.stringMatching(why) as string }))
})

describe('a study', () => {
  const s = (states: Record<string, number>, deliveries: Record<string, number>): ImagingStudy => ({ study: '1', modalities: [], device: '', first: t(0), last: t(0), instances: Object.values(states).reduce((a, b) => a + b, 0), bytes: 0, states, deliveries, more: false })
  it.each<[string, ImagingStudy, string]>([
    ['something was given up, before all else', s({ accepted: 9, quarantined: 1 }, { dead: 2, waiting: 3 }), '2 given up'], ['something is held', s({ accepted: 9, quarantined: 1 }, { waiting: 3 }), '1 held'], ['something is on the way', s({ accepted: 9 }, { waiting: 3, delivered: 6 }), '3 on the way'],
    ['all arrived', s({ accepted: 9 }, { delivered: 3, committed: 6 }), 'all delivered'], ['a part was never sent, which is not "all delivered"', s({ accepted: 9 }, { delivered: 6, dropped: 3 }), '3 not sent'], ['nothing of it was taken', s({ refused: 4 }, {}), 'all refused'], ['it has no destination', s({ accepted: 4 }, {}), 'goes nowhere'],
  ])('%s', (_, x, says) => expect(studyNote(x).text).toBe(says))
  it('is proven as far as its least proven step', () => {
    const life = (...custody: ImagingLife['events'][number]['custody'][]): ImagingLife => ({ number: 1, sop_instance: '', series: '', state: 'accepted', verdict: 'pass', events: custody.map((c) => ({ at: t(0), what: 'received', sentence: '', custody: c })) })
    expect([life('witnessed', 'recorded', 'published'), life('witnessed', undefined), life(undefined), life('none', 'witnessed')].map(proofOf)).toEqual(['recorded', 'witnessed', undefined, 'none'])
  })
})

describe('a header', () => {
  const e = (n: number, rule?: string): ImagingHeaderElement => ({ path: `(0008,${n})`, vr: 'LO', length: 1, rule })
  it('that is short is shown whole', () => expect(weigh([e(1), e(2)])).toHaveLength(2))
  it('that is long begins with its beginning and never leaves out what a rule met', () => {
    const list = Array.from({ length: 200 }, (_, i) => e(i, i > 190 ? 'text.markup' : undefined))
    const shown = weigh(list)
    expect(shown).toHaveLength(24)
    expect(shown.filter((x) => x.rule)).toHaveLength(9)
    expect(shown[0]?.path).toBe('(0008,0)')
  })
  it('in which more is met than fits shows all of that', () => expect(weigh(Array.from({ length: 60 }, (_, i) => e(i, 'x')))).toHaveLength(60))
})

it('a dry run is summed by what changes, the sharpest first', () => {
  const c = (was: 'pass' | 'flag' | 'quarantine', would: 'pass' | 'flag' | 'quarantine') => ({ number: 1, received: t(0), device: '', was, would })
  expect(byChange({ changed: [c('pass', 'flag'), c('pass', 'quarantine'), c('pass', 'flag'), c('quarantine', 'pass')] })).toEqual([{ was: 'pass', would: 'quarantine', n: 1 }, { was: 'pass', would: 'flag', n: 2 }, { was: 'quarantine', would: 'pass', n: 1 }])
})
