// SPDX-License-Identifier: Apache-2.0
// A filter chosen from what there is: a field, then its values with how often
// each occurs among the rows that are shown.

import { useMemo, useState } from 'react'
import type { DeviceRow } from '@/api/types'
import { Button, IconButton, Popover, Select } from '@/ui'
import type { Choice } from '@/ui/grid'
import { count } from '@/ui/units'
import { choice, countValues, deviceFields, fieldName, valueName, type DeviceField, type Names } from './fields'

interface Props { rows: readonly DeviceRow[]; names: Names; now: () => number; onFilter: (c: Choice, not: boolean) => void }

const MOST = 60

export function AddFilter(props: Props) {
  const [open, setOpen] = useState(false)
  return (
    <Popover label="Add a filter" open={open} onOpenChange={setOpen} trigger={<Button icon="filter">Filter</Button>}>
      {open && <Chooser {...props} />}
    </Popover>
  )
}

function Chooser({ rows, names, now, onFilter }: Props) {
  const [field, setField] = useState<DeviceField>('class')
  const [find, setFind] = useState('')
  const values = useMemo(() => countValues(rows, field, now()), [rows, field, now])
  const named = values.map((v) => ({ ...v, name: valueName(field, v.value, names) })).filter((v) => v.name.toLowerCase().includes(find.toLowerCase()))
  return (
    <div className="dev-filter">
      <Select label="Field" hideLabel value={field} onChange={(e) => { setField(e.target.value as DeviceField); setFind('') }} options={deviceFields.map((f) => ({ value: f, label: fieldName[f] }))} />
      {values.length > 10 && <input className="input input-s" aria-label={`Find a value of ${fieldName[field]}`} placeholder="Find a value" value={find} onChange={(e) => setFind(e.target.value)} />}
      <ul className="dev-filter-list" aria-label={`Values of ${fieldName[field]}`}>
        {named.slice(0, MOST).map((v) => (
          <li key={v.value} className="dev-filter-row">
            <button type="button" className="dev-filter-value" onClick={() => onFilter(choice(field, v.value, names), false)} title="Show only these">
              <span className="grid-cut">{v.name}</span>
              <span className="quiet">{count(v.count)}</span>
            </button>
            <IconButton small icon="minus" label={`Leave out ${v.name}`} onClick={() => onFilter(choice(field, v.value, names), true)} />
          </li>
        ))}
        {named.length === 0 && <li className="quiet">No such value among the devices that are shown.</li>}
      </ul>
      {named.length > MOST && <p className="quiet">{count(named.length - MOST)} more: type to find them.</p>}
    </div>
  )
}
