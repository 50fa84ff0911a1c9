// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useMemo, useRef } from 'react'
import type { RuleRow } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import { Button, Empty, ErrorState, Loading, Notice, time } from '@/ui'
import {
  addValue, Chips, countBy, FilterButton, flipValue, Grid, GridSkeleton, GridTools, layoutOf, matches, orderRows, parseText, passes, readState, readTerms, removeValue, SearchField, writeState, writeTerms,
  type Choice, type GridHandle, type GridState, type Term,
} from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { ruleColumns } from './columns'
import { fieldName, ruleFields, searchText, valueName, valuesOf, type RuleField } from './fields'
import { plainTitle } from './title'
import { ruleList } from './queries'

const layout = layoutOf(ruleColumns, [{ id: 'severity', down: true }])
const rowId = (r: RuleRow) => r.id
const rowName = (r: RuleRow) => plainTitle(r.title)
const mark = (r: RuleRow) => (r.state === 'off' ? 'ru-row-off' : undefined)

export function RuleGrid() {
  const list = useQuery(ruleList)
  const navigate = useNavigate()
  const [params, setParams] = useURLState()
  const grid = useRef<GridHandle>(null)
  const searchBox = useRef<HTMLInputElement>(null)
  const state = useMemo(() => readState(params, layout), [params])
  const terms = useMemo(() => readTerms(params, ruleFields), [params])
  const q = params.get('q') ?? ''
  const change = useCallback(
    (next: { state?: GridState; terms?: Term<RuleField>[]; q?: string }, replace: boolean) =>
      setParams((p) => {
        const written = { state: next.state ?? readState(p, layout), terms: next.terms ?? readTerms(p, ruleFields), q: next.q ?? p.get('q') ?? '' }
        for (const key of [...p.keys()]) p.delete(key)
        if (written.q !== '') p.set('q', written.q)
        writeTerms(p, written.terms)
        writeState(p, written.state, layout)
      }, { replace }),
    [setParams],
  )
  const all = list.data?.rules
  const wanted = useDeferredValue(q)
  const found = useMemo(() => {
    const words = parseText(wanted)
    return (all ?? []).filter((r) => passes(terms, (f) => valuesOf(r, f)) && (words.length === 0 || matches(words, searchText(r)))).sort((a, b) => plainTitle(a.title).localeCompare(plainTitle(b.title)))
  }, [all, terms, wanted])
  const rows = useMemo(() => orderRows(found, ruleColumns, state.sort), [found, state.sort])
  const values = useCallback((f: RuleField) => countBy(found, (r) => valuesOf(r, f)), [found])
  const open = useCallback((r: RuleRow, e: { newTab: boolean }) => {
    if (e.newTab) window.open(`/rules/${encodeURIComponent(r.id)}`, '_blank', 'noopener')
    else void navigate({ to: '/rules/$id', params: { id: r.id } })
  }, [navigate])
  useKeys('Rules', [
    { keys: 'f', does: 'Search rules', run: () => searchBox.current?.select() },
    { keys: 'j', does: 'Next rule', run: () => grid.current?.move(1) },
    { keys: 'k', does: 'Previous rule', run: () => grid.current?.move(-1) },
    { keys: 'enter', does: 'Open the rule', run: () => grid.current?.focus() },
    { keys: 'i', does: 'Show only this value', run: () => grid.current?.focus() },
    { keys: 'o', does: 'Leave this value out', run: () => grid.current?.focus() },
  ])
  const narrowed = q !== '' || terms.length > 0
  return (
    <div className="grid-page ru-grid">
      {list.isError && all && <Notice kind="attention" action={<Button small onClick={() => void list.refetch()}>Try again</Button>}>The list is from {time.clock(list.dataUpdatedAt)}: the server did not answer since.</Notice>}
      <div className="grid-bar">
        <SearchField ref={searchBox} label="Search rules" placeholder="Words, IDs, techniques …" value={q} onChange={(text) => change({ q: text }, true)} onDown={() => grid.current?.focus()} />
        <FilterButton what="rules" fields={ruleFields} fieldName={fieldName} values={values} valueName={valueName} onFilter={(f, v, not) => change({ terms: addValue(terms, f, v, not) }, false)} />
        <span className="grid-count" role="status">{all ? (narrowed ? `${count(rows.length)} of ${plural(all.length, 'rule')}` : plural(all.length, 'rule')) : ''}</span>
        <div className="grid-bar-end"><GridTools what="rules" rows={rows} columns={ruleColumns} layout={layout} state={state} onState={(s) => change({ state: s }, true)} /></div>
        {terms.length > 0 && (
          <div className="grid-chips">
            <Chips
              terms={terms} fieldName={(f) => fieldName[f]} valueName={valueName} onFlip={(f, v, not) => change({ terms: flipValue(terms, f, v, not) }, false)}
              onRemove={(f, v, not) => change({ terms: removeValue(terms, f, v, not) }, false)} onClear={() => change({ terms: [] }, false)}
            />
          </div>
        )}
      </div>
      {list.isPending ? (
        <Loading what="rules"><GridSkeleton columns={state.columns.length} /></Loading>
      ) : !all ? (
        <ErrorState error={list.error} lost="The rules cannot be shown." kept="Detection goes on with the rules that it has." retry={() => void list.refetch()} />
      ) : (
        <Grid
          ref={grid} label="Rules" rows={rows} columns={ruleColumns} rowId={rowId} rowName={rowName} state={state} onState={(s) => change({ state: s }, true)} onOpen={open} mark={mark}
          onFilter={(c: Choice, not) => change({ terms: addValue(terms, c.field as RuleField, c.value, not) }, false)}
          empty={all.length === 0 ? <Empty icon="filter" title="There is no rule."><p>Rules are shipped with the program. Look at the status line: detection may not be running.</p></Empty> : <Empty icon="filter" title="No rule passes these filters." action={<Button onClick={() => change({ q: '', terms: [] }, false)}>Show all {count(all.length)}</Button>} />}
        />
      )}
    </div>
  )
}
