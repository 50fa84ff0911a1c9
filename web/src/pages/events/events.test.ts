// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { EventHistogram, EventRow } from '../../api/types'
import { bars, brushed, niceMax, ticks } from './histogram'
import { apiParams, emptyQuery, readQuery, relativeMs, shift, spanOf, withSpan, writeQuery, zoomOut, type EventQuery } from './query'
import { valueLabel } from './labels'
import { fromLocal, toLocal } from './RangePicker'
import { emptyTail, MAX_SHOWN, MAX_WAITING, newer, newestId, tailStep, waitingCount, type Tail } from './tail'

const now = Date.parse('2026-03-01T10:00:00Z')
const back = (q: EventQuery) => {
  const p = new URLSearchParams()
  writeQuery(p, q)
  return readQuery(new URLSearchParams(p.toString()))
}

describe('the query in the URL', () => {
  it('is nothing for the plain page', () => {
    const p = new URLSearchParams()
    writeQuery(p, emptyQuery)
    expect(p.toString()).toBe('')
    expect(readQuery(p)).toEqual(emptyQuery)
  })
  it('comes back exactly', () => {
    const q: EventQuery = {
      from: '2026-03-01T08:00:00.000Z', to: '2026-03-01T09:00:00.000Z', q: '"not done" -echo & x', min: 'low', order: 'oldest', live: false, evidence: true,
      terms: [{ field: 'ip', values: ['fe80::1'], not: true }, { field: 'protocol', values: ['dicom', 'hl7'], not: false }],
    }
    expect(back(q)).toEqual(q)
    const live: EventQuery = { ...emptyQuery, from: '-15m', live: true }
    expect(back(live)).toEqual(live)
  })
  it('falls back where a URL makes no sense', () => {
    expect(readQuery(new URLSearchParams('from=yesterday&to=2026-99-01T00:00&min=awful&is=nope:1&order=up'))).toEqual(emptyQuery)
    expect(readQuery(new URLSearchParams('from=-2h&to=-1h'))).toEqual({ ...emptyQuery, from: '-2h' })
    expect(readQuery(new URLSearchParams('from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z')).from).toBe('2026-02-28T23:00:00.000Z')
  })
  it('is never live with an end', () => {
    expect(readQuery(new URLSearchParams('live=1&from=2026-03-01T00:00:00Z&to=2026-03-01T01:00:00Z')).live).toBe(false)
  })
})

describe('time', () => {
  it('reads relative times', () => {
    expect([relativeMs('-15m'), relativeMs('-7d'), relativeMs('-0m'), relativeMs('15m'), relativeMs('-1y')]).toEqual([900_000, 604_800_000, null, null, null])
  })
  it('fixes the last hour for all requests of one view', () => {
    const span = spanOf(emptyQuery, now)
    expect(span).toEqual({ from: now - 3_600_000, to: now })
    expect(apiParams({ ...emptyQuery, q: ' x ', min: 'high' }, span).toString()).toBe(
      'from=2026-03-01T09%3A00%3A00.000Z&to=2026-03-01T10%3A00%3A00.000Z&q=x&min_severity=high&not=class%3A76105001',
    )
    expect(withSpan({ ...emptyQuery, live: true }, span)).toMatchObject({ from: '2026-03-01T09:00:00.000Z', live: false })
  })
  it('leaves evidence out until it is wanted or kinds are chosen', () => {
    const asked = (q: Partial<EventQuery>) => apiParams({ ...emptyQuery, ...q }, spanOf(emptyQuery, now)).getAll('not')
    expect(asked({})).toEqual(['class:76105001'])
    expect(asked({ evidence: true })).toEqual([])
    expect(asked({ terms: [{ field: 'class', values: ['4003'], not: true }] })).toEqual(['class:4003', 'class:76105001'])
    expect(asked({ terms: [{ field: 'class', values: ['76105001'], not: false }] })).toEqual([])
  })
  it('zooms out and moves without asking for the future', () => {
    const span = { from: now - 3_600_000, to: now }
    expect(zoomOut(span, now)).toEqual({ from: now - 7_200_000, to: now })
    expect(zoomOut({ from: now - 7_200_000, to: now - 3_600_000 }, now)).toEqual({ from: now - 9_000_000, to: now - 1_800_000 })
    expect(shift(span, 1, now)).toEqual(span)
    expect(shift(span, -1, now)).toEqual({ from: now - 7_200_000, to: now - 3_600_000 })
  })
})

const row = (id: number): EventRow => ({
  id: String(id), time: '2026-03-01T10:00:00Z', class: 4001, class_name: 'Network Activity', activity: 1, activity_name: 'Open', severity: 'info',
  status: 'unknown', protocol: 'tcp', sensor: 's', theatre: '', message: '', src: null, dst: null,
})
const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => row(from + i))
const start = (after: string): Tail => tailStep(emptyTail, { do: 'start', after })

describe('the live tail', () => {
  it('compares ids beyond what a double can tell apart', () => {
    expect(newer('9007199254740993', '9007199254740992')).toBe(true)
    expect(newer('10', '9')).toBe(true)
    expect(newestId([row(9), row(10), row(8)])).toBe('10')
  })
  it('gathers new events until they are asked for', () => {
    let t = tailStep(start('5'), { do: 'receive', events: range(6, 3) })
    expect([t.shown.length, waitingCount(t), t.last]).toEqual([0, 3, '8'])
    t = tailStep(t, { do: 'show' })
    expect(t.shown.map((r) => r.id)).toEqual(['8', '7', '6'])
    expect(waitingCount(t)).toBe(0)
  })
  it('shows nothing twice when a stream that resumes repeats itself', () => {
    let t = tailStep(start(''), { do: 'receive', events: range(1, 3) })
    t = tailStep(t, { do: 'receive', events: range(2, 3) })
    expect(t.waiting.map((r) => r.id)).toEqual(['4', '3', '2', '1'])
  })
  it('following shows at once, pausing holds back, going on catches up', () => {
    let t = tailStep(tailStep(start('0'), { do: 'follow', follow: true }), { do: 'receive', events: range(1, 2) })
    expect(t.shown.map((r) => r.id)).toEqual(['2', '1'])
    t = tailStep(tailStep(t, { do: 'pause', paused: true }), { do: 'receive', events: range(3, 1) })
    expect([t.shown.length, waitingCount(t)]).toEqual([2, 1])
    t = tailStep(t, { do: 'pause', paused: false })
    expect([t.shown.length, waitingCount(t)]).toEqual([3, 0])
  })
  it('says how many it could not hold, and asks for a reload instead of showing a hole', () => {
    let t = tailStep(start('0'), { do: 'receive', events: range(1, MAX_WAITING + 7) })
    expect([t.waiting.length, t.skipped, waitingCount(t)]).toEqual([MAX_WAITING, 7, MAX_WAITING + 7])
    expect(tailStep(t, { do: 'show' })).toBe(t)
    t = tailStep(t, { do: 'start', after: t.last })
    expect(waitingCount(t)).toBe(0)
  })
  it('lets go of the oldest beyond its bound and says so', () => {
    let t = tailStep(start('0'), { do: 'follow', follow: true })
    for (let i = 0; i < 4; i++) t = tailStep(t, { do: 'receive', events: range(1 + i * 1500, 1500) })
    expect([t.shown.length, t.trimmed, t.shown[0]?.id]).toEqual([MAX_SHOWN, true, '6000'])
  })
  it('keeps what is known to be missing', () => {
    const t = tailStep(start('1'), { do: 'gap', gap: { from: 'a', to: 'b', why: 'removed' } })
    expect(t.gaps).toHaveLength(1)
    expect(tailStep(t, { do: 'lag', behind: 10, seconds: 3 }).lag).toEqual({ behind: 10, seconds: 3 })
    expect(tailStep(t, { do: 'lag', behind: 0, seconds: 0 }).lag).toBeNull()
  })
})

describe('the histogram', () => {
  const h: EventHistogram = {
    from: '2026-03-01T09:00:00Z', to: '2026-03-01T10:00:00Z', step_ms: 60_000, complete: true, reached: '',
    steps: [{ start: '2026-03-01T09:00:00Z', by: { info: 5, high: 2 } }, { start: '2026-03-01T09:01:00Z', by: {} }],
  }
  it('stacks the worst on the axis', () => {
    expect(bars(h)[0]).toMatchObject({ total: 7, parts: [{ severity: 'high', from: 0, to: 2 }, { severity: 'info', from: 2, to: 7 }] })
    expect(bars(h)[1]?.parts).toEqual([])
  })
  it('selects whole steps, in either direction, and takes a click for a click', () => {
    const span = { from: now - 3_600_000, to: now }
    expect(brushed(span, 60_000, 0.51, 0.26)).toEqual({ from: span.from + 15 * 60_000, to: span.from + 31 * 60_000 })
    expect(brushed(span, 60_000, 0.5, 0.501)).toBeNull()
    expect(brushed(span, 60_000, -1, 2)).toEqual(span)
  })
  it('has round scales', () => {
    expect([0, 1, 3, 7, 11, 4999].map(niceMax)).toEqual([1, 1, 5, 10, 20, 5000])
  })
  it('has ticks at round local times', () => {
    const span = { from: Date.parse('2026-03-01T00:10:00Z'), to: Date.parse('2026-03-02T00:10:00Z') }
    const local = ticks(span, 8, 3_600_000).map((t) => new Date(t.at).toISOString().slice(11, 16))
    expect(local).toEqual(['02:00', '05:00', '08:00', '11:00', '14:00', '17:00', '20:00', '23:00'])
  })
})

describe('times in the zone of the hospital', () => {
  it('go there and back, over a clock change too', () => {
    for (const text of ['2026-01-15T09:00:00', '2026-07-15T09:00:00', '2026-03-29T01:30:00', '2026-03-29T03:30:00', '2026-10-25T01:30:00', '2026-10-25T03:30:00']) {
      expect(toLocal(fromLocal(text, 'Europe/Berlin'), 'Europe/Berlin')).toBe(text.replace('T', ' '))
    }
    expect(new Date(fromLocal(' 2026-07-15 09:00', 'Europe/Berlin')).toISOString()).toBe('2026-07-15T07:00:00.000Z')
    expect(new Date(fromLocal('2026-07-15', 'Europe/Berlin')).toISOString()).toBe('2026-07-14T22:00:00.000Z')
    expect(['yesterday', '2026-13-01 00:00', '15.07.2026', ''].map((t) => fromLocal(t, 'Europe/Berlin'))).toEqual([NaN, NaN, NaN, NaN])
  })
})

describe('values in words', () => {
  const look = { theatre: (id: string) => `room ${id}`, device: (id: string) => (id === 'dev-a' ? 'CT-1' : undefined), kind: () => undefined }
  it('use what the server said, what is on the screen, and what is published, in this order', () => {
    expect(valueLabel('class', '4001', 'Given', look)).toBe('Given')
    expect(valueLabel('class', '76104001', undefined, look)).toBe('DICOM Association')
    expect(valueLabel('device', 'dev-a', 'dev-a', look)).toBe('CT-1')
    expect(valueLabel('device', 'dev-b', undefined, look)).toBe('dev-b')
    expect(valueLabel('theatre', 'or-1', undefined, look)).toBe('room or-1')
    expect(valueLabel('theatre', '', undefined, look)).toBe('none')
    expect(valueLabel('status', 'failure', undefined, look)).toBe('failed')
  })
})
