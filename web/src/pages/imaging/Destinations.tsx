// SPDX-License-Identifier: Apache-2.0
// Where images go to: what waits, what fails and why, when it is tried again.
// A person can hold a destination, let it go on, have it tried now, or try the
// way to it without sending anything; what did not arrive can be given up for good.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import { statement } from '@/api/said'
import type { ImagingDestination } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Copyable, Dialog, Empty, ErrorNote, ErrorState, Icon, Loading, Skeleton, Time, toast, toastError } from '@/ui'
import { span, useNow } from '@/ui/time'
import { bytes, count, plural } from '@/ui/units'
import { Chip } from './Chip'
import { EchoDialog } from './EchoDialog'
import { destinationOrder } from './flow'
import { GiveUpDialog } from './GiveUpDialog'
import { destinations, isInCase, steer, type Steer } from './queries'
import { Stale } from './Stale'
import { useWhere } from './where'
import { commitmentWords, destinationSentence, destinationState, givenUp, perSecond } from './words'

const done: Record<Steer, (n: string) => string> = { pause: (n) => `${n} is paused. What is for it waits, and is kept.`, resume: (n) => `${n} goes on.`, retry: (n) => `${n} is tried now, also with what was given up.` }

export function Destinations({ gateway }: { gateway: string }) {
  const query = useQuery(destinations(gateway))
  const client = useQueryClient()
  const now = useNow(5_000)
  const refused = useMay()('imaging.edit')
  const [busy, setBusy] = useState('')
  const [trying, setTrying] = useState<ImagingDestination | null>(null)
  const [giving, setGiving] = useState<ImagingDestination | null>(null)
  const [confirming, setConfirming] = useState<{ d: ImagingDestination; action: Steer } | null>(null)
  if (query.isPending) return <Loading what="destinations"><Skeleton lines={10} /></Loading>
  if (!query.data) return <ErrorState error={query.error} lost="The destinations cannot be listed." kept="What waits for them is kept, and goes on by itself." retry={() => void query.refetch()} />
  const list = [...query.data.destinations].sort(destinationOrder)
  const act = async (d: ImagingDestination, action: Steer) => {
    // To hold what a running case waits for takes a second word.
    if (d.in_case && action === 'pause') return setConfirming({ d, action })
    setBusy(`${d.name} ${action}`)
    try {
      await steer(gateway, d.name, action)
      toast(done[action](d.name))
    } catch (e) {
      if (isInCase(e)) setConfirming({ d, action }) // the case began since the list was loaded
      else toastError('Nothing was changed.', e)
    }
    setBusy('')
    void client.invalidateQueries({ queryKey: ['imaging'] })
  }
  if (list.length === 0) {
    return (
      <Empty icon="arrow-right" title="No destination is set.">
        <p>Images are taken, inspected and recorded, and stay here. Where they go on to stands in the gateway’s configuration under <code>forward</code>.</p>
      </Empty>
    )
  }
  return (
    <div className="im-body">
      <Stale gateway={gateway} query={query} kept="What waits is kept." />
      <ul className="im-strips" aria-label="Destinations">
        {list.map((d) => <Strip key={d.name} d={d} now={now} refused={refused} busy={busy} onAct={(a) => void act(d, a)} onTry={() => setTrying(d)} onGiveUp={() => setGiving(d)} />)}
      </ul>
      {trying && <EchoDialog gateway={gateway} d={trying} onClose={() => setTrying(null)} />}
      {giving && <GiveUpDialog gateway={gateway} d={giving} onClose={() => setGiving(null)} />}
      {confirming && <InCase gateway={gateway} d={confirming.d} action={confirming.action} onClose={() => setConfirming(null)} />}
    </div>
  )
}

interface StripProps { d: ImagingDestination; now: number; refused: string | undefined; busy: string; onAct: (a: Steer) => void; onTry: () => void; onGiveUp: () => void }

function Strip({ d, now, refused, busy, onAct, onTry, onGiveUp }: StripProps) {
  const rooms = useQuery(theatresQuery).data
  const s = destinationState[d.state]
  const gone = d.state === 'gone'
  const is = (a: Steer) => busy === `${d.name} ${a}`
  const g = useWhere()
  const lag = d.oldest ? now - Date.parse(d.oldest) : 0
  return (
    <li className={`im-strip im-strip-${d.state}`} aria-label={d.name}>
      <div className="im-strip-head">
        <h2>{d.name}</h2>
        <Chip tone={s.tone} icon={s.icon}>{s.word}</Chip>
        {d.in_case && <span className="im-incase">in case</span>}
        <div className="im-strip-actions">
          {!gone && <Button small icon="play" reason={refused} onClick={onTry}>Try it</Button>}
          {!gone && (d.state === 'backing-off' || d.dead > 0) && <Button small icon="refresh" busy={is('retry')} reason={refused} onClick={() => onAct('retry')}>{d.dead > 0 ? 'Retry all' : 'Retry now'}</Button>}
          {givenUp(d) > 0 && <Button small icon="close" reason={refused} onClick={onGiveUp}>Give up for good…</Button>}
          {!gone && (d.state === 'paused' ? <Button small kind="primary" icon="play" busy={is('resume')} reason={refused} onClick={() => onAct('resume')}>Resume</Button> : <Button small icon="pause" busy={is('pause')} reason={refused} onClick={() => onAct('pause')}>Pause</Button>)}
        </div>
      </div>
      <p className="im-strip-said">{destinationSentence(d, now)}</p>
      {d.state === 'backing-off' && d.hint && <p className="im-do"><Icon name="arrow-right" size={14} /> {statement(d.hint)}</p>}
      {gone && <p className="im-do"><Icon name="arrow-right" size={14} /> {d.hint ? statement(d.hint) : 'If it was renamed or is coming back, put its name into the configuration again, and what waits goes on by itself. If not, give it up for good.'}</p>}
      {d.dead > 0 && <p className="im-bad"><Icon name="warning" size={14} /> {plural(d.dead, 'delivery was', 'deliveries were')} given up. The images are kept. <Link to="/imaging" search={{ tab: 'instances', by: 'instance', is: [`destination:${d.name}`, 'delivery:dead'], ...g }}>See which</Link></p>}
      <dl className="im-figures">
        <div><dt>Waiting</dt><dd>{d.waiting > 0 ? <Link to="/imaging" search={{ tab: 'instances', by: 'instance', is: [`destination:${d.name}`, 'delivery:waiting'], ...g }}>{count(d.waiting)}</Link> : '0'}</dd><dd className="im-note">{d.waiting > 0 ? bytes(d.bytes) : ''}{d.urgent > 0 && <strong className="im-urgent"> {count(d.urgent)} urgent</strong>}</dd></div>
        <div className={lag > 300_000 ? 'im-figure-bad' : undefined}><dt>Lag</dt><dd>{d.oldest ? span(lag) : 'none'}</dd><dd className="im-note">of the oldest</dd></div>
        {!gone && <div><dt>Rate</dt><dd>{perSecond(d.per_second)}</dd><dd className="im-note">{count(d.in_flight)} in flight</dd></div>}
        {!gone && <div><dt>Sent since the start</dt><dd>{count(d.sent)}</dd></div>}
        {!gone && <div><dt>Last success</dt><dd>{d.success ? <Time at={d.success} /> : 'none yet'}</dd></div>}
        {d.failure && <div><dt>Last failure</dt><dd>{<Time at={d.failure} />}</dd></div>}
        {!gone && <div><dt>Storage commitment</dt><dd>{commitmentWords(d)}</dd></div>}
      </dl>
      {!gone && <p className="im-strip-how">
        <span>{d.kind === 'dimse' ? 'DICOM' : 'DICOMweb'} {d.tls ? 'over TLS' : <span className="im-warn"><Icon name="unlock" size={13} /> in clear</span>}</span>
        <Copyable value={d.address} what="address" />
        {d.called_ae && <span><span className="mono">{d.calling_ae || '?'} → {d.called_ae}</span></span>}
        <span>{d.deid ? <>names are taken out: <strong>{d.deid}</strong></> : 'goes as it came, names included'}</span>
        {d.theatre && <Link to="/theatres/$id" params={{ id: d.theatre }}>{rooms?.find((t) => t.id === d.theatre)?.name ?? d.theatre}</Link>}
      </p>}
    </li>
  )
}

function InCase({ gateway, d, action, onClose }: { gateway: string; d: ImagingDestination; action: Steer; onClose: () => void }) {
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const send = async () => {
    setBusy(true)
    try {
      await steer(gateway, d.name, action, true)
      void client.invalidateQueries({ queryKey: ['imaging'] })
      toast(done[action](d.name))
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog open onOpenChange={(o) => !o && onClose()} title="A case is in progress where this goes to" actions={<><Button onClick={onClose}>Do not pause</Button><Button kind="danger" busy={busy} onClick={() => void send()}>Pause during the case</Button></>}>
      <div className="im-form">
        <p className="im-stop"><Icon name="warning" size={28} /><span>{d.name} shows images to a team that is at work now.</span></p>
        <p>While it is paused nothing new reaches it. What comes in is kept and goes on when it is resumed. Call the room first. That it was paused during a case is recorded with your name.</p>
        {error !== undefined && <ErrorNote error={error} />}
      </div>
    </Dialog>
  )
}
