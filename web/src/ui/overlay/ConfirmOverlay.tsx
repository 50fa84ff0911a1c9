// SPDX-License-Identifier: Apache-2.0
import { AlertDialog as A } from 'radix-ui'
import { useState } from 'react'
import { Button } from '../Button'
import type { ConfirmProps } from '../Confirm'
import '../dialog.css'
import { ErrorNote } from '../States'

type Props = Omit<ConfirmProps, 'trigger'> & { open: boolean; onOpenChange: (open: boolean) => void; back: (e: Event) => void }

export function ConfirmOverlay({ title, children, action, danger, run, open, onOpenChange, back }: Props) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const change = (o: boolean) => {
    if (busy) return
    setError(undefined)
    onOpenChange(o)
  }
  const act = async () => {
    setBusy(true)
    setError(undefined)
    try {
      await run()
      onOpenChange(false)
    } catch (e) {
      setError(e)
    } finally {
      setBusy(false)
    }
  }
  return (
    <A.Root open={open} onOpenChange={change}>
      <A.Portal>
        <A.Overlay className="dlg-scrim" />
        <A.Content className="dlg" onCloseAutoFocus={back}>
          <header className="dlg-head">
            <A.Title className="dlg-title">{title}</A.Title>
          </header>
          <div className="dlg-body">
            <A.Description asChild>
              <div className="dlg-lead">{children}</div>
            </A.Description>
            {error !== undefined && <ErrorNote error={error} />}
          </div>
          <footer className="dlg-foot">
            <A.Cancel asChild>
              <Button disabled={busy}>Cancel</Button>
            </A.Cancel>
            <Button kind={danger ? 'danger' : 'primary'} busy={busy} onClick={() => void act()}>
              {action}
            </Button>
          </footer>
        </A.Content>
      </A.Portal>
    </A.Root>
  )
}
