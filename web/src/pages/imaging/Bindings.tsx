// SPDX-License-Identifier: Apache-2.0
// Which device may do what: by its certificate, its AE titles, its addresses.
// Whoever is not here is refused. Changes are gathered and saved together, over
// the list that was read.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useBlocker } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import { sentence, statement } from '@/api/said'
import type { ImagingBinding, ImagingBindings } from '@/api/types'
import { useMay } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { useURLValue } from '@/shell/urlstate'
import { Button, Confirm, Empty, ErrorNote, ErrorState, Icon, IconButton, Loading, Notice, Skeleton, Time, toast } from '@/ui'
import { matches, parseText, SearchField } from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { BindingDialog } from './BindingDialog'
import { cutName, operationName } from './bindingRules'
import { Chip } from './Chip'
import { bindings as bindingsQuery, saveBindings, sent } from './queries'
import { Stale } from './Stale'
import { problemName } from './words'

const FIRST = 200 // that are drawn at once: a list of 2000 takes seconds
const same = (a: ImagingBinding, b: ImagingBinding): boolean => JSON.stringify(sent(a)) === JSON.stringify(sent(b))
export const nameOf = (b: ImagingBinding): string => b.name || b.device_name || b.device
const text = (b: ImagingBinding): string => [b.name, b.device_name, b.device, ...b.calling_ae, ...(b.called_ae ?? []), ...(b.addresses ?? []), ...b.operations.map(operationName), b.theatre].filter(Boolean).join('\n').toLowerCase()

export function Bindings({ gateway }: { gateway: string }) {
  const query = useQuery(bindingsQuery(gateway))
  const [base, setBase] = useState<ImagingBindings | null>(null)
  // What one edits stands on what was read when one began.
  useEffect(() => {
    if (query.data) setBase((old) => old ?? query.data)
  }, [query.data])
  if (!base) return query.isPending || query.data ? <Loading what="the bindings"><Skeleton lines={10} /></Loading> : <ErrorState error={query.error} lost="The bindings cannot be listed." kept="They stay in force." retry={() => void query.refetch()} />
  return (
    <>
      <Stale gateway={gateway} query={query} kept="They stay in force." />
      <List key={base.revision} gateway={gateway} base={base} newest={query.data ?? base} onBase={setBase} />
    </>
  )
}

function List({ gateway, base, newest, onBase }: { gateway: string; base: ImagingBindings; newest: ImagingBindings; onBase: (b: ImagingBindings) => void }) {
  const client = useQueryClient()
  const rooms = useQuery(theatresQuery).data
  const refused = useMay()('imaging.edit')
  const [q, setQ] = useURLValue('q')
  const [draft, setDraft] = useState(base.bindings)
  const [all, setAll] = useState(false)
  const [editing, setEditing] = useState<{ at: number | null; b: ImagingBinding } | null>(null)
  const [leaving, setLeaving] = useState<number | null>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  // What the gateway fills in is shown as it is now, also while one edits.
  const now = useMemo(() => new Map(newest.bindings.map((b) => [b.device, b])), [newest])
  const was = useMemo(() => new Map(base.bindings.map((b) => [b.device, b])), [base])
  const changed = draft.filter((b) => { const o = was.get(b.device); return !o || !same(o, b) }).length
  const gone = base.bindings.filter((b) => !draft.some((x) => x.device === b.device)).length
  const dirty = changed + gone > 0
  const overtaken = newest.revision !== base.revision
  useBlocker({ shouldBlockFn: ({ current, next }) => dirty && (current.pathname !== next.pathname || (next.search as { tab?: string }).tab !== 'bindings') && !window.confirm('What you changed in the bindings is not saved. Leave it?'), enableBeforeUnload: dirty })
  useKeys('Bindings', [{ keys: 'n', does: 'Bind a device', run: () => refused === undefined && setEditing({ at: null, b: fresh }) }])
  const words = parseText(q)
  const shown = draft.map((b, at) => ({ b, at })).filter(({ b }) => words.length === 0 || matches(words, text(b)))
  const theatre = (id: string) => rooms?.find((t) => t.id === id)?.name ?? id
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const saved = await saveBindings(gateway, draft, base.revision)
      client.setQueryData(bindingsQuery(gateway).queryKey, saved)
      void client.invalidateQueries({ queryKey: ['imaging'] })
      onBase(saved)
      toast('The bindings are in force. What is connected and may no longer be is cut.')
    } catch (e) {
      setError(e)
      setBusy(false)
      if (e instanceof ApiError && e.status === 409) void client.invalidateQueries({ queryKey: bindingsQuery(gateway).queryKey })
    }
  }
  return (
    <div className="im-body">
      {overtaken && <Notice kind="attention" action={<Button small onClick={() => onBase(newest)}>{dirty ? 'Throw mine away, and show it' : 'Show it'}</Button>}>Somebody saved newer bindings while this was open.{dirty && ' What you changed can only be made again on top of them.'}</Notice>}
      <div className="im-bind-bar">
        <SearchField label="Search bindings" placeholder="Device, AE title, address …" value={q} onChange={(t) => setQ(t, { replace: true })} />
        <span className="grid-count" role="status">{words.length > 0 ? `${count(shown.length)} of ${count(draft.length)}` : plural(draft.length, 'device')}</span>
        <Button icon="plus" reason={refused} onClick={() => setEditing({ at: null, b: fresh })}>Bind a device…</Button>
      </div>
      {dirty && (
        <div className="im-unsaved" role="status">
          <span><Icon name="edit" size={14} /> {[changed > 0 && `${count(changed)} changed`, gone > 0 && `${count(gone)} taken out`].filter(Boolean).join(', ')}: not in force yet.</span>
          <span className="im-unsaved-do"><Button kind="primary" small busy={busy} reason={overtaken ? 'Somebody saved newer ones meanwhile.' : undefined} onClick={() => void save()}>Put in force</Button><Button small onClick={() => { setDraft(base.bindings); setError(undefined) }}>Undo all</Button></span>
        </div>
      )}
      {error !== undefined && <SaveError error={error} />}
      {draft.length === 0 ? (
        <Empty icon="key" title="No device is bound." action={<Button kind="primary" icon="plus" reason={refused} onClick={() => setEditing({ at: null, b: fresh })}>Bind a device…</Button>}><p>Everybody is refused: the gateway takes images only from devices that are listed here, for what they are listed for.</p></Empty>
      ) : shown.length === 0 ? (
        <Empty icon="filter" title="No binding has that." action={<Button onClick={() => setQ('')}>Show all</Button>} />
      ) : (
        <div className="scroll-x">
          <table className="table im-table im-bindings">
            <thead><tr><th scope="col">Device</th><th scope="col">Known by</th><th scope="col">AE titles</th><th scope="col">May</th><th scope="col">Lately</th><th scope="col"><span className="sr-only">Actions</span></th></tr></thead>
            <tbody>
              {(all ? shown : shown.slice(0, FIRST)).map(({ b, at }) => {
                const o = was.get(b.device)
                const live = now.get(b.device)
                return (
                  <tr key={b.device} className={!o || !same(o, b) ? 'im-row-changed' : undefined}>
                    <th scope="row"><Link to="/devices/$id" params={{ id: b.device }}>{nameOf(b)}</Link>{b.theatre && <p className="im-note">{theatre(b.theatre)}</p>}{(!o || !same(o, b)) && <p className="im-note"><Icon name="edit" size={12} /> {o ? 'changed' : 'new'}</p>}</th>
                    <td>{b.plain ? <Chip tone="high" icon="unlock">In clear</Chip> : <Chip tone="ok" icon="lock">Certificate</Chip>}{live?.identification && <p className="im-note">{statement(live.identification)}</p>}{(b.addresses ?? []).length > 0 ? <p className="mono im-note">{b.addresses?.join(', ')}</p> : <p className="im-note">from any address</p>}</td>
                    <td><p className="mono">{b.calling_ae.join(', ') || '–'}</p><p className="im-note">calls {(b.called_ae ?? []).length > 0 ? <span className="mono">{b.called_ae?.join(', ')}</span> : 'any'}</p></td>
                    <td className="im-may"><p>{b.operations.map(operationName).join(', ')}</p><p className="im-note">{(b.sop_classes ?? []).length > 0 ? b.sop_classes?.join(', ') : 'all storage classes'}{(b.destinations ?? []).length > 0 && <>; moves to <span className="mono">{b.destinations?.join(', ')}</span></>}</p>{b.on_revocation && <p className="im-note">if revoked: {cutName[b.on_revocation].toLowerCase()}</p>}</td>
                    <td>{live?.last_seen ? <Time at={live.last_seen} /> : <span className="quiet">not seen yet</span>}{(live?.refused ?? 0) > 0 && <p className="im-warn"><Icon name="warning" size={13} /> refused {count(live?.refused ?? 0)}×{live?.last_problem && `: ${/^[a-z-]+$/.test(live.last_problem) ? problemName(live.last_problem) : live.last_problem}`}</p>}</td>
                    <td className="cell-actions"><IconButton small icon="edit" label={`Change the binding of ${nameOf(b)}`} aria-disabled={refused !== undefined || undefined} title={refused} onClick={() => refused === undefined && setEditing({ at, b })} /><IconButton small icon="trash" label={`Take out the binding of ${nameOf(b)}`} aria-disabled={refused !== undefined || undefined} title={refused} onClick={() => refused === undefined && setLeaving(at)} /></td>
                  </tr>
                )
              })}
            </tbody>
          </table>
          {!all && shown.length > FIRST && <p className="im-foot quiet">These are the first {count(FIRST)}. Search, or <Button small onClick={() => setAll(true)}>show all {count(shown.length)}</Button></p>}
        </div>
      )}
      {editing && (
        <BindingDialog
          binding={editing.b} isNew={editing.at === null} others={draft.filter((_, i) => i !== editing.at)} theatres={rooms ?? []} onClose={() => setEditing(null)}
          onDone={(b) => {
            setDraft((d) => (editing.at === null ? [...d, b] : d.map((x, i) => (i === editing.at ? b : x))))
            setEditing(null)
          }}
        />
      )}
      {leaving !== null && draft[leaving] && (
        <Confirm open danger onOpenChange={(o) => !o && setLeaving(null)} title={`Take out ${nameOf(draft[leaving])}?`} action="Take it out" run={() => { setDraft((d) => d.filter((_, i) => i !== leaving)); setLeaving(null); return Promise.resolve() }}>
          The gateway will refuse it once this is put in force. Its certificate is not ended by that.
        </Confirm>
      )}
    </div>
  )
}

const fresh: ImagingBinding = { device: '', calling_ae: [], operations: ['echo', 'store'] }

/** A refusal of the whole list names the lines and fields that are wrong. */
function SaveError({ error }: { error: unknown }) {
  const fields = error instanceof ApiError ? (error.problem.errors ?? []) : []
  return (
    <div className="im-problem" role="alert">
      <ErrorNote error={error} />
      {fields.length > 0 && <ul className="im-fields">{fields.map((f, i) => <li key={i}><span className="mono">{f.field}</span>: {sentence(f.message)}{f.hint && <span className="quiet"> {statement(f.hint)}</span>}</li>)}</ul>}
      {fields.length === 0 && error instanceof ApiError && error.status === 409 && <p>Nothing was changed.</p>}
    </div>
  )
}
