// SPDX-License-Identifier: Apache-2.0
import { Popover as P } from 'radix-ui'
import type { ReactElement, ReactNode } from 'react'
import './popover.css'

/** A small panel that belongs to its trigger: a chooser, a form of one line. */
export function Popover({ trigger, children, align = 'start', label, open, onOpenChange }: { trigger: ReactElement; children: ReactNode; align?: 'start' | 'end' | 'center'; label: string; open?: boolean; onOpenChange?: (o: boolean) => void }) {
  return (
    <P.Root open={open} onOpenChange={onOpenChange}>
      <P.Trigger asChild>{trigger}</P.Trigger>
      <P.Portal>
        <P.Content className="pop" align={align} sideOffset={4} collisionPadding={8} aria-label={label}>
          {children}
        </P.Content>
      </P.Portal>
    </P.Root>
  )
}
export const PopoverClose = P.Close
