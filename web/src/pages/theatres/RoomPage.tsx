// SPDX-License-Identifier: Apache-2.0
// One room: its lights, the way of its images, what is wrong in words for the
// room, its devices, and the last hour.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ApiError } from '@/api/client'
import { room } from '@/api/queries'
import type { Finding, Room } from '@/api/types'
import { Page } from '@/shell/Page'
import { ClassIcon, Copyable, cx, Empty, ErrorState, Icon, Light, Loading, Severity, SeverityShape, severityName, Skeleton, Time, units } from '@/ui'
import { CaseState } from './CaseState'
import { ImagingPath } from './ImagingPath'
import { LastHour } from './LastHour'
import './room.css'
import { alike } from './words'

const groupName: Record<Room['groups'][number]['name'], string> = { imaging: 'Imaging', display: 'Display', robot: 'Robot, table and navigation', anaesthesia: 'Anaesthesia', it: 'IT', other: 'Other' }

export function RoomPage() {
  const { id } = useParams({ strict: false })
  const { data, error, isError, refetch } = useQuery(room(id ?? ''))
  if (!data) {
    if (isError && error instanceof ApiError && error.status === 404) {
      return (
        <Page title="No such theatre">
          <Empty icon="theatres" title="This theatre does not exist." action={<Link to="/theatres" className="btn btn-plain">All theatres</Link>}>
            <p>It may have been removed or given another name since the link was made.</p>
          </Empty>
        </Page>
      )
    }
    return (
      <Page
        title="Theatre"
        heading={
          <>
            <span className="sr-only">Theatre</span>
            <Skeleton width={8} height={22} />
          </>
        }
      >
        {isError ? (
          <ErrorState error={error} lost="The state of this theatre is not known." kept="The sensor goes on recording." retry={() => void refetch()} />
        ) : (
          <Loading what="the theatre">
            <Skeleton lines={12} />
          </Loading>
        )}
      </Page>
    )
  }
  const { theatre: t, tile } = data
  return (
    <Page title={t.name} sentence={[t.building, units.plural(tile.devices, 'device')].filter(Boolean).join(' · ')} actions={<CaseState theatre={t} />}>
      <section className="room-lights" aria-label="Lights">
        <Light name="Devices" light={tile.lights.devices} />
        <Light name="Images" light={tile.lights.images} />
        <Light name="Network" light={tile.lights.network} />
      </section>
      <div className="room-cols">
        <div className="room-main">
          <section aria-labelledby="room-path">
            <h2 id="room-path">The way of the images</h2>
            <ImagingPath steps={data.imaging_path} />
          </section>
          <section aria-labelledby="room-devices">
            <h2 id="room-devices">Devices</h2>
            <Groups groups={data.groups} />
          </section>
        </div>
        <div className="room-side">
          <section aria-labelledby="room-findings">
            <h2 id="room-findings">What is open</h2>
            <Findings list={data.findings} total={tile.findings} theatre={t.id} contact={data.contact} />
          </section>
          <section aria-labelledby="room-hour">
            <h2 id="room-hour">The last hour</h2>
            <LastHour steps={data.last_hour} theatre={t.id} />
          </section>
          <section aria-labelledby="room-net">
            <h2 id="room-net">Network</h2>
            <dl className="pairs">
              <div>
                <dt>VLANs</dt>
                <dd>{t.vlans.length ? t.vlans.join(', ') : 'none given'}</dd>
              </div>
              <div>
                <dt>Addresses</dt>
                <dd>{t.prefixes.length ? t.prefixes.map((p) => <Copyable key={p} value={p} what="address range" />) : 'none given'}</dd>
              </div>
            </dl>
          </section>
        </div>
      </div>
    </Page>
  )
}

function Findings({ list, total, theatre, contact }: { list: Finding[]; total: number; theatre: string; contact?: string }) {
  return (
    <>
      {list.length === 0 ? (
        <p className="quiet">Nothing is open in this room.</p>
      ) : (
        <ul className="room-findings">
          {alike(list).map(({ first: f, more }) => (
            <li key={f.id}>
              <div className="rf-head">
                <Severity level={f.severity} />
                <Time at={f.last} />
              </div>
              <p className="rf-room"><Link to="/findings" search={{ open: f.id }} className="rf-link">{f.room || f.title}</Link></p>
              {f.room && <p className="rf-title">{f.title}</p>}
              {f.devices.length > 0 && (
                <p className="rf-devices">
                  {f.devices.slice(0, 3).map((d) => (
                    <Link key={d.id} to="/devices/$id" params={{ id: d.id }}>
                      {d.name}
                    </Link>
                  ))}
                  {f.devices.length > 3 && <span className="quiet">and {f.devices.length - 3} more</span>}
                </p>
              )}
              {more > 0 && (
                <p className="rf-more">
                  <Link to="/findings" search={{ is: [`theatre:${theatre}`, `rule:${f.rule}`] }}>and {units.count(more)} more of the same</Link>
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
      {total > 0 && (
        <p className="room-all">
          <Link to="/findings" search={{ is: `theatre:${theatre}` }}>{total > list.length ? `All ${total}` : 'Work on them'}</Link>
        </p>
      )}
      {contact && (
        <p className="room-call">
          <Icon name="phone" />
          <span>
            Call <strong>{contact}</strong>
          </span>
        </p>
      )}
    </>
  )
}

function Groups({ groups }: { groups: Room['groups'] }) {
  const filled = groups.filter((g) => g.devices.length > 0)
  if (filled.length === 0) {
    return <p className="quiet">No device has been seen here yet. A device belongs to this room when it is seen in the room’s VLANs or addresses, or when somebody says so on its page.</p>
  }
  return (
    <div className="room-groups">
      {filled.map((g) => (
        <section key={g.name} aria-label={groupName[g.name]}>
          <h3 className="rg-name">
            {groupName[g.name]} <span className="quiet">{g.devices.length}</span>
          </h3>
          <ul>
            {g.devices.map((d) => (
              <li key={d.id}>
                <Link to="/devices/$id" params={{ id: d.id }} className="rg-device">
                  <ClassIcon class={d.class} label={d.class_name} />
                  <span className="rg-title">{d.name}</span>
                  <span className="rg-model">{[d.vendor, d.model].filter(Boolean).join(' ') || d.class_name}</span>
                  <span className={cx('rg-worst', `sev-${d.worst}`)}>
                    {d.findings > 0 && (
                      <>
                        <SeverityShape level={d.worst} />
                        {severityName[d.worst]}
                      </>
                    )}
                  </span>
                  <span className="rg-last">
                    <Time at={d.last} plain />
                  </span>
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  )
}
