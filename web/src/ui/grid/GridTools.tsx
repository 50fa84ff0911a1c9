// SPDX-License-Identifier: Apache-2.0
// What a person can do to a grid as a whole: choose and order columns, density,
// export what is shown, copy the link to exactly this view.

import { linkHere } from '@/api/site'
import { Button, IconButton } from '../Button'
import { copy } from '../Copyable'
import { Checkbox } from '../Field'
import { Menu } from '../Menu'
import { Popover } from '../Popover'
import { Segmented } from '../Segmented'
import * as time from '../time'
import { toast } from '../Toast'
import { plural } from '../units'
import { shownColumns, type Column } from './column'
import { fileName, saveFile, toCSV, toJSON } from './download'
import { defaultState, moveColumn, type Density, type GridLayout, type GridState } from './state'

interface Props<T> {
  what: string // "devices": in file names and sentences
  rows: readonly T[]
  columns: readonly Column<T>[]
  layout: GridLayout
  state: GridState
  onState: (next: GridState) => void
  exports?: boolean // default true; a page with its own export menu says no
}

const BOM = '\ufeff' // or Excel takes UTF-8 for something else

export function GridTools<T>({ what, rows, columns, layout, state, onState, exports = true }: Props<T>) {
  const save = (kind: 'csv' | 'json') => {
    const shown = shownColumns(columns, state.columns)
    const name = fileName(what, kind, new Date(time.now()))
    if (kind === 'csv') saveFile(name, 'text/csv;charset=utf-8', BOM + toCSV(rows, shown))
    else saveFile(name, 'application/json', toJSON(rows, shown))
    toast(`Saved ${plural(rows.length, 'row')} to ${name}.`)
  }
  return (
    <>
      <ColumnChooser columns={columns} layout={layout} state={state} onState={onState} />
      {exports && (
        <Menu
          label="Export what is shown" align="end" trigger={<IconButton icon="download" label="Export what is shown" />}
          entries={[
            { kind: 'label', label: `${plural(rows.length, 'row')}, columns as shown` },
            { label: 'CSV, for a spreadsheet', run: () => save('csv'), disabled: rows.length === 0 },
            { label: 'JSON, for a program', run: () => save('json'), disabled: rows.length === 0 },
          ]}
        />
      )}
      <CopyLink />
    </>
  )
}

export function CopyLink() {
  return (
    <IconButton
      icon="link" label="Copy the link to exactly this view"
      onClick={() => void copy(linkHere()).then((done) => toast(done ? 'Link copied. It opens exactly this view.' : 'The browser refused to copy. The link is in the address bar.'))}
    />
  )
}

function ColumnChooser<T>({ columns, layout, state, onState }: Omit<Props<T>, 'what' | 'rows' | 'exports'>) {
  const shown = shownColumns(columns, state.columns).map((c) => c.id)
  const order = [...shown, ...columns.filter((c) => !shown.includes(c.id)).map((c) => c.id)]
  const set = (next: string[]) => onState({ ...state, columns: next })
  return (
    <Popover label="Columns" align="end" trigger={<IconButton icon="columns" label="Columns and density" />}>
      <div className="grid-columns">
        <Segmented<Density>
          small label="Density" value={state.density} onChange={(density) => onState({ ...state, density })}
          options={[{ value: 'compact', label: 'Compact' }, { value: 'normal', label: 'Roomy' }]}
        />
        <ul className="grid-columns-list">
          {order.map((id) => {
            const column = columns.find((c) => c.id === id)
            if (!column) return null
            const on = shown.includes(id)
            const last = on && shown.length === 1
            return (
              <li key={id} className="grid-columns-row">
                <Checkbox
                  label={column.label} checked={on} disabled={column.fixed || last}
                  onChange={() => set(on ? shown.filter((c) => c !== id) : [...shown, id])}
                />
                {on && (
                  <>
                    <IconButton small icon="arrow-up" label={`Move ${column.label} to the left`} disabled={shown.indexOf(id) === 0} onClick={() => set(moveColumn(shown, id, -1))} />
                    <IconButton small icon="arrow-down" label={`Move ${column.label} to the right`} disabled={shown.indexOf(id) === shown.length - 1} onClick={() => set(moveColumn(shown, id, 1))} />
                  </>
                )}
              </li>
            )
          })}
        </ul>
        <div className="grid-columns-foot">
          <span className="quiet">Drag a header’s edge to change its width</span>
          <Button small kind="quiet" onClick={() => onState({ ...defaultState(layout), sort: state.sort })}>
            Reset
          </Button>
        </div>
      </div>
    </Popover>
  )
}
