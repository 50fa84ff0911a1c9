// SPDX-License-Identifier: Apache-2.0
// Events: what happened, when, between whom. Everything on the page follows
// from the query in the address.

import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { EventField, EventRow, Severity } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, Dialog, Empty, ErrorState, IconButton, Loading, Notice, Select, severityName, time } from '@/ui'
import { addValue, Chips, flipValue, Grid, GridSkeleton, GridTools, layoutOf, readState, recall, remember, removeValue, SearchField, writeState, type Choice, type GridHandle, type GridState, type Term } from '@/ui/grid'
import { compact, count, plural } from '@/ui/units'
import { deviceList } from '../devices/queries'
import { eventColumns } from './columns'
import { EventDetailView } from './EventDetailView'
import './events.css'
import { ExportMenu } from './ExportMenu'
import { bars, countBy } from './histogram'
import { LiveStrip } from './LiveStrip'
import { valueLabel } from './labels'
import { apiParams, fieldNames, filterParams, isNarrowed, readQuery, spanOf, withSpan, writeQuery, zoomOut, type EventQuery, type Span } from './query'
import { eventPages, histogram } from './queries'
import { RangePicker, rangeText } from './RangePicker'
import { SavedViews } from './SavedViews'
import { SearchHelp } from './SearchHelp'
import { Sidebar } from './Sidebar'
import { newestId } from './tail'
import { TimeBars } from './TimeBars'
import { useTail } from './useTail'

const rowId = (e: EventRow) => e.id
const rowName = (e: EventRow) => e.message || `${e.class_name} ${time.clock(e.time)}`
const markOf = (e: EventRow) => (e.severity === 'info' || e.severity === 'unknown' ? undefined : `ev-row-${e.severity}`)
const minimum: { value: string; label: string }[] = [
  { value: '', label: 'Any severity' },
  ...(['low', 'medium', 'high', 'critical'] as Severity[]).map((s) => ({ value: s, label: s === 'critical' ? 'Critical only' : `${severityName[s]} and worse` })),
]

export function EventsPage() {
  const [params, setParams] = useURLState()
  const grid = useRef<GridHandle>(null)
  const searchBox = useRef<HTMLInputElement>(null)
  const [fresh, setFresh] = useState(0) // counts reloads: each fixes what "now" is
  const [drawer, setDrawer] = useState(false)
  const [sidebar, setSidebar] = useState(() => recall('events.sidebar') !== 'no')

  const query = useMemo(() => readQuery(params), [params])
  const asked = useMemo(() => {
    const p = new URLSearchParams()
    writeQuery(p, { ...query, live: false })
    return p.toString()
  }, [query])
  // Fixed by the query as text, and anew by each reload.
  const span = useMemo(() => spanOf(query, time.now()), [asked, fresh])
  const filter = useMemo(() => {
    const p = new URLSearchParams()
    filterParams(p, query)
    return p.toString()
  }, [asked])
  const request = useMemo(() => apiParams(query, span).toString(), [filter, span])

  // While live, the histogram and the counts move on by themselves; the rows wait to be asked for.
  const [beat, setBeat] = useState(0)
  useEffect(() => {
    if (!query.live) return
    const timer = setInterval(() => !document.hidden && setBeat(time.now()), 10_000)
    return () => clearInterval(timer)
  }, [query.live])
  const wide: Span = query.live && beat > span.to ? { from: span.from + (beat - span.to), to: beat } : span
  const wideRequest = wide === span ? request : apiParams(query, wide).toString()

  const list = useInfiniteQuery(eventPages(request, query.order))
  const counts = useQuery(histogram(wideRequest))
  const rooms = useQuery(theatresQuery)
  const needsDevices = query.terms.some((t) => t.field.endsWith('device'))
  const devices = useQuery({ ...deviceList, enabled: needsDevices })

  const pages = list.data?.pages
  const loaded = useMemo(() => (pages ?? []).flatMap((p) => p.events), [pages])
  const first = pages?.[0]
  const [tail, act, stream] = useTail({
    on: query.live, filter, view: request,
    after: first ? newestId(first.events) : null,
  })
  const rows = useMemo(() => {
    if (tail.shown.length === 0) return loaded
    const have = new Set(tail.shown.map(rowId))
    return [...tail.shown, ...loaded.filter((e) => !have.has(e.id))]
  }, [tail.shown, loaded])

  const theatre = useCallback((id: string) => rooms.data?.find((t) => t.id === id)?.name ?? id, [rooms.data])
  const label = useCallback(
    (field: EventField, value: string, given?: string) => valueLabel(field, value, given, { theatre, device: (id) => devices.data?.devices.find((d) => d.id === id)?.name ?? nameIn(rows, id), kind: (f, v) => kindIn(rows, f, v) }),
    [theatre, devices.data, rows],
  )
  const manyDays = time.day(span.from) !== time.day(span.to)
  const columns = useMemo(() => eventColumns(theatre, manyDays), [theatre, manyDays])
  const layout = useMemo(() => layoutOf(columns, [{ id: 'time', down: true }]), [columns])
  const state = useMemo<GridState>(() => ({ ...readState(params, layout), sort: [{ id: 'time', down: query.order === 'newest' }] }), [params, layout, query.order])

  const change = useCallback(
    (next: Partial<EventQuery> & { grid?: GridState }, replace = false) =>
      setParams(
        (p) => {
          const { grid: nextGrid, ...rest } = next
          const q = { ...readQuery(p), ...rest }
          const g = nextGrid ?? readState(p, layout)
          for (const key of [...p.keys()]) p.delete(key)
          writeQuery(p, q)
          writeState(p, { ...g, sort: [...layout.sort] }, layout)
        },
        { replace },
      ),
    [setParams, layout],
  )
  const onState = useCallback(
    (g: GridState) => {
      const order = g.sort[0]?.id === 'time' && !g.sort[0].down ? 'oldest' : 'newest'
      if (order !== query.order && !query.live) change({ order, grid: g })
      else change({ grid: g }, true)
    },
    [change, query.order, query.live],
  )
  const onTerms = useCallback((terms: Term<EventField>[]) => change({ terms }), [change])
  const onFilter = useCallback((c: Choice, not: boolean) => change({ terms: addValue(readQuery(new URLSearchParams(location.search)).terms, c.field as EventField, c.value, not) }), [change])
  const onRange = useCallback((from: string, to: string) => change({ from, to, live: false }), [change])
  const onBrush = useCallback((s: Span) => setParams((p) => {
    const next = withSpan(readQuery(p), s)
    for (const key of ['from', 'to', 'live']) p.delete(key)
    p.set('from', next.from)
    p.set('to', next.to)
  }), [setParams])

  const opened = params.get('open')
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(() => new Set(opened ? [opened] : []))
  const onExpand = useCallback((id: string) => setExpanded((old) => {
    const next = new Set(old)
    if (!next.delete(id)) next.add(id)
    return next
  }), [])
  const detail = useCallback(
    (row: EventRow) => (
      <EventDetailView
        row={row} theatre={theatre} onFilter={onFilter}
        onAround={(e) => change({ from: new Date(Date.parse(e.time) - 60_000).toISOString(), to: new Date(Date.parse(e.time) + 60_000).toISOString(), q: '', min: '', terms: [], live: false })}
        onPair={(e) => change({ terms: pairTerms(e) })}
      />
    ),
    [theatre, onFilter, change],
  )
  const revealed = useRef(false)
  useEffect(() => {
    if (revealed.current || !opened || !rows.some((r) => r.id === opened)) return
    revealed.current = true
    grid.current?.reveal(opened)
  }, [opened, rows])

  useEffect(() => void grid.current?.toTop(), [request])
  const reload = useCallback(() => {
    setFresh((n) => n + 1)
    grid.current?.toTop()
  }, [])
  const showNew = useCallback(() => {
    act({ do: 'show' })
    grid.current?.toTop()
  }, [act])
  const toggleLive = useCallback(() => {
    if (query.live) change({ live: false }, true)
    else {
      const relative = query.to === '' && query.from.startsWith('-')
      change({ live: true, order: 'newest', ...(relative ? {} : { from: '-1h', to: '' }) })
      setFresh((n) => n + 1)
    }
  }, [query, change])

  const { fetchNextPage, hasNextPage, isFetchingNextPage } = list
  const last = pages?.[pages.length - 1]
  const onEnd = useCallback(() => {
    // What ran out of time waits for a person to say go on.
    if (hasNextPage && !isFetchingNextPage && last?.complete && !list.isFetchNextPageError) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, last, fetchNextPage, list.isFetchNextPageError])

  const focusGrid = () => grid.current?.focus()
  useKeys('Events', [
    { keys: 'f', does: 'Search events', run: () => searchBox.current?.select() },
    { keys: 'j', does: 'Next event', run: () => grid.current?.move(1) },
    { keys: 'k', does: 'Previous event', run: () => grid.current?.move(-1) },
    { keys: 'enter', does: 'Open or close the event', run: focusGrid },
    { keys: 'i', does: 'Show only this value', run: focusGrid },
    { keys: 'o', does: 'Leave this value out', run: focusGrid },
    { keys: 'm', does: 'Menu of the cell', run: focusGrid },
    { keys: 'l', does: 'Live on and off', run: toggleLive },
    { keys: 'p', does: 'Pause and resume live', run: () => act({ do: 'pause', paused: !tail.paused }) },
    { keys: 'n', does: 'Show the new events', run: () => (tail.skipped > 0 ? reload() : showNew()) },
    { keys: 'r', does: 'Load again', run: reload },
    { keys: '-', does: 'Zoom out in time', run: () => onBrush(zoomOut(span, time.now())) },
  ])

  const chart = useMemo(() => (counts.data ? bars(counts.data) : []), [counts.data])
  const total = useMemo(() => (counts.data ? countBy(counts.data).reduce((n, s) => n + s.count, 0) : 0), [counts.data])
  const charted: Span = counts.data ? { from: Date.parse(counts.data.from), to: Date.parse(counts.data.to) } : wide
  const narrowed = isNarrowed(query)
  const incomplete = last !== undefined && !last.complete

  const after = list.isFetchNextPageError ? (
    <span className="ev-more" role="alert">Older events could not be loaded. <Button small onClick={() => void fetchNextPage()}>Try again</Button></span>
  ) : incomplete && hasNextPage ? (
    <span className="ev-more">Searched {query.order === 'oldest' ? 'on to' : 'back to'} {time.short(last.reached)}. <Button small busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>Go on searching</Button></span>
  ) : hasNextPage ? (
    <span className="ev-more quiet">Loading {query.order === 'oldest' ? 'later' : 'older'} events …</span>
  ) : rows.length > 0 ? (
    <span className="ev-more quiet">{query.order === 'oldest' ? 'The end of this time.' : 'The beginning of this time.'}</span>
  ) : null

  const empty = incomplete ? (
    <Empty icon="events" title={`Nothing found yet, back to ${time.short(last.reached)}.`} action={hasNextPage && <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>Go on searching</Button>}>
      <p>A search stops after two seconds, so that it never holds up recording. It goes on from where it stopped.</p>
    </Empty>
  ) : narrowed ? (
    <Empty icon="filter" title="No event matches in this time." action={<><Button onClick={() => onBrush(zoomOut(span, time.now()))}>Look at a longer time</Button> <Button onClick={() => change({ q: '', min: '', terms: [] })}>Clear search and filters</Button></>}>
      <p>{rangeText(query, span)}.</p>
    </Empty>
  ) : (
    <Empty icon="events" title="Nothing happened in this time." action={<Button onClick={() => onBrush(zoomOut(span, time.now()))}>Look at a longer time</Button>}>
      <p>What devices say to each other is recorded here. If this stays empty, the <a href="/sensor">Sensor</a> page says what is seen.</p>
    </Empty>
  )
  const side = <Sidebar params={wideRequest} terms={query.terms} onTerms={onTerms} label={label} />

  return (
    <Page title="Events" full actions={<SavedViews page="events" />}>
      <div className="grid-page ev-page">
        <div className="grid-bar">
          <IconButton
            className="wide-only" icon="list" label={sidebar ? 'Hide the fields' : 'Show the fields'} pressed={sidebar}
            onClick={() => {
              remember('events.sidebar', sidebar ? 'no' : 'yes')
              setSidebar(!sidebar)
            }}
          />
          <Button className="narrow-only" icon="list" onClick={() => setDrawer(true)}>Fields</Button>
          <SearchField ref={searchBox} label="Search events" placeholder="Words, addresses, “phrases” …" value={query.q} wait={500} onChange={(q) => change({ q }, true)} onDown={focusGrid} help={<SearchHelp text={query.q} />} />
          <Select small className="ev-min" label="Least severity" hideLabel value={query.min} onChange={(e) => change({ min: e.target.value as Severity | '' })} options={minimum} />
          <RangePicker query={query} span={span} onRange={onRange} />
          <Button aria-pressed={query.evidence} title="What devices say about themselves. Each device shows its own." onClick={() => change({ evidence: !query.evidence })}>Evidence</Button>
          <Button icon={query.live ? 'pause' : 'play'} aria-pressed={query.live} onClick={toggleLive}>Live</Button>
          <IconButton icon="refresh" label="Load again" keys="r" onClick={reload} />
          <div className="grid-bar-end">
            <ExportMenu params={request} />
            <GridTools what="events" rows={rows} columns={columns} layout={layout} state={state} onState={onState} exports={false} />
          </div>
          {query.terms.length > 0 && (
            <div className="grid-chips">
              <Chips
                terms={query.terms} fieldName={(f) => fieldNames[f]} valueName={(f, v) => label(f, v)} onFlip={(f, v, not) => onTerms(flipValue(query.terms, f, v, not))}
                onRemove={(f, v, not) => onTerms(removeValue(query.terms, f, v, not))} onClear={() => onTerms([])}
              />
            </div>
          )}
        </div>
        <div className="ev-chart">
          <p className="ev-total" role="status">
            {counts.data ? <><strong>{counts.data.complete ? '' : 'at least '}{count(total)}</strong> {total === 1 ? 'event' : 'events'} <span className="quiet">{rangeText(query, span).toLowerCase()}{counts.data.complete ? '' : `, counted back to ${time.short(counts.data.reached)}`}</span></> : counts.isError ? <span className="quiet">The counts could not be loaded.</span> : <span className="quiet">Counting …</span>}
            <span className="grid-spacer" />
            {counts.data && countBy(counts.data).filter((s) => s.severity !== 'info' && s.severity !== 'unknown').map((s) => (
              <button key={s.severity} type="button" className="ev-key" onClick={() => onTerms(addValue(query.terms, 'severity', s.severity, false))} title="Show only these"><i className={`bars-key bars-key-${s.severity}`} />{severityName[s.severity]} {compact(s.count)}</button>
            ))}
          </p>
          <TimeBars
            label={`${plural(total, 'event')} over time`} span={charted} stepMs={counts.data?.step_ms ?? 60_000} bars={chart} busy={counts.isPlaceholderData}
            reached={counts.data && !counts.data.complete ? Date.parse(counts.data.reached) : undefined} onSelect={onBrush} onZoomOut={() => onBrush(zoomOut(span, time.now()))}
          />
        </div>
        {query.live && <LiveStrip tail={tail} stream={stream} act={act} onShow={showNew} onReload={reload} />}
        {list.isRefetchError && <Notice kind="attention" action={<Button small onClick={reload}>Try again</Button>}>The list is not up to date: the server did not answer.</Notice>}
        <div className="ev-body">
          {sidebar && <aside className="ev-side wide-only" aria-label="Fields">{side}</aside>}
          {list.isPending ? (
            <Loading what="events"><GridSkeleton columns={state.columns.length} /></Loading>
          ) : list.isError && !pages ? (
            <ErrorState error={list.error} lost="The events cannot be shown." kept="What is seen goes on being recorded." retry={() => void list.refetch()} />
          ) : (
            <Grid
              ref={grid} label="Events" rows={rows} columns={columns} rowId={rowId} rowName={rowName} state={state} onState={onState} onFilter={onFilter} mark={markOf} detail={detail}
              expanded={expanded} onExpand={onExpand} empty={empty} after={after} onEnd={onEnd} busy={isFetchingNextPage} total={hasNextPage ? -1 : rows.length}
              onTop={(atTop) => !atTop && tail.follow && act({ do: 'follow', follow: false })}
            />
          )}
        </div>
      </div>
      {drawer && <Dialog open onOpenChange={setDrawer} side title="Fields">{side}</Dialog>}
    </Page>
  )
}

/** Both ends, in the direction of the event; by address where an end is no device. */
function pairTerms(e: EventRow): Term<EventField>[] {
  let terms: Term<EventField>[] = []
  if (e.src) terms = e.src.device !== '' ? addValue(terms, 'src_device', e.src.device, false) : addValue(terms, 'src_ip', e.src.ip, false)
  if (e.dst) terms = e.dst.device !== '' ? addValue(terms, 'dst_device', e.dst.device, false) : addValue(terms, 'dst_ip', e.dst.ip, false)
  return terms
}

function nameIn(rows: readonly EventRow[], id: string): string | undefined {
  for (const r of rows) {
    if (r.src?.device === id) return r.src.name
    if (r.dst?.device === id) return r.dst.name
  }
  return undefined
}
function kindIn(rows: readonly EventRow[], field: 'class' | 'activity', value: string): string | undefined {
  const row = rows.find((r) => (field === 'class' ? String(r.class) : `${r.class}/${r.activity}`) === value)
  return field === 'class' ? row?.class_name : row && `${row.class_name}: ${row.activity_name}`
}
