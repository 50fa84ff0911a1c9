// SPDX-License-Identifier: Apache-2.0
// One held image: why, what it is, and what two people make of it.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '@/api/client'
import type { ImagingHeld, ImagingInstance } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Empty, ErrorState, Icon, Loading, Skeleton, Time, time } from '@/ui'
import { useZone } from '@/ui/time'
import { bytes } from '@/ui/units'
import { CustodyChip, StateChip, VerdictChip } from './Chip'
import { DecideDialog } from './DecideDialog'
import { HeaderView } from './HeaderView'
import { Hits, Identifiers } from './InstanceFacts'
import { becauseOfCase } from './steps'
import { WhoseCase } from './Procedures'
import { instance, type Decision } from './queries'
import { useWhere } from './where'
import { stateName, titleOf } from './words'

interface Props { number: string; row: ImagingHeld | undefined; gateway: string; theatre: (id: string) => string; onBack: () => void }

export function HeldView({ number, row, gateway, theatre, onBack }: Props) {
  // It may have been let go meanwhile, or lie further back than what is loaded.
  const one = useQuery({ ...instance(gateway, number), enabled: row === undefined })
  const back = <button type="button" className="btn btn-quiet lg-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">All that is held</span></button>
  if (row) return <article className="lg-entry" aria-labelledby="im-held">{back}<Body h={row} gateway={gateway} theatre={theatre} /></article>
  const r = one.data?.instance
  if (r) return <article className="lg-entry" aria-labelledby="im-held">{back}<Gone r={r} /></article>
  const none = one.error instanceof ApiError && one.error.status === 404
  return (
    <div className="lg-entry">
      {back}
      {one.isPending ? <Loading what="it"><Skeleton lines={12} /></Loading> : none ? <Empty icon="lock" title={`There is no image ${number}.`}><p>The number is wrong, or of another gateway.</p></Empty> : <ErrorState error={one.error} lost="This cannot be shown." kept="It stays held." retry={() => void one.refetch()} />}
    </div>
  )
}

/** What is not held any more. */
function Gone({ r }: { r: ImagingInstance }) {
  const g = useWhere()
  return (
    <>
      <header className="lg-head">
        <h2 id="im-held">{titleOf(r)}</h2>
        <p className="im-state-line"><StateChip state={r.state} /> {r.state === 'quarantined' ? 'It is held, further back than what is loaded.' : `It is not held any more: ${stateName[r.state].toLowerCase()}.`}</p>
        <p><Link to="/imaging" search={{ tab: 'instances', study: r.study, open: String(r.number), ...g }}>What happened to it</Link></p>
      </header>
      <Hits r={r} />
    </>
  )
}

function Body({ h, gateway, theatre }: { h: ImagingHeld; gateway: string; theatre: (id: string) => string }) {
  useZone()
  const client = useQueryClient()
  const may = useMay()
  const refused = may('quarantine.decide')
  const [deciding, setDeciding] = useState<Decision | null>(null)
  const g = useWhere()
  return (
    <>
      <header className="lg-head">
        <h2 id="im-held">{titleOf(h)}</h2>
        <ul className="lg-about">
          <li><VerdictChip verdict={h.verdict} /></li>
          <li>held since {time.absolute(h.received)}</li>
          <li>{bytes(h.bytes)}</li>
          {h.sender.theatre && <li><Link to="/theatres/$id" params={{ id: h.sender.theatre }}>{theatre(h.sender.theatre)}</Link></li>}
        </ul>
        {h.study_description && <p>{h.study_description}</p>}
        {h.in_case && <p className="im-stop"><Icon name="warning" size={22} /><span>A case is in progress there now. Somebody may be waiting for this image.</span></p>}
      </header>
      <section className={h.asked ? 'im-decide im-decide-asked' : 'im-decide'} aria-label="What becomes of it">
        {h.asked ? (
          <>
            <p className="im-decide-said"><Icon name="users" size={18} /> <span><strong>{h.own ? 'You' : h.asked.by}</strong> asked to <strong>{h.asked.action}</strong> it <Time at={h.asked.at} />: “{h.asked.reason}”</span></p>
            {h.own ? (
              <><p className="quiet">Another person has to agree. You can take your word back until then.</p><div className="lg-actions"><Button icon="undo" reason={refused} onClick={() => setDeciding('withdraw')}>Take it back…</Button></div></>
            ) : (
              <><p className="quiet">It takes effect when you agree. Look at why it is held first.</p><div className="lg-actions"><Button kind={h.asked.action === 'destroy' ? 'danger' : 'primary'} icon={h.asked.action === 'destroy' ? 'trash' : 'unlock'} reason={refused} onClick={() => setDeciding(h.asked?.action ?? null)}>{h.asked.action === 'destroy' ? 'Agree, and destroy it…' : 'Agree, and release it…'}</Button><Button icon="undo" reason={refused} onClick={() => setDeciding('withdraw')}>Do not agree…</Button></div></>
            )}
          </>
        ) : (
          <><p className="quiet">Two people decide: one asks with a reason, another agrees. All of it is in the ledger.</p><div className="lg-actions"><Button icon="unlock" reason={refused} onClick={() => setDeciding('release')}>Ask to release it…</Button><Button kind="danger" icon="trash" reason={refused} onClick={() => setDeciding('destroy')}>Ask to destroy it…</Button></div></>
        )}
      </section>
      <Hits r={h} />
      {becauseOfCase(h.hits) && <WhoseCase h={h} gateway={gateway} theatre={theatre} />}
      <HeaderView gateway={gateway} r={h} />
      <Identifiers r={h} theatre={theatre} />
      <p className="im-links"><CustodyChip state={h.custody} /><Link to="/imaging" search={{ tab: 'instances', study: h.study, ...g }}>Its study</Link>{h.copy !== undefined && <Link to="/imaging" search={{ tab: 'instances', study: h.study, open: String(h.copy), ...g }}>The copy that went on in its place</Link>}</p>
      {deciding && (
        <DecideDialog
          h={h} action={deciding} gateway={gateway} onClose={() => {
            setDeciding(null)
            void client.invalidateQueries({ queryKey: ['imaging'] })
          }}
        />
      )}
    </>
  )
}
