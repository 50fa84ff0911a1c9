// SPDX-License-Identifier: Apache-2.0
import { cloneElement, useState, type ReactElement, type ReactNode } from 'react'
import { useOpener } from './opener'
import { useOverlays } from './overlay/load'

export interface ConfirmProps {
  /** A question that names the thing: "Delete theatre OR 3?" */
  title: string
  /** What will and what will not happen. */
  children: ReactNode
  /** The verb on the button: "Delete". */
  action: string
  danger?: boolean
  run: () => Promise<unknown>
  trigger?: ReactElement<{ onClick?: () => void }>
  open?: boolean
  onOpenChange?: (open: boolean) => void
}

/** Asks before what cannot be undone. Stays open, with the reason, when it did not work. */
export function Confirm({ trigger, ...p }: ConfirmProps) {
  const [own, setOwn] = useState(false)
  const [used, setUsed] = useState(false)
  const open = p.open ?? own
  const back = useOpener(open)
  if (open && !used) setUsed(true)
  const above = useOverlays(used)
  const change = (o: boolean) => {
    setOwn(o)
    p.onOpenChange?.(o)
  }
  return (
    <>
      {trigger && cloneElement(trigger, { onClick: () => change(true) })}
      {used && above && <above.ConfirmOverlay {...p} open={open} onOpenChange={change} back={back} />}
    </>
  )
}
