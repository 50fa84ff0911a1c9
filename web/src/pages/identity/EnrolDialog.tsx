// SPDX-License-Identifier: Apache-2.0
// A device gets an identity: a code that works once, to be typed or scanned at
// the device. It is shown this one time.

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError } from '@/api/client'
import type { IdentityNewCode } from '@/api/types'
import { Button, copy, Copyable, Dialog, ErrorNote, Select, Time, time, toast } from '@/ui'
import { QRCode } from '@/ui/QRCode'
import { useZone } from '@/ui/time'
import { AboutForm, aboutOf, emptyDraft, missing, type Draft } from './AboutForm'
import { identityStatus, makeCode } from './queries'
import { codeOwner, profileOf } from './words'

const hours = [{ value: '1', label: 'An hour' }, { value: '8', label: '8 hours: a shift' }, { value: '24', label: 'A day' }, { value: '72', label: '3 days' }, { value: '168', label: 'A week' }, { value: '720', label: '30 days' }]

export function EnrolDialog({ device, onClose }: { device?: string; onClose: () => void }) {
  const client = useQueryClient()
  const status = useQuery(identityStatus).data
  const profiles = status?.profiles ?? []
  const [draft, setDraft] = useState<Draft>(() => emptyDraft(device))
  const [life, setLife] = useState('24')
  const make = useMutation({
    mutationFn: () => makeCode({ ...aboutOf(draft, profiles), hours: Number(life) }),
    gcTime: 0, // the code is not kept when the dialog is closed
    onSuccess: () => void client.invalidateQueries({ queryKey: ['identity'] }),
  })
  const said = make.error instanceof ApiError ? make.error : undefined
  if (make.data) return <Made code={make.data} est={status?.est} onClose={onClose} />
  const why = missing(draft)
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title="Enrol" lead="Makes a code that works once. With it the device makes its own key and gets its certificate; the key never leaves the device."
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" type="submit" form="enrol" busy={make.isPending} reason={why}>Make the code</Button></>}
    >
      <form id="enrol" className="id-form" noValidate onSubmit={(e) => { e.preventDefault(); if (why === undefined) make.mutate() }}>
        <AboutForm draft={draft} set={(part) => setDraft((d) => ({ ...d, ...part }))} profiles={profiles} said={said} />
        <Select label="The code is good for" value={life} onChange={(e) => setLife(e.target.value)} options={hours} help="Long enough to walk to the device, not longer." error={said?.field('hours')} />
        {make.isError && !said?.problem.errors?.length && <ErrorNote error={make.error} />}
      </form>
    </Dialog>
  )
}

function Made({ code, est, onClose }: { code: IdentityNewCode; est: string | undefined; onClose: () => void }) {
  useZone()
  // The link says the address and whom to trust besides the code. Quotes keep the shell from reading it.
  const line = `asepsis enroll '${code.uri}' --dir /etc/asepsis/identity --keep`
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={`Code for ${codeOwner(code.code)}`} lead="This is the only time that it is shown. It works once, and then the device renews by itself."
      actions={<Button kind="primary" onClick={onClose}>I have it</Button>}
    >
      <div className="id-made">
        <div className="id-code">
          <p className="id-code-text" aria-label={`Code ${code.text.split('').join(' ')}`}>{code.text}</p>
          <CopyButton text={code.text}>Copy the code</CopyButton>
          <p className="quiet">{profileOf(code.code.profile)}; good until {time.absolute(code.code.expires)}, <Time at={code.code.expires} />.</p>
        </div>
        <figure className="id-qr">
          <QRCode text={code.uri} label={`QR code with the enrolment code, the server’s address and the authority’s fingerprint for ${codeOwner(code.code)}`} />
          <figcaption className="quiet">For a device with a camera: code, address and authority in one.</figcaption>
        </figure>
        <div className="id-ways">
          <h3>On the device, or beside it</h3>
          <pre className="code" tabIndex={0}>{line}</pre>
          <CopyButton text={line}>Copy the line</CopyButton>
          <dl className="id-facts">
            {est && <div><dt>EST address</dt><dd><Copyable value={est} what="EST address" /></dd></div>}
            <div><dt>For other EST clients</dt><dd>the code is the password, any user name will do (RFC 7030)</dd></div>
          </dl>
        </div>
      </div>
    </Dialog>
  )
}

function CopyButton({ text, children }: { text: string; children: string }) {
  return <Button icon="copy" onClick={() => void copy(text).then((done) => toast(done ? 'Copied.' : 'The browser refused to copy. Select the text and copy it by hand.', { error: !done }))}>{children}</Button>
}
