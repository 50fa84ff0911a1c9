// SPDX-License-Identifier: Apache-2.0
import { cloneElement, type MouseEvent, type KeyboardEvent, type ReactElement } from 'react'
import { loadOverlays } from './load'

interface Handlers {
  onClick?: (e: MouseEvent) => void
  onKeyDown?: (e: KeyboardEvent) => void
  onPointerEnter?: (e: unknown) => void
}

/** The trigger of something that is not open: `open` is told whether a key opened it. */
export function trigger(element: ReactElement, popup: 'menu' | 'dialog', open: (byKey: boolean) => void): ReactElement {
  const own = element.props as Handlers
  return cloneElement(element as ReactElement<Record<string, unknown>>, {
    'aria-haspopup': popup,
    'aria-expanded': false,
    onPointerEnter: (e: unknown) => {
      own.onPointerEnter?.(e)
      void loadOverlays()
    },
    onClick: (e: MouseEvent) => {
      own.onClick?.(e)
      if (!e.defaultPrevented) open(e.detail === 0)
    },
    onKeyDown: (e: KeyboardEvent) => {
      own.onKeyDown?.(e)
      if (popup !== 'menu' || e.key !== 'ArrowDown' || e.defaultPrevented) return
      e.preventDefault()
      open(true)
    },
  })
}
