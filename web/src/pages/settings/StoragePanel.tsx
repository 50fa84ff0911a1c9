// SPDX-License-Identifier: Apache-2.0
// What is kept, for how long, and how much room it takes.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import { settings, storage } from '@/api/queries'
import type { Settings, Storage } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Confirm, ErrorNote, ErrorState, Field, Loading, Notice, Skeleton, Time, time, toast, units } from '@/ui'
import { Conflict, isConflict } from './Conflict'
import { Section } from './Section'

const gib = 1024 ** 3
const engines: Record<string, string> = { sqlite: 'SQLite, in the data directory', postgres: 'PostgreSQL', postgresql: 'PostgreSQL' }

export function StoragePanel() {
  const kept = useQuery(storage)
  const rules = useQuery(settings)
  return (
    <>
      <Section title="Storage" lead={kept.data && sentence(kept.data)}>
        {kept.data ? (
          <Figures s={kept.data} />
        ) : kept.isError ? (
          <ErrorState error={kept.error} lost="The storage cannot be measured." kept="This alone does not mean that nothing is stored." retry={() => void kept.refetch()} />
        ) : (
          <Loading what="the storage">
            <Skeleton lines={6} />
          </Loading>
        )}
      </Section>
      <Section title="Retention" lead="Whichever limit is reached first. What is older is removed a whole day at a time, the oldest first.">
        {rules.data ? <Retention key={rules.data.revision} saved={rules.data} oldest={kept.data?.first ?? null} /> : rules.isError ? <ErrorState error={rules.error} lost="The limits cannot be shown." retry={() => void rules.refetch()} /> : <Loading what="the limits"><Skeleton lines={4} /></Loading>}
      </Section>
    </>
  )
}

function sentence(s: Storage): string {
  if (s.events === 0 || !s.first) return 'Nothing is stored yet.'
  const days = s.days.length
  const perDay = s.days.slice(-8, -1).reduce((n, d) => n + d.bytes, 0) / Math.max(1, Math.min(7, days - 1))
  const left = s.free !== null && perDay > 0 && days > 3 ? Math.floor(s.free / perDay) : null
  return `${units.count(s.events)} events of ${units.plural(days, 'day')} take ${units.bytes(s.bytes)}.${left !== null ? ` As it goes now, the disk lasts for ${left > 3650 ? 'more than ten years' : units.plural(left, 'more day')}.` : ''}`
}

function Figures({ s }: { s: Storage }) {
  const most = Math.max(1, ...s.days.map((d) => d.bytes))
  const first = s.days[0]
  const last = s.days[s.days.length - 1]
  const used = s.free === null ? null : s.bytes / (s.bytes + s.free)
  return (
    <>
      {s.free !== null && used !== null && (
        <div>
          <div className="meter" role="meter" aria-label="Disk" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(used * 100)} aria-valuetext={`${units.bytes(s.bytes)} of events, ${units.bytes(s.free)} free`}>
            <div className="meter-part" style={{ width: `${Math.max(0.5, used * 100)}%` }} />
          </div>
          <p className="quiet">
            {units.bytes(s.bytes)} of events, {units.bytes(s.free)} free on the disk
          </p>
        </div>
      )}
      {s.free !== null && s.free < 5 * gib && <Notice kind="attention">The disk is nearly full. Keep less, or give it more room: when it is full, events wait on the bus and the oldest are dropped, counted, when that is full too.</Notice>}
      <dl className="facts">
        <div>
          <dt>Kept in</dt>
          <dd>{engines[s.engine] ?? s.engine}</dd>
        </div>
        <div>
          <dt>Oldest</dt>
          <dd>{s.first ? <Time at={s.first} /> : '–'}</dd>
        </div>
        <div>
          <dt>Newest</dt>
          <dd>{s.last ? <Time at={s.last} /> : '–'}</dd>
        </div>
        <div>
          <dt>On the bus ({s.bus.mode})</dt>
          <dd>
            {units.count(s.bus.messages)} · {units.bytes(s.bus.bytes)}
          </dd>
        </div>
      </dl>
      {s.days.length > 1 && (
        <figure style={{ width: `min(100%, ${Math.max(12, s.days.length * 1.5)}rem)` }} aria-label={`Bytes a day: between ${units.bytes(Math.min(...s.days.map((d) => d.bytes)))} and ${units.bytes(most)}`} role="img">
          <div className="days">
            {s.days.map((d) => (
              <div key={d.day} className="day" style={{ height: `${(d.bytes / most) * 100}%` }} title={`${d.day}: ${units.plural(d.events, 'event')}, ${units.bytes(d.bytes)}`} />
            ))}
          </div>
          <div className="days-axis">
            <span>{first?.day}</span>
            <span>{last?.day}</span>
          </div>
          <p className="quiet">Bytes a day, {units.bytes(most)} at most</p>
        </figure>
      )}
    </>
  )
}

function Retention({ saved, oldest }: { saved: Settings; oldest: string | null }) {
  const client = useQueryClient()
  const why = useMay()('settings.edit')
  const r = saved.retention
  const [days, setDays] = useState(String(r.events_days))
  const [size, setSize] = useState(String(Math.round((r.events_max_bytes / gib) * 10) / 10))
  const [audit, setAudit] = useState(String(r.audit_days))
  const [theirs, setTheirs] = useState<Settings | null>(null)
  const [asking, setAsking] = useState(false)
  const whole = (s: string) => (/^\d+$/.test(s) && Number(s) > 0 ? undefined : 'A whole number, 1 or more.')
  const sizeProblem = Number(size) > 0 ? undefined : 'A number above 0.'
  const next = { events_days: Number(days), events_max_bytes: Math.round(Number(size) * gib), audit_days: Number(audit) }
  const valid = !whole(days) && !whole(audit) && !sizeProblem
  const changed = next.events_days !== r.events_days || String(Math.round((r.events_max_bytes / gib) * 10) / 10) !== size || next.audit_days !== r.audit_days
  const removes = oldest !== null && next.events_days < r.events_days && time.now() - Date.parse(oldest) > next.events_days * 86_400_000
  const save = useMutation({
    mutationFn: (over: Settings) => api.put<Settings>('/settings', { ...over, retention: { ...over.retention, ...next } }),
    onSuccess: (s) => {
      client.setQueryData(settings.queryKey, s)
      toast('The limits are saved.')
    },
    onError: async (e) => {
      if (isConflict(e)) setTheirs(await api.get<Settings>('/settings'))
    },
  })
  const said = save.error instanceof ApiError ? save.error : undefined
  return (
    <form
      className="set-form"
      noValidate
      onSubmit={(e) => {
        e.preventDefault()
        if (!valid) return
        if (removes) setAsking(true)
        else save.mutate(saved)
      }}
    >
      <div className="set-row">
        <Field label="Keep events for" unit="days" inputMode="numeric" value={days} readOnly={Boolean(why)} error={said?.field('retention.events_days') ?? whole(days)} onChange={(e) => setDays(e.target.value)} />
        <Field label="But at most" unit="GiB" inputMode="decimal" value={size} readOnly={Boolean(why)} error={said?.field('retention.events_max_bytes') ?? sizeProblem} onChange={(e) => setSize(e.target.value)} />
      </div>
      <Field label="Keep the audit trail for" unit="days" inputMode="numeric" value={audit} readOnly={Boolean(why)} error={said?.field('retention.audit_days') ?? whole(audit)} onChange={(e) => setAudit(e.target.value)} />
      {theirs && (
        <Conflict
          busy={save.isPending}
          differences={[
            { label: 'Events', mine: `${days} d`, theirs: `${theirs.retention.events_days} d` },
            { label: 'At most', mine: units.bytes(next.events_max_bytes), theirs: units.bytes(theirs.retention.events_max_bytes) },
            { label: 'Audit trail', mine: `${audit} d`, theirs: `${theirs.retention.audit_days} d` },
          ].filter((d) => d.mine !== d.theirs)}
          onTake={() => client.setQueryData(settings.queryKey, theirs)}
          onKeep={() => save.mutate(theirs)}
        />
      )}
      {save.isError && !theirs && !said?.problem.errors?.length && <ErrorNote error={save.error} />}
      <div className="set-actions">
        <Button kind="primary" type="submit" busy={save.isPending} disabled={!changed || !valid} reason={why}>
          Save
        </Button>
      </div>
      {asking && (
        <Confirm open danger onOpenChange={setAsking} title={`Keep only ${units.plural(next.events_days, 'day')}?`} action="Save and remove" run={() => save.mutateAsync(saved)}>
          Events older than that are removed and cannot be brought back. The devices, their edits and the audit trail stay.
        </Confirm>
      )}
    </form>
  )
}
