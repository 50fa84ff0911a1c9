// SPDX-License-Identifier: Apache-2.0
// How the ledger stands, in figures, and who signs it.

import type { LedgerStatus } from '@/api/types'
import { Icon, Time } from '@/ui'
import { span, useNow } from '@/ui/time'
import { count, plural } from '@/ui/units'
import { useMedia } from '../findings/media'
import { witnessState } from './words'

export function Overview({ s }: { s: LedgerStatus }) {
  const wide = useMedia('(min-width: 60rem)')
  const inner = <div className="lg-top"><Figures s={s} /><Witnesses s={s} /></div>
  return wide ? inner : <details className="lg-more"><summary>Figures and witnesses</summary>{inner}</details>
}

function Figures({ s }: { s: LedgerStatus }) {
  const now = useNow(5_000)
  const rate = s.per_minute >= 10 || s.per_minute === 0 ? count(s.per_minute) : s.per_minute.toFixed(1)
  return (
    <dl className="lg-figures">
      <div><dt>Entries</dt><dd>{count(s.size)}</dd><dd className="lg-note">{s.integrated < s.size ? `${count(s.size - s.integrated)} not in the tree yet` : s.size > 0 ? 'all in the tree' : ''}</dd></div>
      <div><dt>In a minute</dt><dd>{rate}</dd></div>
      <div><dt>Last checkpoint</dt><dd>{s.published.time ? <Time at={s.published.time} /> : 'none yet'}</dd><dd className="lg-note">{s.published.size === s.size ? 'covers all' : `covers ${count(s.published.size)}`}</dd></div>
      <div className={s.alarm ? 'lg-bad' : undefined}>
        <dt>Not yet witnessed</dt><dd>{s.alarm && <Icon name="warning" size={15} label="Too long" />}{count(s.unwitnessed)}</dd>
        <dd className="lg-note">{s.required === 0 ? 'no witness is required' : s.unwitnessed_since ? `for ${span(now - Date.parse(s.unwitnessed_since))}` : 'none waits'}</dd>
      </div>
      <div className={s.audit.problem ? 'lg-bad' : undefined}>
        <dt>Own check</dt><dd>{s.audit.problem ? <><Icon name="warning" size={15} /> Problem</> : s.audit.last ? <><Icon name="check" size={15} /> Right</> : 'Not yet'}</dd>
        <dd className="lg-note">{s.audit.last ? <>{count(s.audit.checked)} read, <Time at={s.audit.last} /></> : 'begins soon'}</dd>
      </div>
    </dl>
  )
}

function Witnesses({ s }: { s: LedgerStatus }) {
  if (s.witnesses.length === 0) return <p className="lg-nowitness quiet">No witness is named. A witness at another operator makes it impossible to rewrite this log unnoticed: <code>asepsis ledger witness</code> runs one.</p>
  return (
    <table className="table lg-witnesses" aria-label={`Witnesses, ${s.required} of ${plural(s.witnesses.length, 'witness', 'witnesses')} required`}>
      <thead><tr><th scope="col">Witness</th><th scope="col">State</th><th scope="col" className="num">Signed up to</th><th scope="col">Last</th></tr></thead>
      <tbody>
        {s.witnesses.map((w) => {
          const state = witnessState(w, s)
          return (
            <tr key={w.name}>
              <th scope="row" title={w.url}>{w.name}</th>
              <td className={`lg-w lg-w-${state.is}`} title={w.error}><Icon name={state.icon} size={14} /> {state.word}{state.is === 'silent' && w.error && <span className="quiet">: {w.error}</span>}</td>
              <td className="num">{count(w.size)}</td>
              <td>{w.last ? <Time at={w.last} /> : 'never'}</td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
