// SPDX-License-Identifier: Apache-2.0
// Which of a hub's sites is looked at, "" being all of them. It is this
// browser's, as the theme is; a link names it as site= and is obeyed once.
import { query, type Params } from './client'

const KEY = 'site'
let chosen = ''
const listeners = new Set<() => void>()

/** Addresses whose answers are of a site. */
const scoped: ReadonlySet<string> = new Set([
  '/board', '/theatres', '/devices', '/map', '/events', '/events/histogram', '/events/top', '/events/export', '/events/stream', '/findings', '/search', '/status',
])

/** Reads what was chosen; call once, before the router takes the address. */
export function readSite(): void {
  try {
    const at = new URL(location.href)
    const named = at.searchParams.get(KEY)
    if (named !== null) {
      at.searchParams.delete(KEY)
      history.replaceState(history.state, '', at)
      localStorage.setItem(KEY, named)
    }
    chosen = localStorage.getItem(KEY) ?? ''
  } catch {
    // A browser that keeps nothing shows all sites.
  }
}

export const site = (): string => chosen

export function chooseSite(name: string): void {
  if (name === chosen) return
  chosen = name
  try {
    if (name === '') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, name)
  } catch {
    // It holds until the page is left.
  }
  for (const f of listeners) f()
}

export function onSite(f: () => void): () => void {
  listeners.add(f)
  return () => listeners.delete(f)
}

/** The query of a request that reads, about the chosen site where that means something. */
export function siteQuery(path: string, params?: Params | URLSearchParams): string {
  if (chosen === '' || !scoped.has(path)) return query(params)
  const q = new URLSearchParams(query(params))
  q.set(KEY, chosen)
  return query(q)
}

/** This address, so that who opens it sees the same site. */
export function linkHere(): string {
  if (chosen === '') return location.href
  const at = new URL(location.href)
  at.searchParams.set(KEY, chosen)
  return at.href
}
