// SPDX-License-Identifier: Apache-2.0
// The same as the map, as a table: who (down) talks to whom (across). Worked
// by the arrow keys; only what is in sight is in the document.

import { useId, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import type { MapEdge, MapNode } from '@/api/types'
import { Icon } from '@/ui'
import { bytes, plural } from '@/ui/units'
import { classOrder } from '../devices/classes'
import { cellKey, matrix, shade, type Cell, type Matrix } from './matrix'

interface Props {
  nodes: readonly MapNode[]
  edges: readonly MapEdge[]
  zoneName: (zone: string) => string
  order: (a: string, b: string) => number
  onPick: (from: ReadonlySet<string>, to: ReadonlySet<string>) => void
  onDevice: (id: string) => void
}

const CELL = 28
const SIDE = 156
const TOP = 92

export function MatrixView({ nodes, edges, zoneName, order, onPick, onDevice }: Props) {
  const base = useId()
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const [at, setAt] = useState<{ row: number; column: number } | null>(null) // -1: a header
  const [hover, setHover] = useState<{ row: number; column: number } | null>(null)
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ left: 0, top: 0, width: 400, height: 400 })
  const m = useMemo(() => matrix(nodes, edges, open, zoneName, classOrder, order), [nodes, edges, open, zoneName, order])
  const n = m.axis.length

  useLayoutEffect(() => {
    const el = box.current
    if (!el) return
    const read = () => setView({ left: el.scrollLeft, top: el.scrollTop, width: el.clientWidth, height: el.clientHeight })
    read()
    const watch = new ResizeObserver(read)
    watch.observe(el)
    el.addEventListener('scroll', read, { passive: true })
    return () => {
      watch.disconnect()
      el.removeEventListener('scroll', read)
    }
  }, [])

  const range = (scroll: number, size: number): [number, number] => [Math.max(0, Math.floor(scroll / CELL) - 2), Math.min(n, Math.ceil((scroll + size) / CELL) + 2)]
  const [r0, r1] = range(view.top, view.height)
  const [c0, c1] = range(view.left, view.width)

  const toggle = (key: string) => {
    const next = new Set(open)
    if (!next.delete(key)) next.add(key)
    setOpen(next)
  }
  const act = (row: number, column: number) => {
    const item = m.axis[row < 0 ? column : row]
    if (row < 0 || column < 0) {
      if (item?.opens) toggle(item.key)
      else if (item) onDevice(item.device)
    } else onPick(membersAt(m, row), membersAt(m, column))
  }
  const onKey = (e: KeyboardEvent) => {
    const here = at ?? { row: -1, column: -1 }
    const keys: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
    const step = keys[e.key]
    if (step) {
      const row = Math.min(n - 1, Math.max(-1, here.row + step[0]))
      const column = Math.min(n - 1, Math.max(row < 0 ? 0 : -1, here.column + step[1]))
      setAt({ row, column })
      const el = box.current
      if (el && row >= 0) el.scrollTop = Math.min(row * CELL, Math.max(el.scrollTop, (row + 1) * CELL + TOP - el.clientHeight))
      if (el && column >= 0) el.scrollLeft = Math.min(column * CELL, Math.max(el.scrollLeft, (column + 1) * CELL + SIDE - el.clientWidth))
    } else if ((e.key === 'Enter' || e.key === ' ') && at) act(at.row, at.column)
    else return
    e.preventDefault()
    e.stopPropagation()
  }

  const told = hover ?? at
  const cell = told ? m.cells.get(cellKey(told.row, told.column)) : undefined
  const from = told ? m.axis[told.row] : undefined
  const to = told ? m.axis[told.column] : undefined

  return (
    <div className="mx">
      <p className="mx-told" role="status">{from && to ? cellSentence(from.label, to.label, cell) : 'Who (down) talks to whom (across). Choose a cell to see it on the map.'}</p>
      <div
        ref={box} className="mx-box" role="grid" tabIndex={0} aria-label="Who talks to whom" aria-rowcount={n + 1} aria-colcount={n + 1} onKeyDown={onKey}
        aria-activedescendant={at ? `${base}${at.row}x${at.column}` : undefined} onFocus={() => at === null && n > 0 && setAt({ row: 0, column: -1 })} onMouseLeave={() => setHover(null)}
      >
        <div className="mx-sheet" role="presentation" style={{ width: SIDE + n * CELL, height: TOP + n * CELL }}>
          <div role="row" aria-rowindex={1} className="mx-head" style={{ height: TOP, width: SIDE + n * CELL }}>
            <div role="columnheader" aria-colindex={1} className="mx-corner" style={{ width: SIDE, height: TOP }}><span>from ↓ · to →</span></div>
            {m.axis.slice(c0, c1).map((a, i) => {
              const c = c0 + i
              return (
                <div
                  key={a.key} role="columnheader" id={`${base}-1x${c}`} aria-colindex={c + 2} className={`mx-top mx-level-${a.level}${at?.row === -1 && at.column === c ? ' mx-at' : ''}${told?.column === c ? ' mx-lit' : ''}`}
                  style={{ left: SIDE + c * CELL, width: CELL, height: TOP }} title={a.label} onClick={() => act(-1, c)} aria-expanded={a.opens ? a.open : undefined}
                >
                  <span>{a.label}</span>
                </div>
              )
            })}
          </div>
          {m.axis.slice(r0, r1).map((a, i) => {
            const r = r0 + i
            return (
              <div key={a.key} role="row" aria-rowindex={r + 2} className="mx-row" style={{ top: TOP + r * CELL, height: CELL, width: SIDE + n * CELL }}>
                <div
                  role="rowheader" id={`${base}${r}x-1`} aria-colindex={1} className={`mx-side mx-level-${a.level}${at?.column === -1 && at.row === r ? ' mx-at' : ''}${told?.row === r ? ' mx-lit' : ''}`}
                  style={{ width: SIDE, height: CELL }} title={a.label} aria-expanded={a.opens ? a.open : undefined}
                  onClick={() => {
                    setAt({ row: r, column: -1 })
                    act(r, -1)
                  }}
                >
                  {a.opens ? <Icon name={a.open ? 'chevron-down' : 'chevron-right'} size={12} /> : <span className="mx-none" />}
                  <span className="grid-cut">{a.label}</span>
                  {a.level < 2 && <span className="quiet">{a.devices}</span>}
                </div>
                {m.axis.slice(c0, c1).map((b, j) => {
                  const c = c0 + j
                  const value = m.cells.get(cellKey(r, c))
                  return (
                    <div
                      key={b.key} role="gridcell" id={`${base}${r}x${c}`} aria-colindex={c + 2} aria-label={cellSentence(a.label, b.label, value)} className={`mx-cell${at?.row === r && at.column === c ? ' mx-at' : ''}${r === c ? ' mx-self' : ''}`}
                      style={{ left: SIDE + c * CELL, width: CELL, height: CELL }} onMouseEnter={() => setHover({ row: r, column: c })}
                      onClick={() => {
                        setAt({ row: r, column: c })
                        if (value) act(r, c)
                      }}
                    >
                      {value && <span className={`mx-dot mx-${shade(value.bytes, m.most)}${value.fresh === value.conversations ? ' mx-fresh' : ''}${value.out > 0 ? ' mx-out' : ''}`} />}
                    </div>
                  )
                })}
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function membersAt(m: Matrix, at: number): ReadonlySet<string> {
  return new Set([...m.index].filter(([, i]) => i === at).map(([id]) => id))
}

export function cellSentence(from: string, to: string, cell: Cell | undefined): string {
  if (!cell) return `${from} to ${to}: nothing.`
  const parts = [plural(cell.conversations, 'conversation'), bytes(cell.bytes), cell.protocols.slice(0, 4).join(', ') + (cell.protocols.length > 4 ? ` and ${cell.protocols.length - 4} more` : '')]
  if (cell.fresh > 0) parts.push(`${cell.fresh} new this week`)
  if (cell.out > 0) parts.push(`${cell.out} not in policy`)
  return `${from} to ${to}: ${parts.join('; ')}.`
}
