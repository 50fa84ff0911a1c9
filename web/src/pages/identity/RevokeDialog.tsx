// SPDX-License-Identifier: Apache-2.0
// Ends a certificate before its time. First what it will cut is said, as it is
// at this moment; during a case it takes a second word.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { IdentityCertificate } from '@/api/types'
import { Button, Dialog, ErrorNote, Icon, Loading, Select, Skeleton, TextArea, Time, toast } from '@/ui'
import { impact as impactQuery, revoke } from './queries'
import { cutName, ownerOf, reasons, willCut } from './words'

export function RevokeDialog({ c, onClose }: { c: IdentityCertificate; onClose: () => void }) {
  const client = useQueryClient()
  const impact = useQuery(impactQuery(c.serial))
  const rooms = useQuery(theatresQuery).data
  const [reason, setReason] = useState('')
  const [note, setNote] = useState('')
  const [asked, setAsked] = useState(false) // the second question stands
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const first = useRef<HTMLButtonElement>(null)
  const i = impact.data
  const theatre = i?.theatre ?? c.theatre
  const room = rooms?.find((t) => t.id === theatre)?.name ?? theatre ?? 'its theatre'
  const said = error instanceof ApiError ? error : undefined
  const why = reason === '' ? 'Choose why.' : note.trim() === '' && reason === 'unspecified' ? 'Say why in the note.' : undefined
  const send = async (confirmed: boolean) => {
    setBusy(true)
    setError(undefined)
    try {
      await revoke(c.serial, { reason, note: note.trim(), ...(confirmed ? { confirm_in_case: true } : {}) })
      void client.invalidateQueries({ queryKey: ['identity'] })
      void client.invalidateQueries({ queryKey: ['ledger'] })
      toast(`The certificate of ${ownerOf(c)} is ended. Nobody accepts it any more.`)
      onClose()
    } catch (e) {
      setBusy(false)
      // A case began since the dialog was opened.
      if (e instanceof ApiError && e.status === 409 && !confirmed) {
        const now = await impact.refetch()
        if (now.data?.in_case) {
          setAsked(true)
          return
        }
      }
      setError(e)
      setAsked(false)
    }
  }
  if (asked) {
    return (
      <Dialog
        open onOpenChange={(o) => !o && onClose()} title={`A case is in progress in ${room}`}
        actions={<><Button ref={first} onClick={() => setAsked(false)}>Back</Button><Button onClick={onClose}>Do not revoke</Button><Button kind="danger" busy={busy} onClick={() => void send(true)}>Revoke during the case</Button></>}
      >
        <div className="id-form">
          <p className="id-stop"><Icon name="warning" size={28} /><span>{i?.sentence || `${ownerOf(c)} may be in use at a patient.`}</span></p>
          <p className="id-big">{i && willCut(i)}</p>
          <p>Call the room first. A certificate that was ended cannot be taken back: the device has to be enrolled again. That it was done during a case is recorded with your name.</p>
          {error !== undefined && <ErrorNote error={error} />}
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={`Revoke the certificate of ${ownerOf(c)}?`} lead="It ends now, for good, everywhere. To have one again the device has to be enrolled again."
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="danger" type="submit" form="revoke" busy={busy} reason={why ?? (impact.isPending ? 'What it will cut is being looked at.' : undefined)}>{i?.in_case ? 'Revoke…' : 'Revoke'}</Button></>}
    >
      <form id="revoke" className="id-form" noValidate onSubmit={(e) => { e.preventDefault(); if (why !== undefined || impact.isPending) return; if (i?.in_case) setAsked(true); else void send(false) }}>
        <section className="id-impact" aria-label="What it will cut" aria-live="polite">
          {impact.isPending ? (
            <Loading what="what it will cut"><Skeleton lines={3} /></Loading>
          ) : !i ? (
            <><ErrorNote error={impact.error} /><p>What it will cut is not known. Revoking works all the same.</p></>
          ) : (
            <>
              {i.in_case && <p className="id-stop"><Icon name="warning" size={28} /><span>A case is in progress in {room}</span></p>}
              <p className="id-big">{willCut(i)}</p>
              {i.sentence !== '' && <p>{i.sentence}</p>}
              {i.live.length > 0 && (
                <ul className="id-live">
                  {i.live.map((l, n) => <li key={n}><Icon name={l.policy === 'alarm' ? 'info' : 'close'} size={14} /><span><strong>{l.consumer}</strong> with {l.peer}, since <Time at={l.since} as="short" plain />: {cutName[l.policy]}</span></li>)}
                </ul>
              )}
            </>
          )}
        </section>
        <Select label="Why" value={reason} onChange={(e) => setReason(e.target.value)} error={said?.field('reason')} options={[{ value: '', label: 'Choose…', disabled: true }, ...reasons.map((r) => ({ value: r.value, label: r.label }))]} help={reasons.find((r) => r.value === reason)?.teaches} />
        <TextArea label="Note" value={note} maxLength={500} onChange={(e) => setNote(e.target.value)} error={said?.field('note')} help="What happened, and where it is written. It stays in the ledger: nothing of a patient." />
        {error !== undefined && !said?.problem.errors?.length && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
