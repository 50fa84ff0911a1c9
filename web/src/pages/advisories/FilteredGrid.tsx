// SPDX-License-Identifier: Apache-2.0
// A grid with search, filters, chips and tools over rows that are all in the
// browser; its state is the address.

import { useCallback, useDeferredValue, useMemo, useRef, type ReactNode } from 'react'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import {
  addValue, Chips, countBy, FilterButton, flipValue, Grid, GridTools, layoutOf, matches, orderRows, parseText, passes, readState, readTerms, removeValue, SearchField, writeState, writeTerms,
  type Choice, type Column, type GridHandle, type GridState, type Term,
} from '@/ui/grid'
import { count } from '@/ui/units'

interface Props<T, F extends string> {
  what: string // "advisories"
  one: string // "advisory"
  rows: readonly T[]
  columns: readonly Column<T>[]
  sort: { id: string; down: boolean }[]
  fields: readonly F[]
  fieldName: Record<F, string>
  values: (row: T, field: string) => readonly string[]
  valueName: (field: F, value: string) => string
  text: (row: T) => string
  rowId: (row: T) => string
  rowName: (row: T) => string
  placeholder: string
  onOpen: (row: T, newTab: boolean) => void
  empty: ReactNode
  noMatch: (clear: () => void) => ReactNode
  keep?: string[] // names of the address that are not the grid's
  clickOpens?: boolean // one click on a row opens it, beside the grid
  mark?: (row: T) => string | undefined
}

export function FilteredGrid<T, F extends string>(p: Props<T, F>) {
  const [params, setParams] = useURLState()
  const grid = useRef<GridHandle>(null)
  const box = useRef<HTMLInputElement>(null)
  const { columns, fields, values, text, keep } = p
  const layout = useMemo(() => layoutOf(columns, p.sort), [columns]) // what is sorted by at first does not change
  const state = useMemo(() => readState(params, layout), [params, layout])
  const terms = useMemo(() => readTerms(params, fields), [params, fields])
  const q = params.get('q') ?? ''
  const change = useCallback(
    (next: { state?: GridState; terms?: Term<F>[]; q?: string }, replace: boolean) =>
      setParams((u) => {
        const written = { state: next.state ?? readState(u, layout), terms: next.terms ?? readTerms(u, fields), q: next.q ?? u.get('q') ?? '' }
        for (const key of [...u.keys()]) if (!keep?.includes(key)) u.delete(key)
        if (written.q !== '') u.set('q', written.q)
        writeTerms(u, written.terms)
        writeState(u, written.state, layout)
      }, { replace }),
    [setParams, layout, fields, keep],
  )
  const wanted = useDeferredValue(q)
  const found = useMemo(() => {
    const words = parseText(wanted)
    return p.rows.filter((r) => passes(terms, (f) => values(r, f)) && (words.length === 0 || matches(words, text(r))))
  }, [p.rows, terms, wanted, values, text])
  const rows = useMemo(() => orderRows(found, columns, state.sort), [found, columns, state.sort])
  const counted = useCallback((f: F) => countBy(found, (r) => values(r, f)), [found, values])
  const focus = () => grid.current?.focus()
  const name = p.what.charAt(0).toUpperCase() + p.what.slice(1)
  useKeys(name, [
    { keys: 'f', does: `Search ${p.what}`, run: () => box.current?.select() },
    { keys: 'j', does: `Next ${p.one}`, run: () => grid.current?.move(1) },
    { keys: 'k', does: `Previous ${p.one}`, run: () => grid.current?.move(-1) },
    { keys: 'enter', does: `Open the ${p.one}`, run: focus },
    { keys: 'i', does: 'Show only this value', run: focus },
    { keys: 'o', does: 'Leave this value out', run: focus },
  ])
  const narrowed = q !== '' || terms.length > 0
  return (
    <>
      <div className="grid-bar">
        <SearchField ref={box} label={`Search ${p.what}`} placeholder={p.placeholder} value={q} onChange={(t) => change({ q: t }, true)} onDown={focus} />
        <FilterButton what={p.what} fields={fields} fieldName={p.fieldName} values={counted} valueName={p.valueName} onFilter={(f, v, not) => change({ terms: addValue(terms, f, v, not) }, false)} />
        <span className="grid-count" role="status">{narrowed ? `${count(rows.length)} of ${count(p.rows.length)}` : `${count(p.rows.length)} ${p.rows.length === 1 ? p.one : p.what}`}</span>
        <div className="grid-bar-end"><GridTools what={p.what} rows={rows} columns={columns} layout={layout} state={state} onState={(s) => change({ state: s }, true)} /></div>
        {terms.length > 0 && (
          <div className="grid-chips">
            <Chips
              terms={terms} fieldName={(f) => p.fieldName[f]} valueName={p.valueName} onFlip={(f, v, not) => change({ terms: flipValue(terms, f, v, not) }, false)}
              onRemove={(f, v, not) => change({ terms: removeValue(terms, f, v, not) }, false)} onClear={() => change({ terms: [] }, false)}
            />
          </div>
        )}
      </div>
      <Grid
        ref={grid} label={name} rows={rows} columns={columns} rowId={p.rowId} rowName={p.rowName} state={state} onState={(s) => change({ state: s }, true)} onOpen={(r, e) => p.onOpen(r, e.newTab)}
        onExpand={p.clickOpens ? (id) => { const row = rows.find((r) => p.rowId(r) === id); if (row !== undefined) p.onOpen(row, false) } : undefined} mark={p.mark}
        onFilter={(c: Choice, not) => change({ terms: addValue(terms, c.field as F, c.value, not) }, false)} empty={p.rows.length === 0 ? p.empty : p.noMatch(() => change({ q: '', terms: [] }, false))}
      />
    </>
  )
}
