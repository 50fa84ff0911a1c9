// SPDX-License-Identifier: Apache-2.0
// What a device did over time; a drag opens exactly these events.

import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useURLValue } from '@/shell/urlstate'
import { ErrorNote, Segmented, Skeleton } from '@/ui'
import { compact, plural } from '@/ui/units'
import type { Bar } from '../events/histogram'
import type { Span } from '../events/query'
import { TimeBars } from '../events/TimeBars'
import { periods } from './Conversations'
import { activity } from './queries'

const STEPS = 96

export function ActivityPanel({ id, name }: { id: string; name: string }) {
  const [from, setFrom] = useURLValue('did', '-24h')
  const navigate = useNavigate()
  const query = useQuery({ ...activity(id, from, STEPS), placeholderData: keepPreviousData })
  const data = query.data
  const { bars, span, step } = useMemo(() => {
    if (!data) return { bars: [], span: { from: 0, to: 1 }, step: 1 }
    const whole: Span = { from: Date.parse(data.from), to: Date.parse(data.to) }
    const starts = data.steps.map((s) => Date.parse(s.start))
    const length = starts.length > 1 ? (starts[1] ?? 0) - (starts[0] ?? 0) : whole.to - whole.from
    // Activity tells the worst of each step, not how many of each severity.
    const all = data.steps.map((s, i): Bar => {
      const start = starts[i] ?? 0
      return { start, end: start + length, total: s.events, parts: s.events > 0 ? [{ severity: s.worst === 'unknown' ? 'info' : s.worst, from: 0, to: s.events }] : [] }
    })
    return { bars: all, span: whole, step: length }
  }, [data])
  const total = bars.reduce((n, b) => n + b.total, 0)
  const open = (s: Span) =>
    void navigate({ href: `/events?${new URLSearchParams({ from: new Date(s.from).toISOString(), to: new Date(s.to).toISOString(), is: `device:${id}` }).toString()}` })
  return (
    <section className="dev-section" aria-labelledby="dev-activity">
      <header className="dev-section-head">
        <h2 id="dev-activity">Activity</h2>
        <span className="quiet">{data ? `${plural(total, 'event')}${total > 0 ? ', each bar in the colour of its worst' : ''}` : ''}</span>
        <span className="grid-spacer" />
        <Segmented small label="Period of the activity" value={from} onChange={(v) => setFrom(v, { replace: true })} options={periods} />
      </header>
      <div className="dev-box dev-activity">
        {query.isPending ? <Skeleton height={90} /> : query.isError && !data ? <ErrorNote error={query.error} /> : (
          <TimeBars label={`Events of ${name} over time, ${compact(total)} in all`} span={span} stepMs={step} bars={bars} height={92} busy={query.isPlaceholderData} onSelect={open} />
        )}
      </div>
    </section>
  )
}
