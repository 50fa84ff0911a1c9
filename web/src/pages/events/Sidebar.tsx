// SPDX-License-Identifier: Apache-2.0
// The fields of events with their most frequent values. A field is counted when
// it is opened, not before: counting 10 million events is work.

import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { EventField } from '@/api/types'
import { Button, ErrorNote, Icon, IconButton, Skeleton, time } from '@/ui'
import { addValue, hasValue, recall, remember, removeValue, type Term } from '@/ui/grid'
import { compact, count } from '@/ui/units'
import { fieldNames, fields } from './query'
import { topValues } from './queries'

interface Props {
  params: string
  terms: readonly Term<EventField>[]
  onTerms: (terms: Term<EventField>[]) => void
  label: (field: EventField, value: string, given?: string) => string
}

const habit = 'events.fields'
function openAtFirst(): EventField[] {
  try {
    const kept = JSON.parse(recall(habit) ?? 'null') as unknown
    if (Array.isArray(kept)) return fields.filter((f) => kept.includes(f))
  } catch {
    // Nothing is remembered.
  }
  return ['protocol', 'class', 'severity']
}

export function Sidebar(props: Props) {
  const [open, setOpen] = useState(openAtFirst)
  const toggle = (f: EventField) => {
    const next = open.includes(f) ? open.filter((x) => x !== f) : [...open, f]
    setOpen(next)
    remember(habit, JSON.stringify(next))
  }
  return (
    <div className="ev-fields">
      {fields.map((f) => (
        <section key={f} className="ev-field">
          <h2>
            <button type="button" className="ev-field-head" aria-expanded={open.includes(f)} onClick={() => toggle(f)}>
              <Icon name={open.includes(f) ? 'chevron-down' : 'chevron-right'} size={14} />
              {fieldNames[f]}
            </button>
          </h2>
          {open.includes(f) && <Values field={f} {...props} />}
        </section>
      ))}
    </div>
  )
}

function Values({ field, params, terms, onTerms, label }: Props & { field: EventField }) {
  const [limit, setLimit] = useState(8)
  const top = useQuery(topValues(params, field, limit))
  if (top.isPending) return <div className="ev-values"><Skeleton lines={4} /></div>
  if (top.isError && !top.data) return <div className="ev-values"><ErrorNote error={top.error} /></div>
  const data = top.data
  const most = Math.max(1, ...data.values.map((v) => v.count))
  return (
    <div className={`ev-values${top.isPlaceholderData ? ' is-stale' : ''}`} aria-busy={top.isPlaceholderData || undefined}>
      <ul>
        {data.values.map((v) => {
          const name = label(field, v.value, v.label)
          const on = hasValue(terms, field, v.value, false)
          const off = hasValue(terms, field, v.value, true)
          return (
            <li key={v.value} className={`ev-value${on ? ' ev-value-on' : ''}${off ? ' ev-value-off' : ''}`}>
              <button
                type="button" className="ev-value-main" title={on ? 'No longer only these' : 'Show only these'} aria-pressed={on}
                onClick={() => onTerms(on ? removeValue(terms, field, v.value, false) : addValue(terms, field, v.value, false))}
              >
                <span className="ev-value-bar" aria-hidden="true" style={{ width: `${(v.count / most) * 100}%` }} />
                <span className="ev-value-name" title={name}>{name}</span>
                <span className="ev-value-count" title={count(v.count)}>{compact(v.count)}</span>
              </button>
              <IconButton
                small icon="minus" pressed={off} label={off ? `No longer leave out ${name}` : `Leave out ${name}`}
                onClick={() => onTerms(off ? removeValue(terms, field, v.value, true) : addValue(terms, field, v.value, true))}
              />
            </li>
          )
        })}
      </ul>
      {data.values.length === 0 && <p className="quiet">None.</p>}
      {data.others > 0 && (
        <p className="ev-others quiet">
          {compact(data.others)} events have others
          {limit < 50 && <Button small kind="quiet" onClick={() => setLimit(50)}>More</Button>}
        </p>
      )}
      {!data.complete && <p className="quiet">Counted back to {time.short(data.reached)}.</p>}
    </div>
  )
}
