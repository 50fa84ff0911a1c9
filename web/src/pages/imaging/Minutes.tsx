// SPDX-License-Identifier: Apache-2.0
// Sixty minutes as sixty bars: what came, and on top of it what was held or
// refused. Small enough that no plotting library is needed.

import type { ImagingMinute } from '@/api/types'
import { clock, useZone } from '@/ui/time'
import { bytes, count, plural } from '@/ui/units'

const W = 720
const H = 64

export function Minutes({ minutes }: { minutes: readonly ImagingMinute[] }) {
  useZone()
  const top = Math.max(1, ...minutes.map((m) => m.received + m.quarantined + m.refused))
  const sum = (f: (m: ImagingMinute) => number) => minutes.reduce((n, m) => n + f(m), 0)
  const came = sum((m) => m.received)
  const bad = sum((m) => m.quarantined + m.refused)
  const busiest = minutes.reduce<ImagingMinute | undefined>((a, b) => (a && a.received >= b.received ? a : b), undefined)
  const said = `${plural(came, 'image')} came in the last hour${busiest && came > 0 ? `, most at ${clock(busiest.at, { seconds: false })}: ${count(busiest.received)}` : ''}. ${bad === 0 ? 'None was held or refused.' : `${count(bad)} held or refused.`}`
  const step = W / 60
  const y = (n: number) => (n / top) * (H - 4)
  const offset = 60 - minutes.length
  return (
    <figure className="im-minutes">
      <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={said}>
        <line x1="0" x2={W} y1={H - 0.5} y2={H - 0.5} className="im-axis" />
        {minutes.map((m, i) => {
          const x = (offset + i) * step + 1
          const good = y(Math.max(0, m.received - m.quarantined))
          const held = y(m.quarantined + m.refused)
          return (
            <g key={m.at}>
              <title>{`${clock(m.at, { seconds: false })}: ${count(m.received)} received (${bytes(m.bytes)}), ${count(m.forwarded)} forwarded, ${count(m.quarantined)} held, ${count(m.refused)} refused`}</title>
              <rect className="im-hit" x={x - 1} y="0" width={step} height={H} />
              {good > 0 && <rect className="im-bar" x={x} y={H - Math.max(1.5, good)} width={step - 2} height={Math.max(1.5, good)} />}
              {held > 0 && <rect className="im-bar-bad" x={x} y={H - Math.max(1.5, good) - Math.max(3, held)} width={step - 2} height={Math.max(3, held)} />}
            </g>
          )
        })}
      </svg>
      <figcaption>{said}<span className="im-key"><i className="im-key-good" /> passed</span><span className="im-key"><i className="im-key-bad" /> held or refused</span></figcaption>
    </figure>
  )
}
