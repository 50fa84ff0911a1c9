// SPDX-License-Identifier: Apache-2.0
// Says more about its child on hover and on keyboard focus. One is shown at a
// time. It can be hovered itself, goes with Escape, and leaves when anything
// scrolls (WCAG 2.2, 1.4.13); beside what has the keyboard's focus it stays, because
// the focus itself may have scrolled there. Touch has none: nothing is said here only.
import { cloneElement, useEffect, useId, useSyncExternalStore, type ReactElement, type ReactNode } from 'react'
import { Keys } from './Kbd'
import type { Side } from './place'

const delay = 350 // ms of rest before the first one
const again = 200 // ms after one in which the next needs no rest
const linger = 120 // ms to move from the child onto the tooltip

let shown: { owner: string; anchor: Element } | undefined
let left = 0
let timer: ReturnType<typeof setTimeout> | undefined
const listeners = new Set<() => void>()

type Tip = typeof import('./Tip').Tip
let tip: Tip | undefined
let coming: Promise<void> | undefined

/** Its box is not needed to draw the page. One that does not come is asked for again by the next. */
export function loadTooltips(): Promise<void> {
  coming ??= import('./Tip').then(
    (m) => {
      tip = m.Tip
      for (const f of listeners) f()
    },
    () => {
      coming = undefined
    },
  )
  return coming
}

function set(to: typeof shown): void {
  clearTimeout(timer)
  if (shown && !to) left = Date.now()
  if (shown === to) return
  shown = to
  if (to) void loadTooltips()
  for (const f of listeners) f()
}
function showSoon(owner: string, anchor: Element): void {
  void loadTooltips()
  clearTimeout(timer)
  if (shown || Date.now() - left < again) set({ owner, anchor })
  else timer = setTimeout(() => set({ owner, anchor }), delay)
}
const hide = (): void => set(undefined)
const stay = (): void => clearTimeout(timer)
function hideSoon(): void {
  clearTimeout(timer)
  timer = setTimeout(() => set(undefined), linger)
}
function subscribe(f: () => void): () => void {
  listeners.add(f)
  return () => listeners.delete(f)
}

interface Child {
  'aria-label'?: string
  'aria-describedby'?: string
  onPointerEnter?: (e: React.PointerEvent) => void
  onPointerLeave?: (e: React.PointerEvent) => void
  onPointerDown?: (e: React.PointerEvent) => void
  onFocus?: (e: React.FocusEvent) => void
  onBlur?: (e: React.FocusEvent) => void
}

/** The child hands on the handlers that it is given. */
export function Tooltip({ text, keys, children, side = 'bottom' }: { text: ReactNode; keys?: string; children: ReactElement; side?: Side }) {
  const id = useId()
  const Tip = useSyncExternalStore(subscribe, () => (shown?.owner === id ? tip : undefined))
  const anchor = Tip && shown?.anchor
  useEffect(
    () => () => {
      if (shown?.owner === id) set(undefined)
    },
    [id],
  )
  const own = children.props as Child
  // What only repeats the name of a button would be spoken twice.
  const says = anchor && (keys !== undefined || own['aria-label'] !== text)
  const child = cloneElement(children as ReactElement<Child>, {
    'aria-describedby': says ? [own['aria-describedby'], id].filter(Boolean).join(' ') : own['aria-describedby'],
    onPointerEnter: (e) => {
      own.onPointerEnter?.(e)
      if (e.pointerType !== 'touch') showSoon(id, e.currentTarget)
    },
    onPointerLeave: (e) => {
      own.onPointerLeave?.(e)
      hideSoon()
    },
    onPointerDown: (e) => {
      own.onPointerDown?.(e)
      set(undefined)
    },
    onFocus: (e) => {
      own.onFocus?.(e)
      if (e.currentTarget.matches(':focus-visible')) set({ owner: id, anchor: e.currentTarget })
    },
    onBlur: (e) => {
      own.onBlur?.(e)
      set(undefined)
    },
  })
  return (
    <>
      {child}
      {anchor && (
        <Tip id={id} anchor={anchor} side={side} onGone={hide} onStay={stay} onLeave={hideSoon}>
          {text}
          {keys && <Keys keys={keys} />}
        </Tip>
      )}
    </>
  )
}
