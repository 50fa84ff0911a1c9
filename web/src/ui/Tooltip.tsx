// SPDX-License-Identifier: Apache-2.0
// Says more about its child on hover and on keyboard focus. One is shown at a
// time. It can be hovered itself, goes with Escape, and leaves when anything
// scrolls (WCAG 2.2, 1.4.13); beside what has the keyboard's focus it stays, because
// the focus itself may have scrolled there. Touch has none: nothing is said here only.
import { cloneElement, useCallback, useEffect, useId, useLayoutEffect, useRef, useState, useSyncExternalStore, type CSSProperties, type ReactElement, type ReactNode } from 'react'
import { createPortal } from 'react-dom'
import { Keys } from './Kbd'
import { landmark, place, type Side } from './place'
import './tooltip.css'

const delay = 350 // ms of rest before the first one
const again = 200 // ms after one in which the next needs no rest
const linger = 120 // ms to move from the child onto the tooltip

let shown: { owner: string; anchor: Element } | undefined
let left = 0
let timer: ReturnType<typeof setTimeout> | undefined
const listeners = new Set<() => void>()

function set(to: typeof shown): void {
  clearTimeout(timer)
  if (shown && !to) left = Date.now()
  if (shown === to) return
  shown = to
  for (const f of listeners) f()
}
function showSoon(owner: string, anchor: Element): void {
  clearTimeout(timer)
  if (shown || Date.now() - left < again) set({ owner, anchor })
  else timer = setTimeout(() => set({ owner, anchor }), delay)
}
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
  const mine = useSyncExternalStore(subscribe, () => shown?.owner === id)
  useEffect(
    () => () => {
      if (shown?.owner === id) set(undefined)
    },
    [id],
  )
  const own = children.props as Child
  // What only repeats the name of a button would be spoken twice.
  const says = mine && (keys !== undefined || own['aria-label'] !== text)
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
      {mine && (
        <Tip id={id} side={side}>
          {text}
          {keys && <Keys keys={keys} />}
        </Tip>
      )}
    </>
  )
}

function inSight(e: Element): boolean {
  const { top, bottom, left: l, right } = e.getBoundingClientRect()
  return bottom > 0 && top < innerHeight && right > 0 && l < innerWidth
}

function Tip({ id, side, children }: { id: string; side: Side; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<CSSProperties>({ left: 0, top: 0, visibility: 'hidden' })
  const stand = useCallback(() => {
    if (!box.current || !shown) return
    const [x, y] = place(shown.anchor.getBoundingClientRect(), box.current.getBoundingClientRect(), { width: innerWidth, height: innerHeight }, side)
    setAt({ left: x, top: y })
  }, [side])
  useLayoutEffect(stand, [stand, children])
  useEffect(() => {
    const gone = () => {
      const anchor = shown?.anchor
      if (anchor?.matches(':focus-visible') && inSight(anchor)) stand()
      else set(undefined)
    }
    const key = (e: KeyboardEvent) => {
      if (e.key === 'Escape') set(undefined)
    }
    window.addEventListener('scroll', gone, true)
    window.addEventListener('keydown', key, true)
    return () => {
      window.removeEventListener('scroll', gone, true)
      window.removeEventListener('keydown', key, true)
    }
  }, [stand])
  return createPortal(
    <div ref={box} id={id} role="tooltip" className="tip" style={at} onPointerEnter={() => clearTimeout(timer)} onPointerLeave={hideSoon}>
      {children}
    </div>,
    landmark(shown?.anchor),
  )
}
