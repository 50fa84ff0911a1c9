// SPDX-License-Identifier: Apache-2.0
// Who talks to the gateway, and whom it talks to: open now, and ended lately.
// A conversation that went wrong says what, in words, and what to do.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import { statement } from '@/api/said'
import type { ImagingAssociation } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import { Button, Copyable, cx, Empty, ErrorState, Icon, Loading, time } from '@/ui'
import { GridSkeleton } from '@/ui/grid'
import { span, useNow, useZone } from '@/ui/time'
import { bytes, count, plural } from '@/ui/units'
import { FilteredGrid } from '../advisories/FilteredGrid'
import '../ledger/ledger.css'
import { columnsOf, fieldName, fields, peerOf, textOf, valueName, valuesOf } from './associationColumns'
import { associations } from './queries'
import { Stale } from './Stale'
import { useWhere } from './where'
import { conversation, encryption, problemName } from './words'

const keep = ['tab', 'gateway', 'open']
const first = [{ id: 'is', down: true }, { id: 'since', down: true }]
const MOST = 500 // that a gateway remembers

export function Associations({ gateway }: { gateway: string }) {
  const query = useQuery(associations(gateway))
  const rooms = useQuery(theatresQuery).data
  const now = useNow(5_000)
  const [params, setParams] = useURLState()
  const open = params.get('open') ?? ''
  const theatre = useCallback((id: string) => rooms?.find((t) => t.id === id)?.name ?? id, [rooms])
  const columns = useMemo(() => columnsOf(theatre, now), [theatre, now])
  const show = (id: string) => setParams((p) => { if (id === '') p.delete('open'); else p.set('open', id) }, { replace: open !== '' })
  useKeys('Associations', [{ keys: 'u', does: 'Back to the list', run: () => show('') }], open !== '')
  if (query.isPending) return <Loading what="associations"><GridSkeleton columns={8} /></Loading>
  if (!query.data) return <ErrorState error={query.error} lost="The associations cannot be listed." kept="Images go on as before." retry={() => void query.refetch()} />
  const rows = query.data.associations
  const here = rows.find((a) => a.id === open)
  return (
    <div className={cx('lg-cols', open !== '' && 'lg-open')}>
      <div className="lg-list">
        <Stale gateway={gateway} query={query} />
        <FilteredGrid
          what="associations" one="association" rows={rows} columns={columns} sort={first} fields={fields} fieldName={fieldName} values={valuesOf} valueName={(f, v) => valueName(f, v, theatre)} text={textOf} rowId={(a) => a.id} rowName={conversation}
          placeholder="Device, AE title, address, problem …" keep={keep} clickOpens mark={(a) => (a.id === open ? 'grid-tr-open' : undefined)} onOpen={(a) => show(a.id)}
          empty={<Empty icon="gateway" title="Nobody has talked to the gateway yet."><p>Each conversation with a scanner, an archive or a destination shows here, also those that were refused, with the reason.</p></Empty>}
          noMatch={(clear) => <Empty icon="filter" title="No association passes these filters." action={<Button onClick={clear}>Show all</Button>} />}
        />
        {rows.length >= MOST && <p className="im-foot quiet">The newest {count(MOST)} are kept here. Older ones are in <Link to="/events">Events</Link>.</p>}
      </div>
      {open !== '' && (
        <div className="lg-detail">
          {here ? <One a={here} theatre={theatre} now={now} onBack={() => show('')} /> : <Empty icon="gateway" title="It is not among the newest any more." action={<Button onClick={() => show('')}>Back to the list</Button>}><p>The gateway remembers the last {count(MOST)}. What it did stays in Events and in the ledger.</p></Empty>}
        </div>
      )}
    </div>
  )
}

function One({ a, theatre, now, onBack }: { a: ImagingAssociation; theatre: (id: string) => string; now: number; onBack: () => void }) {
  const g = useWhere()
  useZone()
  const lasted = span((a.ended ? Date.parse(a.ended) : now) - Date.parse(a.since))
  return (
    <article className="lg-entry" aria-labelledby="im-assoc">
      <button type="button" className="btn btn-quiet lg-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">All associations</span></button>
      <header className="lg-head">
        <h2 id="im-assoc">{conversation(a)}</h2>
        <p>{a.ended ? `Ended after ${lasted}` : `Open for ${lasted}`}, {plural(a.instances, 'image')}, {bytes(a.bytes)}{a.doing && !a.ended ? `; now ${a.doing}` : ''}.</p>
      </header>
      {a.problem && (
        <div className="im-problem">
          <p className="im-problem-what"><Icon name="warning" size={18} /> {problemName(a.problem)}</p>
          {a.what && <p>{statement(a.what)}</p>}
          {a.hint && <p className="im-do"><Icon name="arrow-right" size={14} /> {statement(a.hint)}</p>}
          <p className="quiet">Code: <Copyable value={a.problem} what="code" /></p>
        </div>
      )}
      <section className="lg-section">
        <header><h3>Who</h3></header>
        <dl className="lg-facts">
          {a.direction === 'in' && <div><dt>Device</dt><dd>{a.device ? <Link to="/devices/$id" params={{ id: a.device }}>{peerOf(a)}</Link> : <span className="quiet">none is bound to who called</span>}</dd></div>}
          {a.destination && <div><dt>Destination</dt><dd><Link to="/imaging" search={{ tab: 'destinations', ...g }}>{a.destination}</Link></dd></div>}
          {a.calling_ae && <div><dt>Calling AE title</dt><dd><Copyable value={a.calling_ae} what="AE title" /></dd></div>}
          {a.called_ae && <div><dt>Called AE title</dt><dd><Copyable value={a.called_ae} what="AE title" /></dd></div>}
          <div><dt>Address</dt><dd><Copyable value={a.address} what="address" /></dd></div>
          {a.theatre && <div><dt>Theatre</dt><dd><Link to="/theatres/$id" params={{ id: a.theatre }}>{theatre(a.theatre)}</Link></dd></div>}
        </dl>
      </section>
      <section className="lg-section">
        <header><h3>How</h3></header>
        <dl className="lg-facts">
          <div><dt>Protocol</dt><dd>{a.way === 'dimse' ? 'DICOM (DIMSE)' : 'DICOMweb'}</dd></div>
          <div><dt>Encryption</dt><dd>{a.tls ? encryption(a.tls) : <span className="im-warn"><Icon name="unlock" size={13} /> none: it speaks in clear</span>}</dd></div>
          {a.listener && <div><dt>Door</dt><dd>{a.listener}</dd></div>}
          <div><dt>Began</dt><dd>{time.absolute(a.since)}</dd></div>
          {a.ended && <div><dt>Ended</dt><dd>{time.absolute(a.ended)}</dd></div>}
          <div><dt>Operations</dt><dd>{count(a.operations)}</dd></div>
          <div><dt>ID</dt><dd><Copyable value={a.id} what="ID" /></dd></div>
        </dl>
      </section>
      <p className="im-links">
        {a.device && a.instances > 0 && <Link to="/imaging" search={{ tab: 'instances', by: 'instance', is: `device:${a.device}`, ...g }}>What it sent</Link>}
        {a.direction === 'in' && <Link to="/imaging" search={{ tab: 'bindings', q: a.device_name ?? a.device ?? a.calling_ae ?? a.address, ...g }}>What it may do</Link>}
        {a.device && <Link to="/identity" search={{ q: a.device_name ?? a.device }}>Its certificate</Link>}
      </p>
    </article>
  )
}
