// SPDX-License-Identifier: Apache-2.0
// The state of a view lives in its address as an ordinary query string: one
// value per name, or the name repeated.
import { useLocation, useRouter } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'

export type Search = Record<string, string | string[]>

export function parseSearch(s: string): Search {
  const out: Search = {}
  for (const [k, v] of new URLSearchParams(s)) {
    const old = out[k]
    out[k] = old === undefined ? v : Array.isArray(old) ? [...old, v] : [old, v]
  }
  return out
}
export function stringifySearch(search: Record<string, unknown>): string {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(search)) {
    if (v === undefined || v === null) continue
    if (Array.isArray(v)) for (const one of v) q.append(k, String(one))
    else q.append(k, String(v))
  }
  const s = pretty(q)
  return s && `?${s}`
}
/** As URLSearchParams writes it, but with the characters that may stand in a query unescaped: links are read by people. */
function pretty(q: URLSearchParams): string {
  return q.toString().replace(/%3A/g, ':').replace(/%2F/g, '/').replace(/%2C/g, ',')
}

export interface SetOptions {
  /** A new entry in the history (default), or the same one: for what changes with each key stroke. */
  replace?: boolean
}

/**
 * The query of the current address, and a function that changes it. The change
 * gets a copy to edit, or a whole new set.
 */
export function useURLState(): [URLSearchParams, (change: URLSearchParams | ((q: URLSearchParams) => void), o?: SetOptions) => void] {
  const router = useRouter()
  const text = useLocation({ select: (l) => l.searchStr })
  const params = useMemo(() => new URLSearchParams(text), [text])
  const set = useCallback(
    (change: URLSearchParams | ((q: URLSearchParams) => void), o?: SetOptions) => {
      // Read at the time of the change: two changes in one event add up.
      const { pathname, searchStr } = router.latestLocation
      const q = typeof change === 'function' ? new URLSearchParams(searchStr) : change
      if (typeof change === 'function') change(q)
      const s = pretty(q)
      void router.navigate({ href: pathname + (s && `?${s}`), replace: o?.replace ?? false, resetScroll: false })
    },
    [router],
  )
  return [params, set]
}

/** One value of the address; the default is not written into it. */
export function useURLValue(name: string, fallback = ''): [string, (v: string, o?: SetOptions) => void] {
  const [params, set] = useURLState()
  const change = useCallback(
    (v: string, o?: SetOptions) =>
      set((q) => {
        if (v === fallback) q.delete(name)
        else q.set(name, v)
      }, o),
    [set, name, fallback],
  )
  return [params.get(name) ?? fallback, change]
}
