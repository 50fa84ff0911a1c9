// SPDX-License-Identifier: Apache-2.0
// The header of a grid: sorts on a click, is resized by its edge.

import { useRef, type PointerEvent } from 'react'
import type { Column } from './column'
import { clampWidth, type Sort } from './state'

export interface HeadCellProps<T> {
  id: string
  column: Column<T>
  index: number // 1-based, as aria-colindex
  sort: readonly Sort[]
  active: boolean
  pinned: boolean // stays in sight when scrolled sideways
  width: number
  onSort: (add: boolean) => void
  onWidth: (width: number, done: boolean) => void
}

export function HeadCell<T>({ id, column, index, sort, active, pinned, width, onSort, onWidth }: HeadCellProps<T>) {
  const at = sort.findIndex((s) => s.id === column.id)
  const own = sort[at]
  const ref = useRef<HTMLDivElement>(null)
  const sortable = column.sortable !== false

  const resize = (e: PointerEvent<HTMLSpanElement>) => {
    e.preventDefault()
    e.stopPropagation()
    const handle = e.currentTarget
    const from = e.clientX
    const start = ref.current?.getBoundingClientRect().width ?? width
    handle.setPointerCapture(e.pointerId)
    let last = start
    const move = (m: globalThis.PointerEvent) => {
      last = clampWidth(start + m.clientX - from)
      onWidth(last, false)
    }
    const end = () => {
      if (last !== start) onWidth(last, true)
      handle.removeEventListener('pointermove', move)
      handle.removeEventListener('pointerup', end)
      handle.removeEventListener('pointercancel', end)
    }
    handle.addEventListener('pointermove', move)
    handle.addEventListener('pointerup', end)
    handle.addEventListener('pointercancel', end)
  }

  return (
    <div
      ref={ref} id={id} role="columnheader" aria-colindex={index} title={column.about}
      aria-sort={sortable ? (own ? (own.down ? 'descending' : 'ascending') : 'none') : undefined}
      className={`grid-th${column.align === 'end' ? ' grid-end' : ''}${active ? ' grid-active' : ''}${sortable ? ' grid-sortable' : ''}${pinned ? ' grid-pin' : ''}`}
      onClick={sortable ? (e) => onSort(e.shiftKey) : undefined}
    >
      <span className="grid-th-label">{column.label}</span>
      {own && (
        <span className="grid-arrow" aria-hidden="true">
          {own.down ? '↓' : '↑'}
          {sort.length > 1 && <sup>{at + 1}</sup>}
        </span>
      )}
      <span className="grid-resize" aria-hidden="true" onPointerDown={resize} onClick={(e) => e.stopPropagation()} onDoubleClick={() => onWidth(column.width, true)} />
    </div>
  )
}
