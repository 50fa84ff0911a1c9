// SPDX-License-Identifier: Apache-2.0
// A dialog keeps the focus inside, closes with Escape and gives the focus back
// to what opened it.
import { Dialog as D } from 'radix-ui'
import type { ReactElement, ReactNode } from 'react'
import { IconButton } from './Button'
import { cx } from './cx'
import './dialog.css'
import { useOpener } from './opener'

interface Props {
  title: string
  /** One sentence under the title. */
  lead?: ReactNode
  open?: boolean
  onOpenChange?: (open: boolean) => void
  trigger?: ReactElement
  /** A sheet at the right edge instead of a box in the middle. */
  side?: boolean
  wide?: boolean
  children: ReactNode
  /** Buttons at the end. */
  actions?: ReactNode
}

export function Dialog({ title, lead, open, onOpenChange, trigger, side, wide, children, actions }: Props) {
  const back = useOpener(open ?? false)
  return (
    <D.Root open={open} onOpenChange={onOpenChange}>
      {trigger && <D.Trigger asChild>{trigger}</D.Trigger>}
      <D.Portal>
        <D.Overlay className="dlg-scrim" />
        <D.Content className={cx('dlg', side && 'dlg-side', wide && 'dlg-wide')} onOpenAutoFocus={focusFirst} onCloseAutoFocus={trigger ? undefined : back} {...(lead ? {} : { 'aria-describedby': undefined })}>
          <header className="dlg-head">
            <D.Title className="dlg-title">{title}</D.Title>
            <D.Close asChild>
              <IconButton icon="close" label="Close" small />
            </D.Close>
          </header>
          <div className="dlg-body">
            {lead && <D.Description className="dlg-lead">{lead}</D.Description>}
            {children}
          </div>
          {actions && <footer className="dlg-foot">{actions}</footer>}
        </D.Content>
      </D.Portal>
    </D.Root>
  )
}
/**
 * Focus goes to the first field, or to the dialog as a whole: on the close
 * button it would open that button's tooltip, which then takes the first Escape.
 */
function focusFirst(e: Event): void {
  const box = e.currentTarget
  if (!(box instanceof HTMLElement)) return
  e.preventDefault()
  const field = box.querySelector<HTMLElement>('.dlg-body :is(input, select, textarea):not([type="hidden"], :disabled)')
  ;(field ?? box).focus()
}

export const DialogClose = D.Close
