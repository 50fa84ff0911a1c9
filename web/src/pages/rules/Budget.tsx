// SPDX-License-Identifier: Apache-2.0
// How many findings of medium or above a room can stand in a shift, and how many
// it had. A room over its budget is a reason to look at the rules, not at the
// people.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { AlertBudget, AlertBudgetStatus } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, cx, Dialog, DialogClose, Empty, ErrorNote, ErrorState, Field, Icon, IconButton, Loading, Skeleton, time, toast } from '@/ui'
import { plural } from '@/ui/units'
import { budget as budgetQuery, budgetStatus } from './queries'

export function Budget() {
  const status = useQuery(budgetStatus)
  const budget = useQuery(budgetQuery)
  const refused = useMay()('settings.edit')
  const [editing, setEditing] = useState(false)
  return (
    <section className="ru-part" aria-label="Alert budget">
      <div className="ru-part-bar">
        <p className="quiet">{status.data ? `The ${status.data.shift.toLowerCase()} shift, ${time.clock(status.data.from, { seconds: false })} to ${time.clock(status.data.to, { seconds: false })}. Findings of medium or above.` : '\u00a0'}</p>
        <Button icon="edit" reason={refused ?? (budget.data ? undefined : 'Loading.')} onClick={() => setEditing(true)}>Change…</Button>
      </div>
      {status.isPending ? (
        <Loading what="the alert budget"><Skeleton lines={6} /></Loading>
      ) : status.isError ? (
        <ErrorState error={status.error} lost="The alert budget cannot be shown." kept="Findings are shown as before." retry={() => void status.refetch()} />
      ) : status.data.rooms.length === 0 ? (
        <Empty icon="theatres" title="No theatre is set up yet."><p>The budget is for each theatre and shift.</p></Empty>
      ) : (
        <ul className="bu">{status.data.rooms.map((r) => <Room key={r.theatre} r={r} />)}</ul>
      )}
      {editing && budget.data && <BudgetDialog budget={budget.data} onClose={() => setEditing(false)} />}
    </section>
  )
}

function Room({ r }: { r: AlertBudgetStatus['rooms'][number] }) {
  const most = Math.max(r.budget, r.findings, 1)
  const over = r.history.filter((n) => n > r.budget).length
  const peak = Math.max(r.budget, 1, ...r.history)
  return (
    <li className="bu-room">
      <Link to="/findings" search={{ is: `theatre:${r.theatre}` }} className="bu-name">{r.name}</Link>
      <div className="bu-bar" role="img" aria-label={`${plural(r.findings, 'finding')} of ${r.budget} in this shift${r.over ? ', over the budget' : ''}`}>
        <i className={cx(r.over && 'bu-over')} style={{ width: `${(r.findings / most) * 100}%` }} />
        <b style={{ left: `${(r.budget / most) * 100}%` }} />
      </div>
      <span className={cx('bu-n', r.over && 'bu-n-over')}>{r.over && <Icon name="warning" size={13} label="Over the budget" />}{r.findings} of {r.budget}</span>
      <div className="bu-history" role="img" aria-label={`The ${plural(r.history.length, 'shift')} before: ${over === 0 ? 'never over the budget' : `${plural(over, 'time')} over it`}`}>
        {r.history.map((n, i) => <span key={i} title={plural(n, 'finding')}><i className={cx(n > r.budget && 'bu-over')} style={{ height: `${n === 0 ? 0 : Math.max(10, (n / peak) * 100)}%` }} /></span>)}
      </div>
    </li>
  )
}

function BudgetDialog({ budget, onClose }: { budget: AlertBudget; onClose: () => void }) {
  const client = useQueryClient()
  const rooms = useQuery(theatresQuery)
  const [b, setB] = useState(budget)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const said = error instanceof ApiError ? error : undefined
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      await api.put('/alert-budget', b)
      void client.invalidateQueries({ queryKey: ['rules', 'budget'] })
      void client.invalidateQueries({ queryKey: ['findings', 'budget'] })
      toast('The alert budget is saved.')
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  const shift = (i: number, part: Partial<AlertBudget['shifts'][number]>) => setB((old) => ({ ...old, shifts: old.shifts.map((s, k) => (k === i ? { ...s, ...part } : s)) }))
  return (
    <Dialog open onOpenChange={(o) => !o && onClose()} title="Alert budget" lead="More than this in a shift, and people stop looking." actions={<><DialogClose><Button>Cancel</Button></DialogClose><Button kind="primary" type="submit" form="budget" busy={busy}>Save</Button></>}>
      <form id="budget" className="ru-form" noValidate onSubmit={(e) => { e.preventDefault(); void save() }}>
        <Field label="For each theatre and shift" type="number" min={0} max={1000} unit="findings" value={b.per_shift} error={said?.field('per_shift')} onChange={(e) => setB({ ...b, per_shift: Number(e.target.value) })} />
        <fieldset className="ru-set">
          <legend>Other numbers</legend>
          {(rooms.data ?? []).map((t) => (
            <Field
              key={t.id} label={t.name} type="number" min={0} max={1000} placeholder={String(b.per_shift)} value={b.rooms[t.id] ?? ''}
              onChange={(e) => { const { [t.id]: _, ...rest } = b.rooms; setB({ ...b, rooms: e.target.value === '' ? rest : { ...rest, [t.id]: Number(e.target.value) } }) }}
            />
          ))}
          {said?.field('rooms') && <p className="field-error">{said.field('rooms')}</p>}
        </fieldset>
        <fieldset className="ru-set">
          <legend>Shifts, in the order of the day</legend>
          {b.shifts.map((s, i) => (
            <div key={i} className="ru-shift">
              <Field label={`Name of shift ${i + 1}`} hideLabel value={s.name} maxLength={60} error={said?.field(`shifts[${i}].name`)} onChange={(e) => shift(i, { name: e.target.value })} />
              <Field label={`Begin of shift ${i + 1}`} hideLabel type="time" value={s.from} error={said?.field(`shifts[${i}].from`)} onChange={(e) => shift(i, { from: e.target.value })} />
              <IconButton icon="trash" label={`Take out ${s.name}`} disabled={b.shifts.length === 1} onClick={() => setB({ ...b, shifts: b.shifts.filter((_, k) => k !== i) })} />
            </div>
          ))}
          <Button small icon="plus" onClick={() => setB({ ...b, shifts: [...b.shifts, { name: 'Shift', from: '22:00' }] })}>Add a shift</Button>
        </fieldset>
        {error !== undefined && !said?.problem.errors?.length && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
