// SPDX-License-Identifier: Apache-2.0
// What the gateway's ledger says about a data set that somebody holds in hand.

import { useQuery } from '@tanstack/react-query'
import { ApiError } from '@/api/client'
import { Button, Copyable, Empty, ErrorState, Icon, Loading, Skeleton } from '@/ui'
import { plural } from '@/ui/units'
import { kindOf } from '../ledger/words'
import { MomentList } from './MomentList'
import { receipts } from './queries'

export function Digest({ digest, gateway, onBack }: { digest: string; gateway: string; onBack: () => void }) {
  const query = useQuery(receipts(gateway, digest))
  const none = query.error instanceof ApiError && query.error.status === 404
  const list = query.data?.receipts ?? []
  return (
    <div className="im-scroll">
      <article className="lg-entry im-digest" aria-labelledby="im-digest">
        <header className="lg-head">
          <h2 id="im-digest">{query.data ? `${plural(list.length, 'statement')} about this content` : 'What is recorded about this content'}</h2>
          <p><span className="quiet">SHA-256 of a data set</span> <Copyable value={digest} what="SHA-256" /></p>
          <p><Button small icon="arrow-left" onClick={onBack}>All studies</Button></p>
        </header>
        {query.isPending ? (
          <Loading what="what is recorded"><Skeleton lines={6} /></Loading>
        ) : none ? (
          <Empty icon="shield-slash" title="Nothing is recorded about this content."><p>It did not pass this gateway as it is. A single changed bit gives another SHA-256. That of a DICOM file is another one too: what counts is the data set after the file’s header.</p></Empty>
        ) : !query.data ? (
          <ErrorState error={query.error} lost="What is recorded cannot be shown." kept="All of it is kept." retry={() => void query.refetch()} />
        ) : (
          <section className="lg-section">
            <MomentList gateway={gateway} label="What is recorded" moments={list.map((r) => ({ at: r.at, text: r.sentence, icon: kindOf(r.kind).icon, tone: 'quiet', entry: r.entry, state: r.state }))} />
            <p className="quiet"><Icon name="info" size={13} /> Each can be checked without this server: save the receipt, and drop it with the file on Verify.</p>
          </section>
        )}
      </article>
    </div>
  )
}
