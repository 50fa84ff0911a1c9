// SPDX-License-Identifier: Apache-2.0
// One person's word about something that is held: the first asks, the second
// agrees. With a reason; during a case with a second question.

import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError } from '@/api/client'
import type { ImagingHeld } from '@/api/types'
import { Button, Dialog, ErrorNote, Icon, TextArea, toast } from '@/ui'
import { decide, type Decision } from './queries'
import { titleOf, whyHeld } from './words'

const LONG = 500 // characters of a reason

interface Words { title: string; lead: string; button: string; done: string; help: string }
function words(h: ImagingHeld, action: Decision): Words {
  const what = titleOf(h)
  const second = h.asked !== undefined && !h.own
  switch (action) {
    case 'release':
      return second
        ? { title: `Release ${what}?`, lead: 'With your word it goes to its destinations now, as it is.', button: 'Release it', done: 'It is released, and on its way.', help: 'What you looked at, and why it is right to let it through.' }
        : { title: `Ask to release ${what}?`, lead: 'Another person has to agree before it goes anywhere.', button: 'Ask', done: 'Asked. Another person has to agree now.', help: 'What you looked at, and why it is right to let it through. The other person reads it.' }
    case 'destroy':
      return second
        ? { title: `Destroy ${what}?`, lead: 'With your word its bytes are gone for good. What is recorded of it stays.', button: 'Destroy it', done: 'It is destroyed. Its record stays.', help: 'Why nobody needs it.' }
        : { title: `Ask to destroy ${what}?`, lead: 'Another person has to agree before it is gone for good.', button: 'Ask', done: 'Asked. Another person has to agree now.', help: 'Why nobody needs it. The other person reads it.' }
    case 'withdraw':
      return h.own
        ? { title: 'Take your word back?', lead: 'It stays held, and anybody may ask anew.', button: 'Take it back', done: 'Taken back. It stays held.', help: 'What has changed.' }
        : { title: `Not ${h.asked?.action === 'destroy' ? 'destroy' : 'release'} it?`, lead: `What ${h.asked?.by ?? 'the other person'} asked is set aside. It stays held, and anybody may ask anew.`, button: 'Do not agree', done: 'Set aside. It stays held.', help: 'What speaks against it. The other person reads it.' }
  }
}

export function DecideDialog({ h: was, action, gateway, onClose }: { h: ImagingHeld; action: Decision; gateway: string; onClose: () => void }) {
  const client = useQueryClient()
  // As it was when the dialog opened: what changes behind it must not change what one agrees to.
  const [h] = useState(was)
  const [reason, setReason] = useState('')
  const [inCase, setInCase] = useState(h.in_case)
  const [asked, setAsked] = useState(false) // the second question stands
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const w = words(h, action)
  const said = error instanceof ApiError ? error : undefined
  const danger = action === 'destroy'
  const why = reason.trim() === '' ? 'Give a reason.' : undefined
  const send = async (confirmed: boolean) => {
    setBusy(true)
    setError(undefined)
    try {
      await decide(gateway, h, action, { reason: reason.trim(), ...(confirmed ? { confirm_in_case: true } : {}) })
      void client.invalidateQueries({ queryKey: ['imaging'] })
      void client.invalidateQueries({ queryKey: ['ledger'] })
      toast(w.done)
      onClose()
    } catch (e) {
      setBusy(false)
      // A case began since the list was loaded: the server says so in its own words.
      if (e instanceof ApiError && e.status === 409 && !confirmed && /case/i.test(`${e.problem.title} ${e.problem.detail ?? ''}`)) {
        setInCase(true)
        setAsked(true)
        return
      }
      setError(e)
      setAsked(false)
      if (e instanceof ApiError && e.status === 409) void client.invalidateQueries({ queryKey: ['imaging'] })
    }
  }
  if (asked) {
    return (
      <Dialog open onOpenChange={(o) => !o && onClose()} title="A case is in progress" actions={<><Button onClick={() => setAsked(false)}>Back</Button><Button onClick={onClose}>Leave it held</Button><Button kind="danger" busy={busy} onClick={() => void send(true)}>{w.button} during the case</Button></>}>
        <div className="im-form">
          <p className="im-stop"><Icon name="warning" size={28} /><span>The team in the room of this image is at work now.</span></p>
          <p>It is held because: {whyHeld(h)}</p>
          <p>Call the room first: what they see may change with this. That it was done during a case is recorded with your name.</p>
          {error !== undefined && <ErrorNote error={error} />}
        </div>
      </Dialog>
    )
  }
  const needsSecond = inCase && action !== 'withdraw'
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={w.title} lead={w.lead}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind={danger ? 'danger' : 'primary'} type="submit" form="decide" busy={busy} reason={why}>{needsSecond ? `${w.button}…` : w.button}</Button></>}
    >
      <form id="decide" className="im-form" noValidate onSubmit={(e) => { e.preventDefault(); if (why !== undefined) return; if (needsSecond) setAsked(true); else void send(false) }}>
        {needsSecond && <p className="im-stop"><Icon name="warning" size={22} /><span>A case is in progress there now.</span></p>}
        <p className="im-quote"><strong>Held because:</strong> {whyHeld(h)}</p>
        {h.asked && !h.own && <p className="im-quote"><strong>{h.asked.by} says:</strong> “{h.asked.reason}”</p>}
        <TextArea label="Reason" value={reason} maxLength={LONG} onChange={(e) => setReason(e.target.value)} help={`${w.help} It stays in the ledger: nothing of a patient.`} error={said?.field('reason')} />
        {error !== undefined && !said?.field('reason') && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
