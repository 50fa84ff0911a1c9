// SPDX-License-Identifier: Apache-2.0
// Devices: all of them in one grid, filtered in the browser, so that an answer
// is there before the question is fully typed.

import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { DeviceRow } from '@/api/types'
import { useMay } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useSites } from '@/shell/site'
import { useURLState } from '@/shell/urlstate'
import { Button, Empty, ErrorState, Loading, Notice, time } from '@/ui'
import {
  addValue, Chips, compareValues, flipValue, Grid, GridSkeleton, GridTools, keepExisting, layoutOf, matches, noSelection, orderRows, parseText, passes, readState, readTerms, removeValue,
  SearchField, writeState, writeTerms, type Choice, type GridHandle, type GridState, type Selection, type Term,
} from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { SavedViews } from '../events/SavedViews'
import { AddFilter } from './AddFilter'
import { BulkBar } from './BulkBar'
import { classNames } from './classes'
import { deviceColumns } from './columns'
import './devices.css'
import { deviceFields, fieldName, searchText, valueName, valuesOf, type DeviceField, type Names } from './fields'
import { deviceList } from './queries'

const startSort = [{ id: 'risk', down: true }]
const rowId = (d: DeviceRow) => d.id
const rowName = (d: DeviceRow) => d.name

export function DevicesPage() {
  const list = useQuery(deviceList)
  const theatreList = useQuery(theatresQuery)
  const may = useMay()
  const navigate = useNavigate()
  const [params, setParams] = useURLState()
  const grid = useRef<GridHandle>(null)
  const searchBox = useRef<HTMLInputElement>(null)
  const [selection, setSelection] = useState<Selection>(noSelection)

  const sites = useSites()
  const names = useMemo<Names>(() => {
    const rooms = new Map((theatreList.data ?? []).map((t) => [t.id, t.name]))
    const classes = new Map((list.data?.devices ?? []).map((d) => [d.class, d.class_name]))
    return { theatre: (id) => rooms.get(id) ?? id, class: (c) => classes.get(c) ?? classNames[c] ?? c, site: sites.title }
  }, [theatreList.data, list.data, sites.title])
  const columns = useMemo(() => deviceColumns(names, time.now), [names])
  const layout = useMemo(() => layoutOf(columns, startSort), [columns])
  const state = useMemo(() => readState(params, layout), [params, layout])
  const terms = useMemo(() => readTerms(params, deviceFields), [params])
  const q = params.get('q') ?? ''

  const change = useCallback(
    (next: { state?: GridState; terms?: Term<DeviceField>[]; q?: string }, replace: boolean) =>
      setParams(
        (p) => {
          const written = {
            state: next.state ?? readState(p, layout),
            terms: next.terms ?? readTerms(p, deviceFields),
            q: next.q ?? p.get('q') ?? '',
          }
          for (const key of [...p.keys()]) p.delete(key)
          if (written.q !== '') p.set('q', written.q)
          writeTerms(p, written.terms)
          writeState(p, written.state, layout)
        },
        { replace },
      ),
    [setParams, layout],
  )
  const onState = useCallback((s: GridState) => change({ state: s }, true), [change])
  const onFilter = useCallback((c: Choice, not: boolean) => change({ terms: addValue(terms, c.field as DeviceField, c.value, not) }, false), [change, terms])

  // By name first: what the chosen order does not part stays readable.
  const devices = useMemo(() => list.data && [...list.data.devices].sort((a, b) => compareValues(a.name, b.name)), [list.data])
  const wanted = useDeferredValue(q)
  const found = useMemo(() => {
    const words = parseText(wanted)
    const now = time.now()
    return (devices ?? []).filter(
      (d) => passes(terms, (f) => valuesOf(d, f, now)) && (words.length === 0 || matches(words, searchText(d, d.theatre === '' ? '' : names.theatre(d.theatre)))),
    )
  }, [devices, terms, wanted, names])
  const rows = useMemo(() => orderRows(found, columns, state.sort), [found, columns, state.sort])

  // What a filter hides is no longer selected: a bulk edit changes only what is seen.
  useEffect(() => setSelection((s) => keepExisting(s, rows.map(rowId))), [rows])
  // Another question is answered from its beginning.
  const question = JSON.stringify([wanted, terms, state.sort])
  useEffect(() => void grid.current?.toTop(), [question])
  const selected = useMemo(() => (selection.ids.size === 0 ? [] : rows.filter((d) => selection.ids.has(d.id))), [rows, selection])

  const open = useCallback((d: DeviceRow, e: { newTab: boolean }) => {
    if (e.newTab) window.open(`/devices/${encodeURIComponent(d.id)}`, '_blank', 'noopener')
    else void navigate({ to: '/devices/$id', params: { id: d.id } })
  }, [navigate])

  useKeys('Devices', [
    { keys: 'f', does: 'Filter devices', run: () => searchBox.current?.select() },
    { keys: 'j', does: 'Next device', run: () => grid.current?.move(1) },
    { keys: 'k', does: 'Previous device', run: () => grid.current?.move(-1) },
    { keys: 'x', does: 'Select', run: () => grid.current?.focus() },
    { keys: 'enter', does: 'Open the device', run: () => grid.current?.focus() },
    { keys: 'i', does: 'Show only this value', run: () => grid.current?.focus() },
    { keys: 'o', does: 'Leave this value out', run: () => grid.current?.focus() },
    { keys: 'm', does: 'Menu of the cell', run: () => grid.current?.focus() },
  ])

  const narrowed = q !== '' || terms.length > 0
  const clear = () => change({ terms: [], q: '' }, false)
  const total = devices?.length ?? 0

  return (
    <Page title="Devices" full actions={<SavedViews page="devices" />}>
      <div className="grid-page">
        {list.isError && devices && (
          <Notice kind="attention" action={<Button small onClick={() => void list.refetch()}>Try again</Button>}>
            The list is not up to date: the server did not answer. What you see is from {time.clock(list.dataUpdatedAt)}.
          </Notice>
        )}
        <div className="grid-bar">
          <SearchField
            ref={searchBox} label="Filter devices" placeholder="Name, address, AE title, vendor, serial …" value={q}
            onChange={(text) => change({ q: text }, true)} onDown={() => grid.current?.focus()}
          />
          <AddFilter rows={found} names={names} now={time.now} onFilter={onFilter} />
          {selected.length > 0 ? (
            <BulkBar rows={selected} theatres={theatreList.data ?? []} refused={may('device.edit')} onClear={() => setSelection(noSelection)} />
          ) : (
            <span className="grid-count" role="status">
              {devices ? (narrowed ? `${count(rows.length)} of ${plural(total, 'device')}` : plural(total, 'device')) : ''}
            </span>
          )}
          <div className="grid-bar-end">
            <GridTools what="devices" rows={rows} columns={columns} layout={layout} state={state} onState={onState} />
          </div>
          {terms.length > 0 && (
            <div className="grid-chips">
              <Chips
                terms={terms} fieldName={(f) => fieldName[f]} valueName={(f, v) => valueName(f, v, names)}
                onFlip={(f, v, not) => change({ terms: flipValue(terms, f, v, not) }, false)}
                onRemove={(f, v, not) => change({ terms: removeValue(terms, f, v, not) }, false)}
                onClear={() => change({ terms: [] }, false)}
              />
            </div>
          )}
        </div>
        {list.isPending ? (
          <Loading what="devices"><GridSkeleton columns={state.columns.length} /></Loading>
        ) : !devices ? (
          <ErrorState error={list.error} lost="The devices cannot be shown." kept="The sensor goes on recording." retry={() => void list.refetch()} />
        ) : (
          <Grid
            ref={grid} label="Devices" rows={rows} columns={columns} rowId={rowId} rowName={rowName} state={state} onState={onState} onOpen={open} onFilter={onFilter}
            selection={selection} onSelection={setSelection}
            empty={
              total === 0 ? (
                <Empty icon="devices" title="No device has been seen yet.">
                  <p>Each device that talks on a watched network appears here by itself, with what it is and why we think so. Nothing is sent to find it.</p>
                  <p>If this stays empty, look at the <a href="/sensor">Sensor</a> page: it says what the sensor can see.</p>
                </Empty>
              ) : (
                <Empty icon="filter" title="No device passes these filters." action={<Button onClick={clear}>Show all {count(total)}</Button>}>
                  <p>{q !== '' && terms.length > 0 ? 'The search and the filters must all hold.' : q !== '' ? `Nothing has “${q}” in its name, addresses or description.` : 'The filters must all hold.'}</p>
                </Empty>
              )
            }
          />
        )}
      </div>
    </Page>
  )
}
