// SPDX-License-Identifier: Apache-2.0
// One finding in the order in which somebody in a hurry needs it: what
// happened, what to do now, why it fired, when, what else, who did what.

import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useState, type ReactNode } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { Finding, FindingDetail, FindingEvidence, FindingStep } from '@/api/types'
import { PathLink } from '@/shell/PathLink'
import { Checkbox, Copyable, cx, Empty, ErrorState, Icon, Loading, Menu, Notice, Segmented, Severity, SeverityShape, severityName, Skeleton, Time, time } from '@/ui'
import { plural } from '@/ui/units'
import { caseName, familyName, fieldName, outcomeShort, type FindingField } from './fields'
import { PaceChart } from './Pace'
import { Packets } from './Packets'
import { tick, ticked } from './playbook'
import { finding as findingQuery } from './queries'

interface Props {
  id: string
  row: Finding | undefined // from the list, shown until the whole is there
  actions: (f: Finding) => ReactNode
  onOpen: (id: string) => void
  onFilter?: (field: FindingField, value: string, not: boolean) => void
  onBack: () => void
}

export function FindingDetailView({ id, row, actions, onOpen, onFilter, onBack }: Props) {
  const query = useQuery(findingQuery(id))
  const f = query.data
  const head = f ?? row
  const back = <button type="button" className="btn btn-quiet fd-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">All findings</span></button>
  if (!head) {
    const gone = query.error instanceof ApiError && query.error.status === 404
    return (
      <div className="fd">
        {back}
        {query.isPending ? (
          <Loading what="the finding"><Skeleton lines={10} /></Loading>
        ) : gone ? (
          <Empty icon="flag" title="No finding has this ID."><p>It may be from another site, or older than what is kept.</p></Empty>
        ) : (
          <ErrorState error={query.error} lost="This finding cannot be shown." kept="It is kept, and what is decided about it too." retry={() => void query.refetch()} />
        )}
      </div>
    )
  }
  return (
    <article className="fd" aria-labelledby="fd-title">
      {back}
      <Head f={head} detail={f} onFilter={onFilter} />
      <div className="fd-actions">{actions(f ?? head)}</div>
      {query.isError && f && <Notice kind="attention">This is from {time.clock(query.dataUpdatedAt)}: the server did not answer since.</Notice>}
      {f ? (
        <Body f={f} onOpen={onOpen} />
      ) : query.isError ? (
        <ErrorState error={query.error} lost="The evidence cannot be shown." kept="The line above is from the list." retry={() => void query.refetch()} />
      ) : (
        <Loading what="the finding"><Skeleton lines={12} /></Loading>
      )}
    </article>
  )
}

function Head({ f, detail, onFilter }: { f: Finding; detail?: FindingDetail; onFilter?: Props['onFilter'] }) {
  const rooms = useQuery(theatresQuery)
  const room = rooms.data?.find((t) => t.id === f.theatre)
  return (
    <header className="fd-head">
      <h2 id="fd-title">{f.title}</h2>
      <ul className="fd-facts">
        <li><Severity level={f.severity} />{f.severity_why.length > 0 && <span className="quiet"> because {f.severity_why.join('; ')}</span>}</li>
        <li>{f.confidence}{'\u00a0'}% sure</li>
        {f.theatre !== '' && <li><Value field="theatre" value={f.theatre} label={room?.name ?? f.theatre} to={`/theatres/${encodeURIComponent(f.theatre)}`} go="Open the room" onFilter={onFilter} /></li>}
        {f.devices.slice(0, 6).map((d) => <li key={d.id}><Value field="device" value={d.id} label={d.name} to={`/devices/${encodeURIComponent(d.id)}`} go="Open the device" onFilter={onFilter} /></li>)}
        {f.devices.length > 6 && <li className="quiet">and {f.devices.length - 6} more devices</li>}
        <li><Value field="rule" value={f.rule} label={f.rule} mono to={detail && !detail.rule_known ? undefined : `/rules/${encodeURIComponent(f.rule)}`} go="Open the rule" onFilter={onFilter} /></li>
        <li><Value field="family" value={f.family} label={familyName[f.family] ?? f.family} onFilter={onFilter} /></li>
        {f.attack.map((t) => <li key={t}><Value field="attack" value={t} label={t} mono onFilter={onFilter} /></li>)}
      </ul>
      <p className="fd-state">
        {f.state === 'closed' ? <><Icon name="lock" size={13} /> Closed as {(outcomeShort[f.outcome] ?? f.outcome).toLowerCase()}{detail?.reason ? `: ${detail.reason}` : ''}</> : f.state === 'acknowledged' ? <><Icon name="check" size={13} /> Acknowledged</> : <><Icon name="ring" size={13} /> Open</>}
        {f.assignee !== '' ? <>, assigned to <strong>{f.assignee}</strong></> : f.state !== 'closed' && ', assigned to nobody'}
        {f.snoozed_until && Date.parse(f.snoozed_until) > time.now() && <>, put off until {time.short(f.snoozed_until)}</>}
        {f.suppressed_by !== '' && <>, <Link to="/rules" search={{ tab: 'suppressions' }}>hidden by a suppression</Link></>}
      </p>
    </header>
  )
}

/** A value that can be included, excluded, and gone to. */
function Value({ field, value, label, mono, to, go, onFilter }: { field: FindingField; value: string; label: string; mono?: boolean; to?: string; go?: string; onFilter?: Props['onFilter'] }) {
  const navigate = useNavigate()
  return (
    <Menu
      label={`${fieldName[field]}: ${label}`}
      trigger={<button type="button" className={cx('fd-value', mono && 'mono')} title={fieldName[field]}>{label}</button>}
      entries={[
        { kind: 'label', label: `${fieldName[field]}: ${label}` },
        ...(to && go ? [{ label: go, icon: 'arrow-right' as const, run: () => void navigate({ href: to }) }] : []),
        ...(onFilter ? [{ label: 'Show only these', icon: 'plus' as const, run: () => onFilter(field, value, false) }, { label: 'Leave these out', icon: 'minus' as const, run: () => onFilter(field, value, true) }] : []),
      ]}
    />
  )
}

function Body({ f, onOpen }: { f: FindingDetail; onOpen: (id: string) => void }) {
  return (
    <>
      <WhatToDo key={f.id} f={f} />
      <Section title="Why it fired" id="fd-why">
        {f.description !== '' && <p className="fd-prose">{f.description}</p>}
        {f.occurrences.length === 0 && <p className="quiet">No occurrence is kept any more.</p>}
        <ol className="fd-evidence">
          {[...f.occurrences].reverse().map((o, i) => <Occurrence key={`${o.time}${i}`} o={o} />)}
        </ol>
        {f.count > f.occurrences.length && f.occurrences.length > 0 && <p className="quiet">{plural(f.count - f.occurrences.length, 'more occurrence', 'more occurrences')} between the first and these, counted but not kept one by one.</p>}
        {f.entities.length > 0 && (
          <dl className="fd-entities" aria-label="What it is about">
            {f.entities.map((e) => <div key={e.name}><dt>{e.name}</dt><dd><Copyable value={e.value} what={e.name} /></dd></div>)}
          </dl>
        )}
        {f.false_positives.length > 0 && (
          <>
            <h4>What else looks like this</h4>
            <ul className="fd-bullets">{f.false_positives.map((x) => <li key={x}>{x}</li>)}</ul>
          </>
        )}
      </Section>
      <Section title="When" id="fd-when">
        <PaceChart finding={f} />
        <p className="fd-line">
          At its worst: {f.case_state === '' ? 'it is not known whether a case was running' : (caseName[f.case_state] ?? f.case_state).toLowerCase()}.{' '}
          {f.events_query !== '' && <PathLink to={`/events?${f.events_query}`}>Everything these devices did around it</PathLink>}
        </p>
      </Section>
      <Section title="Packets" id="fd-packets"><Packets f={f} /></Section>
      {f.related.length > 0 && (
        <Section title="Related" id="fd-related">
          <ul className="fd-related">
            {f.related.map((x) => (
              <li key={x.id}>
                <button type="button" className="fd-related-row" onClick={() => onOpen(x.id)}>
                  <span className={`sev-${x.severity}`}><SeverityShape level={x.severity} label /></span>
                  <span className="fd-related-title">{x.title}</span>
                  <span className="quiet"><Time at={x.last} plain /></span>
                </button>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section title="History" id="fd-history">
        <History f={f} onOpen={onOpen} />
      </Section>
      {f.references.length > 0 && (
        <Section title="Where to read more" id="fd-refs">
          <ul className="fd-bullets">{f.references.map((r) => <li key={r}>{r}</li>)}</ul>
        </Section>
      )}
    </>
  )
}

function Section({ title, id, children, end }: { title: string; id: string; children: ReactNode; end?: ReactNode }) {
  return (
    <section className="fd-section" aria-labelledby={id}>
      <header><h3 id={id}>{title}</h3>{end}</header>
      {children}
    </section>
  )
}

function WhatToDo({ f }: { f: FindingDetail }) {
  const [who, setWho] = useState<'analyst' | 'room'>('analyst')
  const [done, setDone] = useState(() => ticked(f.id))
  useEffect(() => tick(f.id, done), [f.id, done])
  const rooms = useQuery(theatresQuery)
  const contact = rooms.data?.find((t) => t.id === f.theatre)?.contact
  return (
    <Section
      title="What to do now" id="fd-do"
      end={<Segmented small label="For whom" value={who} onChange={setWho} options={[{ value: 'analyst', label: 'Analyst' }, { value: 'room', label: 'Room' }]} />}
    >
      {who === 'room' ? (
        <>
          <p className="fd-room">{f.room || 'There is nothing to do in the room.'}</p>
          {contact && <p className="fd-line"><Icon name="phone" size={14} /> Call <strong>{contact}</strong></p>}
        </>
      ) : f.playbook.length === 0 ? (
        <p className="quiet">The rule gives no steps. Look at the evidence below, and note what you did.</p>
      ) : (
        <ol className="fd-steps">
          {f.playbook.map((s, i) => (
            <li key={s} className={cx(done.has(i) && 'fd-step-done')}>
              <Checkbox
                label={s} checked={done.has(i)}
                onChange={(e) => setDone((old) => {
                  const next = new Set(old)
                  if (e.target.checked) next.add(i)
                  else next.delete(i)
                  return next
                })}
              />
            </li>
          ))}
        </ol>
      )}
    </Section>
  )
}

function Occurrence({ o }: { o: FindingEvidence }) {
  return (
    <li className="fd-occ">
      <p className="fd-occ-head">
        <span className="fd-occ-time nowrap" title={time.absolute(o.time, { millis: true })}>{time.short(o.time)}</span>
        <span>{o.sentence}</span>
        {o.event !== null && <EventLink at={o.time} id={o.event} />}
      </p>
      {o.expected !== '' && <p className="fd-expected">Normal would be: {o.expected}</p>}
      {o.fields.length > 0 && (
        <dl className="fd-fields">
          {o.fields.map((x) => (
            <div key={x.name} className={cx(x.decided && 'fd-decided')}>
              <dt>{x.decided && <Icon name="arrow-right" size={12} label="This decided" />}{x.name}</dt>
              <dd><Copyable value={x.value} what={x.name} /></dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  )
}

/** The event in its minute, opened. */
function EventLink({ at, id }: { at: string; id: string }) {
  const t = Date.parse(at)
  const path = `/events?from=${new Date(t - 60_000).toISOString()}&to=${new Date(t + 60_000).toISOString()}&open=${encodeURIComponent(id)}`
  return <PathLink to={path} className="fd-event">Event</PathLink>
}

const did: Record<string, string> = { acknowledge: 'acknowledged it', assign: 'assigned it', close: 'closed it', reopen: 'opened it again', note: 'wrote', snooze: 'put it off', suppress: 'hid it' }

function History({ f, onOpen }: { f: FindingDetail; onOpen: (id: string) => void }) {
  return (
    <>
      <ol className="fd-history">
        <li><span className="fd-occ-time nowrap">{time.short(f.first)}</span><span>Found for the first time, as {severityName[f.severity].toLowerCase()} with version {f.rule_version} of the rule.</span></li>
        {f.history.map((h, i) => <Step key={`${h.at}${i}`} h={h} next={f.history[i + 1]} f={f} />)}
      </ol>
      {(f.previous !== null || f.following !== null) && (
        <p className="fd-line">
          {f.previous !== null && <button type="button" className="linklike" onClick={() => onOpen(f.previous ?? '')}>The same, closed before</button>}
          {f.previous !== null && f.following !== null && ' · '}
          {f.following !== null && <button type="button" className="linklike" onClick={() => onOpen(f.following ?? '')}>It came back</button>}
        </p>
      )}
    </>
  )
}

function Step({ h, next, f }: { h: FindingStep; next: FindingStep | undefined; f: FindingDetail }) {
  // What it was assigned to afterwards is what the next step found.
  const to = h.action === 'assign' ? (next ? next.assignee : f.assignee) : ''
  return (
    <li>
      <span className="fd-occ-time nowrap" title={time.absolute(h.at)}>{time.short(h.at)}</span>
      <span>
        <strong>{h.who}</strong> {did[h.action] ?? h.action}{h.action === 'assign' && (to === '' ? ' to nobody' : to === h.who ? ' to themselves' : ` to ${to}`)}
        {h.note !== '' && <>: <span className="fd-note">{h.note}</span></>}
      </span>
    </li>
  )
}
