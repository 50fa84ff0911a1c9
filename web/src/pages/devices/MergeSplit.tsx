// SPDX-License-Identifier: Apache-2.0
// Two records that are one thing, and one record that is two things.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import type { Device, DeviceRow } from '@/api/types'
import { Button, Checkbox, ClassIcon, Dialog, DialogClose, ErrorNote, Field, toast } from '@/ui'
import { matches, parseText } from '@/ui/grid'
import { plural } from '@/ui/units'
import { searchText } from './fields'
import { deviceList, mergeDevice, splitDevice } from './queries'

export function MergeDialog({ device: d, onClose }: { device: Device; onClose: () => void }) {
  const client = useQueryClient()
  const list = useQuery(deviceList)
  const [find, setFind] = useState('')
  const [other, setOther] = useState<DeviceRow | null>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const found = useMemo(() => {
    const words = parseText(find)
    return (list.data?.devices ?? []).filter((x) => x.id !== d.id && (words.length === 0 ? similar(x, d) : matches(words, searchText(x, x.theatre)))).slice(0, 30)
  }, [list.data, find, d])
  const run = async () => {
    if (!other) return
    setBusy(true)
    setError(undefined)
    try {
      await mergeDevice(d.id, other.id)
      await client.invalidateQueries({ queryKey: ['devices'] })
      toast(`${other.name} is now part of ${d.name}. Undo it under “Changes by people”.`)
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      open onOpenChange={(o) => !o && !busy && onClose()} wide title={`Merge another record into ${d.name}`}
      lead="When two records are one physical device. Both keep their evidence, the other’s ID goes on leading here, and it can be undone."
      actions={
        <>
          <DialogClose><Button disabled={busy}>Cancel</Button></DialogClose>
          <Button kind="primary" icon="merge" busy={busy} disabled={other === null} onClick={() => void run()}>Merge</Button>
        </>
      }
    >
      <Field label="Find the other record" type="search" placeholder="Name, address, serial …" value={find} onChange={(e) => setFind(e.target.value)} autoFocus help={find === '' ? 'Below: records with the same vendor and model, serial or name.' : undefined} />
      <ul className="dev-pick" role="radiogroup" aria-label="The other record">
        {found.map((x) => (
          <li key={x.id}>
            <label className="dev-pick-row">
              <input type="radio" name="other" checked={other?.id === x.id} onChange={() => setOther(x)} />
              <ClassIcon class={x.class} label={x.class_name} />
              <span className="dev-pick-name">{x.name}</span>
              <span className="quiet">{[x.vendor, x.model].filter(Boolean).join(' ')}</span>
              <span className="mono quiet">{x.ips[0] ?? x.macs[0] ?? ''}</span>
            </label>
          </li>
        ))}
        {found.length === 0 && <li className="quiet">{find === '' ? 'None looks alike. Search for it.' : 'No record has that.'}</li>}
      </ul>
      {other && other.serial !== '' && d.serial !== '' && other.serial !== d.serial && <p className="dev-warn">They have different serial numbers ({d.serial}, {other.serial}). Are they really one device?</p>}
      {error !== undefined && <ErrorNote error={error} />}
    </Dialog>
  )
}

function similar(x: DeviceRow, d: Device): boolean {
  return (d.serial !== '' && x.serial === d.serial) || (d.model !== '' && x.model === d.model && x.vendor === d.vendor) || x.name.toLowerCase() === d.name.toLowerCase()
}

export function SplitDialog({ device: d, onClose }: { device: Device; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [parts, setParts] = useState<ReadonlySet<string>>(new Set())
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const choices = splittable(d)
  const run = async () => {
    setBusy(true)
    setError(undefined)
    try {
      await splitDevice(d.id, [...parts])
      await client.invalidateQueries({ queryKey: ['devices'] })
      toast(`${plural(parts.size, 'part')} of ${d.name} ${parts.size === 1 ? 'is' : 'are'} now a record of ${parts.size === 1 ? 'its' : 'their'} own.`, { action: { label: 'Show devices', run: () => void navigate({ to: '/devices' }) } })
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      open onOpenChange={(o) => !o && !busy && onClose()} title={`Split ${d.name}`}
      lead="When one record is really several devices. Choose what does not belong to this one; its evidence goes with it. It can be undone."
      actions={
        <>
          <DialogClose><Button disabled={busy}>Cancel</Button></DialogClose>
          <Button kind="primary" icon="split" busy={busy} disabled={parts.size === 0 || parts.size === choices.length} onClick={() => void run()}>Split off</Button>
        </>
      }
    >
      <div className="dev-parts">
        {choices.map((c) => (
          <Checkbox
            key={c.key} label={<span className="mono">{c.key}</span>} help={c.about} checked={parts.has(c.key)}
            onChange={(e) => {
              const next = new Set(parts)
              if (e.target.checked) next.add(c.key)
              else next.delete(c.key)
              setParts(next)
            }}
          />
        ))}
      </div>
      {parts.size === choices.length && <p className="dev-warn">Something must stay with this device.</p>}
      {error !== undefined && <ErrorNote error={error} />}
    </Dialog>
  )
}

/** What a record was joined from: its interfaces, by MAC or, without one, by address. */
export function splittable(d: Device): { key: string; about: string }[] {
  return d.interfaces.map((i) => ({ key: i.mac !== '' ? i.mac : (i.ips[0] ?? ''), about: [i.ips.join(', '), i.vlans.length > 0 ? `VLAN ${i.vlans.join(', ')}` : ''].filter(Boolean).join(' · ') })).filter((c) => c.key !== '')
}
