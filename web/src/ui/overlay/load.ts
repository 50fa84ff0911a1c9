// SPDX-License-Identifier: Apache-2.0
// What lies above the page (menus, popovers, dialogs) is loaded after the page
// itself: nobody needs it to see how the theatres are. Until then a trigger is
// the plain button that it looks like; using it waits for the code and opens.
import { useEffect, useSyncExternalStore } from 'react'
import { loadTooltips } from '../Tooltip'

type Overlays = typeof import('./overlays')

let overlays: Overlays | undefined
let failed: unknown
let asked: Promise<void> | undefined
const listeners = new Set<() => void>()

export function loadOverlays(): Promise<void> {
  asked ??= import('./overlays').then(
    (m) => {
      overlays = m
      for (const f of listeners) f()
    },
    (e: unknown) => {
      failed = e
      asked = undefined
      for (const f of listeners) f()
      failed = undefined // the next use asks again
    },
  )
  return asked
}

function subscribe(f: () => void): () => void {
  listeners.add(f)
  return () => listeners.delete(f)
}

/** The overlays once they are there. A failed load is thrown at whoever wants them, so that the page says it. */
export function useOverlays(want: boolean): Overlays | undefined {
  const error = useSyncExternalStore(subscribe, () => (want ? failed : undefined))
  const code = useSyncExternalStore(subscribe, () => overlays)
  useEffect(() => {
    if (want) void loadOverlays()
  }, [want])
  if (error !== undefined && !code) throw error
  return code
}

const loadAll = (): void => {
  void loadOverlays()
  void loadTooltips()
}

/** Once the page stands and the browser has nothing else to do. */
export function loadOverlaysWhenIdle(): () => void {
  if (typeof requestIdleCallback !== 'function') {
    const t = setTimeout(loadAll, 500)
    return () => clearTimeout(t)
  }
  const t = requestIdleCallback(loadAll, { timeout: 2_000 })
  return () => cancelIdleCallback(t)
}
