// SPDX-License-Identifier: Apache-2.0
// A state: a sign, a colour and a word.
import type { ReactNode } from 'react'
import { Icon, SeverityShape, type IconName } from '@/ui'
import type { ImagingInstance, ImagingState, ImagingVerdict } from '@/api/types'
import { custodyIcon, custodyMeans, custodyName, deliveryIcon, deliverySum, deliveryTone, stateIcon, stateName, stateTone, verdictLevel, verdictMeans, verdictName, type ImagingCustody, type Tone } from './words'

export function Chip({ tone, icon, title, children }: { tone: Tone; icon: IconName; title?: string; children: ReactNode }) {
  return <span className={`im-chip im-${tone}`} title={title}><Icon name={icon} size={14} />{children}</span>
}

export const StateChip = ({ state }: { state: ImagingState }) => <Chip tone={stateTone[state]} icon={stateIcon[state]}>{stateName[state]}</Chip>

export function VerdictChip({ verdict }: { verdict: ImagingVerdict }) {
  return <span className="im-chip im-verdict" title={verdictMeans[verdict]}><SeverityShape level={verdictLevel[verdict]} />{verdictName[verdict]}</span>
}

/** How far the ledger proves it; nothing where no ledger runs. */
export function CustodyChip({ state }: { state: ImagingCustody | undefined }) {
  if (!state) return <span className="quiet">–</span>
  return <Chip tone={state === 'witnessed' ? 'ok' : state === 'none' ? 'medium' : 'quiet'} icon={custodyIcon[state]} title={custodyMeans[state]}>{custodyName[state]}</Chip>
}

export function DeliveryChip({ of }: { of: ImagingInstance }) {
  const sum = deliverySum(of.deliveries)
  if (!sum) return <span className="quiet">–</span>
  return <Chip tone={deliveryTone[sum.state]} icon={deliveryIcon[sum.state]}>{sum.word}</Chip>
}
