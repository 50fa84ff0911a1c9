// SPDX-License-Identifier: Apache-2.0
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { DeviceRow, MaintenanceRequest, MaintenanceWindow, Theatre } from '@/api/types'
import { useSession } from '@/shell/access'
import { Button, Checkbox, Dialog, DialogClose, ErrorNote, Field, IconButton, Segmented, Select, time, toast } from '@/ui'
import { nths, scheduleWords, weekdays } from './schedule'

interface Props { window: MaintenanceWindow | null; theatres: readonly Theatre[]; devices: readonly DeviceRow[]; onClose: () => void }

export function MaintenanceDialog({ window: was, theatres, devices, onClose }: Props) {
  const client = useQueryClient()
  const { user, site } = useSession()
  const [w, setW] = useState<MaintenanceRequest & { theatres: string[]; devices: string[]; rules: string[]; weekdays: number[] }>(() => ({
    name: was?.name ?? '', theatres: was?.theatres ?? [], devices: was?.devices ?? [], rules: was?.rules ?? [], effect: was?.effect ?? 'lower', repeat: was?.repeat ?? 'once', from: was?.from ?? time.day(time.now()),
    until: was?.until ?? '', at: was?.at ?? '22:00', minutes: was?.minutes ?? 120, weekdays: was?.weekdays ?? [], nth: was?.nth ?? 0, zone: was?.zone ?? site.timezone, owner: was?.owner ?? user.name, reason: was?.reason ?? '',
  }))
  const [find, setFind] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const set = (part: Partial<typeof w>) => setW((old) => ({ ...old, ...part }))
  const said = error instanceof ApiError ? error : undefined
  const flip = (list: string[], id: string) => (list.includes(id) ? list.filter((x) => x !== id) : [...list, id])
  const full = { ...w, until: w.until ?? '', nth: w.nth ?? 0, zone: w.zone ?? site.timezone }
  const words = find.trim().toLowerCase()
  const offered = words === '' ? [] : devices.filter((d) => !w.devices.includes(d.id) && [d.name, ...d.ips].some((x) => x.toLowerCase().includes(words))).slice(0, 8)
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const body: MaintenanceRequest = { ...w, weekdays: w.repeat === 'weekly' || w.repeat === 'monthly' ? w.weekdays : [], nth: w.repeat === 'monthly' ? w.nth : 0, until: w.repeat === 'once' ? '' : w.until, ...(was ? { revision: was.revision } : {}) }
      if (was) await api.put(`/maintenance/${encodeURIComponent(was.id)}`, body)
      else await api.post('/maintenance', body)
      void client.invalidateQueries({ queryKey: ['rules'] })
      toast(`${w.name} is saved.`)
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={was ? `Change ${was.name}` : 'New maintenance window'}
      actions={<><DialogClose><Button>Cancel</Button></DialogClose><Button kind="primary" type="submit" form="maintenance" busy={busy}>Save</Button></>}
    >
      <form id="maintenance" className="ru-form" noValidate onSubmit={(e) => { e.preventDefault(); void save() }}>
        <Field label="Name" value={w.name} maxLength={100} autoFocus error={said?.field('name')} onChange={(e) => set({ name: e.target.value })} placeholder="Updates of the anaesthesia machines" />
        <Field label="Why" value={w.reason} maxLength={1000} error={said?.field('reason')} onChange={(e) => set({ reason: e.target.value })} />
        <fieldset className="ru-set">
          <legend>What is worked on</legend>
          <div className="ru-checks">{theatres.map((t) => <Checkbox key={t.id} label={t.name} checked={w.theatres.includes(t.id)} onChange={() => set({ theatres: flip(w.theatres, t.id) })} />)}</div>
          {w.devices.length > 0 && <ul className="ru-picked">{w.devices.map((id) => <li key={id}>{devices.find((d) => d.id === id)?.name ?? id}<IconButton small icon="close" label={`Take out ${devices.find((d) => d.id === id)?.name ?? id}`} onClick={() => set({ devices: flip(w.devices, id) })} /></li>)}</ul>}
          <Field label="Add a device" value={find} onChange={(e) => setFind(e.target.value)} placeholder="Name or address" autoComplete="off" />
          {offered.length > 0 && <div className="ru-checks">{offered.map((d) => <Button key={d.id} small icon="plus" onClick={() => { set({ devices: [...w.devices, d.id] }); setFind('') }}>{d.name}</Button>)}</div>}
          {said?.field('theatres') && <p className="field-error" role="alert">Choose rooms or devices: the whole site is never in maintenance.</p>}
        </fieldset>
        <div className="ru-two">
          <div className="field"><span className="field-label">How often</span><Segmented label="How often" value={w.repeat} onChange={(repeat) => set({ repeat })} options={[{ value: 'once', label: 'Once' }, { value: 'daily', label: 'Daily' }, { value: 'weekly', label: 'Weekly' }, { value: 'monthly', label: 'Monthly' }]} /></div>
          <div className="field"><span className="field-label">What is found then</span><Segmented label="What is found then" value={w.effect} onChange={(effect) => set({ effect })} options={[{ value: 'lower', label: 'Counts less' }, { value: 'hide', label: 'Is hidden' }]} /></div>
        </div>
        {w.repeat === 'weekly' && (
          <fieldset className="ru-set">
            <legend>On</legend>
            <div className="ru-checks">{[1, 2, 3, 4, 5, 6, 0].map((d) => <Checkbox key={d} label={weekdays[d]} checked={w.weekdays.includes(d)} onChange={() => set({ weekdays: w.weekdays.includes(d) ? w.weekdays.filter((x) => x !== d) : [...w.weekdays, d] })} />)}</div>
            {said?.field('weekdays') && <p className="field-error" role="alert">Choose a day.</p>}
          </fieldset>
        )}
        {w.repeat === 'monthly' && (
          <div className="ru-two">
            <Select label="The" value={String(w.nth === 0 ? '' : w.nth)} error={said?.field('nth')} onChange={(e) => set({ nth: Number(e.target.value) })} options={[{ value: '', label: 'Choose…', disabled: true }, ...nths.map((n) => ({ value: String(n.value), label: n.name }))]} />
            <Select label="Day" value={String(w.weekdays[0] ?? '')} onChange={(e) => set({ weekdays: [Number(e.target.value)] })} options={[{ value: '', label: 'Choose…', disabled: true }, ...weekdays.map((n, i) => ({ value: String(i), label: n }))]} />
          </div>
        )}
        <div className="ru-four">
          <Field label={w.repeat === 'once' ? 'Day' : 'First day'} type="date" value={w.from} error={said?.field('from')} onChange={(e) => set({ from: e.target.value })} />
          {w.repeat !== 'once' && <Field label="Last day" type="date" value={w.until} error={said?.field('until')} help="Empty: no end." onChange={(e) => set({ until: e.target.value })} />}
          <Field label="At" type="time" value={w.at} error={said?.field('at')} onChange={(e) => set({ at: e.target.value })} />
          <Field label="For" type="number" min={1} max={1440} unit="min" value={w.minutes} error={said?.field('minutes')} onChange={(e) => set({ minutes: Number(e.target.value) })} />
        </div>
        <div className="ru-two">
          <Field label="Time zone" value={w.zone} error={said?.field('zone')} onChange={(e) => set({ zone: e.target.value })} />
          <Field label="Who answers for it" value={w.owner} maxLength={80} error={said?.field('owner')} onChange={(e) => set({ owner: e.target.value })} />
        </div>
        <Field label="Only these rules" className="mono-input" value={w.rules.join(', ')} onChange={(e) => set({ rules: e.target.value.split(',').map((x) => x.trim()).filter(Boolean) })} help="IDs with commas between; network.* for a family. Empty: all." />
        <p className="ru-said" role="status">{scheduleWords(full)}.</p>
        {error !== undefined && !said?.problem.errors?.length && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
