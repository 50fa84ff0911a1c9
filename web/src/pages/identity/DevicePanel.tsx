// SPDX-License-Identifier: Apache-2.0
// On a device's page: what this site's authority and ledger know of it. Each
// part is there only when it runs.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { status } from '@/api/queries'
import { useMay } from '@/shell/access'
import { Button, ErrorNote, Icon, Loading, Skeleton, Time } from '@/ui'
import { useNow } from '@/ui/time'
import { deviceEntries } from '../ledger/queries'
import { Timeline } from '../ledger/Timeline'
import '../ledger/ledger.css'
import { EnrolDialog } from './EnrolDialog'
import './identity.css'
import { ofDevice } from './queries'
import { StandingChip } from './StandingChip'
import { profileOf, standing } from './words'

export function DeviceProof({ id }: { id: string }) {
  const runs = useQuery(status).data?.runs ?? []
  return (
    <>
      {runs.includes('identity') && <Certificates id={id} />}
      {runs.includes('ledger') && <Recorded id={id} />}
    </>
  )
}

function Certificates({ id }: { id: string }) {
  const query = useQuery(ofDevice(id))
  const refused = useMay()('identity.edit')
  const [enrol, setEnrol] = useState(false)
  const now = useNow(60_000)
  const list = query.data?.certificates
  const shown = list?.filter((c) => c.status !== 'superseded').sort((a, b) => Date.parse(b.not_after) - Date.parse(a.not_after)).slice(0, 5)
  return (
    <section className="dev-card" aria-labelledby="dev-proof">
      <h2 id="dev-proof">Identity here</h2>
      {query.isPending ? (
        <Loading what="its certificates"><Skeleton lines={2} /></Loading>
      ) : !shown ? (
        <ErrorNote error={query.error} />
      ) : (
        <>
          {shown.length === 0 && <p className="quiet">It has no certificate of this site’s authority.</p>}
          <ul className="id-list">
            {shown.map((c) => (
              <li key={c.serial}>
                <StandingChip is={standing(c, now)} />
                <Link to="/identity" search={{ open: c.serial }}>{profileOf(c.profile)}</Link>
                <span className="quiet">{c.status === 'good' ? 'until' : 'ended'} <Time at={c.revoked ?? c.not_after} plain /></span>
              </li>
            ))}
          </ul>
          {!shown.some((c) => standing(c, now) === 'good') && <Button small icon="plus" reason={refused} onClick={() => setEnrol(true)}>Enrol…</Button>}
        </>
      )}
      {enrol && <EnrolDialog device={id} onClose={() => setEnrol(false)} />}
    </section>
  )
}

function Recorded({ id }: { id: string }) {
  const query = useQuery(deviceEntries(id))
  const entries = query.data?.entries
  return (
    <section className="dev-card" aria-labelledby="dev-recorded">
      <h2 id="dev-recorded">In the ledger</h2>
      {query.isPending ? (
        <Loading what="what is recorded"><Skeleton lines={3} /></Loading>
      ) : !entries ? (
        <ErrorNote error={query.error} />
      ) : entries.length === 0 ? (
        <p className="quiet">Nothing is recorded about it.</p>
      ) : (
        <>
          <Timeline entries={[...entries].reverse()} label="The newest that is recorded about it" />
          <Link className="id-all" to="/ledger" search={{ is: `device:${id}` }}>All that is recorded about it <Icon name="arrow-right" size={13} /></Link>
        </>
      )}
    </section>
  )
}
