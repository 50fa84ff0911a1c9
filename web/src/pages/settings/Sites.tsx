// SPDX-License-Identifier: Apache-2.0
// How this site and its hub, or this hub and its sites, are: what has arrived,
// and what still waits where it was seen.
import { useQuery } from '@tanstack/react-query'
import { storage } from '@/api/queries'
import type { BusHub, BusSite } from '@/api/types'
import { ErrorState, Icon, type IconName, Loading, Skeleton, Time, units } from '@/ui'
import { Section } from './Section'

export function Sites() {
  const { data, error, isError, refetch } = useQuery(storage)
  if (!data) {
    return (
      <Section title="Sites">
        {isError ? (
          <ErrorState error={error} lost="It is not known how the sites are." kept="Each site goes on recording." retry={() => void refetch()} />
        ) : (
          <Loading what="the sites">
            <Skeleton lines={2} />
          </Loading>
        )}
      </Section>
    )
  }
  const { hub, sites } = data.bus
  if (sites.length > 0) {
    return (
      <Section title="Sites" lead="This server is a hub: it takes over what these sites see. Their theatres, devices and events stand beside its own; the switch at the top shows one site alone. The same address at two sites is two devices.">
        <Table sites={sites} />
      </Section>
    )
  }
  return <Section title="Sites" lead={hub ? <AtHub hub={hub} /> : 'This server shows one site. A hub can take over the events of several: each site names it in its configuration as bus.hub, and goes on alone when it is away.'} />
}

function AtHub({ hub }: { hub: BusHub }) {
  if (!hub.connected) {
    return (
      <>
        The hub cannot be reached. {hub.waiting > 0 && <>{units.plural(hub.waiting, 'batch waits', 'batches wait')} here{hub.oldest && <>, the oldest since <Time at={hub.oldest} plain /></>}. </>}
        Nothing is lost: it is sent when the hub is back.
      </>
    )
  }
  return hub.waiting === 0 ? 'The hub has everything that was seen here.' : `The hub is taking over what was seen here: ${units.plural(hub.waiting, 'batch', 'batches')} to go.`
}

const state: Record<BusSite['state'], { icon: IconName; word: string }> = {
  current: { icon: 'check', word: 'Up to date' },
  late: { icon: 'clock', word: 'Behind' },
  silent: { icon: 'warning', word: 'No contact' },
}

function Table({ sites }: { sites: BusSite[] }) {
  return (
    <div className="scroll-x">
      <table className="table" aria-label="Sites">
        <thead>
          <tr>
            <th scope="col">Site</th>
            <th scope="col">State</th>
            <th scope="col" className="num">Batches that wait there</th>
            <th scope="col">Last contact</th>
          </tr>
        </thead>
        <tbody>
          {sites.map((s) => (
            <tr key={s.name}>
              <th scope="row">{s.name}</th>
              <td>
                <Icon name={state[s.state].icon} size={14} /> {state[s.state].word}
              </td>
              <td className="num">{units.count(s.waiting)}</td>
              <td>{s.heard ? <Time at={s.heard} plain /> : 'never'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
