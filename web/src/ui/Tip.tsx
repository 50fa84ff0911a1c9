// SPDX-License-Identifier: Apache-2.0
// The box of a tooltip. Loaded when the page stands, or when the first is wanted.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type CSSProperties, type ReactNode } from 'react'
import { createPortal } from 'react-dom'
import { landmark, place, type Side } from './place'
import './tooltip.css'

function inSight(e: Element): boolean {
  const { top, bottom, left: l, right } = e.getBoundingClientRect()
  return bottom > 0 && top < innerHeight && right > 0 && l < innerWidth
}

interface Props {
  id: string
  anchor: Element
  side: Side
  /** It has to go at once, it stays because it is pointed at, it is left. */
  onGone: () => void
  onStay: () => void
  onLeave: () => void
  children: ReactNode
}

export function Tip({ id, anchor, side, onGone, onStay, onLeave, children }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<CSSProperties>({ left: 0, top: 0, visibility: 'hidden' })
  const stand = useCallback(() => {
    if (!box.current) return
    const [x, y] = place(anchor.getBoundingClientRect(), box.current.getBoundingClientRect(), { width: innerWidth, height: innerHeight }, side)
    setAt({ left: x, top: y })
  }, [anchor, side])
  useLayoutEffect(stand, [stand, children])
  useEffect(() => {
    const moved = () => {
      if (anchor.matches(':focus-visible') && inSight(anchor)) stand()
      else onGone()
    }
    const key = (e: KeyboardEvent) => {
      if (e.key === 'Escape') onGone()
    }
    window.addEventListener('scroll', moved, true)
    window.addEventListener('keydown', key, true)
    return () => {
      window.removeEventListener('scroll', moved, true)
      window.removeEventListener('keydown', key, true)
    }
  }, [anchor, stand, onGone])
  return createPortal(
    <div ref={box} id={id} role="tooltip" className="tip" style={at} onPointerEnter={onStay} onPointerLeave={onLeave}>
      {children}
    </div>,
    landmark(anchor),
  )
}
