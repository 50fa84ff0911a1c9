// SPDX-License-Identifier: Apache-2.0
// One image: what happened to it with the receipts, where it goes, what the
// policy says of it, and what it is.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '@/api/client'
import { statement } from '@/api/said'
import type { ImagingInstanceDetail } from '@/api/types'
import { Button, Copyable, Empty, ErrorState, Icon, Loading, Skeleton, time } from '@/ui'
import { useZone } from '@/ui/time'
import { bytes } from '@/ui/units'
import { Chip, CustodyChip, StateChip, VerdictChip } from './Chip'
import { HeaderView } from './HeaderView'
import { Hits, Identifiers } from './InstanceFacts'
import { MomentList } from './MomentList'
import { instance, saveInstanceReceipts } from './queries'
import { sameBits, storyOf } from './story'
import { useWhere } from './where'
import { custodyMeans, deliveryIcon, deliveryName, deliveryTone, titleOf } from './words'

interface Props { number: string; gateway: string; theatre: (id: string) => string; back: string; onBack: () => void }

export function InstanceView({ number, gateway, theatre, back, onBack }: Props) {
  const query = useQuery(instance(gateway, number))
  const none = query.error instanceof ApiError && query.error.status === 404
  return (
    <article className="lg-entry" aria-labelledby={query.data ? 'im-one' : undefined}>
      <button type="button" className="btn btn-quiet im-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">{back}</span></button>
      {query.data ? <Body d={query.data} gateway={gateway} theatre={theatre} /> : query.isPending ? <Loading what="the image"><Skeleton lines={14} /></Loading> : none ? (
        <Empty icon="gateway" title={`There is no image ${number}.`}><p>The number is wrong, or of another gateway.</p></Empty>
      ) : (
        <ErrorState error={query.error} lost="This image cannot be shown." kept="It is kept, and so is what is recorded of it." retry={() => void query.refetch()} />
      )}
    </article>
  )
}

function Body({ d, gateway, theatre }: { d: ImagingInstanceDetail; gateway: string; theatre: (id: string) => string }) {
  useZone()
  const g = useWhere()
  const r = d.instance
  const [busy, setBusy] = useState(false)
  const bits = sameBits(r)
  const recorded = (r.entries?.length ?? 0) > 0
  return (
    <>
      <header className="lg-head">
        <h2 id="im-one">{titleOf(r)}</h2>
        <ul className="lg-about">
          <li><StateChip state={r.state} /></li>
          <li><VerdictChip verdict={r.verdict} /></li>
          <li>{time.absolute(r.received)}</li>
          <li>{bytes(r.bytes)}</li>
        </ul>
        {r.custody && <p className="lg-proven"><CustodyChip state={r.custody} /> {custodyMeans[r.custody]}</p>}
        {bits && <p className="im-state-line">{bits === 'same' ? <Chip tone="ok" icon="check">What was sent is bit by bit what came.</Chip> : <Chip tone="medium" icon="edit">What was sent was changed on purpose: see below.</Chip>}</p>}
        <div className="lg-actions">
          <Button icon="download" busy={busy} reason={recorded ? undefined : 'Nothing is recorded about it.'} onClick={() => { setBusy(true); void saveInstanceReceipts(gateway, r.sop_instance).finally(() => setBusy(false)) }}>Save its receipts</Button>
          {r.state === 'quarantined' && <Link className="btn btn-plain" to="/imaging" search={{ tab: 'quarantine', open: String(r.number), ...g }}><Icon name="lock" /><span className="btn-t">Decide about it</span></Link>}
          {r.original !== undefined && <Link className="btn btn-plain" to="/imaging" search={{ tab: 'instances', study: r.study, open: String(r.original), ...g }}><span className="btn-t">Its original</span></Link>}
          {r.copy !== undefined && <Link className="btn btn-plain" to="/imaging" search={{ tab: 'instances', study: r.study, open: String(r.copy), ...g }}><span className="btn-t">The copy that went on</span></Link>}
        </div>
      </header>
      <section className="lg-section" aria-labelledby="im-story">
        <header><h3 id="im-story">From the scanner on</h3></header>
        <MomentList moments={storyOf(d)} gateway={gateway} label="What happened to it" />
      </section>
      {(r.deliveries?.length ?? 0) > 0 && (
        <section className="lg-section" aria-labelledby="im-to">
          <header><h3 id="im-to">Where it goes</h3></header>
          <ul className="im-deliveries">
            {r.deliveries?.map((x) => (
              <li key={`${x.destination} ${x.route}`}>
                <p><strong>{x.destination}</strong> <Chip tone={deliveryTone[x.state]} icon={deliveryIcon[x.state]}>{deliveryName[x.state]}</Chip>{x.urgent && <span className="im-incase">urgent</span>}</p>
                <p className="quiet">by the route {x.route}{x.at ? `, ${time.absolute(x.at)}` : ''}{x.why ? `: ${statement(x.why)}` : ''}</p>
                {x.forwarded && x.forwarded !== r.data_set && <p className="quiet">It went as <Copyable value={x.forwarded} what="SHA-256 as it went" cut />, because its profile takes names out{x.sop_instance && x.sop_instance !== r.sop_instance ? <>; as the SOP instance <Copyable value={x.sop_instance} what="SOP instance UID" cut /></> : ''}.</p>}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Hits r={r} />
      <HeaderView gateway={gateway} r={r} />
      <Identifiers r={r} theatre={theatre} />
    </>
  )
}
