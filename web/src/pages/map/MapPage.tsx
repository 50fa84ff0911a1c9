// SPDX-License-Identifier: Apache-2.0
// Map: who talks to whom, by zone, room and protocol; drawn, as a matrix, and
// as a list. All three show the same conversations of the same time.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { MapNode } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, Checkbox, Empty, ErrorState, IconButton, Loading, Menu, Notice, Popover, Segmented, Skeleton, time } from '@/ui'
import { CopyLink, recall, remember } from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { classOrder } from '../devices/classes'
import '../devices/devices.css'
import { SavedViews } from '../events/SavedViews'
import { FindDevice } from './FindDevice'
import { layout as layOut, theatreColumns, zoneOrder } from './layout'
import { LinkList } from './LinkList'
import './map.css'
import { MapView } from './MapView'
import { MatrixView } from './MatrixView'
import { arrange, FOLD_ABOVE, foldKey, linksOf, MANY, OUTSIDE, protocolsOf, rowIndex, rowsOf, type By, type Link, type Row } from './model'
import { latestMap, mapBetween } from './queries'
import { jump, lengths, windowAt, type Kept } from './replay'
import { Selection } from './Selection'
import { TimeBar } from './TimeBar'

type View = 'map' | 'matrix' | 'list'
const views: { value: View; label: string }[] = [{ value: 'map', label: 'Map' }, { value: 'matrix', label: 'Matrix' }, { value: 'list', label: 'List' }]
const DAY = 86_400_000
const none: ReadonlySet<string> = new Set()

export function MapPage() {
  const [params, setParams] = useURLState()
  const client = useQueryClient()
  const navigate = useNavigate()
  const find = useRef<HTMLInputElement>(null)
  const [width, setWidth] = useState(900)
  const [cell, setCell] = useState<{ from: ReadonlySet<string>; to: ReadonlySet<string> } | null>(null)
  const [reveal, setReveal] = useState<string | null>(params.get('focus'))
  const [panel, setPanel] = useState(() => recall('map.panel') !== 'no')

  const view = views.find((v) => v.value === params.get('view'))?.value ?? 'map'
  const length = lengths.find((l) => String(l.ms) === params.get('len'))?.ms ?? DAY
  const at = params.get('at')
  const end = at !== null && Number.isFinite(Date.parse(at)) ? Date.parse(at) : null
  const set = useCallback((change: (p: URLSearchParams) => void, replace = true) => setParams(change, { replace }), [setParams])

  // What is kept is told by every answer; a window of the past needs it first.
  const newest = useQuery(latestMap(`-${length / 60_000}m`))
  const kept = useMemo((): Kept | null => (newest.data ? { from: Date.parse(newest.data.kept.from), to: Date.parse(newest.data.kept.to) } : null), [newest.data])
  const past = useMemo(() => (kept && end !== null ? windowAt(end, length, kept) : null), [kept, end, length])
  const window = useQuery({ ...mapBetween(past?.from ?? 0, past?.to ?? 0), enabled: past !== null })
  const whole = useQuery({ ...mapBetween(kept?.from ?? 0, kept?.to ?? 0), enabled: past !== null && kept !== null })
  const query = past ? window : newest
  const data = query.data

  useEffect(() => {
    // The next step of a replay, before it is asked for.
    if (!kept || !past) return
    const next = windowAt(past.to + jump(length), length, kept)
    if (next.to > past.to) void client.prefetchQuery(mapBetween(next.from, next.to))
  }, [client, kept, past, length])

  const theatres = useQuery(theatresQuery)
  const theatreName = useCallback((id: string) => theatres.data?.find((t) => t.id === id)?.name ?? id, [theatres.data])
  const theatreOrder = useCallback((id: string) => theatres.data?.find((t) => t.id === id)?.order ?? 1e6, [theatres.data])

  // While replaying, places come from all that is kept, so that nothing moves.
  const seen = useMemo(() => {
    const all = new Map<string, MapNode>()
    if (past) for (const n of whole.data?.nodes ?? []) all.set(n.id, n)
    for (const n of data?.nodes ?? []) all.set(n.id, n)
    return all
  }, [past, whole.data, data])
  // Rooms are the columns where nobody has named zones.
  const zoned = useMemo(() => [...seen.values()].some((n) => n.zone !== '' && !n.outside), [seen])
  const asked = params.get('by')
  const by: By = asked === 'zone' || asked === 'theatre' ? asked : zoned ? 'zone' : 'theatre'
  const nodes = useMemo(() => new Map(arrange([...seen.values()], by).map((n) => [n.id, n])), [seen, by])
  const columnOrder = useMemo(() => (by === 'zone' ? zoneOrder : theatreColumns(theatreOrder)), [by, theatreOrder])
  const zoneName = useCallback(
    (z: string) => (z === OUTSIDE ? 'Outside' : z === MANY ? 'To many' : z === '' ? (by === 'zone' ? 'No zone' : 'No theatre') : by === 'zone' ? z : theatreName(z)),
    [by, theatreName],
  )
  const list = useMemo(() => [...nodes.values()], [nodes])

  const focus = useMemo(() => params.getAll('focus'), [params])
  const folds = list.length > FOLD_ABOVE && params.get('all') !== '1'
  // As text: what is pinned changes often, and rows only with what it unfolds.
  const unfolded = !folds ? '' : JSON.stringify([...new Set([...params.getAll('u'), ...focus.flatMap((id) => nodes.get(id) ?? []).map(foldKey)])].sort())
  const rows = useMemo(() => rowsOf(list, folds, unfolded === '' ? none : new Set(JSON.parse(unfolded) as string[])), [list, folds, unfolded])
  const index = useMemo(() => rowIndex(rows), [rows])
  const byRow = useMemo(() => new Map(rows.map((r) => [r.id, r])), [rows])
  const at2d = useMemo(() => layOut(rows, { theatreOrder, classOrder, columnOrder, width }), [rows, theatreOrder, columnOrder, width])

  const chosen = params.get('p')
  const protocols = useMemo(() => new Set((chosen ?? '').split(',').filter(Boolean)), [chosen])
  const onlyNew = params.get('new') === '1'
  const onlyOut = params.get('out') === '1'
  const edges = useMemo(
    () => (data?.edges ?? []).filter((e) => (protocols.size === 0 || protocols.has(e.protocol)) && (!onlyNew || e.new) && (!onlyOut || e.in_policy === false)),
    [data, protocols, onlyNew, onlyOut],
  )
  const links = useMemo(() => linksOf(edges, index), [edges, index])
  const known = useMemo(() => protocolsOf(data?.edges ?? []), [data])
  const policy = useMemo(() => (data?.edges ?? []).some((e) => e.in_policy !== null), [data])
  const silent = useMemo(() => {
    const talking = new Set(links.flatMap((l) => [l.from, l.to]))
    return new Set(rows.filter((r) => !talking.has(r.id)).map((r) => r.id))
  }, [links, rows])

  const pinned = useMemo(() => new Set(focus.flatMap((id) => (byRow.has(id) ? [id] : []))), [focus, byRow])
  const onPin = useCallback(
    (ids: string[], add: boolean) => {
      setCell(null)
      set((p) => {
        const before = p.getAll('focus')
        p.delete('focus')
        const same = ids.length > 0 && ids.every((id) => before.includes(id))
        const next = ids.length === 0 ? [] : same ? (add ? before.filter((id) => !ids.includes(id)) : before.length === ids.length ? [] : ids) : add ? [...new Set([...before, ...ids])] : ids
        for (const id of next) p.append('focus', id)
      })
    },
    [set],
  )
  const onUnfold = useCallback((row: Row) => {
    const first = row.members[0]
    if (!first) return
    set((p) => {
      p.append('u', foldKey(first))
      p.delete('focus')
    })
  }, [set])
  const onFind = useCallback((id: string) => {
    onPin([id], false)
    setReveal(null)
    // The class that it stands in is unfolded first.
    requestAnimationFrame(() => setReveal(id))
  }, [onPin])

  const only = useMemo(() => (cell ? (l: Link) => l.edges.some((e) => cell.from.has(e.from) && cell.to.has(e.to)) : null), [cell])
  const isolated = useMemo(() => (only ? links.filter(only) : links.filter((l) => pinned.has(l.from) || pinned.has(l.to))), [links, only, pinned])
  const selecting = pinned.size > 0 || cell !== null

  useKeys('Map', [
    { keys: 'f', does: 'Find a device', run: () => find.current?.focus() },
    { keys: '1', does: 'Map', run: () => set((p) => p.delete('view')) },
    { keys: '2', does: 'Matrix', run: () => set((p) => p.set('view', 'matrix')) },
    { keys: '3', does: 'List', run: () => set((p) => p.set('view', 'list')) },
    { keys: 'escape', does: 'Unpin all', run: () => onPin([], false) },
  ])

  const matrix = <MatrixView nodes={list} edges={edges} zoneName={zoneName} order={columnOrder} onPick={(from, to) => { set((p) => p.delete('focus')); setCell({ from, to }) }} onDevice={(id) => (view === 'matrix' ? void navigate({ to: '/devices/$id', params: { id } }) : onFind(id))} />
  const selection = <Selection rows={[...pinned].flatMap((id) => byRow.get(id) ?? [])} links={isolated} names={byRow} zoneName={zoneName} theatreName={theatreName} onPin={onPin} onUnfold={onUnfold} />
  const filtered = protocols.size > 0 || onlyNew || onlyOut

  return (
    <Page title="Map" full actions={<SavedViews page="map" />}>
      <div className="grid-page map-page">
        <div className="grid-bar">
          <Segmented label="View" value={view} onChange={(v) => set((p) => (v === 'map' ? p.delete('view') : p.set('view', v)), false)} options={views} />
          <FindDevice ref={find} nodes={list} onFind={onFind} />
          <Popover label="Protocols" trigger={<Button icon="filter">{protocols.size === 0 ? 'All protocols' : protocols.size <= 2 ? [...protocols].join(', ') : plural(protocols.size, 'protocol')}</Button>}>
            <ul className="map-protocols">
              {known.map((k) => (
                <li key={k.protocol}>
                  <Checkbox
                    label={<span className="map-protocol">{k.protocol} <span className="quiet">{count(k.conversations)}</span></span>} checked={protocols.has(k.protocol)}
                    onChange={() => set((p) => {
                      const next = new Set(protocols)
                      if (!next.delete(k.protocol)) next.add(k.protocol)
                      if (next.size === 0) p.delete('p')
                      else p.set('p', [...next].join(','))
                    })}
                  />
                </li>
              ))}
            </ul>
            {protocols.size > 0 && <Button small kind="quiet" onClick={() => set((p) => p.delete('p'))}>All protocols</Button>}
          </Popover>
          <Button aria-pressed={onlyNew} onClick={() => set((p) => (onlyNew ? p.delete('new') : p.set('new', '1')))}>New this week</Button>
          <Button aria-pressed={onlyOut} reason={policy ? undefined : 'No policy has been given yet, so nothing can be outside of it.'} onClick={() => set((p) => (onlyOut ? p.delete('out') : p.set('out', '1')))}>Not in policy</Button>
          {data && <span className="grid-count" role="status">{plural(list.length, 'device')}, {filtered ? `${count(edges.length)} of ` : ''}{plural(data.edges.length, 'conversation')}</span>}
          <div className="grid-bar-end">
            <Menu
              label="Arrangement" align="end" trigger={<IconButton icon="columns" label="Columns and folding" />}
              entries={[
                { kind: 'label', label: 'Columns are' },
                { kind: 'radio', value: by, onChange: (v) => set((p) => { p.set('by', v); p.delete('u') }), options: [{ value: 'zone', label: 'Zones' }, { value: 'theatre', label: 'Theatres' }] },
                ...(list.length > FOLD_ABOVE
                  ? [
                      { kind: 'label' as const, label: 'Rows are' },
                      { kind: 'radio' as const, value: folds ? 'classes' : 'devices', onChange: (v: string) => set((p) => (v === 'devices' ? p.set('all', '1') : p.delete('all'))), options: [{ value: 'classes', label: 'Classes, unfolded on demand' }, { value: 'devices', label: `Each of ${count(list.length)} devices` }] },
                      { label: 'Fold all again', icon: 'collapse' as const, disabled: !folds || params.getAll('u').length === 0, run: () => set((p) => p.delete('u')) },
                    ]
                  : []),
              ]}
            />
            {view === 'map' && (
              <IconButton
                icon="matrix" className="wide-only" label={panel ? 'Hide the panel' : 'Show the panel'} pressed={panel}
                onClick={() => {
                  remember('map.panel', panel ? 'no' : 'yes')
                  setPanel(!panel)
                }}
              />
            )}
            {view !== 'list' && <CopyLink />}
          </div>
        </div>
        {data?.more && <Notice>More is going on than can be drawn: the smallest conversations are left out. A shorter time or fewer protocols show them.</Notice>}
        {query.isError && data && <Notice kind="attention" action={<Button small onClick={() => void query.refetch()}>Try again</Button>}>The map is not up to date: the server did not answer. It shows {time.clock(query.dataUpdatedAt)}.</Notice>}
        <div className={`map-body${query.isPlaceholderData ? ' is-stale' : ''}`}>
          {query.isPending && !data ? (
            <Loading what="the map"><div className="map-loading"><Skeleton lines={12} /></div></Loading>
          ) : !data ? (
            <ErrorState error={query.error} lost="The map cannot be shown." kept="What devices say to each other goes on being recorded." retry={() => void query.refetch()} />
          ) : list.length === 0 ? (
            <Empty icon="map" title="Nobody talked in this time.">
              <p>Each conversation that the sensor sees becomes a line between two devices here. {length < 30 * DAY ? 'A longer time may show more.' : 'If this stays empty, the Sensor page says what is seen.'}</p>
            </Empty>
          ) : view === 'matrix' ? (
            <div className="map-whole">{matrix}</div>
          ) : view === 'list' ? (
            <LinkList nodes={nodes} edges={edges} zoneName={zoneName} />
          ) : (
            <>
              <MapView
                layout={at2d} links={links} zoneName={zoneName} theatreName={theatreName} pinned={pinned} only={only} reveal={reveal} silent={past || filtered ? silent : none}
                onPin={onPin} onUnfold={onUnfold} onSize={setWidth}
              />
              {(panel || selecting) && (
                <aside className={`map-panel${selecting ? ' map-panel-open' : ''}`} aria-label={selecting ? 'Selection' : 'Matrix'}>
                  {selecting ? (
                    <>
                      <div className="map-panel-head"><h2>{cell ? 'Chosen in the matrix' : 'Selection'}</h2><IconButton small icon="close" label="Unpin all" onClick={() => onPin([], false)} /></div>
                      {selection}
                    </>
                  ) : (
                    <>
                      <div className="map-panel-head"><h2>Matrix</h2></div>
                      {matrix}
                      <Legend policy={policy} />
                    </>
                  )}
                </aside>
              )}
            </>
          )}
        </div>
        <TimeBar
          kept={kept} length={length} end={end} busy={query.isFetching && query.isPlaceholderData}
          onLength={(ms) => set((p) => (ms === DAY ? p.delete('len') : p.set('len', String(ms))))}
          onEnd={(e) => set((p) => (e === null ? p.delete('at') : p.set('at', new Date(e).toISOString())))}
        />
      </div>
    </Page>
  )
}

function Legend({ policy }: { policy: boolean }) {
  return (
    <dl className="map-legend">
      <div><dt><svg width="34" height="10" aria-hidden="true"><path d="M1 5h14" className="map-ink" strokeWidth="1" /><path d="M19 5h14" className="map-ink" strokeWidth="6" /></svg></dt><dd>wider: more volume</dd></div>
      <div><dt><svg width="34" height="10" aria-hidden="true"><path d="M1 5h32" className="map-ink" strokeWidth="2" strokeDasharray="5 4" /></svg></dt><dd>new this week</dd></div>
      <div><dt><svg width="34" height="10" aria-hidden="true"><path d="M1 5h32" className={policy ? 'map-ink-out' : 'map-ink'} strokeWidth="2" /></svg></dt><dd>{policy ? 'not in policy' : 'no policy yet: none is red'}</dd></div>
    </dl>
  )
}
