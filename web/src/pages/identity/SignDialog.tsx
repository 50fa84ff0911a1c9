// SPDX-License-Identifier: Apache-2.0
// A certificate for a device that brings its own request (PKCS #10) in a file.

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { ApiError } from '@/api/client'
import type { IdentityIssued } from '@/api/types'
import { Button, Copyable, Dialog, ErrorNote, TextArea, time, toast } from '@/ui'
import { saveFile } from '@/ui/grid/download'
import { AboutForm, aboutOf, emptyDraft, missing, type Draft } from './AboutForm'
import { identityStatus, signRequest } from './queries'
import { ownerOf, profileOf } from './words'

const LARGEST = 64 << 10

/** PEM of a request as it is, or a request in DER put into PEM. */
export async function readRequest(file: Blob): Promise<string> {
  if (file.size > LARGEST) throw new Error('The file is too large for a certificate request: at most 64 KiB.')
  const bytes = new Uint8Array(await file.arrayBuffer())
  const text = new TextDecoder().decode(bytes)
  if (text.includes('-----BEGIN ')) return text.trim() + '\n'
  if (bytes[0] !== 0x30) throw new Error('The file is no certificate request: neither PEM nor DER.')
  const base64 = btoa(String.fromCharCode(...bytes))
  return `-----BEGIN CERTIFICATE REQUEST-----\n${base64.match(/.{1,64}/g)?.join('\n') ?? ''}\n-----END CERTIFICATE REQUEST-----\n`
}

/** What is wrong with a text that should be a request. */
export function whyNoRequest(text: string): string | undefined {
  if (text.trim() === '') return 'Drop or paste the request.'
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return 'There is a private key in it. Take it out: a key never leaves its device, and this one should not be used any more.'
  if (/-----BEGIN CERTIFICATE-----/.test(text)) return 'This is a certificate, not the request for one.'
  if (!/-----BEGIN (NEW )?CERTIFICATE REQUEST-----[\s\S]+-----END (NEW )?CERTIFICATE REQUEST-----/.test(text)) return 'It is no request in PEM: it begins with -----BEGIN CERTIFICATE REQUEST-----.'
  return undefined
}

export function SignDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const profiles = useQuery(identityStatus).data?.profiles ?? []
  const picker = useRef<HTMLInputElement>(null)
  const [draft, setDraft] = useState<Draft>(() => emptyDraft())
  const [csr, setCSR] = useState('')
  const [unread, setUnread] = useState('')
  const sign = useMutation({
    mutationFn: () => signRequest({ ...aboutOf(draft, profiles), csr: csr.trim() + '\n' }),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['identity'] }),
  })
  const said = sign.error instanceof ApiError ? sign.error : undefined
  const take = async (file: File | undefined) => {
    if (!file) return
    try {
      setCSR(await readRequest(file))
      setUnread('')
    } catch (e) {
      setUnread(e instanceof Error ? e.message : String(e))
    }
  }
  if (sign.data) return <Signed made={sign.data} onClose={onClose} />
  const bad = whyNoRequest(csr)
  const why = missing(draft) ?? bad
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title="Sign a request" lead="For a device that made its key and a certificate request (CSR) itself. What the certificate says is chosen here; of the request only its key is taken."
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" type="submit" form="sign" busy={sign.isPending} reason={why}>Sign</Button></>}
    >
      <form
        id="sign" className="id-form" noValidate onSubmit={(e) => { e.preventDefault(); if (why === undefined) sign.mutate() }}
        onDragOver={(e) => e.preventDefault()} onDrop={(e) => { e.preventDefault(); void take(e.dataTransfer.files[0]) }}
      >
        <AboutForm draft={draft} set={(part) => setDraft((d) => ({ ...d, ...part }))} profiles={profiles} said={said} />
        <TextArea
          label="Request" className="id-pem" rows={6} value={csr} spellCheck={false} placeholder="-----BEGIN CERTIFICATE REQUEST-----" onChange={(e) => { setCSR(e.target.value); setUnread('') }}
          error={said?.field('csr') ?? (unread || (csr.trim() !== '' ? bad : undefined))} help="Drop the file here, or paste its text."
        />
        <div><Button icon="upload" onClick={() => picker.current?.click()}>Choose a file</Button></div>
        <input ref={picker} type="file" className="sr-only" tabIndex={-1} aria-label="File with the request" accept=".csr,.pem,.req,.p10,.der,.txt" onChange={(e) => { void take(e.target.files?.[0]); e.target.value = '' }} />
        {sign.isError && !said?.problem.errors?.length && <ErrorNote error={sign.error} />}
      </form>
    </Dialog>
  )
}

function Signed({ made, onClose }: { made: IdentityIssued; onClose: () => void }) {
  const c = made.certificate
  const save = (name: string, text: string) => {
    saveFile(name, 'application/x-pem-file', text)
    toast(`Saved ${name}.`)
  }
  const stem = (ownerOf(c).replace(/[^\w.-]+/g, '-') || c.serial).toLowerCase()
  return (
    <Dialog open wide onOpenChange={(o) => !o && onClose()} title={`Certificate for ${ownerOf(c)}`} lead={`${profileOf(c.profile)}, good until ${time.absolute(c.not_after)}. It stays here too and can be saved later.`} actions={<Button kind="primary" onClick={onClose}>Done</Button>}>
      <div className="id-form">
        <div className="id-actions">
          <Button icon="download" kind="primary" onClick={() => save(`${stem}.pem`, made.pem + (made.pem.endsWith('\n') ? '' : '\n') + made.chain)}>Save with its chain</Button>
          <Button icon="download" onClick={() => save(`${stem}-only.pem`, made.pem)}>Save it alone</Button>
        </div>
        <dl className="id-facts">
          <div><dt>Serial number</dt><dd><Copyable value={c.serial} what="serial number" /></dd></div>
          <div><dt>Identity</dt><dd><Copyable value={c.spiffe} what="SPIFFE ID" /></dd></div>
        </dl>
      </div>
    </Dialog>
  )
}
