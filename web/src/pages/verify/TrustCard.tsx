// SPDX-License-Identifier: Apache-2.0
// Whose signatures count, and where that is from.

import { useEffect, useState } from 'react'
import { sha256, toHex } from '@/receipt/bytes'
import type { Trust } from '@/receipt/trust'
import { Button, Copyable, ErrorNote, Icon, Loading, Skeleton } from '@/ui'
import type { Because } from './judge'

export type Given = { name: string } & ({ trust: Trust } | { because: Because })

interface Props {
  given: Given | undefined
  pending: boolean
  error: unknown
  own: boolean // it was dropped
  server: boolean // the server has one
  onServer: () => void
  retry: () => void
}

export function TrustCard({ given, pending, error, own, server, onServer, retry }: Props) {
  return (
    <section className="vf-trust" aria-labelledby="vf-trust">
      <h2 id="vf-trust"><Icon name="key" size={15} /> Whose signatures count</h2>
      {!given ? (
        pending ? (
          <Loading what="the trust file"><Skeleton lines={3} /></Loading>
        ) : error !== undefined ? (
          <><ErrorNote error={error} /><p>Drop a trust file, or <button type="button" className="linklike" onClick={retry}>try again</button>.</p></>
        ) : (
          <p>No ledger runs here. Drop the trust file of the ledger that gave the receipt; its operator hands it out.</p>
        )
      ) : 'because' in given ? (
        <p className="vf-why" role="alert"><Icon name="warning" size={14} /> {own ? given.name : 'The server’s trust file'}: {given.because.why}</p>
      ) : (
        <Known trust={given.trust} />
      )}
      {given && (own ? (
        <p className="vf-from">From the file <strong>{given.name}</strong> that you dropped.{server && <> <Button small onClick={onServer}>Use this server’s instead</Button></>}</p>
      ) : (
        <p className="vf-from">From this server. To check this server itself, drop a trust file that you were given in another way, or compare the fingerprint.</p>
      ))}
    </section>
  )
}

function Known({ trust }: { trust: Trust }) {
  const [print, setPrint] = useState('')
  useEffect(() => {
    let on = true
    void sha256(trust.log.raw).then((h) => on && setPrint(toHex(h)))
    return () => {
      on = false
    }
  }, [trust])
  return (
    <dl className="vf-known">
      <div><dt>Ledger</dt><dd>{trust.log.name}</dd></div>
      <div><dt>Its key’s SHA-256</dt><dd>{print && <Copyable value={print} what="fingerprint of the ledger’s key" />}</dd></div>
      <div><dt>Witnesses</dt><dd>{trust.witnesses.length === 0 ? 'none: the ledger alone vouches' : `${trust.required} of ${trust.witnesses.length}: ${trust.witnesses.map((w) => w.name).join(', ')}`}</dd></div>
      <div><dt>Timestamps</dt><dd>{trust.roots.length === 0 ? 'no authority is named' : trust.roots.length === 1 ? 'one authority' : `${trust.roots.length} authorities`}</dd></div>
    </dl>
  )
}
