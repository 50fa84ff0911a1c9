// SPDX-License-Identifier: Apache-2.0
// A study from the scanner to the processor: its story in steps with what is
// proved of each, its images beside it, the receipts to take along.

import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { ApiError } from '@/api/client'
import type { ImagingLife, ImagingStep, ImagingStudy } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import { Button, Copyable, cx, Empty, ErrorState, Icon, Loading, Menu, Skeleton, time } from '@/ui'
import { span, useZone } from '@/ui/time'
import { bytes, plural } from '@/ui/units'
import { type Column } from '@/ui/grid'
import { FilteredGrid } from '../advisories/FilteredGrid'
import { Chip, CustodyChip, StateChip, VerdictChip } from './Chip'
import { InstanceView } from './InstanceView'
import { saveStudyReceipts, saveTrust, timeline } from './queries'
import { More, Stale } from './Stale'
import { studyNote } from './studyColumns'
import { custodyMeans, custodyName, stateName, verdictName, verdictRank, whatIcon, type ImagingCustody, type Tone } from './words'

const keep = ['tab', 'gateway', 'study', 'open', 'list']
const first = [{ id: 'number', down: false }]
const fields = ['state', 'verdict', 'modality', 'proof', 'series'] as const
type Field = (typeof fields)[number]
const fieldName: Record<Field, string> = { state: 'State', verdict: 'Verdict', modality: 'Modality', proof: 'Proof', series: 'Series' }

/** What is proved of the least proven step of an image. */
export function proofOf(l: ImagingLife): ImagingCustody | undefined {
  const order: ImagingCustody[] = ['none', 'recorded', 'published', 'witnessed']
  return order.find((c) => l.events.some((e) => e.custody === c))
}
const newestEvent = (l: ImagingLife): string => l.events[l.events.length - 1]?.sentence ?? ''
const values = (l: ImagingLife, f: string): readonly string[] => {
  switch (f as Field) {
    case 'state': return [l.state]
    case 'verdict': return [l.verdict]
    case 'modality': return l.modality ? [l.modality] : []
    case 'proof': return [proofOf(l) ?? '']
    case 'series': return [l.series]
  }
}
const valueName = (f: Field, v: string): string => (v === '' ? 'none' : f === 'state' ? (stateName[v as ImagingLife['state']] ?? v) : f === 'verdict' ? (verdictName[v as ImagingLife['verdict']] ?? v) : f === 'proof' ? (custodyName[v as ImagingCustody] ?? v) : v)
const columns: Column<ImagingLife>[] = [
  { id: 'number', label: 'Number', width: 90, align: 'end', fixed: true, value: (l) => l.number },
  { id: 'modality', label: 'What', width: 64, value: (l) => l.modality ?? '' },
  { id: 'state', label: 'State', width: 138, value: (l) => stateName[l.state], render: (l) => <StateChip state={l.state} />, choices: (l) => [{ field: 'state', value: l.state, label: `State: ${stateName[l.state]}` }] },
  { id: 'now', label: 'Newest', width: 220, grow: true, value: newestEvent, render: (l) => <span className="grid-cut" title={newestEvent(l)}>{newestEvent(l)}</span> },
  { id: 'verdict', label: 'Verdict', width: 108, hidden: true, value: (l) => verdictName[l.verdict], order: (l) => verdictRank[l.verdict], render: (l) => <VerdictChip verdict={l.verdict} />, choices: (l) => [{ field: 'verdict', value: l.verdict, label: `Verdict: ${verdictName[l.verdict]}` }] },
  { id: 'proof', label: 'Proof', width: 118, value: (l) => { const p = proofOf(l); return p ? custodyName[p] : '' }, render: (l) => <CustodyChip state={proofOf(l)} />, choices: (l) => [{ field: 'proof', value: proofOf(l) ?? '', label: `Proof: ${valueName('proof', proofOf(l) ?? '')}` }] },
  { id: 'sop', label: 'SOP instance', width: 200, hidden: true, value: (l) => l.sop_instance, render: (l) => <span className="grid-cut mono">{l.sop_instance}</span> },
  { id: 'series', label: 'Series', width: 200, hidden: true, value: (l) => l.series, render: (l) => <span className="grid-cut mono">{l.series}</span>, choices: (l) => [{ field: 'series', value: l.series, label: `Series: ${l.series}` }] },
]
const text = (l: ImagingLife): string => [String(l.number), l.sop_instance, l.series, l.modality, stateName[l.state], ...l.events.map((e) => e.sentence)].filter(Boolean).join('\n').toLowerCase()

export function StudyView({ study, gateway, theatre, onBack }: { study: string; gateway: string; theatre: (id: string) => string; onBack: () => void }) {
  const query = useInfiniteQuery(timeline(gateway, study))
  const [params, setParams] = useURLState()
  const open = params.get('open') ?? ''
  const list = params.get('list') === '1'
  const pages = query.data?.pages
  const rows = useMemo(() => [...new Map((pages ?? []).flatMap((p) => p.instances.map((l) => [l.number, l] as const))).values()], [pages])
  const show = (n: string) => setParams((p) => { p.delete('list'); if (n === '') p.delete('open'); else p.set('open', n) }, { replace: open !== '' })
  useKeys('Study', [{ keys: 'u', does: open !== '' ? 'Back to the study' : 'Back to all studies', run: () => (open !== '' ? show('') : onBack()) }])
  const head = pages?.[0]
  if (!head) {
    const none = query.error instanceof ApiError && query.error.status === 404
    return (
      <div className="im-scroll">
        <p className="im-only"><Button small icon="arrow-left" onClick={onBack}>All studies</Button></p>
        {query.isPending ? <Loading what="the study"><Skeleton lines={14} /></Loading> : none ? <Empty icon="gateway" title="This gateway has seen nothing of this study."><p className="mono">{study}</p></Empty> : <ErrorState error={query.error} lost="This study cannot be shown." kept="Its images are kept, and so is what is recorded of them." retry={() => void query.refetch()} />}
      </div>
    )
  }
  return (
    <div className={cx('lg-cols lg-open im-study', list && 'im-list-first')}>
      <div className="lg-list">
        <Stale gateway={gateway} query={query} kept="Its images are kept, and so is what is recorded of them." />
        <p className="im-only"><Button small icon="arrow-left" onClick={list ? () => show('') : onBack}>{list ? 'Its story' : 'All studies'}</Button></p>
        <FilteredGrid
          what="images" one="image" rows={rows} columns={columns} sort={first} fields={fields} fieldName={fieldName} values={values} valueName={valueName} text={text} rowId={(l) => String(l.number)} rowName={(l) => `Image ${l.number}`} placeholder="UID, state, destination …" keep={keep}
          clickOpens mark={(l) => (String(l.number) === open ? 'grid-tr-open' : undefined)} onOpen={(l) => show(String(l.number))} empty={<Empty title="No image of it is left." />} noMatch={(clear) => <Empty icon="filter" title="No image passes these filters." action={<Button onClick={clear}>Show all</Button>} />}
        />
        <More query={query} label="Load more of its images" />
      </div>
      <div className="lg-detail">
        {open !== '' ? <InstanceView key={open} number={open} gateway={gateway} theatre={theatre} back="The study" onBack={() => show('')} /> : <Story s={head.study} steps={head.steps} gateway={gateway} theatre={theatre} onList={() => setParams((p) => p.set('list', '1'))} onBack={onBack} />}
      </div>
    </div>
  )
}

const tone: Record<ImagingStep['what'], Tone> = { received: 'ok', quarantined: 'high', sanitised: 'medium', released: 'ok', destroyed: 'quiet', refused: 'critical', forwarded: 'ok', committed: 'ok', waiting: 'medium', failed: 'critical', dropped: 'quiet' }

function Story({ s, steps, gateway, theatre, onList, onBack }: { s: ImagingStudy; steps: readonly ImagingStep[]; gateway: string; theatre: (id: string) => string; onList: () => void; onBack: () => void }) {
  useZone()
  const [busy, setBusy] = useState(false)
  const note = studyNote(s)
  const entries = steps.reduce((n, x) => n + x.entries, 0)
  return (
    <article className="lg-entry" aria-labelledby="im-study">
      <button type="button" className="btn btn-quiet lg-back" onClick={onBack}><Icon name="arrow-left" /><span className="btn-t">All studies</span></button>
      <header className="lg-head">
        <h2 id="im-study">{[s.modalities.join(', '), `from ${s.device_name ?? s.device}`].filter(Boolean).join(' ')}</h2>
        {s.study_description && <p>{s.study_description}</p>}
        <ul className="lg-about">
          <li>{plural(s.instances, 'image')}{s.more ? ' at least' : ''}</li>
          <li>{bytes(s.bytes)}</li>
          <li>{time.absolute(s.first)}{s.last !== s.first && `, over ${span(Date.parse(s.last) - Date.parse(s.first))}`}</li>
          {s.theatre && <li>{theatre(s.theatre)}</li>}
        </ul>
        <p className="im-state-line"><Chip tone={note.tone} icon={note.icon}>{note.text.charAt(0).toUpperCase() + note.text.slice(1)}</Chip></p>
        {s.custody && <p className="lg-proven"><CustodyChip state={s.custody} /> {custodyMeans[s.custody]}</p>}
        <div className="lg-actions">
          <Button kind="primary" icon="download" busy={busy} reason={entries === 0 ? 'Nothing is recorded about it yet.' : undefined} onClick={() => { setBusy(true); void saveStudyReceipts(gateway, s.study).finally(() => setBusy(false)) }}>Save all receipts</Button>
          <Button className="narrow-only" icon="list" onClick={onList}>Its {plural(s.instances, 'image')}</Button>
          <Menu align="end" label="More" trigger={<Button icon="more" aria-label="More actions" />} entries={[{ label: 'Save the trust file', icon: 'download', note: 'With it anybody can verify receipts of this gateway', run: () => void saveTrust(gateway) }]} />
        </div>
      </header>
      <section className="lg-section" aria-labelledby="im-steps">
        <header><h3 id="im-steps">From the scanner to the processor</h3></header>
        <ol className="lg-life im-story" aria-label="What happened to the study">
          {steps.map((x, i) => (
            <li key={`${x.what}${x.device ?? ''}${x.destination ?? ''}${i}`}>
              <span className="lg-life-when"><time dateTime={x.first} title={`${time.absolute(x.first, { millis: true })} to ${time.absolute(x.last, { millis: true })}`}>{time.clock(x.first)}</time>{x.last !== x.first && <span className="quiet im-until">for {span(Date.parse(x.last) - Date.parse(x.first))}</span>}</span>
              <span className={cx('lg-life-sign', `im-${tone[x.what]}`)}><Icon name={whatIcon[x.what]} size={14} /></span>
              <div className="lg-life-body"><span className="lg-life-what">{x.sentence}</span>{x.custody && <CustodyChip state={x.custody} />}</div>
              <span className="quiet num">{bytes(x.bytes)}</span>
            </li>
          ))}
        </ol>
        <p className="quiet">Receipts prove each step without this server. The bundle has all of them, the trust file and a page that says how to check: <code>asepsis verify RECEIPT FILE</code>, or drop them on Verify.</p>
      </section>
      <section className="lg-section" aria-labelledby="im-names">
        <header><h3 id="im-names">By which names it is found</h3></header>
        <dl className="lg-facts">
          <div><dt>Study</dt><dd><Copyable value={s.study} what="study UID" /></dd></div>
          {s.patient && <div><dt>Patient</dt><dd><Copyable value={s.patient} what="pseudonym" cut /><span className="quiet">a pseudonym: it tells nobody who</span></dd></div>}
        </dl>
      </section>
    </article>
  )
}
