// SPDX-License-Identifier: Apache-2.0
import type { LedgerEntry } from '@/api/types'
import { Icon, Tooltip } from '@/ui'
import { stateIcon, stateMeans, stateName } from './words'

/** How far an entry is proven: a sign and a word. */
export function StateChip({ state, plain }: { state: LedgerEntry['state']; plain?: boolean }) {
  const chip = <span className={`lg-state lg-state-${state}`} title={plain ? stateMeans[state] : undefined}><Icon name={stateIcon[state]} size={14} />{stateName[state]}</span>
  return plain ? chip : <Tooltip text={stateMeans[state]}>{chip}</Tooltip>
}
