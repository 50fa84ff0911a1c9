// SPDX-License-Identifier: Apache-2.0
// Stands in for react-remove-scroll (see vite.config.ts). The console's body
// never scrolls, only its main region does, and a dialog's overlay covers that.
import { createElement, forwardRef, type ElementType, type ReactNode } from 'react'

interface Props {
  as?: ElementType
  children?: ReactNode
  allowPinchZoom?: boolean
  shards?: unknown
  enabled?: boolean
  [key: string]: unknown
}

export const RemoveScroll = forwardRef<HTMLElement, Props>(function RemoveScroll(
  { as = 'div', allowPinchZoom: _pinch, shards: _shards, enabled: _enabled, children, ...rest },
  ref,
) {
  return createElement(as as 'div', { ...rest, ref } as object, children as ReactNode)
})
