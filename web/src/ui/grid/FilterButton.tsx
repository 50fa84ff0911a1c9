// SPDX-License-Identifier: Apache-2.0
// Filters for who does not click cells: a field, its values with how often they
// occur, and each to include or to leave out.

import { useMemo, useState } from 'react'
import { Button, IconButton } from '../Button'
import { Select } from '../Field'
import { Popover } from '../Popover'
import { count } from '../units'

interface Props<F extends string> {
  what: string // "devices": what is shown
  fields: readonly F[]
  fieldName: Record<F, string>
  values: (field: F) => { value: string; count: number }[] // most first
  valueName: (field: F, value: string) => string
  onFilter: (field: F, value: string, not: boolean) => void
}

const MOST = 60

export function FilterButton<F extends string>(props: Props<F>) {
  const [open, setOpen] = useState(false)
  return (
    <Popover label="Add a filter" open={open} onOpenChange={setOpen} trigger={<Button icon="filter">Filter</Button>}>
      {open && <Chooser {...props} />}
    </Popover>
  )
}

function Chooser<F extends string>({ what, fields, fieldName, values, valueName, onFilter }: Props<F>) {
  const [field, setField] = useState<F>(fields[0] as F)
  const [find, setFind] = useState('')
  const all = useMemo(() => values(field), [values, field])
  const named = all.map((v) => ({ ...v, name: valueName(field, v.value) })).filter((v) => v.name.toLowerCase().includes(find.toLowerCase()))
  return (
    <div className="filter-pick">
      <Select label="Field" hideLabel value={field} onChange={(e) => { setField(e.target.value as F); setFind('') }} options={fields.map((f) => ({ value: f, label: fieldName[f] }))} />
      {all.length > 10 && <input className="input input-s" aria-label={`Find a value of ${fieldName[field]}`} placeholder="Find a value" value={find} onChange={(e) => setFind(e.target.value)} />}
      <ul className="filter-pick-list" aria-label={`Values of ${fieldName[field]}`}>
        {named.slice(0, MOST).map((v) => (
          <li key={v.value} className="filter-pick-row">
            <button type="button" className="filter-pick-value" onClick={() => onFilter(field, v.value, false)} title="Show only these">
              <span className="grid-cut">{v.name}</span>
              <span className="quiet">{count(v.count)}</span>
            </button>
            <IconButton small icon="minus" label={`Leave out ${v.name}`} onClick={() => onFilter(field, v.value, true)} />
          </li>
        ))}
        {named.length === 0 && <li className="quiet">No such value among the {what} that are shown.</li>}
      </ul>
      {named.length > MOST && <p className="quiet">{count(named.length - MOST)} more: type to find them.</p>}
    </div>
  )
}
