// SPDX-License-Identifier: Apache-2.0
// A grid of many rows: drawn only where seen, worked wholly from the keyboard,
// and told to assistive technology as the ARIA grid pattern says. It shows what
// it is given: filtering, order and loading are the page's, by the pure
// functions beside this file.
//
// The focus stays on the grid itself and aria-activedescendant names the cell,
// because a row that scrolls out of sight is taken out of the document.

import { useVirtualizer } from '@tanstack/react-virtual'
import {
  useCallback, useEffect, useId, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState,
  type KeyboardEvent, type MouseEvent, type ReactNode, type Ref,
} from 'react'
import { CellMenu, type CellMenuAt } from './CellMenu'
import { shownColumns, type Choice, type Column } from './column'
import { cellText } from './compare'
import './grid.css'
import { HeadCell } from './GridHead'
import { GridRow } from './GridRow'
import { bodyKey, headKey, type KeyContext } from './keys'
import { noSelection, selectAll, selectTo, toggleRow, type Selection } from './selection'
import { toggleSort, type GridState } from './state'

export interface GridHandle {
  focus: () => void
  toTop: () => void
  /** Moves the active row, as j and k do. */
  move: (by: number) => void
  reveal: (id: string) => void
}

export interface GridProps<T> {
  ref?: Ref<GridHandle>
  label: string
  rows: readonly T[]
  columns: readonly Column<T>[]
  rowId: (row: T) => string
  rowName: (row: T) => string
  state: GridState
  onState: (next: GridState) => void
  onOpen?: (row: T, event: { newTab: boolean }) => void
  onFilter?: (choice: Choice, not: boolean) => void
  selection?: Selection
  onSelection?: (next: Selection) => void
  detail?: (row: T) => ReactNode
  expanded?: ReadonlySet<string>
  onExpand?: (id: string) => void
  mark?: (row: T) => string | undefined // a class for the row
  empty: ReactNode
  total?: number // rows that there are in all, where not all are loaded; -1: not known
  busy?: boolean
  onTop?: (atTop: boolean) => void
  onEnd?: () => void // the end of what is loaded has come into sight
  after?: ReactNode // below the last row
}

const HEIGHT = { compact: 28, normal: 36 } as const
const TOUCH = 40 // for fingers, whatever the density; grid.css says the same
const HEAD = 32
const CHECK = 34

interface Active { row: string; column: number }
const HEADER = '\u0000header'

export function Grid<T>(p: GridProps<T>) {
  const { rows, state, rowId } = p
  const base = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState<Active | null>(null)
  const [menu, setMenu] = useState<CellMenuAt | null>(null)
  // While an edge is dragged its width is the grid's own; the address hears of it at the end.
  const [dragged, setDragged] = useState<{ id: string; width: number } | null>(null)
  const widths = useMemo(() => (dragged ? { ...p.state.widths, [dragged.id]: dragged.width } : p.state.widths), [p.state.widths, dragged])
  const columns = useMemo(() => shownColumns(p.columns, state.columns), [p.columns, state.columns])
  const selectable = p.onSelection !== undefined
  const selection = p.selection ?? noSelection
  const [coarse] = useState(() => matchMedia('(pointer: coarse)').matches)
  const height = coarse ? TOUCH : HEIGHT[state.density]

  const ids = useMemo(() => rows.map(rowId), [rows, rowId])
  const place = useMemo(() => new Map(ids.map((id, i) => [id, i])), [ids])
  const activeIndex = active && active.row !== HEADER ? (place.get(active.row) ?? -1) : -1
  const activeColumn = Math.min(active?.column ?? 0, columns.length - 1)

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (i) => ids[i] ?? i,
    overscan: 10,
    paddingStart: HEAD,
    scrollPaddingStart: HEAD,
  })
  const measured = useRef(height)
  useLayoutEffect(() => {
    if (measured.current === height) return
    measured.current = height
    virtual.measure()
  }, [height, virtual])

  const template = useMemo(() => {
    const tracks = columns.map((c) => {
      const width = widths[c.id] ?? c.width
      return c.grow && widths[c.id] === undefined ? `minmax(${width}px, 1fr)` : `${width}px`
    })
    // Without a column that grows, an empty track keeps the lines running to the edge.
    const filler = columns.some((c) => c.grow && widths[c.id] === undefined) ? [] : ['1fr']
    return [...(selectable ? [`${CHECK}px`] : []), ...tracks, ...filler].join(' ')
  }, [columns, widths, selectable])
  const least = columns.reduce((n, c) => n + (widths[c.id] ?? c.width), selectable ? CHECK : 0)

  const go = useCallback(
    (index: number, column: number) => {
      const id = ids[index]
      if (id === undefined) return
      setActive({ row: id, column })
      virtual.scrollToIndex(index)
    },
    [ids, virtual],
  )

  useImperativeHandle(p.ref, () => ({
    focus: () => scroller.current?.focus(),
    toTop: () => void scroller.current?.scrollTo({ top: 0 }), // some browsers return a promise here
    move: (by) => {
      scroller.current?.focus()
      go(Math.min(rows.length - 1, Math.max(0, activeIndex + by)), activeColumn)
    },
    reveal: (id) => {
      const at = place.get(id)
      if (at !== undefined) go(at, 0)
    },
  }))

  // The active cell is brought into sight sideways too, beside what is scrolled away.
  useEffect(() => {
    if (!active) return
    const cell = document.getElementById(active.row === HEADER ? `${base}h${activeColumn}` : `${base}r${active.row}-${activeColumn}`)
    const box = scroller.current
    if (!cell || !box) return
    const c = cell.getBoundingClientRect()
    const b = box.getBoundingClientRect()
    if (c.left < b.left) box.scrollLeft -= b.left - c.left + 8
    else if (c.right > b.right && c.width < b.width) box.scrollLeft += c.right - b.right + 24
  }, [active, activeColumn, base])

  const items = virtual.getVirtualItems()
  const lastSeen = items[items.length - 1]?.index ?? -1
  const { onEnd, onTop } = p
  useEffect(() => {
    if (onEnd && rows.length > 0 && lastSeen >= rows.length - 1) onEnd()
  }, [onEnd, lastSeen, rows.length])
  const atTop = useRef(true)
  const onScroll = () => {
    const now = (scroller.current?.scrollTop ?? 0) < 4
    if (now !== atTop.current) {
      atTop.current = now
      onTop?.(now)
    }
  }

  const setWidth = (id: string, width: number, done = true) => {
    setDragged(done ? null : { id, width })
    if (done) p.onState({ ...state, widths: { ...state.widths, [id]: width } })
  }
  const sortBy = (c: Column<T>, add: boolean) => {
    if (c.sortable !== false) p.onState({ ...state, sort: toggleSort(state.sort, c.id, add, c.downFirst) })
  }

  const openMenu = (index: number, column: number) => {
    const row = rows[index]
    const c = columns[column]
    const cell = document.getElementById(`${base}r${ids[index]}-${column}`)
    if (row === undefined || !c || !cell) return
    const { left, top, width, height: tall } = cell.getBoundingClientRect()
    const choices = c.choices?.(row) ?? []
    const text = cellText(c.value(row))
    if (choices.length === 0 && text === '') return
    setMenu({ left, top, width, height: tall, choices, text, column: c.label })
  }

  const openRow = (index: number, newTab: boolean) => {
    const row = rows[index]
    const id = ids[index]
    if (row === undefined || id === undefined) return
    if (p.onExpand) p.onExpand(id)
    else p.onOpen?.(row, { newTab })
  }

  const filterActive = (not: boolean): boolean => {
    const row = rows[activeIndex]
    const choice = row === undefined ? undefined : columns[activeColumn]?.choices?.(row)[0]
    if (!choice || !p.onFilter) return false
    p.onFilter(choice, not)
    return true
  }

  const select = (next: Selection) => p.onSelection?.(next)
  const keys: KeyContext<T> = {
    rows, ids, columns, state, index: activeIndex, column: activeColumn, selection: selectable ? selection : null,
    page: Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / height) - 2),
    go, toHead: (column) => setActive({ row: HEADER, column }), toColumn: (column) => setActive((a) => a && { ...a, column }),
    select, sortBy, setWidth, onState: p.onState, openRow, openMenu, filter: filterActive,
  }

  const onKey = (e: KeyboardEvent<HTMLDivElement>) => {
    // Keys of what stands in a row's detail are its own.
    if (e.target !== e.currentTarget) return
    if (active?.row === HEADER ? headKey(e, keys) : bodyKey(e, keys)) {
      e.preventDefault()
      e.stopPropagation()
    }
  }

  const locate = (e: MouseEvent): { index: number; column: number; check: boolean } | null => {
    const target = e.target as HTMLElement
    if (target.closest('[data-detail]')) return null
    const tr = target.closest<HTMLElement>('[data-row]')
    const index = tr ? (place.get(tr.dataset['row'] ?? '') ?? -1) : -1
    if (index < 0) return null
    return { index, column: Number(target.closest<HTMLElement>('[data-col]')?.dataset['col'] ?? 0), check: target.closest('[data-check]') !== null }
  }

  const onClick = (e: MouseEvent<HTMLDivElement>) => {
    const at = locate(e)
    const id = at ? ids[at.index] : undefined
    if (!at || id === undefined) return
    setActive({ row: id, column: at.column })
    const target = e.target as HTMLElement
    if (at.check || (selectable && (e.ctrlKey || e.metaKey))) {
      select(e.shiftKey ? selectTo(selection, id, ids) : toggleRow(selection, id))
      return
    }
    if (selectable && e.shiftKey) {
      select(selectTo(selection, id, ids))
      getSelection()?.removeAllRanges()
      return
    }
    if (target.closest('a, button, input')) return
    if (String(getSelection()) !== '') return
    const choosable = target.closest('.grid-choosable')
    const onValue = choosable !== null && target.closest('.grid-td') !== target
    if (e.altKey && choosable) {
      const row = rows[at.index]
      const choice = row === undefined ? undefined : columns[at.column]?.choices?.(row)[0]
      if (choice) p.onFilter?.(choice, true)
    } else if (onValue) openMenu(at.index, at.column)
    else if (p.onExpand) p.onExpand(id)
  }

  const activeDom = active === null ? undefined : active.row === HEADER ? `${base}h${activeColumn}` : activeIndex >= 0 ? `${base}r${active.row}-${activeColumn}` : undefined
  const count = p.total ?? rows.length
  const first = selectable ? 2 : 1

  return (
    <div className={`grid-frame grid-${state.density}${coarse ? ' grid-touch' : ''}${selectable ? ' grid-selectable' : ''}`}>
      <div
        ref={scroller} className="grid" role={p.detail ? 'treegrid' : 'grid'} tabIndex={0} aria-label={p.label} aria-rowcount={count < 0 ? -1 : count + 1}
        aria-colcount={columns.length + first - 1} aria-multiselectable={selectable || undefined} aria-busy={p.busy || undefined}
        aria-activedescendant={activeDom} onKeyDown={onKey} onClick={onClick} onScroll={onScroll}
        onDoubleClick={(e) => {
          const at = locate(e)
          if (at && !at.check && !p.onExpand && !(e.target as HTMLElement).closest('a, button')) openRow(at.index, false)
        }}
        onContextMenu={(e) => {
          const at = locate(e)
          const id = at ? ids[at.index] : undefined
          if (!at || id === undefined || at.check || String(getSelection()) !== '') return
          e.preventDefault()
          setActive({ row: id, column: at.column })
          openMenu(at.index, at.column)
        }}
        onFocus={(e) => {
          if (e.target === e.currentTarget && active === null && ids[0] !== undefined && !e.currentTarget.matches(':active')) setActive({ row: ids[0], column: 0 })
        }}
      >
        <div className="grid-sheet" role="presentation" style={{ ['--cols' as string]: template, minWidth: least }}>
          <div role="rowgroup" className="grid-head">
            <div role="row" aria-rowindex={1} className="grid-tr">
              {selectable && (
                <div role="columnheader" aria-colindex={1} className="grid-th grid-check">
                  <input
                    type="checkbox" tabIndex={-1} aria-label="Select all" checked={rows.length > 0 && selection.ids.size === rows.length}
                    ref={(box) => {
                      if (box) box.indeterminate = selection.ids.size > 0 && selection.ids.size < rows.length
                    }}
                    onChange={() => select(selection.ids.size === rows.length ? noSelection : selectAll(ids))}
                  />
                </div>
              )}
              {columns.map((c, i) => (
                <HeadCell
                  key={c.id} id={`${base}h${i}`} column={c} index={i + first} sort={state.sort} width={widths[c.id] ?? c.width}
                  pinned={i === 0 && c.fixed === true} active={active?.row === HEADER && activeColumn === i} onSort={(add) => sortBy(c, add)} onWidth={(w, done) => setWidth(c.id, w, done)}
                />
              ))}
            </div>
          </div>
          <div role="rowgroup" className="grid-body" style={{ height: Math.max(0, virtual.getTotalSize() - HEAD) }}>
            {items.map((item) => {
              const row = rows[item.index]
              const id = ids[item.index]
              if (row === undefined || id === undefined) return null
              return (
                <div
                  key={item.key} ref={p.detail ? virtual.measureElement : undefined} data-index={item.index} role="presentation"
                  className="grid-slot" style={{ transform: `translateY(${item.start - HEAD}px)` }}
                >
                  <GridRow
                    row={row} id={id} domId={`${base}r${id}`} index={item.index} columns={columns}
                    activeColumn={item.index === activeIndex ? activeColumn : -1} selectable={selectable} selected={selection.ids.has(id)}
                    expandable={p.detail !== undefined} expanded={p.expanded?.has(id) ?? false} detail={p.detail} name={p.rowName} mark={p.mark}
                  />
                </div>
              )
            })}
          </div>
        </div>
        {rows.length === 0 && !p.busy && <Across className="grid-empty" columns={columns.length + first - 1}>{p.empty}</Across>}
        {p.after !== undefined && p.after !== null && rows.length > 0 && <Across className="grid-after" columns={columns.length + first - 1}>{p.after}</Across>}
      </div>
      <CellMenu at={menu} onClose={() => setMenu(null)} onFilter={p.onFilter} onReturn={() => scroller.current?.focus({ preventScroll: true })} />
    </div>
  )
}

/** What stands in a grid without being one of its rows: a grid may hold rows only. */
function Across({ className, columns, children }: { className: string; columns: number; children: ReactNode }) {
  return (
    <div className={className} role="row">
      <div role="gridcell" aria-colspan={columns}>{children}</div>
    </div>
  )
}
