// SPDX-License-Identifier: Apache-2.0
// A verdict is a shape, a colour and a word.
import type { AdvisoryVerdict } from '@/api/types'
import { Icon, type IconName } from '@/ui'
import { verdictName } from './fields'

const icon: Record<AdvisoryVerdict, IconName> = { affected: 'warning', unknown: 'help', 'not-affected': 'shield-check' }

export function Verdict({ is }: { is: AdvisoryVerdict }) {
  return <span className={`av av-${is}`}><Icon name={icon[is]} size={13} />{verdictName[is]}</span>
}

export function Exploited({ due }: { due?: string }) {
  return <span className="av-kev" title={due ? `In the catalogue of known exploited vulnerabilities; to be fixed by ${due.slice(0, 10)}` : 'In the catalogue of known exploited vulnerabilities'}><Icon name="flag" size={12} />Exploited</span>
}
