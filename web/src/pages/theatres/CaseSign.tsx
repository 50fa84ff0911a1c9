// SPDX-License-Identifier: Apache-2.0
import type { CaseState } from '@/api/types'

/** Filled while a patient is in the room, a ring when not, a bar while the room is being worked on. */
export function CaseSign({ state }: { state: CaseState }) {
  return (
    <svg className={`case-sign case-sign-${state}`} width="0.8em" height="0.8em" viewBox="0 0 12 12" aria-hidden focusable="false">
      {state === 'in-case' ? <circle cx="6" cy="6" r="5.500" fill="currentColor" /> : <circle cx="6" cy="6" r="4.600" fill="none" stroke="currentColor" strokeWidth="1.800" />}
      {state === 'maintenance' && <path d="M2.800 9.200l6.400-6.400" stroke="currentColor" strokeWidth="1.800" />}
    </svg>
  )
}
