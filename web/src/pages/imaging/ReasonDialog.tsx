// SPDX-License-Identifier: Apache-2.0
// What is done only with a reason, and during a case only with a second word. A
// case may have begun since the page was loaded: then the server asks, and
// nothing that was typed is lost.

import { useQueryClient } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { ApiError } from '@/api/client'
import { Button, Dialog, ErrorNote, Icon, TextArea } from '@/ui'
import { isInCase } from './queries'

const LONG = 500 // characters of a reason

interface Props {
  title: string
  lead: ReactNode
  /** The verb: "Release it". */
  button: string
  danger?: boolean
  /** What belongs into the reason. */
  help: string
  /** A case is in progress where this matters, as far as the page knows. */
  inCase?: boolean
  /** The second question: what to see first, what to weigh, and the button that lets things be. Without it there is none. */
  second?: { stop: string; weigh: ReactNode; leave: string }
  /** What stands above the reason. */
  children?: ReactNode
  /** Resolves when it is done; the dialog closes then. */
  send: (body: { reason: string; confirm_in_case?: boolean }) => Promise<unknown>
  onClose: () => void
}

export function ReasonDialog({ title, lead, button, danger, help, inCase: known = false, second, children, send, onClose }: Props) {
  const client = useQueryClient()
  const [reason, setReason] = useState('')
  const [inCase, setInCase] = useState(known)
  const [asked, setAsked] = useState(false) // the second question stands
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const wrong = error instanceof ApiError ? error.field('reason') : undefined
  const why = reason.trim() === '' ? 'Give a reason.' : undefined
  const go = async (confirmed: boolean) => {
    setBusy(true)
    setError(undefined)
    try {
      await send({ reason: reason.trim(), ...(confirmed ? { confirm_in_case: true } : {}) })
      void client.invalidateQueries({ queryKey: ['imaging'] })
      void client.invalidateQueries({ queryKey: ['ledger'] })
      onClose()
    } catch (e) {
      setBusy(false)
      if (second && !confirmed && isInCase(e)) {
        setInCase(true)
        setAsked(true)
        return
      }
      setError(e)
      setAsked(false)
      if (e instanceof ApiError && e.status === 409) void client.invalidateQueries({ queryKey: ['imaging'] })
    }
  }
  if (second && asked) {
    return (
      <Dialog open onOpenChange={(o) => !o && onClose()} title="A case is in progress" actions={<><Button onClick={() => setAsked(false)}>Back</Button><Button onClick={onClose}>{second.leave}</Button><Button kind="danger" busy={busy} onClick={() => void go(true)}>{button} during the case</Button></>}>
        <div className="im-form">
          <p className="im-stop"><Icon name="warning" size={28} /><span>{second.stop}</span></p>
          {second.weigh}
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={title} lead={lead}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind={danger ? 'danger' : 'primary'} type="submit" form="im-reason" busy={busy} reason={why}>{inCase ? `${button}…` : button}</Button></>}
    >
      <form id="im-reason" className="im-form" noValidate onSubmit={(e) => { e.preventDefault(); if (why !== undefined || busy) return; if (inCase) setAsked(true); else void go(false) }}>
        {inCase && <p className="im-stop"><Icon name="warning" size={22} /><span>A case is in progress there now.</span></p>}
        {children}
        <TextArea label="Reason" value={reason} maxLength={LONG} onChange={(e) => setReason(e.target.value)} help={`${help} It stays in the ledger: nothing of a patient.`} error={wrong} />
        {error !== undefined && !wrong && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
