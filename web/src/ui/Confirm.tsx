// SPDX-License-Identifier: Apache-2.0
import { AlertDialog as A } from 'radix-ui'
import { useState, type ReactElement, type ReactNode } from 'react'
import { Button } from './Button'
import { useOpener } from './opener'
import { ErrorNote } from './States'

interface Props {
  /** A question that names the thing: "Delete theatre OR 3?" */
  title: string
  /** What will and what will not happen. */
  children: ReactNode
  /** The verb on the button: "Delete". */
  action: string
  danger?: boolean
  run: () => Promise<unknown>
  trigger?: ReactElement
  open?: boolean
  onOpenChange?: (open: boolean) => void
}

/** Asks before what cannot be undone. Stays open, with the reason, when it did not work. */
export function Confirm({ title, children, action, danger, run, trigger, open, onOpenChange }: Props) {
  const [own, setOwn] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const back = useOpener(open ?? own)
  const change = (o: boolean) => {
    if (busy) return
    setError(undefined)
    setOwn(o)
    onOpenChange?.(o)
  }
  return (
    <A.Root open={open ?? own} onOpenChange={change}>
      {trigger && <A.Trigger asChild>{trigger}</A.Trigger>}
      <A.Portal>
        <A.Overlay className="dlg-scrim" />
        <A.Content className="dlg" onCloseAutoFocus={trigger ? undefined : back}>
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
            <Button
              kind={danger ? 'danger' : 'primary'}
              busy={busy}
              onClick={() => {
                setBusy(true)
                setError(undefined)
                run().then(
                  () => {
                    setBusy(false)
                    setOwn(false)
                    onOpenChange?.(false)
                  },
                  (e: unknown) => {
                    setBusy(false)
                    setError(e)
                  },
                )
              }}
            >
              {action}
            </Button>
          </footer>
        </A.Content>
      </A.Portal>
    </A.Root>
  )
}
