// SPDX-License-Identifier: Apache-2.0
// From when to when: quick ranges, or exact times in the hospital's zone.

import { useState } from 'react'
import { Button, Icon, IconButton, Popover, time } from '@/ui'
import { useZone } from '@/ui/time'
import { ranges, relativeMs, shift, zoomOut, type EventQuery, type Span } from './query'
import { zoneOffset } from './TimeBars'

interface Props { query: EventQuery; span: Span; onRange: (from: string, to: string) => void }

/** "2026-03-01 09:12:33" in a zone, and back; seconds and the time of day may be left out. */
export function toLocal(at: number, zone: string): string {
  return new Date(at + zoneOffset(at, zone)).toISOString().slice(0, 19).replace('T', ' ')
}
export function fromLocal(text: string, zone: string): number {
  const m = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?)?$/.exec(text.trim())
  if (!m) return NaN
  const guess = Date.parse(`${m[1] ?? ''}T${m[2] ?? '00:00'}${m[3] ?? ':00'}Z`)
  if (Number.isNaN(guess)) return NaN
  // Twice: the first guess may lie on the other side of a clock change.
  const once = guess - zoneOffset(guess, zone)
  return guess - zoneOffset(once, zone)
}

export function rangeText(query: EventQuery, span: Span): string {
  const quick = query.to === '' ? ranges.find((r) => r.from === query.from) : undefined
  if (quick) return quick.name
  const back = relativeMs(query.from)
  if (query.to === '' && back !== null) return `Last ${time.span(back)}`
  const sameDay = time.day(span.from) === time.day(span.to)
  const seconds = span.to - span.from < 3_600_000
  return `${time.short(span.from, 0).replace(/ \d\d:\d\d$/, '')} ${time.clock(span.from, { seconds })} – ${query.to === '' ? 'now' : `${sameDay ? '' : `${time.short(span.to, 0).replace(/ \d\d:\d\d$/, '')} `}${time.clock(span.to, { seconds })}`}`
}

export function RangePicker({ query, span, onRange }: Props) {
  const [open, setOpen] = useState(false)
  const absolute = (s: Span) => onRange(new Date(s.from).toISOString(), new Date(s.to).toISOString())
  return (
    <div className="ev-range" role="group" aria-label="Time">
      <IconButton small icon="chevron-left" label="Earlier" onClick={() => absolute(shift(span, -1, time.now()))} />
      <Popover label="Time range" align="end" open={open} onOpenChange={setOpen} trigger={<Button icon="clock" className="ev-range-button">{rangeText(query, span)}</Button>}>
        {open && <Chooser query={query} span={span} onRange={(f, t) => { onRange(f, t); setOpen(false) }} />}
      </Popover>
      <IconButton small icon="chevron-right" label="Later" disabled={query.to === ''} onClick={() => absolute(shift(span, 1, time.now()))} />
      <IconButton small icon="collapse" label="Zoom out" onClick={() => absolute(zoomOut(span, time.now()))} />
    </div>
  )
}

function Chooser({ query, span, onRange }: Props) {
  const zone = useZone()
  const [from, setFrom] = useState(() => toLocal(span.from, zone))
  const [to, setTo] = useState(() => toLocal(span.to, zone))
  const unread = [from, to].find((t) => Number.isNaN(fromLocal(t, zone)))
  const wrong = unread !== undefined ? `“${unread}” is not a time. Write it as 2026-03-01 09:12.` : fromLocal(from, zone) < fromLocal(to, zone) ? '' : '“From” must be before “to”.'
  return (
    <div className="ev-chooser">
      <ul>
        {ranges.map((r) => (
          <li key={r.from}>
            <button type="button" className="menu-item" aria-pressed={query.to === '' && query.from === r.from} onClick={() => onRange(r.from, '')}>
              <span className="menu-mark">{query.to === '' && query.from === r.from && <Icon name="check" />}</span>
              {r.name}
            </button>
          </li>
        ))}
      </ul>
      <form
        className="ev-exact"
        onSubmit={(e) => {
          e.preventDefault()
          if (wrong === '') onRange(new Date(fromLocal(from, zone)).toISOString(), new Date(fromLocal(to, zone)).toISOString())
        }}
      >
        <label htmlFor="range-from">From</label>
        <input id="range-from" className="input mono" spellCheck={false} autoComplete="off" aria-describedby="range-help" value={from} onChange={(e) => setFrom(e.target.value)} />
        <label htmlFor="range-to">To</label>
        <input id="range-to" className="input mono" spellCheck={false} autoComplete="off" aria-describedby="range-help" value={to} onChange={(e) => setTo(e.target.value)} />
        <p id="range-help" className={wrong ? 'field-error' : 'quiet'} role="status">{wrong || `Times in ${zone}.`}</p>
        <Button kind="primary" type="submit" disabled={wrong !== ''}>Apply</Button>
      </form>
    </div>
  )
}
