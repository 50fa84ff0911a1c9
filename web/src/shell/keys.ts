// SPDX-License-Identifier: Apache-2.0
// The one place that listens to the keyboard. Whoever is on the screen
// registers what its keys do, and the `?` sheet lists exactly that.
import { useEffect, useRef, useSyncExternalStore } from 'react'

export interface Binding {
  /** "j", "g d" (one after the other), "shift+enter", "mod+k"; alternatives: several bindings. */
  keys: string
  does: string
  run: (e: KeyboardEvent) => void
  /** Also while typing in a field: Escape, mod+something. */
  inFields?: boolean
  /** Works, but is not listed: a second key for the same. */
  hidden?: boolean
}
export interface Scope {
  title: string
  bindings: Binding[]
}

const scopes = new Map<symbol, Scope>()
const listeners = new Set<() => void>()
let snapshot: Scope[] = []
function changed(): void {
  snapshot = [...scopes.values()]
  for (const f of listeners) f()
}
export function useScopes(): Scope[] {
  return useSyncExternalStore(
    (f) => {
      listeners.add(f)
      return () => listeners.delete(f)
    },
    () => snapshot,
  )
}

/** Registers keys while the component is mounted. Later scopes win over earlier ones. */
export function useKeys(title: string, bindings: Binding[], on = true): void {
  const latest = useRef(bindings)
  latest.current = bindings
  const names = bindings.map((b) => `${b.keys}\t${b.does}\t${b.hidden ?? ''}\t${b.inFields ?? ''}`).join('\n')
  useEffect(() => {
    if (!on) return
    const id = Symbol(title)
    scopes.set(id, {
      title,
      bindings: latest.current.map((b, i) => ({ ...b, run: (e) => latest.current[i]?.run(e) })),
    })
    changed()
    return () => {
      scopes.delete(id)
      changed()
    }
  }, [title, names, on])
}

const patience = 1_000 // ms between the two keys of a sequence
let pending = ''
let pendingTimer: ReturnType<typeof setTimeout> | undefined

export function chord(e: KeyboardEvent): string {
  const key = e.key === ' ' ? 'space' : e.key.toLowerCase()
  const mod = e.ctrlKey || e.metaKey ? 'mod+' : ''
  // "?" and "/" already contain the shift that made them.
  const shift = e.shiftKey && (key.length > 1 || /[a-z]/.test(key)) ? 'shift+' : ''
  return mod + shift + key
}

function typing(t: EventTarget | null): boolean {
  if (!(t instanceof HTMLElement)) return false
  if (t.isContentEditable || t instanceof HTMLTextAreaElement || t instanceof HTMLSelectElement) return true
  return t instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'range', 'submit'].includes(t.type)
}

function find(keys: string, inField: boolean): Binding | undefined {
  for (const s of [...scopes.values()].reverse()) {
    const b = s.bindings.find((x) => x.keys === keys && (!inField || x.inFields))
    if (b) return b
  }
  return undefined
}
function starts(prefix: string): boolean {
  return [...scopes.values()].some((s) => s.bindings.some((b) => b.keys.startsWith(`${prefix} `)))
}

function forget(): void {
  pending = ''
  clearTimeout(pendingTimer)
}

function onKeyDown(e: KeyboardEvent): void {
  if (e.defaultPrevented || e.isComposing || e.altKey || ['Shift', 'Control', 'Meta', 'Alt'].includes(e.key)) return
  // An open dialog or menu has the keyboard to itself.
  if (document.querySelector('[role="dialog"][data-state="open"]:not(.pop), [role="alertdialog"][data-state="open"], [role="menu"][data-state="open"]')) return
  const inField = typing(e.target)
  const one = chord(e)
  const both = pending && !inField ? `${pending} ${one}` : ''
  const b = (both && find(both, inField)) || find(one, inField)
  forget()
  if (b) {
    e.preventDefault()
    b.run(e)
    return
  }
  if (!inField && starts(one)) {
    pending = one
    pendingTimer = setTimeout(forget, patience)
  }
}

/** Called once, by the frame. */
export function listen(): () => void {
  window.addEventListener('keydown', onKeyDown)
  return () => window.removeEventListener('keydown', onKeyDown)
}
