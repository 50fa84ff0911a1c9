// SPDX-License-Identifier: Apache-2.0
// What came of one receipt: green or red, why, and what exactly was proved.

import type { Part, Result as Verified } from '@/receipt/verify'
import { cx, Icon, time } from '@/ui'
import { useZone } from '@/ui/time'
import { count } from '@/ui/units'
import { Facts, Hash } from '../ledger/Facts'
import { factsOf, kindOf } from '../ledger/words'
import type { Judgement } from './judge'
import { actorOf, detailOf, memberOf, told } from './told'
import '../ledger/ledger.css'

export function Result({ j, required, of, alone }: { j: Judgement; required: number; of: number; alone: boolean }) {
  const name = [j.file, j.receipt].filter(Boolean).join(' and ')
  return (
    <article className={cx('vf-card', `vf-${j.is}`)} aria-label={name}>
      <header>
        <Icon name={j.is === 'refused' ? 'shield-x' : j.is === 'unwitnessed' ? 'warning' : 'shield-check'} size={22} />
        <div>
          <h3>{j.is === 'refused' ? (j.because?.title ?? 'Not verified') : j.is === 'unwitnessed' ? 'Right, but not witnessed' : j.file ? 'The file is what was recorded' : 'The receipt is right'}</h3>
          <p className="quiet vf-names">{name}</p>
        </div>
      </header>
      {j.because && (
        <div className="vf-reason">
          <p>{j.because.why} <span className="quiet">({j.because.code})</span></p>
          {j.because.hint && <p className="vf-do"><Icon name="arrow-right" size={14} /> {j.because.hint}</p>}
        </div>
      )}
      {j.is === 'unwitnessed' && <p className="vf-reason">Only {j.result?.cosigned.length ?? 0} of {required} witnesses that are required have signed. The ledger says so itself; nobody else can confirm it yet.</p>}
      {j.result && (j.is === 'refused' ? <Subjects r={j.result} /> : <Proved r={j.result} file={j.file} subject={j.subject} part={j.part ?? 'file'} required={required} of={of} open={alone} />)}
    </article>
  )
}

function Subjects({ r }: { r: Verified }) {
  return (
    <dl className="vf-facts">
      {r.statement.subjects.map((s, i) => <div key={`${s.name}${i}`}><dt>{s.name}</dt><dd><Hash value={s.sha256} what="SHA-256" whole /></dd></div>)}
    </dl>
  )
}

function Proved({ r, file, subject, part, required, of, open }: { r: Verified; file: string; subject: string; part: Part; required: number; of: number; open: boolean }) {
  useZone()
  const s = r.statement
  const when = memberOf(s, 'time')
  const reason = memberOf(s, 'reason')
  const where = [memberOf(s, 'theatre') && `theatre ${memberOf(s, 'theatre')}`, memberOf(s, 'device') && `device ${memberOf(s, 'device')}`, memberOf(s, 'site') && `site ${memberOf(s, 'site')}`].filter(Boolean).join(', ')
  return (
    <>
      <p className="vf-told"><Icon name={kindOf(s.kind).icon} size={15} /> {told(s)}</p>
      <dl className="vf-facts">
        <div><dt>The file</dt><dd>{file ? part === 'data-set' ? <>its data set is “{subject}” of the statement, bit by bit. Preamble and meta information are not covered</> : <>is “{subject}” of the statement, bit by bit</> : <span className="vf-open">was not dropped. The receipt is about:</span>}</dd></div>
        {!file && s.subjects.map((x, i) => <div key={`${x.name}${i}`}><dt>{x.name}</dt><dd><Hash value={x.sha256} what="SHA-256" whole /></dd></div>)}
        <div><dt>Said by</dt><dd>{actorOf(s)}</dd></div>
        {where && <div><dt>Where</dt><dd>{where}</dd></div>}
        {when && <div><dt>Happened</dt><dd>{time.absolute(when)} <span className="quiet">by the clock of who says so</span></dd></div>}
        <div>
          <dt>At the latest</dt>
          <dd>{r.by !== undefined ? <>{time.absolute(r.by * 1000)} <span className="quiet">by then {required} of {of} witnesses had it</span></> : <span className="quiet">witnesses say nothing about the time</span>}</dd>
        </div>
        {r.timestamp !== undefined && <div><dt>Timestamp</dt><dd>{time.absolute(r.timestamp * 1000)} <span className="quiet">by a timestamp authority</span></dd></div>}
        <div><dt>Witnessed by</dt><dd>{r.cosigned.length === 0 ? 'nobody' : <ul>{r.cosigned.map((c) => <li key={c.witness}>{c.witness}{c.seconds > 0 && <span className="quiet"> {time.absolute(c.seconds * 1000)}</span>}</li>)}</ul>}</dd></div>
        {reason && <div><dt>Reason given</dt><dd>{reason}</dd></div>}
        <div><dt>In the log</dt><dd>entry {count(r.index)} of {count(r.size)}, {r.origin}</dd></div>
      </dl>
      <details className="lg-raw" open={open || undefined}>
        <summary>All that was said</summary>
        <Facts facts={[{ name: 'hash', label: 'SHA-256 of the statement', text: r.hash, is: 'hash' }, ...factsOf(detailOf(s))]} />
      </details>
    </>
  )
}
