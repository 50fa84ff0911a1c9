// SPDX-License-Identifier: Apache-2.0
// Which rows are selected. A range runs from the row that was last set by
// itself (the anchor) to another, in the order in which rows are shown.

export interface Selection { ids: ReadonlySet<string>; anchor: string | null }

export const noSelection: Selection = { ids: new Set(), anchor: null }

export function toggleRow(s: Selection, id: string): Selection {
  const ids = new Set(s.ids)
  if (!ids.delete(id)) ids.add(id)
  return { ids, anchor: id }
}

/** Adds all from the anchor to the row; without an anchor, the row alone. */
export function selectTo(s: Selection, id: string, order: readonly string[]): Selection {
  const from = s.anchor === null ? -1 : order.indexOf(s.anchor)
  const to = order.indexOf(id)
  if (from < 0 || to < 0) return { ids: new Set([...s.ids, id]), anchor: id }
  const range = order.slice(Math.min(from, to), Math.max(from, to) + 1)
  return { ids: new Set([...s.ids, ...range]), anchor: s.anchor }
}

export function selectAll(order: readonly string[]): Selection {
  return { ids: new Set(order), anchor: order[0] ?? null }
}

/** Drops rows that are no longer there: what is not seen must not be changed. */
export function keepExisting(s: Selection, order: readonly string[]): Selection {
  if (s.ids.size === 0) return s
  const there = new Set(order)
  const ids = new Set([...s.ids].filter((id) => there.has(id)))
  if (ids.size === s.ids.size) return s
  return { ids, anchor: s.anchor !== null && there.has(s.anchor) ? s.anchor : null }
}
