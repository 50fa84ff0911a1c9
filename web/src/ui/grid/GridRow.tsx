// SPDX-License-Identifier: Apache-2.0
// One row of a grid. It is drawn again only when something of it changed: a
// grid of 10,000 rows scrolls by drawing a few dozen of these.

import { memo, type ReactNode } from 'react'
import type { Column } from './column'
import { cellText } from './compare'

export interface GridRowProps<T> {
  row: T
  id: string
  domId: string
  index: number // place in the list, from 0
  columns: readonly Column<T>[]
  activeColumn: number // -1: this row is not the active one
  selectable: boolean
  selected: boolean
  expandable: boolean
  expanded: boolean
  detail?: (row: T) => ReactNode
  name: (row: T) => string
  mark?: (row: T) => string | undefined
}

function GridRowInner<T>(p: GridRowProps<T>) {
  const { row, columns, domId } = p
  const active = p.activeColumn >= 0
  const first = p.selectable ? 2 : 1
  const mark = p.mark?.(row)
  return (
    <>
      <div
        role="row" id={domId} aria-rowindex={p.index + 2} data-row={p.id}
        aria-selected={p.selectable ? p.selected : undefined}
        aria-expanded={p.expandable ? p.expanded : undefined}
        className={`grid-tr${active ? ' grid-tr-active' : ''}${p.selected ? ' grid-tr-selected' : ''}${p.expanded ? ' grid-tr-open' : ''}${mark ? ` ${mark}` : ''}`}
      >
        {p.selectable && (
          <div role="gridcell" aria-colindex={1} className="grid-td grid-check" data-check="">
            <input type="checkbox" tabIndex={-1} checked={p.selected} readOnly aria-label={`Select ${p.name(row)}`} />
          </div>
        )}
        {columns.map((c, i) => {
          const text = cellText(c.value(row))
          const choosable = c.choices !== undefined && c.choices(row).length > 0
          return (
            <div
              key={c.id} role="gridcell" id={`${domId}-${i}`} aria-colindex={i + first} data-col={i}
              className={`grid-td${c.align === 'end' ? ' grid-end' : ''}${p.activeColumn === i ? ' grid-active' : ''}${choosable ? ' grid-choosable' : ''}${i === 0 && c.fixed ? ' grid-pin' : ''}`}
              title={c.render ? undefined : text}
            >
              {c.render ? c.render(row) : text}
            </div>
          )
        })}
      </div>
      {p.expanded && p.detail && (
        <div role="row" className="grid-detail" data-detail="">
          <div role="gridcell" aria-colindex={1} aria-colspan={columns.length + first - 1} className="grid-detail-cell">
            {p.detail(row)}
          </div>
        </div>
      )}
    </>
  )
}

export const GridRow = memo(GridRowInner) as typeof GridRowInner
