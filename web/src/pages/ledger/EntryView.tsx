// SPDX-License-Identifier: Apache-2.0
// One entry: what happened, what else happened to the same thing, what exactly
// was said, and how it hangs together with the rest of its case.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { LedgerEntry, LedgerSubject } from '@/api/types'
import { Button, Copyable, Custody, Empty, ErrorState, Icon, Loading, Notice, Skeleton, time } from '@/ui'
import { useZone } from '@/ui/time'
import { count } from '@/ui/units'
import { Facts, Hash } from './Facts'
import { artefact, ledgerEntry, ledgerStatus, saveReceipt, stateOf } from './queries'
import { StateChip } from './StateChip'
import { Timeline } from './Timeline'
import { factsOf, kindOf, stateMeans } from './words'

interface Props {
  index: string
  row: LedgerEntry | undefined // from the list, shown until the entry is there
  onOpen: (index: number) => void
  onOnly: (field: 'case' | 'device' | 'theatre', value: string) => void
  onHash: (hash: string) => void
  onBack: () => void
}

export function EntryView({ index, row, onOpen, onOnly, onHash, onBack }: Props) {
  const query = useQuery({ ...ledgerEntry(index), initialData: row })
  const e = query.data
  const back = <button type="button" className="btn btn-quiet lg-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">All entries</span></button>
  if (!e) {
    const none = query.error instanceof ApiError && query.error.status === 404
    return (
      <div className="lg-entry">
        {back}
        {query.isPending ? (
          <Loading what="the entry"><Skeleton lines={12} /></Loading>
        ) : none ? (
          <Empty icon="ledger" title={`There is no entry ${index}.`}><p>Entries are never taken away: the number is wrong, or of another ledger.</p></Empty>
        ) : (
          <ErrorState error={query.error} lost="This entry cannot be shown." kept="It is kept; nothing takes it away." retry={() => void query.refetch()} />
        )}
      </div>
    )
  }
  return (
    <article className="lg-entry" aria-labelledby="lg-title">
      {back}
      <Body e={e} onOpen={onOpen} onOnly={onOnly} onHash={onHash} />
    </article>
  )
}

function Section({ title, extra, children }: { title: string; extra?: ReactNode; children: ReactNode }) {
  return (
    <section className="lg-section">
      <header><h3>{title}</h3>{extra}</header>
      {children}
    </section>
  )
}

function Body({ e, onOpen, onOnly, onHash }: { e: LedgerEntry } & Pick<Props, 'onOpen' | 'onOnly' | 'onHash'>) {
  useZone()
  const status = useQuery(ledgerStatus).data
  const rooms = useQuery(theatresQuery).data
  const state = stateOf(e, status)
  const kind = kindOf(e.kind)
  const [busy, setBusy] = useState(false)
  const facts = factsOf(e.detail)
  const who = [e.actor.user, e.actor.device_name ?? e.actor.device, e.actor.software].filter(Boolean).join(', ')
  return (
    <>
      <header className="lg-head">
        <h2 id="lg-title">{e.sentence}</h2>
        <ul className="lg-about">
          <li><Icon name={kind.icon} size={13} /> {kind.name}</li>
          <li>{time.absolute(e.time)}</li>
          {e.theatre && <li><Link to="/theatres/$id" params={{ id: e.theatre }}>{rooms?.find((t) => t.id === e.theatre)?.name ?? e.theatre}</Link></li>}
          {e.device && <li><Link to="/devices/$id" params={{ id: e.device }}>{e.device_name ?? e.device}</Link></li>}
        </ul>
        <p className="lg-proven"><StateChip state={state} plain /> {stateMeans[state]}</p>
        <div className="lg-actions">
          <Button
            kind="primary" icon="download" busy={busy} reason={state === 'recorded' ? 'No checkpoint covers it yet. One comes within seconds.' : undefined}
            onClick={() => {
              setBusy(true)
              void saveReceipt(e, state).finally(() => setBusy(false))
            }}
          >
            Save the receipt
          </Button>
          {state === 'recorded' ? <Button icon="shield-check" reason="No checkpoint covers it yet. One comes within seconds.">Verify it</Button> : <Link className="btn btn-plain" to="/verify" search={{ entry: String(e.index) }}><Icon name="shield-check" /><span className="btn-t">Verify it</span></Link>}
        </div>
        {e.reason && <p className="lg-reason"><strong>Reason given:</strong> {e.reason}</p>}
      </header>
      {e.subjects.map((s, i) => <Life key={`${s.name}${i}`} subject={s} many={e.subjects.length > 1} here={e.index} onOpen={onOpen} onHash={onHash} />)}
      <Section title="What was said">
        <Facts
          facts={[
            ...(who === '' ? [] : [{ name: 'actor', label: 'Said by', text: who, is: 'text' as const }]),
            ...(e.actor.certificate ? [{ name: 'certificate', label: 'With the certificate', text: e.actor.certificate, is: 'hash' as const }] : []),
            { name: 'time', label: 'Happened', text: e.time, is: 'time' as const },
            { name: 'recorded', label: 'Recorded', text: e.recorded, is: 'time' as const },
            ...facts,
          ]}
        />
      </Section>
      {e.case && (
        <Section title="Its case" extra={<Button small icon="filter" onClick={() => onOnly('case', e.case?.case ?? '')}>Only this case</Button>}>
          <dl className="lg-facts">
            <div><dt>Case</dt><dd><Hash value={e.case.case} what="case" /><span className="quiet">a commitment: it tells nobody which case</span></dd></div>
            <div><dt>Place in it</dt><dd>{e.case.sequence === 1 ? 'the first' : `number ${count(e.case.sequence)}`}</dd></div>
            {e.case.previous && <div><dt>The one before</dt><dd><Hash value={e.case.previous} what="hash of the entry before" /><button type="button" className="linklike" onClick={() => onHash(e.case?.previous ?? '')}>Find it</button></dd></div>}
          </dl>
        </Section>
      )}
      <Section title="In the log">
        <dl className="lg-facts">
          <div><dt>Entry</dt><dd><Copyable value={String(e.index)} what="number" /></dd></div>
          <div><dt>SHA-256</dt><dd><Hash value={e.hash} what="hash of the entry" whole /></dd></div>
          <div><dt>Leaf</dt><dd><Hash value={e.leaf} what="leaf hash" whole /></dd></div>
        </dl>
        <details className="lg-raw">
          <summary>The statement as it is in the log</summary>
          <pre className="code" tabIndex={0}>{JSON.stringify(e.statement, null, 2)}</pre>
        </details>
      </Section>
    </>
  )
}

/** Everything that is recorded about one artefact. */
function Life({ subject, many, here, onOpen, onHash }: { subject: LedgerSubject; many: boolean; here: number; onOpen: (index: number) => void; onHash: (hash: string) => void }) {
  const sha256 = subject.digest['sha256'] ?? ''
  const query = useQuery(artefact(sha256))
  const life = query.data
  return (
    <Section title={many ? `The life of “${subject.name}”` : 'Its life'} extra={life && <Custody state={life.custody} />}>
      <div className="lg-subject">
        <span>{subject.name}</span>
        <Hash value={sha256} what="SHA-256" whole />
        <button type="button" className="linklike" onClick={() => onHash(sha256)}>Search for it</button>
      </div>
      {query.isPending ? (
        <Loading what="its life"><Skeleton lines={4} /></Loading>
      ) : !life ? (
        <ErrorState error={query.error} lost="What else happened to it cannot be shown." kept="All of it is kept." retry={() => void query.refetch()} />
      ) : (
        <>
          {life.why !== '' && (life.custody === 'broken' ? <Notice kind="stop">{life.why}</Notice> : <p className="quiet">{life.why}</p>)}
          <Timeline entries={life.entries} label={`What happened to ${subject.name}`} here={here} onOpen={onOpen} />
          {life.entries.length >= 500 && <p className="quiet">Only its first 500 entries are shown. Search for it to see all.</p>}
        </>
      )}
    </Section>
  )
}
