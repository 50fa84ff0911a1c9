// SPDX-License-Identifier: Apache-2.0
import { Tooltip as T } from 'radix-ui'
import type { ReactElement, ReactNode } from 'react'
import { Keys } from './Kbd'
import './tooltip.css'

export const TooltipProvider = ({ children }: { children: ReactNode }) => (
  <T.Provider delayDuration={350} skipDelayDuration={200}>
    {children}
  </T.Provider>
)

/** Says more about its child on hover and on keyboard focus. The child must be able to hold a ref. */
export function Tooltip({ text, keys, children, side = 'bottom' }: { text: ReactNode; keys?: string; children: ReactElement; side?: 'top' | 'bottom' | 'left' | 'right' }) {
  return (
    <T.Root>
      <T.Trigger asChild>{children}</T.Trigger>
      <T.Portal>
        <T.Content className="tip" side={side} sideOffset={6} collisionPadding={8}>
          {text}
          {keys && <Keys keys={keys} />}
        </T.Content>
      </T.Portal>
    </T.Root>
  )
}
