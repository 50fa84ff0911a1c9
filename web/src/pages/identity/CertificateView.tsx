// SPDX-License-Identifier: Apache-2.0
// One certificate: how it stands, what it says, what happened to it, and the
// two things to do with it.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { IdentityCertificate } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Copyable, Empty, ErrorState, Icon, Loading, Skeleton, Time, time, toast } from '@/ui'
import { saveFile } from '@/ui/grid/download'
import { useNow, useZone } from '@/ui/time'
import { Timeline } from '../ledger/Timeline'
import { certificate, identityStatus } from './queries'
import { StandingChip } from './StandingChip'
import { endedBecause, ownerOf, profileOf, sentenceOf, standing, viaOf } from './words'

interface Props { serial: string; row: IdentityCertificate | undefined; onRevoke: (c: IdentityCertificate) => void; onEnrol: (device: string) => void; onBack: () => void }

export function CertificateView({ serial, row, onRevoke, onEnrol, onBack }: Props) {
  const query = useQuery(certificate(serial))
  const c = query.data?.certificate ?? row
  const back = <button type="button" className="btn btn-quiet id-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">All certificates</span></button>
  if (!c) {
    const none = query.error instanceof ApiError && query.error.status === 404
    return (
      <div className="id-one">
        {back}
        {query.isPending ? <Loading what="the certificate"><Skeleton lines={12} /></Loading> : none ? <Empty icon="certificate" title="No certificate has this serial number."><p>It was not issued by this site’s authority.</p></Empty> : <ErrorState error={query.error} lost="This certificate cannot be shown." kept="It goes on being good or not as before." retry={() => void query.refetch()} />}
      </div>
    )
  }
  return (
    <article className="id-one" aria-labelledby="id-title">
      {back}
      <Head c={c} pem={query.data?.pem} onRevoke={onRevoke} onEnrol={onEnrol} />
      <Facts c={c} />
      <section className="id-section" aria-labelledby="id-history">
        <h3 id="id-history">What happened to it</h3>
        {query.isPending ? (
          <Loading what="its history"><Skeleton lines={4} /></Loading>
        ) : !query.data ? (
          <ErrorState error={query.error} lost="Its history cannot be shown." kept="It is kept in the ledger." retry={() => void query.refetch()} />
        ) : query.data.history.length === 0 ? (
          <p className="quiet">No ledger ran here when it was issued, so nothing is recorded about it.</p>
        ) : (
          <Timeline entries={query.data.history} label="What happened to the certificate" />
        )}
      </section>
    </article>
  )
}

function Head({ c, pem, onRevoke, onEnrol }: { c: IdentityCertificate; pem: string | undefined } & Pick<Props, 'onRevoke' | 'onEnrol'>) {
  const may = useMay()
  const now = useNow(10_000)
  const is = standing(c, now)
  const alive = c.status === 'good' || c.status === 'superseded'
  const stem = (ownerOf(c).replace(/[^\w.-]+/g, '-') || c.serial).toLowerCase()
  return (
    <header className="id-head">
      <h2 id="id-title">{c.device ? <Link to="/devices/$id" params={{ id: c.device }}>{ownerOf(c)}</Link> : ownerOf(c)}</h2>
      <p className="id-sentence"><StandingChip is={is} /> {sentenceOf(c, now)}</p>
      {c.note && <p className="lg-reason"><strong>Note:</strong> {c.note}</p>}
      <div className="id-actions">
        <Button icon="download" reason={pem === undefined ? 'It is loading.' : undefined} onClick={() => { saveFile(`${stem}.pem`, 'application/x-pem-file', pem ?? ''); toast(`Saved ${stem}.pem.`) }}>Save as PEM</Button>
        {!alive && c.device && <Button icon="plus" reason={may('identity.edit')} onClick={() => onEnrol(c.device)}>Enrol the device again…</Button>}
        {alive && is !== 'expired' && <Button kind="danger" icon="close" reason={may('identity.revoke')} onClick={() => onRevoke(c)}>Revoke…</Button>}
      </div>
    </header>
  )
}

function Facts({ c }: { c: IdentityCertificate }) {
  useZone()
  const rooms = useQuery(theatresQuery).data
  const authorities = useQuery(identityStatus).data?.authorities
  const issuer = authorities?.find((a) => a.id === c.issuer)
  const row = (label: string, value: ReactNode) => <div><dt>{label}</dt><dd>{value}</dd></div>
  return (
    <section className="id-section" aria-labelledby="id-says">
      <h3 id="id-says">What it says</h3>
      <dl className="id-facts">
        {row('For', profileOf(c.profile))}
        {c.theatre && row('Theatre', <Link to="/theatres/$id" params={{ id: c.theatre }}>{rooms?.find((t) => t.id === c.theatre)?.name ?? c.theatre}</Link>)}
        {row('Identity', <Copyable value={c.spiffe} what="SPIFFE ID" />)}
        {row('Subject', c.subject || 'empty: the identity says it')}
        {row('Good from', time.absolute(c.not_before))}
        {row('Good until', <>{time.absolute(c.not_after)} <span className="quiet"><Time at={c.not_after} /></span></>)}
        {c.status === 'good' && row('Renews from', c.long_life ? 'not by itself: it was given a long life' : <>{time.absolute(c.renew_from)} <span className="quiet"><Time at={c.renew_from} /></span></>)}
        {c.revoked && row('Ended', <>{time.absolute(c.revoked)}: {endedBecause(c.reason)}</>)}
        {row('How it came', viaOf(c.via))}
        {row('Issued by', issuer ? issuer.subject : <Copyable value={c.issuer} what="issuer’s key ID" />)}
        {row('Serial number', <Copyable value={c.serial} what="serial number" />)}
        {row('SHA-256', <Copyable value={c.sha256} what="fingerprint" />)}
      </dl>
    </section>
  )
}
