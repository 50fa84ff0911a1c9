// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ImagingProcedureStep } from '@/api/types'
import { becauseOfCase, inProgress, procedureOrder, procedureState } from './steps'

const at = (minutes: number) => new Date(Date.parse('2026-11-22T10:00:00Z') + minutes * 60_000).toISOString()
const s = (uid: string, o: Partial<ImagingProcedureStep> = {}): ImagingProcedureStep => ({ uid, device: 'd', theatre: 'or-3', patient: 'hs256:a', began: at(0), until: at(360), ...o })

describe('procedure steps', () => {
  it('stand in order: who holds something back, what has been open the longest, what ended, the newest first', () => {
    const list = [s('ended long ago', { ended: at(10) }), s('new', { began: at(50) }), s('ended now', { ended: at(55) }), s('old', { began: at(5) }), s('holds', { began: at(40), held: 3 })]
    expect(list.sort(procedureOrder).map((x) => x.uid)).toEqual(['holds', 'old', 'new', 'ended now', 'ended long ago'])
  })
  it.each<[string, Partial<ImagingProcedureStep>, string, string]>([
    ['is in progress', {}, 'In progress', 'ok'], ['holds images back', { held: 2 }, 'In progress, and holds images back', 'high'],
    ['its device ended', { ended: at(9), how: 'completed', held: 2 }, 'Completed', 'quiet'], ['its device gave up', { ended: at(9), how: 'discontinued' }, 'Discontinued', 'quiet'], ['another followed', { ended: at(9), how: 'followed' }, 'Over: its device began another', 'quiet'],
    ['the board ended', { ended: at(9), how: 'case-ended' }, 'Over: the case in the room ended', 'quiet'], ['a person ended', { ended: at(9), how: 'person', by: 'j.novak' }, 'Ended by j.novak', 'quiet'], ['ended somehow', { ended: at(9) }, 'Ended', 'quiet'],
  ])('one that %s', (_, o, word, tone) => expect(procedureState(s('x', o))).toMatchObject({ word, tone }))
  it('are in progress until they ended', () => expect([s('a'), s('b', { ended: at(1) })].map(inProgress)).toEqual([true, false]))
  it('are why an image is held only by the rule that asks whose case it is', () =>
    expect([[{ rule: 'text.markup', verdict: 'sanitise' as const, why: '' }, { rule: 'patient.other-case', verdict: 'quarantine' as const, why: '' }], [{ rule: 'patient.unexpected', verdict: 'flag' as const, why: '' }], undefined].map(becauseOfCase)).toEqual([true, false, false]))
})
