// SPDX-License-Identifier: Apache-2.0
import { Popover as P } from 'radix-ui'
import type { PopoverProps } from '../Popover'
import '../popover.css'

export function PopoverOverlay({ trigger, children, align = 'start', label, open, onOpenChange }: PopoverProps) {
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
