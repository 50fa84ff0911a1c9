// SPDX-License-Identifier: Apache-2.0
import { useState, type ReactElement, type ReactNode } from 'react'
import { useOverlays } from './overlay/load'
import { trigger as plain } from './overlay/trigger'

export interface PopoverProps {
  trigger: ReactElement
  children: ReactNode
  align?: 'start' | 'end' | 'center'
  label: string
  open?: boolean
  onOpenChange?: (o: boolean) => void
}

/** A small panel that belongs to its trigger: a chooser, a form of one line. */
export function Popover(p: PopoverProps) {
  const [own, setOwn] = useState(false)
  const [used, setUsed] = useState(false)
  const open = p.open ?? own
  if (open && !used) setUsed(true)
  const above = useOverlays(used)
  const change = (o: boolean) => {
    setOwn(o)
    p.onOpenChange?.(o)
  }
  if (!used || !above) return plain(p.trigger, 'dialog', () => change(true))
  return <above.PopoverOverlay {...p} open={open} onOpenChange={change} />
}
