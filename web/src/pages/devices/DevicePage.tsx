// SPDX-License-Identifier: Apache-2.0
// One device on one page: what it is, why we think so, what it does, what is
// wrong, and what people said and changed.

import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { Device } from '@/api/types'
import { useMay } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { Button, ClassIcon, Copyable, Empty, ErrorState, Icon, Loading, Menu, Notice, Severity, Skeleton, Time, time } from '@/ui'
import { CopyLink } from '@/ui/grid'
import { ActivityPanel } from './ActivityPanel'
import { AdvisoriesPanel } from './Advisories'
import { CertificatesCard } from './Certificates'
import { ConversationsPanel } from './Conversations'
import './device.css'
import './devices.css'
import { DeviceProof } from '../identity/DevicePanel'
import { EvidencePanel } from './Evidence'
import { certificateName } from './fields'
import { FindingsPanel } from './Findings'
import { HistoryCard, NotesCard } from './History'
import { IdentityCard } from './Identity'
import { MergeDialog, SplitDialog, splittable } from './MergeSplit'
import { device as deviceQuery } from './queries'

export function DevicePage() {
  const { id } = useParams({ strict: false })
  const navigate = useNavigate()
  const query = useQuery(deviceQuery(id ?? ''))
  const d = query.data

  // A former ID leads here; the address then says the present one.
  useEffect(() => {
    if (d && d.id !== id) void navigate({ to: '/devices/$id', params: { id: d.id }, replace: true })
  }, [d, id, navigate])

  if (query.isPending) {
    return (
      <Page title="Device" heading={<><span className="sr-only">Device</span><Skeleton width={20} height={22} /></>}>
        <Loading what="the device"><div className="dev-detail"><div className="dev-main"><Skeleton lines={10} /></div><div className="dev-side"><Skeleton lines={14} /></div></div></Loading>
      </Page>
    )
  }
  if (!d) {
    const gone = query.error instanceof ApiError && query.error.status === 404
    return (
      <Page title="Device">
        {gone ? (
          <Empty icon="devices" title="No device has this ID." action={<Link to="/devices" className="btn btn-plain">All devices</Link>}>
            <p><span className="mono">{id}</span> is not in the inventory, and no device had it before.</p>
          </Empty>
        ) : (
          <ErrorState error={query.error} lost="This device cannot be shown." kept="What is known of it is kept." retry={() => void query.refetch()} />
        )}
      </Page>
    )
  }
  return <Detail key={d.id} d={d} stale={query.isError} at={query.dataUpdatedAt} retry={() => void query.refetch()} />
}

function Detail({ d, stale, at, retry }: { d: Device; stale: boolean; at: number; retry: () => void }) {
  const may = useMay()
  const navigate = useNavigate()
  const rooms = useQuery(theatresQuery)
  const theatres = rooms.data ?? []
  const theatreName = (id: string) => theatres.find((t) => t.id === id)?.name ?? id
  const [dialog, setDialog] = useState<'merge' | 'split' | null>(null)
  const refused = may('device.edit')
  const events = `/events?from=-24h&is=device:${encodeURIComponent(d.id)}`
  const map = `/map?focus=${encodeURIComponent(d.id)}`
  const product = [d.vendor, d.model].filter(Boolean).join(' ')

  useKeys('Device', [
    { keys: 'e', does: 'Events of this device', run: () => void navigate({ href: events }) },
    { keys: 'w', does: 'Where it is on the map', run: () => void navigate({ href: map }) },
    { keys: 'u', does: 'Back to all devices', run: () => void navigate({ to: '/devices' }) },
  ])

  return (
    <Page
      title={d.name}
      heading={<span className="dev-title"><ClassIcon class={d.class} size={22} label={d.class_name} /><span>{d.name}</span></span>}
      sentence={
        <>
          {d.class === 'unknown' ? 'What it is for is not known yet' : d.class_name}
          {product && `, ${product}`}
          {d.theatre !== '' && <>, in <Link to="/theatres/$id" params={{ id: d.theatre }}>{theatreName(d.theatre)}</Link></>}
          , last seen <Time at={d.last} />.
        </>
      }
      actions={
        <>
          <Link className="btn btn-plain" to="/events" search={{ from: '-24h', is: `device:${d.id}` }}><Icon name="events" /><span className="btn-t">Events</span></Link>
          <Link className="btn btn-plain" to="/map" search={{ focus: d.id }}><Icon name="map" /><span className="btn-t">On the map</span></Link>
          <CopyLink />
          <Menu
            align="end" label="More" trigger={<Button icon="more" kind="quiet" aria-label="More actions" />}
            entries={[
              { label: 'Merge another record into it…', icon: 'merge', disabled: refused !== undefined, note: refused, run: () => setDialog('merge') },
              { label: 'Split it…', icon: 'split', disabled: refused !== undefined || splittable(d).length < 2, note: refused ?? (splittable(d).length < 2 ? 'It has one interface only.' : undefined), run: () => setDialog('split') },
            ]}
          />
        </>
      }
    >
      {stale && <Notice kind="attention" action={<Button small onClick={retry}>Try again</Button>}>This page is from {time.clock(at)}: the server did not answer since.</Notice>}
      <ul className="dev-tags">
        {d.worst !== 'unknown' && <li><Severity level={d.worst} /></li>}
        {d.medical && <li>Medical device: touching it may touch a patient</li>}
        {d.randomised_mac && <li>Private MAC addresses only</li>}
        {d.certificate !== '' && <li className={`dev-cert dev-cert-${d.certificate}`}><Icon name="certificate" size={13} />Certificate {(certificateName[d.certificate] ?? '').toLowerCase()}</li>}
      </ul>
      <div className="dev-detail">
        <div className="dev-side">
          <IdentityCard device={d} theatres={theatres} />
          <section className="dev-card" aria-labelledby="dev-why">
            <h2 id="dev-why">Why we think so</h2>
            <p className="dev-prose">{d.class_why || 'Nothing points to what it is for yet.'}</p>
            {d.joined.length > 0 && (
              <>
                <h3>Why this is one device</h3>
                <ul className="dev-joined">{d.joined.map((j) => <li key={j.why}>{j.why} <span className="quiet">{j.confidence}{'\u00a0'}%</span></li>)}</ul>
              </>
            )}
          </section>
          <section className="dev-card" aria-labelledby="dev-interfaces">
            <h2 id="dev-interfaces">{d.interfaces.length === 1 ? 'Interface' : 'Interfaces'}</h2>
            {d.interfaces.length === 0 && <p className="quiet">It was not seen on the network itself, only in what others say.</p>}
            <ul className="dev-interfaces">
              {d.interfaces.map((i) => (
                <li key={i.mac + i.ips.join()}>
                  {i.mac !== '' && <Copyable value={i.mac} what="MAC address" />}
                  {i.vlans.length > 0 && <span className="quiet">VLAN {i.vlans.join(', ')}</span>}
                  <ul className="dev-list">{i.ips.map((ip) => <li key={ip}><Copyable value={ip} what="IP address" /></li>)}</ul>
                </li>
              ))}
            </ul>
          </section>
          <CertificatesCard device={d} />
          <DeviceProof id={d.id} />
          <NotesCard device={d} />
          <HistoryCard device={d} theatre={theatreName} />
        </div>
        <div className="dev-main">
          <FindingsPanel device={d} />
          <AdvisoriesPanel id={d.id} name={d.name} />
          <ActivityPanel id={d.id} name={d.name} />
          <ConversationsPanel id={d.id} name={d.name} />
          <EvidencePanel device={d} />
        </div>
      </div>
      {dialog === 'merge' && <MergeDialog device={d} onClose={() => setDialog(null)} />}
      {dialog === 'split' && <SplitDialog device={d} onClose={() => setDialog(null)} />}
    </Page>
  )
}
