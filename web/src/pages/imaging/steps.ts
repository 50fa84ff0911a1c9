// SPDX-License-Identifier: Apache-2.0
// Procedure steps (PS3.4 annex F.7): what a device said it is doing, and for whom, which
// decides whose images may come from a room.

import type { ImagingHit, ImagingProcedureStep } from '@/api/types'
import type { IconName } from '@/ui'
import type { Tone } from './words'

/** The rule of the firewall that holds an image because of a procedure step. */
export const OTHER_CASE = 'patient.other-case'
export const becauseOfCase = (hits: readonly ImagingHit[] | undefined): boolean => (hits ?? []).some((h) => h.rule === OTHER_CASE)

export const inProgress = (s: ImagingProcedureStep): boolean => !s.ended

/** Those that hold something back first, then what has been open the longest; what ended comes last, the newest first. */
export function procedureOrder(a: ImagingProcedureStep, b: ImagingProcedureStep): number {
  const open = Number(inProgress(b)) - Number(inProgress(a))
  if (open !== 0) return open
  if (!inProgress(a)) return Date.parse(b.ended ?? '') - Date.parse(a.ended ?? '')
  return Number((b.held ?? 0) > 0) - Number((a.held ?? 0) > 0) || Date.parse(a.began) - Date.parse(b.began)
}

function endedBy(s: ImagingProcedureStep): string {
  switch (s.how) {
    case 'completed': return 'Completed'
    case 'discontinued': return 'Discontinued'
    case 'followed': return 'Over: its device began another'
    case 'case-ended': return 'Over: the case in the room ended'
    case 'person':
    case undefined: return s.by ? `Ended by ${s.by}` : 'Ended'
  }
}

export function procedureState(s: ImagingProcedureStep): { word: string; icon: IconName; tone: Tone } {
  if (!inProgress(s)) return { word: endedBy(s), icon: 'minus', tone: 'quiet' }
  return (s.held ?? 0) > 0 ? { word: 'In progress, and holds images back', icon: 'lock', tone: 'high' } : { word: 'In progress', icon: 'play', tone: 'ok' }
}
