// SPDX-License-Identifier: Apache-2.0
// Gives the focus back to what opened a dialog. Radix does it for a trigger of
// its own only; most dialogs here are opened by a key, a row or a menu entry.
import { useRef } from 'react'

/** The element that had the focus when `open` became true; for an entry of a menu, the menu's button. */
export function useOpener(open: boolean): (e: Event) => void {
  const opener = useRef<Element | null>(null)
  const was = useRef(false)
  if (open && !was.current) {
    const active = document.activeElement
    const menu = active?.closest('[role="menu"]')
    opener.current = menu ? document.getElementById(menu.getAttribute('aria-labelledby') ?? '') : active
  }
  was.current = open
  return (e) => {
    e.preventDefault()
    const to = opener.current
    if (to instanceof HTMLElement && to.isConnected && to !== document.body) to.focus({ preventScroll: true })
    else document.getElementById('main')?.focus({ preventScroll: true })
  }
}
