// SPDX-License-Identifier: Apache-2.0
// One event, decoded for people: the deciding fields first, each value to
// include, exclude or copy. OCSF is the last tab, for programs.

import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { EventDetail, EventField, EventRow } from '@/api/types'
import { Button, copy, Copyable, ErrorState, IconButton, Loading, Severity, Skeleton, Tabs, time, toast } from '@/ui'
import type { Choice } from '@/ui/grid'
import { DeviceLink } from './columns'
import { fieldNames } from './query'
import { eventDetail } from './queries'

interface Props { row: EventRow; theatre: (id: string) => string; onFilter: (c: Choice, not: boolean) => void; onAround: (row: EventRow) => void; onPair: (row: EventRow) => void }

export function EventDetailView({ row, theatre, onFilter, onAround, onPair }: Props) {
  const query = useQuery(eventDetail(row.id))
  const [tab, setTab] = useState('fields')
  return (
    <div className="ev-detail">
      <header className="ev-detail-head">
        <p className="ev-detail-message">{row.message || `${row.class_name}: ${row.activity_name}`}</p>
        <p className="ev-detail-line">
          <Severity level={row.severity} />
          <span className="nowrap">{time.absolute(row.time, { millis: true })}</span>
          <span>{row.class_name}, {row.activity_name}</span>
          {row.src && <span>from <DeviceLink end={row.src} /></span>}
          {row.dst && <span>to <DeviceLink end={row.dst} /></span>}
          {row.theatre !== '' && <span>{theatre(row.theatre)}</span>}
        </p>
      </header>
      {query.isPending ? (
        <Loading what="the event"><Skeleton lines={6} height={undefined} /></Loading>
      ) : query.isError ? (
        <ErrorState error={query.error} lost="This event cannot be shown in full." kept="The row above is from the list." retry={() => void query.refetch()} />
      ) : (
        <Tabs
          label="Views of the event" value={tab} onChange={setTab}
          tabs={[
            { id: 'fields', label: 'Decoded', content: <Groups detail={query.data} onFilter={onFilter} /> },
            { id: 'ocsf', label: 'OCSF', content: <Ocsf detail={query.data} /> },
          ]}
        />
      )}
      <footer className="ev-detail-foot">
        <Button small icon="clock" onClick={() => onAround(row)}>A minute around it, unfiltered</Button>
        {row.src && row.dst && <Button small icon="filter" onClick={() => onPair(row)}>Only between these two</Button>}
        <Button small icon="link" kind="quiet" onClick={() => void copyLink(row.id)}>Copy link</Button>
      </footer>
    </div>
  )
}

async function copyLink(id: string): Promise<void> {
  const url = new URL(location.href)
  url.searchParams.set('open', id)
  toast((await copy(url.href)) ? 'Link copied. It opens this view with this event.' : 'The browser refused to copy.')
}

function Groups({ detail, onFilter }: { detail: EventDetail; onFilter: Props['onFilter'] }) {
  return (
    <div className="ev-groups">
      {detail.groups.map((g) => (
        <section key={g.title}>
          <h2>{g.title}</h2>
          <dl>
            {g.fields.map((f) => (
              <div key={f.name} className="ev-pair">
                <dt title={f.name}>{f.label}</dt>
                <dd className={isWords(f.value) ? 'ev-words' : undefined}>
                  <Copyable value={f.value} what={f.label} />
                  {f.field !== undefined && <Filters field={f.field} value={filterValue(f)} label={f.value} onFilter={onFilter} />}
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      {detail.groups.length === 0 && <p className="quiet">There is nothing more than the line above.</p>}
    </div>
  )
}

/** Words are set as words; what looks like an identifier stays monospace. */
function isWords(v: string): boolean {
  if ((v.match(/\b\p{Ll}{3,}\b/gu) ?? []).length >= 2) return true
  return /^[\p{L}][\p{L} ,'’()/-]*$/u.test(v) && !/^[0-9a-f-]+$/i.test(v) && v !== v.toUpperCase()
}

/** What a filter needs may differ from what a person reads: a device's ID for its name. */
function filterValue(f: { value: string; raw?: unknown }): string {
  return typeof f.raw === 'string' || typeof f.raw === 'number' ? String(f.raw) : f.value
}

function Filters({ field, value, label, onFilter }: { field: EventField; value: string; label: string; onFilter: Props['onFilter'] }) {
  const c: Choice = { field, value, label }
  return (
    <span className="ev-pair-filters">
      <IconButton small icon="plus" label={`Show only ${fieldNames[field]} ${label}`} onClick={() => onFilter(c, false)} />
      <IconButton small icon="minus" label={`Leave out ${fieldNames[field]} ${label}`} onClick={() => onFilter(c, true)} />
    </span>
  )
}

function Ocsf({ detail }: { detail: EventDetail }) {
  const text = JSON.stringify(detail.ocsf, null, 2)
  return (
    <div className="ev-ocsf">
      <Button small icon="copy" onClick={() => void copy(text).then((ok) => toast(ok ? 'Copied.' : 'The browser refused to copy.'))}>Copy</Button>
      <pre tabIndex={0} aria-label="OCSF">{text}</pre>
    </div>
  )
}
