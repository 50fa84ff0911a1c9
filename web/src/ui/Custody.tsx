// SPDX-License-Identifier: Apache-2.0
import type { PathStep } from '@/api/types'
import './custody.css'
import { Icon, type IconName } from './Icon'

type State = PathStep['custody']
const of: Record<State, { icon: IconName; word: string }> = {
  verified: { icon: 'shield-check', word: 'Verified' },
  unverified: { icon: 'shield-slash', word: 'Not verified' },
  broken: { icon: 'shield-x', word: 'Broken' },
  none: { icon: 'minus', word: 'No custody' },
}

/** Whether what was shown is proven to be what was acquired. */
export function Custody({ state }: { state: State }) {
  return (
    <span className={`custody custody-${state}`}>
      <Icon name={of[state].icon} />
      {of[state].word}
    </span>
  )
}
