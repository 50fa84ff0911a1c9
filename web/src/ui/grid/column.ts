// SPDX-License-Identifier: Apache-2.0
// What a grid is told about a column.

import type { ReactNode } from 'react'
import { sortRows, type CellValue } from './compare'
import type { GridLayout, Sort } from './state'

/** A value that a person can include or exclude by clicking the cell. */
export interface Choice { field: string; value: string; label: string }

export interface Column<T> {
  id: string
  label: string
  about?: string // one line for the column chooser and the header's tooltip
  width: number
  grow?: boolean // takes the room that is left; one column of a grid
  align?: 'end'
  hidden?: boolean // not shown until chosen
  fixed?: boolean // cannot be hidden
  sortable?: boolean // default true
  downFirst?: boolean // largest or newest first at the first click
  value: (row: T) => CellValue // what is exported, copied, and sorted by
  order?: (row: T) => CellValue // sorted by this instead
  choices?: (row: T) => readonly Choice[]
  render?: (row: T) => ReactNode // default: the text of value
}

export function layoutOf<T>(columns: readonly Column<T>[], sort: readonly Sort[]): GridLayout {
  return { all: columns.map((c) => c.id), shown: columns.filter((c) => !c.hidden).map((c) => c.id), sort }
}

/** Rows in the order that the headers say. */
export function orderRows<T>(rows: readonly T[], columns: readonly Column<T>[], sort: readonly Sort[]): T[] {
  const keys = sort.flatMap((s) => {
    const column = columns.find((c) => c.id === s.id)
    return column ? [{ value: column.order ?? column.value, down: s.down }] : []
  })
  return sortRows(rows, keys)
}

/** The columns that are shown, in their order; fixed ones always. */
export function shownColumns<T>(columns: readonly Column<T>[], ids: readonly string[]): Column<T>[] {
  const byId = new Map(columns.map((c) => [c.id, c]))
  const shown = ids.flatMap((id) => byId.get(id) ?? [])
  const missing = columns.filter((c) => c.fixed && !ids.includes(c.id))
  return [...missing, ...shown]
}
