// SPDX-License-Identifier: Apache-2.0
// What is known of an instance besides its header: what the firewall met, who
// brought it, by which names it is found again.

import { Link } from '@tanstack/react-router'
import { Fragment, type ReactNode } from 'react'
import { statement } from '@/api/said'
import type { ImagingInstance } from '@/api/types'
import { Copyable, Icon, SeverityShape } from '@/ui'
import { plural } from '@/ui/units'
import { Hash } from '../ledger/Facts'
import { useWhere } from './where'
import { className, encryption, syntaxName, verdictLevel, verdictName, verdictRank } from './words'

const wayName = { dimse: 'C-STORE', stow: 'STOW-RS', file: 'put in by a person' } as const

export function Hits({ r }: { r: ImagingInstance }) {
  const hits = [...(r.hits ?? [])].sort((a, b) => verdictRank[b.verdict] - verdictRank[a.verdict])
  return (
    <section className="lg-section" aria-labelledby={`im-hits-${r.number}`}>
      <header><h3 id={`im-hits-${r.number}`}>What the policy says of it</h3></header>
      {hits.length === 0 ? (
        <p><Icon name="check" size={14} /> No rule met: it passes as it is.</p>
      ) : (
        <ul className="im-hits">
          {hits.map((h, i) => (
            <li key={i}>
              <SeverityShape level={verdictLevel[h.verdict]} size={13} />
              <div><p>{statement(h.why)}</p><p className="quiet"><strong>{verdictName[h.verdict]}</strong> by <span className="mono">{h.rule}</span>{h.path && <> at <span className="mono">{h.path}</span></>}</p></div>
            </li>
          ))}
        </ul>
      )}
      {(r.more_hits ?? 0) > 0 && <p className="quiet">And {plural(r.more_hits ?? 0, 'more hit', 'more hits')} that are not listed.</p>}
    </section>
  )
}

export function Identifiers({ r, theatre }: { r: ImagingInstance; theatre: (id: string) => string }) {
  const s = r.sender
  const g = useWhere()
  const rows: [string, ReactNode][] = [
    ['Device', s.device ? <Link to="/devices/$id" params={{ id: s.device }}>{r.device_name ?? s.device}</Link> : <span className="quiet">not known</span>],
    ['How it came', <>{wayName[s.way]}, {s.tls ? encryption(s.tls) : <span className="im-warn"><Icon name="unlock" size={13} /> in clear</span>}</>],
    ...(s.calling_ae || s.called_ae ? [['AE titles', <span className="mono">{[s.calling_ae, s.called_ae].filter(Boolean).join(' → ')}</span>] as [string, ReactNode]] : []),
    ['Address', <Copyable value={s.address} what="address" />],
    ...(s.certificate ? [['Its certificate', <Hash value={s.certificate} what="SHA-256 of the certificate" />] as [string, ReactNode]] : []),
    ...(s.theatre ? [['Theatre', <Link to="/theatres/$id" params={{ id: s.theatre }}>{theatre(s.theatre)}</Link>] as [string, ReactNode]] : []),
    ['SOP class', <span title={r.sop_class}>{className(r.sop_class)}</span>],
    ['Transfer syntax', <span title={r.transfer_syntax}>{syntaxName(r.transfer_syntax)}</span>],
    ['SOP instance', <Copyable value={r.sop_instance} what="SOP instance UID" />],
    ['Series', <><Copyable value={r.series} what="series UID" />{r.series && <Link to="/imaging" search={{ tab: 'instances', series: r.series, ...g }}>All of it</Link>}</>],
    ['Study', <Copyable value={r.study} what="study UID" />],
    ['SHA-256 of the data set', <Hash value={r.data_set} what="SHA-256 of the data set" whole />],
    ...(r.pixel ? [['SHA-256 of the pixels', <Hash value={r.pixel} what="SHA-256 of the pixel data" whole />] as [string, ReactNode]] : []),
    ...(r.patient ? [['Patient', <><Copyable value={r.patient} what="pseudonym" cut /><span className="quiet">a pseudonym: it tells nobody who</span></>] as [string, ReactNode]] : []),
    ['Policy', <Hash value={r.policy} what="SHA-256 of the policy" />],
  ]
  return (
    <section className="lg-section" aria-labelledby={`im-who-${r.number}`}>
      <header><h3 id={`im-who-${r.number}`}>Who brought it, and what it is</h3></header>
      <dl className="lg-facts">{rows.map(([name, value]) => <Fragment key={name}><div><dt>{name}</dt><dd>{value}</dd></div></Fragment>)}</dl>
    </section>
  )
}
