// SPDX-License-Identifier: Apache-2.0
// The drawn map. Rows are elements, so that they can be read, focused and
// selected as text, those near the window only; links are painted on a canvas of the size of the window,
// however tall the map is.

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent } from 'react'
import { bytes, plural } from '@/ui/units'
import { ColumnView } from './ColumnView'
import { COLUMN, GAP, HEAD, hit, inSight, ROW, route, rowsInSight, sameSight, shiftsIn, shiftsOf, type Layout, type Path, type PlacedRow, type Sight } from './layout'
import { neighbours, type Link, type Row } from './model'
import { inks, MOST, MOST_MOVING, paint, type Inks } from './paint'

interface Props {
  layout: Layout
  links: readonly Link[]
  zoneName: (zone: string) => string
  theatreName: (id: string) => string
  pinned: ReadonlySet<string>
  only: ((l: Link) => boolean) | null // isolates some links, chosen in the matrix
  reveal: string | null // a row to bring into sight
  silent: ReadonlySet<string> // rows without a link in this time
  onPin: (ids: string[], add: boolean) => void
  onUnfold: (row: Row) => void
  onSize: (width: number) => void
}

export function MapView(p: Props) {
  const { layout: at, links, pinned, only } = p
  const scroller = useRef<HTMLDivElement>(null)
  const sheet = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const hovered = useRef<{ row: string | null; path: Path | null }>({ row: null, path: null })
  const [tip, setTip] = useState<{ x: number; y: number; link: Link } | null>(null)
  const [leftOut, setLeftOut] = useState(0)
  const [cursor, setCursor] = useState<string | null>(null)
  const colours = useRef<Inks | null>(null)
  const revealed = useRef<string | null>(null)
  const wanted = useRef<string | null>(null) // the row that gets the focus once it is drawn
  // Columns that are shorter than the tallest stay in sight; links follow them.
  const routed = useRef<{ links: readonly Link[]; at: Layout; key: string; paths: Path[] } | null>(null)
  const pathsAt = useCallback(() => {
    const box = scroller.current
    const shifts = box ? shiftsOf(at, box.scrollTop, box.clientHeight) : []
    const key = shifts.join()
    if (routed.current?.links !== links || routed.current.at !== at || routed.current.key !== key) routed.current = { links, at, key, paths: route(bySize(links), at, shifts) }
    return routed.current.paths
  }, [links, at])

  const moving = useRef<ReturnType<typeof setTimeout>>(undefined)
  const draw = useCallback(() => {
    const c = canvas.current
    const box = scroller.current
    if (!c || !box) return
    colours.current ??= inks(c)
    const { row, path } = hovered.current
    const strong = (l: Link): boolean => {
      if (path) return l.id === path.link.id
      if (row !== null) return l.from === row || l.to === row
      if (only) return only(l)
      return pinned.size === 0 || pinned.has(l.from) || pinned.has(l.to)
    }
    const isolated = path !== null || row !== null || only !== null || pinned.size > 0
    const left = paint(c, pathsAt(), { left: box.scrollLeft, top: box.scrollTop, width: box.clientWidth, height: box.clientHeight }, colours.current, isolated ? strong : null, moving.current === undefined ? MOST : MOST_MOVING)
    if (moving.current === undefined) setLeftOut(isolated ? 0 : left)
    // The rows that belong to what is strong stay at full strength too.
    const root = sheet.current
    if (!root) return
    root.classList.toggle('map-isolated', isolated)
    const near = !isolated ? null : path ? new Set([path.link.from, path.link.to]) : row !== null ? neighbours(links, new Set([row])) : only ? endsOf(links.filter(only)) : neighbours(links, pinned)
    for (const el of root.querySelectorAll<HTMLElement>('.map-row')) el.classList.toggle('map-near', near?.has(el.dataset['row'] ?? '') ?? false)
  }, [pathsAt, links, pinned, only])

  const frame = useRef(0)
  const redraw = useCallback(() => {
    cancelAnimationFrame(frame.current)
    frame.current = requestAnimationFrame(draw)
  }, [draw])
  const [sight, setSight] = useState<Sight>({ top: 0, left: 0, width: 0, height: 0 })
  const look = useCallback(() => {
    const box = scroller.current
    if (!box) return
    const now = inSight(box.scrollLeft, box.scrollTop, box.clientWidth, box.clientHeight)
    setSight((old) => (sameSight(old, now) ? old : now))
  }, [])
  useLayoutEffect(look, [look, at])
  // Rows that came into sight are marked as those that were there.
  useLayoutEffect(() => {
    draw()
    return () => cancelAnimationFrame(frame.current)
  }, [draw, sight])
  useLayoutEffect(() => {
    if (wanted.current === null) return
    const row = sheet.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(wanted.current)}"] .map-name`)
    if (!row) return
    wanted.current = null
    row.focus({ preventScroll: true })
  })

  const { onSize } = p
  useEffect(() => {
    const box = scroller.current
    if (!box) return
    const size = new ResizeObserver(() => {
      onSize(box.clientWidth)
      box.style.setProperty('--view', `${box.clientHeight}px`)
      look()
      redraw()
    })
    size.observe(box)
    const again = () => {
      colours.current = null
      redraw()
    }
    const theme = new MutationObserver(again)
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    const system = matchMedia('(prefers-color-scheme: dark)')
    system.addEventListener('change', again)
    return () => {
      size.disconnect()
      theme.disconnect()
      system.removeEventListener('change', again)
    }
  }, [redraw, look, onSize])

  const toSight = useCallback((id: string) => {
    const place = at.place.get(id)
    const box = scroller.current
    if (!place || !box) return
    const y = place.y + (shiftsOf(at, box.scrollTop, box.clientHeight)[place.column] ?? 0)
    if (y < box.scrollTop + HEAD + ROW || y > box.scrollTop + box.clientHeight - ROW) box.scrollTop = place.y - box.clientHeight / 2
    if (place.x < box.scrollLeft || place.x + COLUMN > box.scrollLeft + box.clientWidth) box.scrollLeft = place.x - GAP
  }, [at])
  useEffect(() => {
    if (p.reveal === null || !at.place.has(p.reveal)) return
    toSight(p.reveal)
    setCursor(p.reveal)
    // Once: what comes later must not take the focus from where it is then.
    if (revealed.current === p.reveal) return
    revealed.current = p.reveal
    wanted.current = p.reveal
  }, [p.reveal, toSight, at])

  // All lines come back when the hand rests.
  const onScroll = () => {
    clearTimeout(moving.current)
    moving.current = setTimeout(() => {
      moving.current = undefined
      redraw()
    }, 120)
    look()
    redraw()
    setTip(null)
  }
  useEffect(() => () => clearTimeout(moving.current), [])

  const rowAt = (e: MouseEvent) => (e.target as HTMLElement).closest<HTMLElement>('[data-row]')?.dataset['row'] ?? null
  const setHover = (row: string | null, path: Path | null) => {
    if (hovered.current.row === row && hovered.current.path === path) return
    hovered.current = { row, path }
    redraw()
  }
  const onMove = (e: MouseEvent) => {
    const row = rowAt(e)
    if (row !== null) {
      setHover(row, null)
      setTip(null)
      return
    }
    const box = sheet.current?.getBoundingClientRect()
    if (!box) return
    const path = hit(pathsAt(), e.clientX - box.left, e.clientY - box.top)
    setHover(null, path)
    setTip(path ? { x: e.clientX - box.left, y: e.clientY - box.top, link: path.link } : null)
  }
  const onLeave = () => {
    setHover(null, null)
    setTip(null)
  }
  const onClick = (e: MouseEvent) => {
    if ((e.target as HTMLElement).closest('[data-unfold]')) return
    const row = rowAt(e)
    const add = e.shiftKey || e.ctrlKey || e.metaKey
    if (row !== null) {
      setCursor(row)
      p.onPin([row], add)
    } else if (hovered.current.path) p.onPin([hovered.current.path.link.from, hovered.current.path.link.to], add)
    else if (pinned.size > 0 || only) p.onPin([], false)
  }

  const names = useMemo(() => new Map(at.columns.flatMap((c) => c.rows.map((r) => [r.row.id, r.row] as const))), [at])
  const active = cursor !== null && names.has(cursor) ? cursor : (at.columns[0]?.rows[0]?.row.id ?? null)
  const shifts = useMemo(() => shiftsIn(at, sight), [at, sight])
  const onKey = (e: KeyboardEvent) => {
    if (active === null) return
    const next = neighbourRow(at, active, e.key)
    const row = names.get(active)
    if (next !== null) {
      wanted.current = next
      setCursor(next)
      toSight(next)
    } else if (e.key === 'Enter' || e.key === ' ') p.onPin([active], e.shiftKey)
    else if (e.key === '+' && row?.folded) p.onUnfold(row)
    else if (e.key === 'Escape' && (pinned.size > 0 || only)) p.onPin([], false)
    else return
    e.preventDefault()
    e.stopPropagation()
  }

  return (
    <div ref={scroller} className="map-scroll" onScroll={onScroll}>
      <div
        ref={sheet} className="map-sheet" role="group" aria-label="Map. Arrow keys move between devices, Enter shows what one talks to. The matrix and the list have the same as tables."
        style={{ width: at.width, height: at.height }} onMouseMove={onMove} onMouseLeave={onLeave} onClick={onClick} onKeyDown={onKey}
        onFocus={(e) => {
          const row = (e.target as HTMLElement).closest<HTMLElement>('[data-row]')?.dataset['row']
          if (row && e.target.matches(':focus-visible')) setHover(row, null)
        }}
        onBlur={() => setHover(null, null)}
      >
        <div className="map-canvas-at"><canvas ref={canvas} aria-hidden="true" /></div>
        {at.columns.map((c, i) => {
          const [from, to] = rowsInSight(c, sight, shifts[i] ?? 0)
          return (
            <ColumnView
              key={c.zone} column={c} from={from} to={to} zoneName={p.zoneName} theatreName={p.theatreName} pinned={pinned} silent={p.silent}
              active={active !== null && at.place.get(active)?.column === i ? active : null} onUnfold={p.onUnfold}
            />
          )
        })}
        {leftOut > 0 && (
          <p className="map-note">
            {plural(leftOut, 'smaller conversation')} in sight {leftOut === 1 ? 'is' : 'are'} not drawn. Point at a device to see all of its own.
          </p>
        )}
        {tip && (
          <div className="map-tip" style={{ left: Math.min(tip.x + 14, at.width - 300), top: tip.y + 14 }}>
            <strong>{names.get(tip.link.from)?.name} → {names.get(tip.link.to)?.name}</strong>
            <span>{tip.link.protocol}, {bytes(tip.link.bytes)}, {plural(tip.link.flows, 'connection')}{tip.link.failed > 0 ? `, ${tip.link.failed} failed` : ''}</span>
            {tip.link.isNew && <span>New this week</span>}
            {tip.link.policy === 'out' && <span className="map-out">Not in policy</span>}
          </div>
        )}
      </div>
    </div>
  )
}

const sorted = new WeakMap<readonly Link[], Link[]>()
/** The largest first. */
function bySize(links: readonly Link[]): Link[] {
  let list = sorted.get(links)
  if (!list) sorted.set(links, (list = [...links].sort((a, b) => b.bytes - a.bytes)))
  return list
}

const endsOf = (links: readonly Link[]) => new Set(links.flatMap((l) => [l.from, l.to]))

/** Up and down in a column, left and right to the row at the same height. */
function neighbourRow(at: Layout, id: string, key: string): string | null {
  const place = at.place.get(id)
  if (!place) return null
  const column = at.columns[place.column]
  const index = column?.rows.findIndex((r) => r.row.id === id) ?? -1
  if (key === 'ArrowDown') return column?.rows[index + 1]?.row.id ?? null
  if (key === 'ArrowUp') return column?.rows[index - 1]?.row.id ?? null
  if (key === 'Home') return column?.rows[0]?.row.id ?? null
  if (key === 'End') return column?.rows[column.rows.length - 1]?.row.id ?? null
  if (key !== 'ArrowLeft' && key !== 'ArrowRight') return null
  const other = at.columns[place.column + (key === 'ArrowLeft' ? -1 : 1)]
  let best: PlacedRow | null = null
  for (const r of other?.rows ?? []) if (best === null || Math.abs(r.y - place.y) < Math.abs(best.y - place.y)) best = r
  return best?.row.id ?? null
}
