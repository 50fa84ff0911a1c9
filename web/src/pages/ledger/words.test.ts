// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { LedgerEntry, LedgerStatus } from '@/api/types'
import { stateOf } from './queries'
import { factsOf, labelOf, readHash, truth, whyNoHash, witnessState } from './words'

const now = Date.parse('2026-11-22T10:00:00Z')
const at = (s: number) => new Date(now - s * 1000).toISOString()
const status = (o: Partial<LedgerStatus> = {}): LedgerStatus => ({
  origin: 'northfield.example/ledger', size: 41_208, integrated: 41_208, required: 2, published: { size: 41_208, root: '' }, witnessed: { size: 41_208, root: '', time: at(12) },
  witnesses: [{ name: 'a', size: 41_208, last: at(12) }, { name: 'b', size: 41_208, last: at(12) }, { name: 'c', size: 40_000, last: at(900), error: 'no answer', failed: at(3) }],
  unwitnessed: 0, alarm: false, per_minute: 12, audit: { checked: 41_208 }, ...o,
})
const thin = '\u202f'
const nb = '\u00a0'

describe('how the ledger stands is one sentence', () => {
  it.each<[string, Partial<LedgerStatus>, string]>([
    ['all is witnessed', {}, `41${thin}208${nb}entries recorded, all witnessed by 2 of 3, 12 s ago.`],
    ['some wait, as they do for seconds', { unwitnessed: 12, unwitnessed_since: at(4) }, `41${thin}208${nb}entries recorded; the newest 12 have waited 4 s for witnesses.`],
    ['witnesses are silent', { unwitnessed: 310, unwitnessed_since: at(2880), alarm: true }, `Witnesses silent since 09:12: 310${nb}entries wait; recording goes on.`],
    ['nobody has to witness', { required: 0, witnesses: [] }, `41${thin}208${nb}entries recorded and signed by this server alone: no witness is required here.`],
    ['nothing is there', { size: 0 }, 'Nothing has been recorded yet.'],
    ['its own check found something, which goes before all else', { alarm: true, audit: { checked: 9, problem: 'entry 7 is not what was signed.' } }, 'The ledger’s own check found something wrong: entry 7 is not what was signed.'],
  ])('%s', (_, o, says) => expect(truth(status(o), now)).toBe(says))
})

describe('a witness', () => {
  it('signs, is behind, or is silent', () => {
    const s = status()
    expect(s.witnesses.map((w) => witnessState(w, s).is)).toEqual(['signs', 'signs', 'silent'])
    expect(witnessState({ name: 'd', size: 41_200, last: at(9) }, s)).toMatchObject({ is: 'behind', word: `8${nb}entries behind` })
    expect(witnessState({ name: 'e', size: 0 }, s)).toMatchObject({ is: 'silent', word: 'Never signed' })
  })
  it('that failed before and signed since signs', () => expect(witnessState({ name: 'a', size: 41_208, last: at(5), error: 'no answer', failed: at(60) }, status()).is).toBe('signs'))
})

describe('an entry', () => {
  const e = { index: 41_000, state: 'recorded' } as LedgerEntry
  it('comes further while it is looked at, and never back', () => {
    expect(stateOf(e, undefined)).toBe('recorded')
    expect(stateOf(e, status({ witnessed: { size: 40_000, root: '' } }))).toBe('published')
    expect(stateOf(e, status())).toBe('witnessed')
    expect(stateOf({ ...e, state: 'witnessed' }, status({ witnessed: { size: 0, root: '' } }))).toBe('witnessed')
  })
  it('is never witnessed where no witness is required', () => expect(stateOf(e, status({ required: 0 }))).toBe('published'))
})

describe('the fields of a statement', () => {
  it('are read with their units', () => {
    const facts = factsOf({ trendelenburg_deg: 12.5, height_mm: 850, battery_percent: 80, locked: true, bytes: 1024, fields: ['0010,0020', '0010,0010'], instrument: { model: 'EndoWrist', uses_left: 3 } })
    expect(facts.map((f) => [f.label, f.text])).toEqual([
      ['Trendelenburg', '12.5°'], ['Height', `850${nb}mm`], ['Battery', `80${nb}%`], ['Locked', 'yes'], ['Size', '1024'], ['Fields', '0010,0020, 0010,0010'], ['Instrument: model', 'EndoWrist'], ['Instrument: uses left', '3'],
    ])
  })
  it('know hashes and times', () => expect(factsOf({ policy: 'a'.repeat(64), until: '2026-11-22T10:00:00Z', session: 'a1' }).map((f) => f.is)).toEqual(['hash', 'time', 'text']))
  it('have names for people', () => expect(['sop_class', 'back_deg', 'revocation_reason'].map(labelOf)).toEqual(['SOP class', 'Back', 'Reason of revocation']))
  it('of a hostile statement are not followed for ever', () => {
    let deep: Record<string, unknown> = { end: 1 }
    for (let i = 0; i < 100; i++) deep = { a: deep }
    expect(factsOf(deep)).toEqual([])
    expect(factsOf(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, i]))).length).toBe(200)
  })
})

describe('a hash', () => {
  const h = '0123456789abcdef'.repeat(4)
  it.each([h, h.toUpperCase(), `sha256:${h}`, `SHA-256=${h}`, ` ${h.match(/../g)?.join(':') ?? ''}\n`, h.match(/.{8}/g)?.join(' ') ?? ''])('is read from %j', (text) => {
    expect(readHash(text)).toBe(h)
    expect(whyNoHash(text)).toBeUndefined()
  })
  it('that is too short says so', () => expect(whyNoHash('abcdef')).toBe('A SHA-256 has 64 digits, this has 6.'))
  it('is no name', () => expect(whyNoHash('image.dcm')).toMatch(/Search by a SHA-256/))
})
