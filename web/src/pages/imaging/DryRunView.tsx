// SPDX-License-Identifier: Apache-2.0
// What another policy would have made of images that are stored.

import { Link } from '@tanstack/react-router'
import { statement } from '@/api/said'
import type { ImagingDryRun, ImagingVerdict } from '@/api/types'
import { Icon, Time } from '@/ui'
import { count, plural } from '@/ui/units'
import { VerdictChip } from './Chip'
import { verdictName, verdictRank } from './words'

const SHOWN = 50

/** "12 Pass → Quarantine", the sharpest first. */
export function byChange(run: Pick<ImagingDryRun, 'changed'>): { was: ImagingVerdict; would: ImagingVerdict; n: number }[] {
  const by = new Map<string, { was: ImagingVerdict; would: ImagingVerdict; n: number }>()
  for (const c of run.changed) {
    const key = `${c.was} ${c.would}`
    const x = by.get(key) ?? { was: c.was, would: c.would, n: 0 }
    x.n++
    by.set(key, x)
  }
  return [...by.values()].sort((a, b) => verdictRank[b.would] - verdictRank[a.would] || b.n - a.n)
}

export function DryRunView({ run, where }: { run: ImagingDryRun; where: { gateway?: string } }) {
  if (run.problems.length > 0) return <p className="im-bad"><Icon name="warning" size={14} /> Nothing was looked at: the text is not right.</p>
  const all = run.changed.length + run.more
  const ms = run.milliseconds < 1000 ? `${count(run.milliseconds)} ms` : `${(run.milliseconds / 1000).toFixed(1)} s`
  if (run.examined === 0) return <p className="quiet">No image is stored to look at.</p>
  return (
    <>
      <p>{all === 0 ? <><Icon name="check" size={14} /> None of {plural(run.examined, 'image')} would come out otherwise.</> : <><strong>{count(all)}</strong> of {plural(run.examined, 'image')} would come out otherwise.</>} <span className="quiet">{ms}</span></p>
      {all > 0 && (
        <ul className="im-changes">
          {byChange(run).map((c) => <li key={`${c.was}${c.would}`}><strong>{count(c.n)}</strong> {verdictName[c.was]} <Icon name="arrow-right" size={12} label="to" /> <VerdictChip verdict={c.would} /></li>)}
        </ul>
      )}
      {all > 0 && (
        <details className="im-changed" open={all <= 8 || undefined}>
          <summary>Which</summary>
          <ul>
            {run.changed.slice(0, SHOWN).map((c) => (
              <li key={c.number}>
                <p><Link to="/imaging" search={{ tab: 'instances', by: 'instance', open: String(c.number), ...where }}>{c.modality || 'Image'} from {c.device_name ?? c.device}</Link>, <Time at={c.received} plain />: {verdictName[c.was]} <Icon name="arrow-right" size={12} label="to" /> {verdictName[c.would]}</p>
                {c.hits?.[0] && <p className="quiet">{statement(c.hits[0].why)} <span className="mono">{c.hits[0].rule}</span></p>}
              </li>
            ))}
          </ul>
          {all > SHOWN && <p className="quiet">And {count(all - SHOWN)} more.</p>}
        </details>
      )}
    </>
  )
}
