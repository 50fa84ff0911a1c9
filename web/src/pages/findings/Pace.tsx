// SPDX-License-Identifier: Apache-2.0
// When it happened: a bar for each hour that it happened in, over the time from
// the first to the last.

import type { FindingDetail } from '@/api/types'
import { Time, time } from '@/ui'
import { plural } from '@/ui/units'
import { paceBars } from './pace'

export function PaceChart({ finding: f }: { finding: FindingDetail }) {
  const bars = paceBars(f.pace, time.now())
  const most = Math.max(1, ...bars.map((b) => b.count))
  const hour = (b: { start: number }) => `${time.short(b.start)}`
  return (
    <>
      <p className="fd-line">
        {plural(f.count, 'time')}, first <Time at={f.first} />{f.count > 1 && <>, last <Time at={f.last} /></>}.
        {f.suppressed_count > 0 && <> {plural(f.suppressed_count, 'of them was', 'of them were')} hidden.</>}
      </p>
      {bars.length > 1 && (
        <div className="fd-pace" role="img" aria-label={`How often in each ${bars[0]?.hours === 1 ? 'hour' : `${bars[0]?.hours ?? 1} hours`}, at most ${plural(most, 'time')}`}>
          {bars.map((b) => (
            <span key={b.start} className="fd-pace-slot" title={`${hour(b)}: ${plural(b.count, 'time')}`}>
              {b.count > 0 && <i style={{ height: `${Math.max(8, (b.count / most) * 100)}%` }} />}
            </span>
          ))}
        </div>
      )}
      {bars.length > 1 && (
        <p className="fd-pace-ends quiet" aria-hidden="true">
          <span>{time.short(bars[0]?.start ?? 0)}</span>
          <span>{time.short((bars[bars.length - 1]?.start ?? 0) + (bars[0]?.hours ?? 1) * 3_600_000)}</span>
        </p>
      )}
    </>
  )
}
