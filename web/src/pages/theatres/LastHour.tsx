// SPDX-License-Identifier: Apache-2.0
// Sixty minutes, a bar each; a minute with something worse than usual carries
// its severity's shape above the bar.
import { Link } from '@tanstack/react-router'
import type { Room } from '@/api/types'
import { severityName, severityRank, SeverityShape, units } from '@/ui'
import { clock, useZone } from '@/ui/time'

export function LastHour({ steps, theatre }: { steps: Room['last_hour']; theatre: string }) {
  useZone()
  const most = Math.max(1, ...steps.map((s) => s.events))
  const all = steps.reduce((n, s) => n + s.events, 0)
  const marked = steps.filter((s) => severityRank[s.worst] >= severityRank.medium)
  const first = steps[0]
  return (
    <figure className="hour">
      <div className="hour-plot" aria-hidden>
        {steps.map((s) => (
          <div key={s.start} className="hour-step" title={`${clock(s.start, { seconds: false })}: ${units.plural(s.events, 'event')}, worst ${severityName[s.worst].toLowerCase()}`}>
            {severityRank[s.worst] >= severityRank.medium && <SeverityShape level={s.worst} size={8} />}
            <div className="hour-bar" style={{ height: s.events === 0 ? 0 : `${Math.max(4, (s.events / most) * 100)}%` }} />
          </div>
        ))}
      </div>
      <div className="hour-axis" aria-hidden>
        <span>{first ? clock(first.start, { seconds: false }) : ''}</span>
        <span>now</span>
      </div>
      <figcaption>
        {units.plural(all, 'event')}
        {marked.length > 0 ? `, ${units.plural(marked.length, 'minute')} with something of medium severity or worse` : ', nothing worse than low'}.{' '}
        <Link to="/events" search={{ from: '-1h', is: `theatre:${theatre}` } as never}>
          See them
        </Link>
      </figcaption>
    </figure>
  )
}
