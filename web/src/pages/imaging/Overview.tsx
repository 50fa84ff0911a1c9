// SPDX-License-Identifier: Apache-2.0
// The gateway at a glance: what somebody should do, what flows, the doors, and
// whether what it depends on works.

import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { statement } from '@/api/said'
import type { ImagingDependency, ImagingOverview } from '@/api/types'
import { Copyable, Icon, SeverityShape, severityName, Time } from '@/ui'
import { bytes, count, plural } from '@/ui/units'
import { Chip } from './Chip'
import { FlowPicture } from './FlowPicture'
import { Minutes } from './Minutes'
import { Procedures } from './Procedures'
import { dependency, diskWords, failWords, listenerName, routeState } from './words'
import { useWhere } from './where'

export function Overview({ o, gateway }: { o: ImagingOverview; gateway: string }) {
  return (
    <div className="im-body">
      {o.advice.length > 0 && (
        <section className="im-section" aria-labelledby="im-advice">
          <h2 id="im-advice">What to do</h2>
          <ul className="im-advice">
            {o.advice.map((a, i) => (
              <li key={i} className={`im-advice-${a.severity}`}>
                <SeverityShape level={a.severity} size={15} />
                <div>
                  <p className="im-advice-what"><span className="sr-only">{severityName[a.severity]}: </span>{statement(a.what)}</p>
                  <p>{a.why && <span className="im-advice-why">{statement(a.why)} </span>}<Icon name="arrow-right" size={13} /> {statement(a.hint)}</p>
                </div>
              </li>
            ))}
          </ul>
        </section>
      )}
      <FlowPicture o={o} gateway={gateway} />
      <Procedures gateway={gateway} />
      <section className="im-section" aria-labelledby="im-hour">
        <h2 id="im-hour">The last hour</h2>
        <Minutes minutes={o.minutes} />
        <dl className="im-figures">
          <div><dt>Received since the start</dt><dd>{count(o.received.instances)}</dd><dd className="im-note">{bytes(o.received.bytes)}</dd></div>
          <div><dt>Forwarded</dt><dd>{count(o.forwarded.instances)}</dd><dd className="im-note">{bytes(o.forwarded.bytes)}</dd></div>
          <div><dt>Flagged</dt><dd>{count(o.flagged)}</dd></div>
          <div><dt>Sanitised</dt><dd>{count(o.sanitised)}</dd></div>
          <div><dt>Quarantined</dt><dd>{count(o.quarantined)}</dd><dd className="im-note">{o.held === 0 ? 'none is held now' : `${count(o.held)} held now`}</dd></div>
          <div><dt>Refused</dt><dd>{count(o.refused)}</dd></div>
        </dl>
      </section>
      <div className="im-two">
        <section className="im-section" aria-labelledby="im-needs">
          <h2 id="im-needs">What it depends on</h2>
          <Needs o={o} />
        </section>
        <section className="im-section" aria-labelledby="im-doors">
          <h2 id="im-doors">Doors</h2>
          <table className="table im-table">
            <thead><tr><th scope="col">Listens on</th><th scope="col">For</th><th scope="col">State</th><th scope="col" className="num">Open</th></tr></thead>
            <tbody>
              {o.listeners.map((l) => (
                <tr key={l.name}>
                  <th scope="row"><Copyable value={l.address} what="address" /></th>
                  <td>{listenerName[l.kind]}{l.plain > 0 && <p className="im-warn"><Icon name="unlock" size={13} /> {plural(l.plain, 'device', 'devices')} may come in clear</p>}</td>
                  <td>{l.state === 'open' ? <Chip tone="ok" icon="check">Open</Chip> : <><Chip tone="critical" icon="close">Failed</Chip>{l.why && <p>{statement(l.why)}</p>}</>}</td>
                  <td className="num">{count(l.open)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {o.listeners.length === 0 && <p className="quiet">It listens nowhere: nothing can come in.</p>}
        </section>
      </div>
      <section className="im-section" aria-labelledby="im-routes">
        <h2 id="im-routes">Routes, and what happens on them when something fails</h2>
        <Routes o={o} />
      </section>
    </div>
  )
}

function Need({ name, chip, children }: { name: string; chip: ReactNode; children?: ReactNode }) {
  return <div><dt>{name}</dt><dd>{chip}{children && <div className="im-note">{children}</div>}</dd></div>
}

function Needs({ o }: { o: ImagingOverview }) {
  const where = useWhere()
  const dep = (what: 'ledger' | 'trust' | 'audit', name: string, d: ImagingDependency) => {
    const w = dependency(what, d)
    return <Need name={name} chip={<Chip tone={w.tone} icon={w.icon}>{w.word}</Chip>}>{w.note !== '' && <p>{w.note}</p>}{d.since && d.state !== 'ok' && <p>since <Time at={d.since} /></p>}</Need>
  }
  const disk = diskWords(o.disk)
  return (
    <dl className="im-needs">
      {dep('ledger', 'Ledger', o.ledger)}
      {dep('trust', 'Certificates', o.trust)}
      {dep('audit', 'Audit trail', o.audit)}
      <Need name="Policy" chip={o.policy.error ? <Chip tone="high" icon="warning">A newer one is not in force</Chip> : <Chip tone="ok" icon="check">In force</Chip>}>
        {o.policy.error && <p>{statement(o.policy.error)} The one before stays in force.</p>}
        <p><Link to="/imaging" search={{ tab: 'policy', ...where }}>{plural(o.policy.rules, 'rule')}</Link>, loaded <Time at={o.policy.loaded} />{o.policy.file ? <> from <span className="mono im-path">{o.policy.file}</span></> : ': the one that comes with Asepsis'}</p>
      </Need>
      <Need name="Disk" chip={<Chip tone={disk.tone} icon={disk.icon}>{disk.word}</Chip>}><DiskBar d={o.disk} /></Need>
    </dl>
  )
}

/** What is used and free, with the two marks at which somebody is told, and at which nothing more is taken. */
function DiskBar({ d }: { d: ImagingOverview['disk'] }) {
  const whole = Math.max(1, d.used + d.free)
  const share = (n: number) => `${Math.min(100, Math.max(0, (n / whole) * 100))}%`
  return (
    <>
      <svg className="im-disk" width="100%" height="14" role="img" aria-label={`${bytes(d.used)} of images, ${bytes(d.free)} free. A person is told below ${bytes(d.warn)}, nothing more is taken below ${bytes(d.stop)}.`}>
        <rect className="im-disk-all" x="0" y="3" width="100%" height="8" rx="2" />
        <rect className={`im-disk-used im-disk-${d.state}`} x="0" y="3" width={share(d.used)} height="8" rx="2" />
        <line className="im-disk-warn" x1={share(whole - d.warn)} x2={share(whole - d.warn)} y1="0" y2="14" />
        <line className="im-disk-stop" x1={share(whole - d.stop)} x2={share(whole - d.stop)} y1="0" y2="14" />
      </svg>
      <p>{bytes(d.used)} of images, {bytes(d.free)} free. Below {bytes(d.stop)} nothing more is taken.</p>
    </>
  )
}

function Routes({ o }: { o: ImagingOverview }) {
  if (o.routes.length === 0) return <p className="quiet">No route is set: images are taken and recorded, and go nowhere.</p>
  return (
    <div className="scroll-x" tabIndex={0} role="region" aria-label="Routes">
      <table className="table im-table im-routes">
        <thead><tr><th scope="col">Route</th><th scope="col">To</th><th scope="col">When something fails</th><th scope="col">Now</th></tr></thead>
        <tbody>
          {o.routes.map((r) => {
            const s = routeState[r.state]
            const f = failWords[r.fail]
            return (
              <tr key={r.name}>
                <th scope="row"><span>{r.name}</span><p className="im-note">{r.match}</p></th>
                <td>{r.destinations.join(', ') || <span className="quiet">nowhere</span>}</td>
                <td><span className="im-fail">{f.name}</span><p className="im-note">{f.means}</p></td>
                <td><Chip tone={s.tone} icon={s.icon}>{s.word}</Chip>{r.why && <p className="im-note">{statement(r.why)}</p>}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
