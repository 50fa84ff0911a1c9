// SPDX-License-Identifier: Apache-2.0
// What a person has set up in a grid, and how a URL says it. Only what differs
// from the grid's own layout is written, so that a plain link stays plain.

export type Density = 'compact' | 'normal'
export interface Sort { id: string; down: boolean }

export interface GridState {
  sort: Sort[]
  columns: string[] // shown ones, in their order
  widths: Record<string, number>
  density: Density
}

/** What a grid is when nobody changed it. */
export interface GridLayout {
  all: readonly string[]
  shown: readonly string[]
  sort: readonly Sort[]
}

export const MIN_WIDTH = 48
export const MAX_WIDTH = 900

export function defaultState(layout: GridLayout): GridState {
  return { sort: [...layout.sort], columns: [...layout.shown], widths: {}, density: 'compact' }
}

const sortText = (sort: readonly Sort[]) => sort.map((s) => (s.down ? '-' : '') + s.id).join(',')

export function writeState(params: URLSearchParams, state: GridState, layout: GridLayout): void {
  const sort = sortText(state.sort)
  if (sort !== sortText(layout.sort)) params.set('sort', sort)
  const columns = state.columns.join(',')
  if (columns !== layout.shown.join(',')) params.set('cols', columns)
  const widths = Object.entries(state.widths).filter(([id]) => layout.all.includes(id))
  if (widths.length > 0) params.set('w', widths.map(([id, w]) => `${id}.${w}`).join(','))
  if (state.density !== 'compact') params.set('rows', state.density)
}

/** Reads a state; unknown columns and impossible widths are left out, and a grid never ends up without columns. */
export function readState(params: URLSearchParams, layout: GridLayout): GridState {
  const state = defaultState(layout)
  const known = (id: string) => layout.all.includes(id)
  const sort = params.get('sort')
  if (sort !== null) {
    const seen = new Set<string>()
    state.sort = sort
      .split(',')
      .map((s) => ({ id: s.replace(/^-/, ''), down: s.startsWith('-') }))
      .filter((s) => known(s.id) && !seen.has(s.id) && seen.add(s.id))
  }
  const columns = params.get('cols')
  if (columns !== null) {
    const chosen = [...new Set(columns.split(','))].filter(known)
    if (chosen.length > 0) state.columns = chosen
  }
  for (const part of (params.get('w') ?? '').split(',')) {
    const dot = part.lastIndexOf('.')
    const id = part.slice(0, dot)
    const width = Number(part.slice(dot + 1))
    if (dot > 0 && known(id) && Number.isFinite(width)) state.widths[id] = clampWidth(width)
  }
  if (params.get('rows') === 'normal') state.density = 'normal'
  return state
}

export function clampWidth(width: number): number {
  return Math.round(Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, width)))
}

/** A click on a header: up, down, as it was. With add, the other columns go on counting. */
export function toggleSort(sort: readonly Sort[], id: string, add: boolean, downFirst = false): Sort[] {
  const before = sort.find((s) => s.id === id)
  const others = add ? sort.filter((s) => s.id !== id) : []
  if (!before || (!add && sort.length > 1)) return [...others, { id, down: downFirst }]
  if (before.down === downFirst) return add ? sort.map((s) => (s.id === id ? { id, down: !downFirst } : s)) : [{ id, down: !downFirst }]
  return others
}

/** Moves a column one place; the order of the others stays. */
export function moveColumn(columns: readonly string[], id: string, by: number): string[] {
  const from = columns.indexOf(id)
  if (from < 0) return [...columns]
  const to = Math.min(columns.length - 1, Math.max(0, from + by))
  const rest = columns.filter((c) => c !== id)
  return [...rest.slice(0, to), id, ...rest.slice(to)]
}
