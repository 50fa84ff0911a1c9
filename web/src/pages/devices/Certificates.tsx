// SPDX-License-Identifier: Apache-2.0
// The certificates that a device shows to others, the first to expire first.

import type { Device, DeviceCertificate } from '@/api/types'
import { Copyable, Icon, Time, time } from '@/ui'
import { certificateName } from './fields'

export function CertificatesCard({ device: d }: { device: Device }) {
  if (d.certificates.length === 0) return null
  return (
    <section className="dev-card" aria-labelledby="dev-certificates">
      <h2 id="dev-certificates">{d.certificates.length === 1 ? 'Certificate' : 'Certificates'}</h2>
      <ul className="dev-certificates">{d.certificates.map((c) => <Certificate key={c.service + c.sha256} c={c} />)}</ul>
    </section>
  )
}

function Certificate({ c }: { c: DeviceCertificate }) {
  return (
    <li>
      <p className={`dev-cert dev-cert-${c.validity}`}><Icon name={c.validity === 'valid' ? 'certificate' : 'warning'} size={14} />{certificateName[c.validity]}{c.service !== '' && <> on {c.service}</>}</p>
      <dl className="pairs">
        <div><dt>Valid</dt><dd>{time.day(c.not_before)} to {time.day(c.not_after)} <span className="quiet">(<Time at={c.not_after} />)</span></dd></div>
        <div><dt>Issued by</dt><dd>{c.self_signed ? 'itself' : c.issuer || 'not said'}</dd></div>
        {c.key_type !== '' && <div><dt>Key</dt><dd>{c.key_type}{c.key_bits > 0 && `, ${c.key_bits} bits`}</dd></div>}
        {c.sha256 !== '' && <div><dt>SHA-256</dt><dd><Copyable value={`${c.sha256.slice(0, 16)}…`} of={c.sha256} what="fingerprint" /></dd></div>}
        <div><dt>Seen</dt><dd>{c.source}, {c.confidence}{'\u00a0'}% sure, last <Time at={c.last} /></dd></div>
      </dl>
    </li>
  )
}
