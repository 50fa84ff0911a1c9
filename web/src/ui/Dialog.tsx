// SPDX-License-Identifier: Apache-2.0
// A dialog keeps the focus inside, closes with Escape and gives the focus back
// to what opened it.
import { cloneElement, createContext, useContext, useState, type MouseEvent, type ReactElement, type ReactNode } from 'react'
import { useOpener } from './opener'
import { useOverlays } from './overlay/load'

export interface DialogProps {
  title: string
  /** One sentence under the title. */
  lead?: ReactNode
  open: boolean
  onOpenChange?: (open: boolean) => void
  /** A sheet at the right edge instead of a box in the middle. */
  side?: boolean
  wide?: boolean
  children: ReactNode
  /** Buttons at the end. */
  actions?: ReactNode
}

const Close = createContext<(() => void) | undefined>(undefined)

export function Dialog(p: DialogProps) {
  const back = useOpener(p.open)
  const [used, setUsed] = useState(false)
  if (p.open && !used) setUsed(true)
  const above = useOverlays(used)
  if (!used || !above) return null
  return (
    <Close value={() => p.onOpenChange?.(false)}>
      <above.DialogOverlay {...p} back={back} />
    </Close>
  )
}

/** Closes the dialog that it is in, besides what its child does. */
export function DialogClose({ children }: { children: ReactElement<{ onClick?: (e: MouseEvent) => void }> }) {
  const close = useContext(Close)
  return cloneElement(children, {
    onClick: (e: MouseEvent) => {
      children.props.onClick?.(e)
      if (!e.defaultPrevented) close?.()
    },
  })
}
