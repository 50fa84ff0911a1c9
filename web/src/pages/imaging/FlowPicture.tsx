// SPDX-License-Identifier: Apache-2.0
// Scanner → gateway → destination, with what flows on each way. A line is drawn
// through while something flows, broken while it does not; what needs somebody
// stands first and says what is wrong. Each box is a link to more.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { ImagingDestination, ImagingOverview } from '@/api/types'
import { cx, Icon, Skeleton, Time } from '@/ui'
import { useNow } from '@/ui/time'
import { bytes, count, plural } from '@/ui/units'
import { curve, destinationEdge, destinationOrder, senderEdge, sendersOf, type Edge, type Sender } from './flow'
import { associations, destinations } from './queries'
import { useWhere } from './where'
import { destinationState, perSecond, problemName } from './words'

const ROW = 62 // px of a box and the gap below it; imaging.css says the same
const WIRE = 72
const MOST = 8

export function FlowPicture({ o, gateway }: { o: ImagingOverview; gateway: string }) {
  const now = useNow(5_000)
  const list = useQuery(associations(gateway))
  const to = useQuery(destinations(gateway))
  const senders = sendersOf(list.data?.associations ?? [], now)
  const goals = [...(to.data?.destinations ?? [])].sort(destinationOrder)
  const left = senders.slice(0, MOST)
  const right = goals.slice(0, MOST)
  const rows = Math.max(left.length + (senders.length > MOST ? 1 : 0), right.length + (goals.length > MOST ? 1 : 0), 2)
  const h = rows * ROW
  const mid = h / 2
  /** The middles of n boxes that stand centred in the height. */
  const middles = (n: number) => Array.from({ length: n }, (_, i) => mid + (i - (n - 1) / 2) * ROW)
  const g = useWhere()
  return (
    <section className="im-section" aria-labelledby="im-flow">
      <h2 id="im-flow">What flows now</h2>
      <div className="im-flow">
        <ul className="im-flow-col" aria-label="Senders">
          {left.map((s) => <SenderBox key={s.key} s={s} gateway={g} />)}
          {senders.length > MOST && <li className="im-flow-more"><Link to="/imaging" search={{ tab: 'associations', ...g }}>{plural(senders.length - MOST, 'more sender')}</Link></li>}
          {senders.length === 0 && <li className="im-flow-none">{list.isPending ? <Skeleton width={18} /> : list.isError ? 'Who sends is not known: the gateway did not answer.' : 'Nobody has sent anything in the last 15 minutes.'}</li>}
        </ul>
        <Wires from={middles(left.length + (senders.length > MOST ? 1 : 0)).slice(0, left.length)} mid={mid} h={h} edges={left.map(senderEdge)} />
        <div className="im-flow-gate">
          <div className="im-gate">
            <strong><Icon name="gateway" size={15} /> {o.name}</strong>
            <dl>
              <div><dt>in</dt><dd>{perSecond(o.received.per_second)}</dd><dd className="quiet">{bytes(o.received.rate)}/s</dd></div>
              <div><dt>out</dt><dd>{perSecond(o.forwarded.per_second)}</dd><dd className="quiet">{bytes(o.forwarded.rate)}/s</dd></div>
            </dl>
            {o.held > 0 && <Link to="/imaging" search={{ tab: 'quarantine', ...g }} className="im-gate-held"><Icon name="lock" size={13} /> {count(o.held)} in quarantine</Link>}
          </div>
        </div>
        <Wires to={middles(right.length + (goals.length > MOST ? 1 : 0)).slice(0, right.length)} mid={mid} h={h} edges={right.map(destinationEdge)} />
        <ul className="im-flow-col" aria-label="Destinations">
          {right.map((d) => <DestinationBox key={d.name} d={d} gateway={g} />)}
          {goals.length > MOST && <li className="im-flow-more"><Link to="/imaging" search={{ tab: 'destinations', ...g }}>{plural(goals.length - MOST, 'more destination')}</Link></li>}
          {goals.length === 0 && <li className="im-flow-none">{to.isPending ? <Skeleton width={18} /> : to.isError ? 'Where it sends to is not known: the gateway did not answer.' : 'No destination is set.'}</li>}
        </ul>
      </div>
    </section>
  )
}

function Wires({ from, to, mid, h, edges }: { from?: number[]; to?: number[]; mid: number; h: number; edges: Edge[] }) {
  const ends = from ?? to ?? []
  return (
    <svg className="im-wires" width={WIRE} height={h} viewBox={`0 0 ${WIRE} ${h}`} aria-hidden="true">
      {ends.map((y, i) => {
        const e = edges[i]
        return e && <path key={i} d={from ? curve(y, mid, WIRE) : curve(mid, y, WIRE)} className={cx('im-wire', `im-wire-${e.tone}`, e.flows && 'im-wire-flows', e.dashed && 'im-wire-dashed')} />
      })}
    </svg>
  )
}

function Box({ edge, search, name, sign, children }: { edge: Edge; search: Record<string, string | undefined>; name: string; sign?: ReactNode; children: ReactNode }) {
  return (
    <li className={`im-box im-box-${edge.tone}`}>
      <Link to="/imaging" search={search}>
        <span className="im-box-name"><span className="grid-cut" title={name}>{name}</span>{sign}</span>
        <span className="im-box-note grid-cut">{children}</span>
      </Link>
    </li>
  )
}

function SenderBox({ s, gateway }: { s: Sender; gateway: { gateway?: string } }) {
  const edge = senderEdge(s)
  return (
    <Box edge={edge} name={s.name} search={{ tab: 'associations', q: s.name, ...gateway }} sign={s.problem !== '' ? <Icon name="warning" size={13} label="Problem" /> : s.clear ? <Icon name="unlock" size={13} label="In clear" /> : undefined}>
      {s.problem !== '' ? <span title={s.what}>{problemName(s.problem)}</span> : s.open > 0 ? `${s.open === 1 ? 'connected' : `${count(s.open)} connections`}, ${amount(s)}` : <>{amount(s)}, <Time at={s.last} plain /></>}
    </Box>
  )
}

/** Images, or of whoever sends none the questions that it asked. */
const amount = (s: Sender): string => (s.instances === 0 && s.requests > 0 ? plural(s.requests, 'request') : plural(s.instances, 'image'))

function DestinationBox({ d, gateway }: { d: ImagingDestination; gateway: { gateway?: string } }) {
  const s = destinationState[d.state]
  const edge = destinationEdge(d)
  return (
    <Box edge={edge} name={d.name} search={{ tab: 'destinations', ...gateway }} sign={s.tone === 'ok' && d.dead === 0 ? undefined : <Icon name={d.dead > 0 && s.tone === 'ok' ? 'warning' : s.icon} size={13} label={s.word} />}>
      {d.state === 'sending' ? `${perSecond(d.per_second)}${d.waiting > 0 ? `, ${count(d.waiting)} wait` : ''}` : d.state === 'idle' ? d.dead > 0 ? `${count(d.dead)} given up` : d.success ? <>last <Time at={d.success} plain /></> : 'nothing sent yet' : `${d.state === 'paused' ? 'paused' : d.state === 'gone' ? 'gone' : 'fails'}, ${plural(d.waiting, 'waits', 'wait')}`}
    </Box>
  )
}
