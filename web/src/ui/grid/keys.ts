// SPDX-License-Identifier: Apache-2.0
// What the keys do in a grid. Each function tells whether the key was its own.

import type { KeyboardEvent } from 'react'
import { copy } from '../Copyable'
import type { Column } from './column'
import { cellText } from './compare'
import { noSelection, selectAll, selectTo, toggleRow, type Selection } from './selection'
import { clampWidth, moveColumn, type GridState } from './state'

export interface KeyContext<T> {
  rows: readonly T[]
  ids: readonly string[]
  columns: readonly Column<T>[]
  state: GridState
  index: number // of the active row, -1 for none
  column: number // the active one
  page: number // rows that are seen at once
  selection: Selection | null // null: rows are not selected here
  go: (index: number, column: number) => void
  toHead: (column: number) => void
  toColumn: (column: number) => void
  select: (next: Selection) => void
  sortBy: (column: Column<T>, add: boolean) => void
  setWidth: (id: string, width: number) => void
  onState: (next: GridState) => void
  openRow: (index: number, newTab: boolean) => void
  openMenu: (index: number, column: number) => void
  filter: (not: boolean) => boolean // by the active cell
}

/** In the header: Enter sorts, Shift and an arrow changes the width, Alt and an arrow the place. */
export function headKey<T>(e: KeyboardEvent, k: KeyContext<T>): boolean {
  const c = k.columns[k.column]
  if (!c) return false
  switch (e.key) {
    case 'ArrowDown':
      k.go(0, k.column)
      return true
    case 'Enter':
    case ' ':
      k.sortBy(c, e.shiftKey)
      return true
    case 'ArrowLeft':
    case 'ArrowRight': {
      const by = e.key === 'ArrowLeft' ? -1 : 1
      if (e.shiftKey) {
        k.setWidth(c.id, clampWidth((k.state.widths[c.id] ?? c.width) + by * 16))
        return true
      }
      if (e.altKey) k.onState({ ...k.state, columns: moveColumn(k.columns.map((x) => x.id), c.id, by) })
      k.toHead(Math.min(k.columns.length - 1, Math.max(0, k.column + by)))
      return true
    }
  }
  return false
}

export function bodyKey<T>(e: KeyboardEvent, k: KeyContext<T>): boolean {
  const here = k.ids[k.index]
  const ctrl = e.ctrlKey || e.metaKey
  const to = (index: number): boolean => {
    const at = Math.min(k.rows.length - 1, Math.max(0, index))
    const id = k.ids[at]
    if (e.shiftKey && k.selection && id !== undefined) {
      const anchored = k.selection.anchor === null && here !== undefined ? toggleRow(k.selection, here) : k.selection
      k.select(selectTo(anchored, id, k.ids))
    }
    k.go(at, k.column)
    return true
  }
  switch (e.key) {
    case 'ArrowDown':
      return to(k.index + 1)
    case 'ArrowUp':
      if (k.index > 0 || e.shiftKey) return to(k.index - 1)
      k.toHead(k.column)
      return true
    case 'ArrowLeft':
      k.toColumn(Math.max(0, k.column - 1))
      return true
    case 'ArrowRight':
      k.toColumn(Math.min(k.columns.length - 1, k.column + 1))
      return true
    case 'PageDown':
      return to(k.index + k.page)
    case 'PageUp':
      return to(k.index - k.page)
    case 'Home':
      return to(0)
    case 'End':
      return to(k.rows.length - 1)
    case 'Enter':
      if (k.index >= 0) k.openRow(k.index, ctrl)
      return true
    case 'ContextMenu':
    case 'F10':
      if (e.key === 'F10' && !e.shiftKey) return false
      k.openMenu(k.index, k.column)
      return true
  }
  return ctrl ? withCtrl(e, k) : e.altKey ? false : letter(e, k, here, to)
}

function withCtrl<T>(e: KeyboardEvent, k: KeyContext<T>): boolean {
  if (e.key === 'a' && k.selection) {
    k.select(selectAll(k.ids))
    return true
  }
  const row = k.rows[k.index]
  const c = k.columns[k.column]
  if (e.key !== 'c' || row === undefined || !c || String(getSelection()) !== '') return false
  void copy(cellText(c.value(row)))
  return true
}

function letter<T>(e: KeyboardEvent, k: KeyContext<T>, here: string | undefined, to: (index: number) => boolean): boolean {
  switch (e.key) {
    case 'j':
      return to(k.index + 1)
    case 'k':
      return to(k.index - 1)
    case 'x':
    case 'X':
    case ' ':
      if (!k.selection || here === undefined) return e.key === ' '
      k.select(e.shiftKey ? selectTo(k.selection, here, k.ids) : toggleRow(k.selection, here))
      return true
    case 'i':
      return k.filter(false)
    case 'o':
      return k.filter(true)
    case 'm':
      k.openMenu(k.index, k.column)
      return true
    case 'Escape':
      if (!k.selection || k.selection.ids.size === 0) return false
      k.select(noSelection)
      return true
  }
  return false
}
