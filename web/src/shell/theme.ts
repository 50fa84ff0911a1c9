// SPDX-License-Identifier: Apache-2.0
// Dark, light, or as the system says. public/theme.js applies it before the
// first paint.
import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'dark' | 'light'
const key = 'asepsis.theme'
const listeners = new Set<() => void>()

export function theme(): Theme {
  const t = document.documentElement.dataset.theme
  return t === 'dark' || t === 'light' ? t : 'system'
}
export function setTheme(t: Theme): void {
  if (t === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = t
  try {
    if (t === 'system') localStorage.removeItem(key)
    else localStorage.setItem(key, t)
  } catch {
    // Not kept: it lasts as long as the page.
  }
  for (const f of listeners) f()
}
function subscribe(f: () => void): () => void {
  const media = matchMedia('(prefers-color-scheme: dark)')
  listeners.add(f)
  media.addEventListener('change', f)
  return () => {
    listeners.delete(f)
    media.removeEventListener('change', f)
  }
}
export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, theme)
}
/** What is seen now: for what draws on a canvas and must draw again. */
export function useDark(): boolean {
  return useSyncExternalStore(subscribe, () => {
    const t = theme()
    return t === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : t === 'dark'
  })
}
/** A token as the colour that it is now, for a canvas. */
export function token(name: `--${string}`): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  probe.style.display = 'none'
  document.body.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}
