// SPDX-License-Identifier: Apache-2.0
// Which procedures the rooms' devices say are in progress. An image of another
// patient from such a room is held; a device that never says that it is done
// would hold up the next case, so that a person can end its step.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { ImagingHeld, ImagingProcedureStep } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Copyable, ErrorState, Icon, Loading, Skeleton, Time, time, toast } from '@/ui'
import { span, useNow, useZone } from '@/ui/time'
import { plural } from '@/ui/units'
import { Chip } from './Chip'
import { inProgress, OTHER_CASE, procedureOrder, procedureState } from './steps'
import { endProcedure, procedures } from './queries'
import { ReasonDialog } from './ReasonDialog'
import { Stale } from './Stale'
import { useWhere } from './where'

type Step = ImagingProcedureStep

function useRooms(): { name: (id: string) => string; inCase: (id: string) => boolean } {
  const rooms = useQuery(theatresQuery).data
  const of = (id: string) => rooms?.find((t) => t.id === id)
  return { name: (id) => of(id)?.name ?? id, inCase: (id) => of(id)?.state === 'in-case' }
}

export function Procedures({ gateway }: { gateway: string }) {
  useZone()
  const query = useQuery(procedures(gateway))
  const room = useRooms()
  const now = useNow(30_000)
  const refused = useMay()('quarantine.decide')
  const [ending, setEnding] = useState<Step | null>(null)
  const list = [...(query.data?.steps ?? [])].sort(procedureOrder)
  return (
    <section className="im-section" aria-labelledby="im-procedures">
      <h2 id="im-procedures">Procedures in progress</h2>
      {query.isPending ? (
        <Loading what="the procedures"><Skeleton lines={2} /></Loading>
      ) : !query.data ? (
        <ErrorState error={query.error} lost="Which procedures are in progress cannot be shown." kept="The firewall goes on as before." retry={() => void query.refetch()} />
      ) : list.length === 0 ? (
        <p className="quiet">No device says that one is in progress. Then no image is held because of whose case it is.</p>
      ) : (
        <>
          <Stale gateway={gateway} query={query} />
          <ul className="im-procedures" aria-label="Procedures">
            {list.map((s) => (
              <li key={s.uid} className={inProgress(s) ? undefined : 'im-over-now'}>
                <div><strong>{room.name(s.theatre)}</strong>{room.inCase(s.theatre) && <span className="im-incase">in case</span>}<p className="im-note"><Link to="/devices/$id" params={{ id: s.device }}>{s.device_name ?? s.device}</Link></p></div>
                <div><State s={s} now={now} /></div>
                <div><span className="im-note">Patient</span> <Copyable value={s.patient} what="pseudonym" cut /></div>
                <div className="im-procedure-held"><HeldBy s={s} /></div>
                <div className="im-procedure-do">{inProgress(s) && <Button small reason={refused} aria-label={`End the procedure in ${room.name(s.theatre)}`} onClick={() => setEnding(s)}>End it…</Button>}</div>
              </li>
            ))}
          </ul>
        </>
      )}
      {ending && <EndDialog s={ending} gateway={gateway} room={room.name(ending.theatre)} inCase={room.inCase(ending.theatre)} onClose={() => setEnding(null)} />}
    </section>
  )
}

function State({ s, now }: { s: Step; now: number }) {
  const is = procedureState(s)
  return (
    <>
      <Chip tone={is.tone} icon={is.icon}>{is.word}</Chip>
      <p className="im-note">{s.ended ? <><Time at={s.ended} />; its images may still come until {time.short(s.until)}</> : <>for {span(now - Date.parse(s.began))}, since {time.short(s.began)}; counts until {time.short(s.until)} at the latest</>}</p>
    </>
  )
}

function HeldBy({ s }: { s: Step }) {
  const g = useWhere()
  const n = s.held ?? 0
  if (n === 0) return <span className="quiet">nothing is held because of it</span>
  return <Link to="/imaging" search={{ tab: 'quarantine', is: [`rule:${OTHER_CASE}`, `theatre:${s.theatre}`], ...g }}>{plural(n, 'image was', 'images were')} held because of it</Link>
}

/** Beside an image that is held because of whose case it is: the procedure that says so, and how it ends. */
export function WhoseCase({ h, gateway, theatre }: { h: ImagingHeld; gateway: string; theatre: (id: string) => string }) {
  useZone()
  const query = useQuery(procedures(gateway))
  const now = useNow(30_000)
  const refused = useMay()('quarantine.decide')
  const [ending, setEnding] = useState<Step | null>(null)
  const at = h.sender.theatre ?? ''
  const here = (query.data?.steps ?? []).filter((s) => s.theatre === at && inProgress(s)).sort(procedureOrder)
  return (
    <section className="lg-section" aria-labelledby="im-case">
      <header><h3 id="im-case">Whose case it is in {at === '' ? 'its room' : theatre(at)}</h3></header>
      {query.isPending ? (
        <Loading what="the procedures"><Skeleton lines={3} /></Loading>
      ) : !query.data ? (
        <ErrorState error={query.error} lost="Which procedure is in progress there cannot be shown." kept="The image stays held." retry={() => void query.refetch()} />
      ) : here.length === 0 ? (
        <p><Icon name="check" size={14} /> No procedure is in progress there any more: what comes now is not held because of it. This image stays held until two people decide.</p>
      ) : (
        <ul className="im-cases">
          {here.map((s) => (
            <li key={s.uid}>
              <p>{s.device_name ?? s.device} says that a procedure has been in progress for {span(now - Date.parse(s.began))}{s.patient === h.patient ? ', of the patient of this image.' : ', of another patient than this image’s.'}{(s.held ?? 0) > 1 && ` ${plural(s.held ?? 0, 'image')} were held because of it.`}</p>
              <dl className="lg-facts">
                <div><dt>In progress</dt><dd><Copyable value={s.patient} what="pseudonym" cut /></dd></div>
                {h.patient && <div><dt>This image</dt><dd><Copyable value={h.patient} what="pseudonym" cut /></dd></div>}
              </dl>
              <div className="lg-actions"><Button small reason={refused} onClick={() => setEnding(s)}>The procedure is over…</Button></div>
            </li>
          ))}
        </ul>
      )}
      {ending && <EndDialog s={ending} gateway={gateway} room={theatre(ending.theatre)} inCase={h.in_case} onClose={() => setEnding(null)} />}
    </section>
  )
}

function EndDialog({ s: was, gateway, room, inCase, onClose }: { s: Step; gateway: string; room: string; inCase: boolean; onClose: () => void }) {
  const [s] = useState(was)
  return (
    <ReasonDialog
      title={`End the procedure in ${room}?`} lead={`${s.device_name ?? s.device} began it ${time.absolute(s.began)}, and has not said that it is over.`} button="End it" danger={inCase} onClose={onClose} help="How you know that it is over."
      send={async (body) => {
        await endProcedure(gateway, s.uid, body)
        toast(`The procedure in ${room} is ended. What is held stays held.`)
      }}
    >
      {inCase && <p className="im-stop"><Icon name="warning" size={22} /><span>A case is in progress in {room} now. If it is this one, the surgeon may see images of another patient: call the room first.</span></p>}
      <ul className="im-means">
        <li>From now on images of another patient from {room} are not held because of it.</li>
        <li>{(s.held ?? 0) === 0 ? 'Nothing was held because of it.' : `${plural(s.held ?? 0, 'image was', 'images were')} held because of it, and ${s.held === 1 ? 'stays' : 'stay'} held: two people decide about ${s.held === 1 ? 'it' : 'each'}.`}</li>
        <li>The device and the archive are told nothing.</li>
      </ul>
    </ReasonDialog>
  )
}
