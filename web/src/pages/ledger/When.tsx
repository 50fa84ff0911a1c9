// SPDX-License-Identifier: Apache-2.0
// From when to when entries are shown: any time, a quick range, or exact times.

import { useState } from 'react'
import { Button, Icon, Popover, time } from '@/ui'
import { useZone } from '@/ui/time'
import { fromLocal, toLocal } from '../events/RangePicker'

interface Props { from: string; to: string; onChange: (from: string, to: string) => void }

const quick = [{ from: '', name: 'Any time' }, { from: '-1h', name: 'Last hour' }, { from: '-24h', name: 'Last 24 hours' }, { from: '-168h', name: 'Last 7 days' }, { from: '-720h', name: 'Last 30 days' }]

export function When({ from, to, onChange }: Props) {
  const zone = useZone()
  const [open, setOpen] = useState(false)
  const named = to === '' ? quick.find((q) => q.from === from) : undefined
  const label = named?.name ?? [from !== '' && `from ${word(from)}`, to !== '' && `to ${word(to)}`].filter(Boolean).join(' ')
  const set = (f: string, t: string) => {
    onChange(f, t)
    setOpen(false)
  }
  return (
    <Popover label="Time" open={open} onOpenChange={setOpen} trigger={<Button icon="clock">{label.charAt(0).toUpperCase() + label.slice(1)}</Button>}>
      {open && (
        <div className="lg-when">
          <ul>
            {quick.map((q) => (
              <li key={q.from}>
                <button type="button" className="menu-item" aria-pressed={named === q} onClick={() => set(q.from, '')}>
                  <span className="menu-mark">{named === q && <Icon name="check" />}</span>
                  {q.name}
                </button>
              </li>
            ))}
          </ul>
          <Exact from={from} to={to} zone={zone} onChange={set} />
        </div>
      )}
    </Popover>
  )
}

const word = (t: string): string => (t.startsWith('-') ? t : time.short(t))

function Exact({ from, to, zone, onChange }: Props & { zone: string }) {
  const begin = (t: string) => (t === '' || t.startsWith('-') ? '' : toLocal(Date.parse(t), zone))
  const [f, setFrom] = useState(() => begin(from))
  const [t, setTo] = useState(() => begin(to))
  const at = (text: string) => (text.trim() === '' ? null : fromLocal(text, zone))
  const [a, b] = [at(f), at(t)]
  const unread = Number.isNaN(a) ? f : Number.isNaN(b) ? t : undefined
  const wrong = unread !== undefined ? `“${unread}” is not a time. Write it as 2026-03-01 09:12.` : a !== null && b !== null && a >= b ? '“From” must be before “to”.' : ''
  const iso = (ms: number | null) => (ms === null ? '' : new Date(ms).toISOString())
  return (
    <form
      className="lg-exact"
      onSubmit={(e) => {
        e.preventDefault()
        if (wrong === '') onChange(iso(a), iso(b))
      }}
    >
      <label htmlFor="lg-from">From</label>
      <input id="lg-from" className="input mono" spellCheck={false} autoComplete="off" aria-describedby="lg-when-help" value={f} onChange={(e) => setFrom(e.target.value)} />
      <label htmlFor="lg-to">To</label>
      <input id="lg-to" className="input mono" spellCheck={false} autoComplete="off" aria-describedby="lg-when-help" value={t} onChange={(e) => setTo(e.target.value)} />
      <p id="lg-when-help" className={wrong ? 'field-error' : 'quiet'} role="status">{wrong || `Times in ${zone}.`}</p>
      <Button type="submit" reason={wrong || undefined}>Show</Button>
    </form>
  )
}
