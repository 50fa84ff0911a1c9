// SPDX-License-Identifier: Apache-2.0
import { Dialog as D } from 'radix-ui'
import { IconButton } from '../Button'
import { cx } from '../cx'
import type { DialogProps } from '../Dialog'
import '../dialog.css'

export function DialogOverlay({ title, lead, open, onOpenChange, back, side, wide, children, actions }: Omit<DialogProps, 'trigger'> & { back: (e: Event) => void }) {
  return (
    <D.Root open={open} onOpenChange={onOpenChange}>
      <D.Portal>
        <D.Overlay className="dlg-scrim" />
        <D.Content className={cx('dlg', side && 'dlg-side', wide && 'dlg-wide')} onOpenAutoFocus={focusFirst} onCloseAutoFocus={back} {...(lead ? {} : { 'aria-describedby': undefined })}>
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

/** Focus goes to the first field, or to the dialog as a whole: nothing is about to be pressed by accident. */
function focusFirst(e: Event): void {
  const box = e.currentTarget
  if (!(box instanceof HTMLElement)) return
  e.preventDefault()
  const field = box.querySelector<HTMLElement>('.dlg-body :is(input, select, textarea):not([type="hidden"], :disabled)')
  ;(field ?? box).focus()
}
