// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Finding } from '@/api/types'
import { passes } from '@/ui/grid/terms'
import { searchText, valueName, valuesOf } from './fields'
import { paceBars } from './pace'
import { commonTitle, grouped, heldBack, ordered, rowsOf } from './rows'
import { backwards, cannot, decided, untilTime, whatChanged } from './triage'

const now = Date.parse('2026-03-01T10:00:00Z')
const finding = (over: Partial<Finding> = {}): Finding => ({
  id: 'f1', rule: 'dicom.query-sweep', family: 'dicom', severity: 'medium', severity_why: [], confidence: 80, title: 'WS-1 asked PACS-1 for every patient', room: '', devices: [{ id: 'd1', name: 'WS-1' }, { id: 'd2', name: 'PACS-1' }],
  site: '', theatre: 'or-1', case_state: 'in-case', count: 3, first: '2026-03-01T08:00:00Z', last: '2026-03-01T09:00:00Z', attack: ['T1213'], evidence: ['C-FIND with *'], state: 'open', assignee: '', outcome: '', snoozed_until: null, suppressed_by: '', suppressed_count: 0, revision: 1, ...over,
})
const names = { rule: (id: string) => id, device: (id: string) => id, theatre: (id: string) => id }

describe('the order of findings', () => {
  const list = [finding({ id: 'a', severity: 'low', last: '2026-03-01T09:30:00Z' }), finding({ id: 'b', severity: 'critical', last: '2026-03-01T07:00:00Z', count: 1 }), finding({ id: 'c', severity: 'critical', last: '2026-03-01T08:00:00Z', count: 90 })]
  it.each([['severity', 'cba'], ['last', 'acb'], ['count', 'cab']] as const)('by %s is %s', (order, want) => expect(ordered(list, order).map((f) => f.id).join('')).toBe(want))
  it('does not depend on the order in which they came', () => expect(ordered([...list].reverse(), 'severity')).toEqual(ordered(list, 'severity')))
})

describe('groups', () => {
  it('stand in the order of their first finding, with their worst', () => {
    const g = grouped(ordered([finding({ id: 'a', rule: 'r1', severity: 'low' }), finding({ id: 'b', rule: 'r2', severity: 'high' }), finding({ id: 'c', rule: 'r1', severity: 'medium', state: 'acknowledged' })], 'severity'), 'rule', names)
    expect(g.map((x) => [x.key, x.worst, x.findings.length, x.open])).toEqual([['r2', 'high', 1, 1], ['r1', 'medium', 2, 1]])
  })
  it('have a finding about two devices under each of them, as rows of their own', () => {
    const rows = rowsOf([finding()], 'device', names, new Set())
    expect(rows.filter((r) => r.kind === 'finding')).toHaveLength(2)
    expect(new Set(rows.map((r) => r.id)).size).toBe(rows.length)
  })
  it('hide their findings when they are closed', () => expect(rowsOf([finding()], 'rule', names, new Set(['dicom.query-sweep']))).toHaveLength(1))
  it('are called by what their titles have in common', () => {
    expect(commonTitle(['WS-1 asked PACS-1 for every patient', 'WS-2 asked PACS-1 for every patient'])).toBe('… asked PACS-1 for every patient')
    expect(commonTitle(['One alone'])).toBe('One alone')
    expect(commonTitle(['WS-1: several devices use this name: A', 'PUMP-2: several devices use this name: B'])).toBe('… several devices use this name: …')
    expect(commonTitle(['this', 'that'])).toBe('')
    expect(commonTitle([])).toBe('')
  })
})

describe('what is new', () => {
  it('waits until it is asked for, and what is shown changes in place', () => {
    const { shown, waiting } = heldBack([finding({ id: 'a', count: 9 }), finding({ id: 'b' })], new Set(['a']))
    expect([shown.map((f) => `${f.id}${f.count}`), waiting.map((f) => f.id)]).toEqual([['a9'], ['b']])
  })
  it('is all, before anything was seen', () => expect(heldBack([finding()], null).shown).toHaveLength(1))
})

describe('filters', () => {
  it('hold for any device of a finding', () => expect(passes([{ field: 'device', values: ['d2'], not: false }], (f) => valuesOf(finding(), f))).toBe(true))
  it('leave out', () => expect(passes([{ field: 'rule', values: ['dicom.query-sweep'], not: true }], (f) => valuesOf(finding(), f))).toBe(false))
  it('find nobody', () => expect(passes([{ field: 'assignee', values: [''], not: false }], (f) => valuesOf(finding(), f))).toBe(true))
  it('are in words', () => expect(valueName('assignee', '', { theatre: (x) => x, device: (x) => x })).toBe('nobody'))
  it('search in titles, devices and evidence', () => expect(['pacs-1', 'c-find', 'every patient', 't1213'].every((w) => searchText(finding(), 'OR 1').includes(w))).toBe(true))
})

describe('decisions', () => {
  it('are shown at once', () => {
    expect(decided(finding(), { action: 'acknowledge' }, 'anna', now)).toMatchObject({ state: 'acknowledged', assignee: 'anna' })
    expect(decided(finding({ assignee: 'marco' }), { action: 'acknowledge' }, 'anna', now).assignee).toBe('marco')
    expect(decided(finding(), { action: 'close', outcome: 'benign', reason: 'x' }, 'anna', now)).toMatchObject({ state: 'closed', outcome: 'benign' })
    expect(decided(finding(), { action: 'snooze', until: '+4h' }, 'anna', now).snoozed_until).toBe('2026-03-01T14:00:00.000Z')
  })
  it.each([['+30m', '2026-03-01T10:30:00.000Z'], ['+1d', '2026-03-02T10:00:00.000Z'], ['2026-05-01T00:00:00Z', '2026-05-01T00:00:00Z'], [undefined, null]])('%s is until %s', (until, want) => expect(untilTime(until, now)).toBe(want))
  it('say why they cannot be made', () => {
    expect(cannot(finding({ state: 'acknowledged' }), 'acknowledge')).toContain('acknowledged already')
    expect(cannot(finding({ state: 'closed' }), 'assign')).toContain('Reopen')
    expect(cannot(finding(), 'close')).toBeUndefined()
  })
  it('are undone step by step: an acknowledged finding that was closed is acknowledged again', () => {
    expect(backwards(finding({ state: 'acknowledged' }), { action: 'close', outcome: 'true' }).map((d) => d.action)).toEqual(['reopen', 'acknowledge'])
    expect(backwards(finding(), { action: 'acknowledge' })).toEqual([{ action: 'reopen' }, { action: 'assign', assignee: '' }])
    expect(backwards(finding({ assignee: 'marco' }), { action: 'assign', assignee: 'anna' })).toEqual([{ action: 'assign', assignee: 'marco' }])
    expect(backwards(finding(), { action: 'note', note: 'x' })).toEqual([])
  })
  it('say what somebody else did meanwhile', () => {
    expect(whatChanged(finding(), finding({ state: 'closed', outcome: 'false', assignee: 'marco', revision: 3 }))).toBe('Meanwhile it is closed as false, and it is assigned to marco.')
    expect(whatChanged(finding(), finding({ revision: 2 }))).toContain('wrote something')
  })
})

describe('the pace', () => {
  it('has a bar for each hour, empty ones too', () => {
    const bars = paceBars([{ hour: '2026-03-01T06:00:00Z', count: 2 }, { hour: '2026-03-01T08:00:00Z', count: 5 }], now)
    expect(bars.every((b, i) => i === 0 || b.start - (bars[i - 1]?.start ?? 0) === 3_600_000)).toBe(true)
    expect(bars.reduce((n, b) => n + b.count, 0)).toBe(7)
    expect(bars.filter((b) => b.count > 0)).toHaveLength(2)
  })
  it('joins hours where there are many, and loses none', () => {
    const pace = Array.from({ length: 168 }, (_, i) => ({ hour: new Date(now - (168 - i) * 3_600_000).toISOString(), count: 1 }))
    const bars = paceBars(pace, now)
    expect(bars.length).toBeLessThanOrEqual(72)
    expect(bars.reduce((n, b) => n + b.count, 0)).toBe(168)
  })
  it('is nothing of nothing', () => expect(paceBars([], now)).toEqual([]))
})
