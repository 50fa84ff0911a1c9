// SPDX-License-Identifier: Apache-2.0
// Chooses one device among thousands by typing any of its names or addresses.

import { useQuery } from '@tanstack/react-query'
import { useId, useMemo, useState } from 'react'
import type { DeviceRow } from '@/api/types'
import { Button, ClassIcon, Icon } from '@/ui'
import { matches, parseText } from '@/ui/grid'
import { deviceList } from '../devices/queries'

const MOST = 8

export function DevicePicker({ value, onChange, error }: { value: string; onChange: (id: string) => void; error?: string }) {
  const id = useId()
  const { data, isPending, isError } = useQuery(deviceList)
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(0)
  const chosen = data?.devices.find((d) => d.id === value)
  const found = useMemo(() => {
    const words = parseText(text)
    return words.length === 0 ? [] : (data?.devices ?? []).filter((d) => matches(words, [d.name, d.class_name, d.vendor, d.model, d.id, ...d.ips, ...d.macs, ...d.ae_titles].join('\n').toLowerCase())).slice(0, MOST)
  }, [data, text])
  const pick = (d: DeviceRow | undefined) => {
    if (!d) return
    onChange(d.id)
    setText('')
    setOpen(false)
  }
  if (value !== '') {
    return (
      <div className="field">
        <span className="field-label">Device</span>
        <div className="id-chosen">
          {chosen && <ClassIcon class={chosen.class} />}
          <span><strong>{chosen?.name ?? value}</strong>{chosen && <span className="quiet"> {[chosen.class_name, chosen.vendor, chosen.model].filter(Boolean).join(', ')}</span>}</span>
          <Button small onClick={() => onChange('')}>Another</Button>
        </div>
      </div>
    )
  }
  const shown = open && text.trim() !== ''
  const help = error ?? (isError ? 'The devices cannot be listed.' : isPending ? 'The devices are loading …' : 'Its name, address, AE title, manufacturer …')
  return (
    <div className="field">
      <label className="field-label" htmlFor={`${id}i`}>Device</label>
      <div className="id-picker">
        <input
          id={`${id}i`} className="input" role="combobox" aria-expanded={shown} aria-controls={`${id}l`} aria-autocomplete="list" aria-activedescendant={shown && found[at] ? `${id}${at}` : undefined} aria-describedby={`${id}h`} aria-invalid={error ? true : undefined}
          placeholder="Find a device" value={text} autoComplete="off" spellCheck={false} onFocus={() => setOpen(true)} onBlur={() => setOpen(false)}
          onChange={(e) => {
            setText(e.target.value)
            setAt(0)
            setOpen(true)
          }}
          onKeyDown={(e) => {
            if (e.key === 'ArrowDown') setAt(Math.min(found.length - 1, at + 1))
            else if (e.key === 'ArrowUp') setAt(Math.max(0, at - 1))
            else if (e.key === 'Enter') pick(found[at])
            else if (e.key === 'Escape' && shown) setText('')
            else return
            e.preventDefault()
            e.stopPropagation()
          }}
        />
        <ul id={`${id}l`} role="listbox" aria-label="Devices found" className="id-found" hidden={!shown}>
          {found.map((d, i) => (
            <li key={d.id} id={`${id}${i}`} role="option" aria-selected={i === at} className={i === at ? 'id-found-at' : undefined} onMouseDown={(e) => { e.preventDefault(); pick(d) }}>
              <ClassIcon class={d.class} /> <span className="grid-cut">{d.name}</span> <span className="quiet grid-cut">{[d.class_name, d.ips[0]].filter(Boolean).join(', ')}</span>
            </li>
          ))}
          {found.length === 0 && <li className="quiet" role="option" aria-selected={false} aria-disabled="true">No device has that.</li>}
        </ul>
      </div>
      <p id={`${id}h`} className={error ? 'field-error' : 'field-help'}>{error && <Icon name="warning" size={13} />}{help}</p>
    </div>
  )
}
