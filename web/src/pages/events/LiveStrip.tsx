// SPDX-License-Identifier: Apache-2.0
// The state of the live tail, always at the same place and height: what comes
// in, what waits, and honestly what is late or missing.

import type { StreamState } from '@/api/stream'
import { Button, Checkbox, Icon, time } from '@/ui'
import { useNow } from '@/ui/time'
import { count, plural } from '@/ui/units'
import { waitingCount, type Tail, type TailAction } from './tail'

interface Props { tail: Tail; stream: StreamState | null; act: (a: TailAction) => void; onShow: () => void; onReload: () => void }

export function LiveStrip({ tail, stream, act, onShow, onReload }: Props) {
  useNow(1_000)
  const waiting = waitingCount(tail)
  const gap = tail.gaps[tail.gaps.length - 1]
  const state = sentence(tail, stream)
  return (
    <div className="ev-live" role="group" aria-label="Live">
      <span className={`ev-live-state ev-live-${state.kind}`}><span className="ev-live-dot" aria-hidden="true" />{state.text}</span>
      {stream?.state === 'closed' && <Button small icon="refresh" onClick={onReload}>Connect again</Button>}
      <span className="ev-live-middle" role="status">
        {waiting > 0 && (
          <Button small kind="primary" icon="arrow-up" onClick={() => (tail.skipped > 0 ? onReload() : onShow())}>
            {count(waiting)} new
          </Button>
        )}
      </span>
      {tail.trimmed && <span className="quiet">Older live ones were let go; reload to have all.</span>}
      {gap && <span className="ev-live-gap"><Icon name="warning" size={13} />Nothing is kept between {time.clock(gap.from)} and {time.clock(gap.to)}: {gap.why}</span>}
      <span className="grid-spacer" />
      <Checkbox label="Follow" checked={tail.follow} onChange={(e) => act({ do: 'follow', follow: e.target.checked })} />
      <Button small icon={tail.paused ? 'play' : 'pause'} aria-pressed={tail.paused} onClick={() => act({ do: 'pause', paused: !tail.paused })}>{tail.paused ? 'Resume' : 'Pause'}</Button>
    </div>
  )
}

function sentence(tail: Tail, stream: StreamState | null): { kind: 'live' | 'late' | 'off'; text: string } {
  if (!stream || stream.state === 'connecting') return { kind: 'off', text: 'Connecting …' }
  if (stream.state === 'waiting') return { kind: 'off', text: `${stream.why} Trying again in ${Math.max(1, Math.ceil((stream.until - Date.now()) / 1000))} s; nothing is missed.` }
  if (stream.state === 'closed') return { kind: 'off', text: stream.why }
  if (tail.lag && (tail.lag.behind > 0 || tail.lag.seconds >= 2)) {
    return { kind: 'late', text: `${time.span(tail.lag.seconds * 1000)} late${tail.lag.behind > 0 ? `, ${plural(tail.lag.behind, 'event')} still to come` : ''}.` }
  }
  return { kind: 'live', text: tail.paused ? 'Paused. New events are counted.' : tail.follow ? 'Live, following.' : 'Live.' }
}
