// SPDX-License-Identifier: Apache-2.0
// The truth about the system itself, in one line under the bar: live, late,
// blind, not answering, a demo. A click shows each part.
import type { UseQueryResult } from '@tanstack/react-query'
import type { Health, Status } from '../api/types'
import type { StreamState } from '../api/stream'
import { Button } from '../ui/Button'
import { cx } from '../ui/cx'
import { Icon, type IconName } from '../ui/Icon'
import { Popover } from '../ui/Popover'
import { Time } from '../ui/Time'
import { clock, span, useNow, useZone } from '../ui/time'
import { count, plural } from '../ui/units'

const old = 30_000 // ms without a status after which it is not news any more

const icon: Record<Health, IconName> = { ok: 'check', attention: 'warning', stop: 'close' }

interface Props {
  status: UseQueryResult<Status>
  live: StreamState
  wall?: boolean
}

export function StatusLine({ status, live, wall }: Props) {
  useNow(1_000)
  const zone = useZone()
  const s = status.data
  const age = s ? Date.now() - status.dataUpdatedAt : 0
  const lost = status.isError || age > old
  const state = !s ? (status.isError ? 'down' : 'waiting') : lost ? 'down' : s.state
  const said = lost
    ? s
      ? `The server has not answered for ${span(age)}. What you see may be old; recording does not depend on this page.`
      : 'The server does not answer.'
    : (s?.sentence ?? 'Asking the server how it is.')
  const bad = s?.components.filter((c) => c.state !== 'ok') ?? []

  return (
    <section className={cx('status', `status-${state}`)} aria-label="State of the system">
      <span className="status-sign" aria-hidden />
      <span className="status-text" role="status">
        {said}
      </span>
      {s && !lost && s.lost_events > 0 && <span className="status-part">{plural(s.lost_events, 'event')} lost</span>}
      {!lost && live.state === 'waiting' && <span className="status-part">Reconnecting: {live.why}</span>}
      <span className="status-gap" />
      {wall && <span className="status-part status-clock">{clock(Date.now(), { seconds: false, tz: zone })}</span>}
      {s && (
        <Popover
          align="end"
          label="Parts of the system"
          trigger={
            <button type="button" className="status-parts">
              {bad.length === 0 ? `All ${count(s.components.length)} parts work` : `${count(bad.length)} of ${plural(s.components.length, 'part')} ${bad.length === 1 ? 'needs' : 'need'} a look`}
              <Icon name="chevron-down" size={12} />
            </button>
          }
        >
          <ul className="parts">
            {s.components.map((c) => (
              <li key={c.name} className={`part part-${c.state}`}>
                <Icon name={icon[c.state]} />
                <div>
                  <div className="part-name">{c.name}</div>
                  <div>{c.sentence}</div>
                  <div className="quiet">
                    since <Time at={c.since} plain />
                  </div>
                </div>
              </li>
            ))}
          </ul>
          {lost && (
            <Button small icon="refresh" onClick={() => void status.refetch()}>
              Ask again
            </Button>
          )}
        </Popover>
      )}
      {s?.demo && (
        <span className="status-demo" title="A recorded theatre day is being replayed. Nothing here is real.">
          Demo: a recorded day
        </span>
      )}
    </section>
  )
}
