// SPDX-License-Identifier: Apache-2.0
import { Icon } from '@/ui'
import { standingIcon, standingName, type Standing } from './words'

/** How a certificate stands: a sign and a word. */
export function StandingChip({ is }: { is: Standing }) {
  return <span className={`id-is id-is-${is}`}><Icon name={standingIcon[is]} size={14} />{standingName[is]}</span>
}
