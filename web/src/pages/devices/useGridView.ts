// SPDX-License-Identifier: Apache-2.0
// A smaller grid on a page that has several: its state stands in the address
// under a prefix, and its rows are filtered and ordered here.

import { useCallback, useMemo } from 'react'
import { useURLState } from '@/shell/urlstate'
import {
  addValue, flipValue, layoutOf, orderRows, passes, readState, readTerms, removeValue, writeState, writeTerms,
  type Choice, type Column, type GridLayout, type GridState, type Term,
} from '@/ui/grid'

export interface GridView<T> {
  rows: T[]
  layout: GridLayout
  state: GridState
  terms: Term[]
  onState: (s: GridState) => void
  onFilter: (c: Choice, not: boolean) => void
  onFlip: (field: string, value: string, not: boolean) => void
  onRemove: (field: string, value: string, not: boolean) => void
  onClear: () => void
}

export function useGridView<T>(prefix: string, all: readonly T[], columns: readonly Column<T>[], sort: GridLayout['sort'], valuesOf: (row: T, field: string) => readonly string[], fields: readonly string[]): GridView<T> {
  const [params, setParams] = useURLState()
  const layout = useMemo(() => layoutOf(columns, sort), [columns, sort])
  const own = useMemo(() => scoped(params, prefix), [params, prefix])
  const state = useMemo(() => readState(own, layout), [own, layout])
  const terms = useMemo(() => readTerms(own, fields), [own, fields])
  const rows = useMemo(() => orderRows(all.filter((r) => passes(terms, (f) => valuesOf(r, f))), columns, state.sort), [all, terms, columns, state.sort, valuesOf])
  const write = useCallback(
    (next: { state?: GridState; terms?: Term[] }, replace: boolean) =>
      setParams(
        (p) => {
          const before = scoped(p, prefix)
          const out = new URLSearchParams()
          writeTerms(out, next.terms ?? readTerms(before, fields))
          writeState(out, next.state ?? readState(before, layout), layout)
          for (const key of [...p.keys()]) if (key.startsWith(`${prefix}.`)) p.delete(key)
          for (const [key, value] of out) p.append(`${prefix}.${key}`, value)
        },
        { replace },
      ),
    [setParams, prefix, fields, layout],
  )
  return {
    rows, layout, state, terms,
    onState: useCallback((s) => write({ state: s }, true), [write]),
    onFilter: (c, not) => write({ terms: addValue(terms, c.field, c.value, not) }, true),
    onFlip: (f, v, not) => write({ terms: flipValue(terms, f, v, not) }, true),
    onRemove: (f, v, not) => write({ terms: removeValue(terms, f, v, not) }, true),
    onClear: () => write({ terms: [] }, true),
  }
}

function scoped(params: URLSearchParams, prefix: string): URLSearchParams {
  const out = new URLSearchParams()
  for (const [key, value] of params) if (key.startsWith(`${prefix}.`)) out.append(key.slice(prefix.length + 1), value)
  return out
}
