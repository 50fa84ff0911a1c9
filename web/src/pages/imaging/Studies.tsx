// SPDX-License-Identifier: Apache-2.0
// What passed the gateway, by study or image by image, and how to find one again:
// by a UID, by the SHA-256 of what somebody holds in hand, or by that file itself,
// which is hashed here and sent nowhere.

import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState, type DragEvent } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import { Button, Copyable, cx, Empty, ErrorState, Icon, Loading, Segmented, time, toastError } from '@/ui'
import { GridSkeleton, readTerms } from '@/ui/grid'
import { FilteredGrid } from '../advisories/FilteredGrid'
import '../ledger/ledger.css'
import { When } from '../ledger/When'
import { canHash } from '../verify/hash'
import { Digest } from './Digest'
import { FileFinds, imageOf, type Looking } from './FileFinds'
import { InstanceView } from './InstanceView'
import { lookUpAll, MOST } from './lookup'
import { instances, studies, whatIs, withContent, type InstanceFilter } from './queries'
import { readSought } from './story'
import {
  instanceColumns, instanceFieldName, instanceFields, instanceText, instanceValueName, instanceValues, studyColumns, studyFieldName, studyFields, studyText, studyValueName, studyValues, type Names,
} from './studyColumns'
import { More, Stale } from './Stale'
import { StudyView } from './StudyView'
import { useWhere } from './where'
import { titleOf } from './words'

const keep = ['tab', 'gateway', 'open', 'by', 'study', 'series', 'from', 'to', 'sop', 'sha256']
const newest = [{ id: 'received', down: true }]
const newestStudy = [{ id: 'last', down: true }]

export function Studies({ gateway }: { gateway: string }) {
  const [params, setParams] = useURLState()
  const rooms = useQuery(theatresQuery).data
  const theatre = useCallback((id: string) => rooms?.find((t) => t.id === id)?.name ?? id, [rooms])
  const study = params.get('study') ?? ''
  const digest = params.get('digest') ?? ''
  const by = params.get('by') === 'instance' || ['series', 'sop', 'sha256'].some((f) => params.has(f)) ? 'instance' : 'study'
  const clear = useCallback((then: (p: URLSearchParams) => void) => setParams((p) => { for (const key of [...p.keys()]) if (key !== 'tab' && key !== 'gateway') p.delete(key); then(p) }), [setParams])
  const found = useCallback((what: Record<string, string>) => clear((p) => { for (const [k, v] of Object.entries(what)) p.set(k, v) }), [clear])
  const [looking, look] = useFiles(gateway, found)
  const [over, setOver] = useState(false)
  const files = (e: DragEvent) => e.dataTransfer.types.includes('Files')
  const bar = (
    <div className="im-find">
      <Segmented label="What is listed" value={by} onChange={(v) => clear((p) => { if (v === 'instance') p.set('by', v) })} options={[{ value: 'study', label: 'Studies' }, { value: 'instance', label: 'Images' }]} />
      <Find gateway={gateway} onFound={found} onFiles={look} />
      {digest === '' && <When from={params.get('from') ?? ''} to={params.get('to') ?? ''} onChange={(f, t) => setParams((p) => { for (const [k, v] of [['from', f], ['to', t]] as const) if (v === '') p.delete(k); else p.set(k, v) })} />}
    </div>
  )
  return (
    <div
      className={cx('im-drop', over && 'im-over')}
      onDragOver={(e) => { if (files(e)) { e.preventDefault(); setOver(true) } }}
      onDragLeave={(e) => { if (!e.currentTarget.contains(e.relatedTarget as Node | null)) setOver(false) }}
      onDrop={(e) => { setOver(false); if (files(e)) { e.preventDefault(); look([...e.dataTransfer.files]) } }}
    >
      {over && <p className="im-over-said" aria-hidden="true">Drop it: which image it is. It is hashed here, and sent nowhere.</p>}
      {study === '' && bar}
      {looking && <FileFinds l={looking} onClose={() => look([])} />}
      {study !== '' ? <StudyView key={study} study={study} gateway={gateway} theatre={theatre} onBack={() => clear(() => {})} /> : digest !== '' ? <Digest digest={digest} gateway={gateway} onBack={() => clear(() => {})} /> : by === 'study' ? <ByStudy gateway={gateway} theatre={theatre} /> : <ByInstance gateway={gateway} theatre={theatre} />}
    </div>
  )
}

/** Looks up files one after the other, and opens the image of a file that came alone. None: what was found is put away. */
function useFiles(gateway: string, open: (what: Record<string, string>) => void): [Looking | null, (files: readonly File[]) => void] {
  const [looking, setLooking] = useState<Looking | null>(null)
  const running = useRef<AbortController>(undefined)
  useEffect(() => () => running.current?.abort(), [])
  const look = useCallback((files: readonly File[]) => {
    running.current?.abort()
    if (files.length === 0) return setLooking(null)
    const stop = new AbortController()
    running.current = stop
    const go = async () => {
      const l: Looking = { of: files.length, done: [], busy: true }
      setLooking(l)
      for await (const one of lookUpAll(gateway, files, stop.signal)) {
        if (stop.signal.aborted) return
        l.done = [...l.done, one]
        setLooking({ ...l, busy: l.done.length < Math.min(files.length, MOST) })
        const only = files.length === 1 && 'images' in one && one.images.length === 1 ? one.images[0] : undefined
        if (only && 'digest' in one) open(imageOf(one.digest, only.number))
      }
    }
    go().catch((e: unknown) => { if (!stop.signal.aborted) toastError('The files were not looked for.', e) })
  }, [gateway, open])
  return [looking, look]
}

/** One field for whatever somebody has: it says what it was taken for. A file can be looked for as well. */
function Find({ gateway, onFound, onFiles }: { gateway: string; onFound: (what: Record<string, string>) => void; onFiles: (files: readonly File[]) => void }) {
  const picker = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState('')
  const go = async () => {
    const s = readSought(text)
    if (!s) return
    if ('why' in s) return setSaid(s.why)
    setBusy(true)
    try {
      if ('digest' in s) {
        const list = await withContent(gateway, s.digest, 2)
        // What the gateway does not keep any more may be recorded all the same.
        onFound(list.length === 1 && list[0] ? imageOf(s.digest, list[0].number) : list.length > 1 ? { by: 'instance', sha256: s.digest } : { digest: s.digest })
      } else {
        const what = await whatIs(gateway, s.uid)
        if (what) onFound(what === 'study' ? { study: s.uid } : what === 'series' ? { series: s.uid } : { sop: s.uid })
        else setSaid('The gateway has seen no study, no series and no image with this UID.')
      }
    } catch (e) {
      toastError('The search did not work.', e)
    }
    setBusy(false)
  }
  return (
    <form className="im-search" role="search" aria-label="Find a study or an image" onSubmit={(e) => { e.preventDefault(); void go() }}>
      <div className="grid-search">
        <Icon name="search" size={14} />
        <input className="input mono" aria-label="UID or SHA-256" aria-describedby="im-find-said" placeholder="UID, or SHA-256 of a data set" value={text} spellCheck={false} autoComplete="off" onChange={(e) => { setText(e.target.value); setSaid('') }} />
      </div>
      <Button type="submit" busy={busy}>Find</Button>
      <Button icon="note" reason={canHash() ? undefined : 'This browser computes no hashes on a page without https. Open the console by https.'} onClick={() => picker.current?.click()}>Find by file</Button>
      <input ref={picker} type="file" multiple className="sr-only" tabIndex={-1} aria-label="Files to find; they are not sent" onChange={(e) => { const files = [...(e.target.files ?? [])]; e.target.value = ''; onFiles(files) }} />
      <p id="im-find-said" className={cx('im-find-said', said === '' && 'sr-only')} role="status">{said}</p>
    </form>
  )
}

/** Names of what is shown; of devices those that came along. */
function namesOf(theatre: (id: string) => string, rows: readonly { id: string; name?: string }[]): Names {
  const known = new Map(rows.flatMap((r) => (r.name ? [[r.id, r.name] as const] : [])))
  return { theatre, device: (id) => known.get(id) ?? id }
}

function ByStudy({ gateway, theatre }: { gateway: string; theatre: (id: string) => string }) {
  const [params, setParams] = useURLState()
  const one = (f: string) => readTerms(params, studyFields).find((t) => t.field === f && !t.not && t.values.length === 1)?.values[0] ?? ''
  const query = useInfiniteQuery(studies(gateway, { device: one('device'), theatre: one('theatre'), destination: '', from: params.get('from') ?? '', to: params.get('to') ?? '' }))
  const pages = query.data?.pages
  // A study that is still coming in may be on two pages: the newer sum counts.
  const rows = useMemo(() => [...new Map([...(pages ?? [])].reverse().flatMap((p) => p.studies.map((s) => [s.study, s] as const))).values()], [pages])
  const names = useMemo(() => namesOf(theatre, rows.map((s) => ({ id: s.device, name: s.device_name }))), [theatre, rows])
  const columns = useMemo(() => studyColumns(names), [names])
  if (query.isPending) return <Loading what="studies"><GridSkeleton columns={7} /></Loading>
  if (!pages) return <ErrorState error={query.error} lost="The studies cannot be listed." kept="All that was taken is kept." retry={() => void query.refetch()} />
  return (
    <div className="lg-cols">
      <div className="lg-list">
        <Stale gateway={gateway} query={query} kept="All that was taken is kept." />
        <FilteredGrid
          what="studies" one="study" rows={rows} columns={columns} sort={newestStudy} fields={studyFields} fieldName={studyFieldName} values={studyValues} valueName={(f, v) => studyValueName(f, v, names)} text={studyText} rowId={(s) => s.study}
          rowName={(s) => `${s.modalities.join(', ')} from ${s.device_name ?? s.device}, ${time.short(s.last)}`} placeholder="Narrow what is shown" keep={keep} clickOpens
          onOpen={(s) => setParams((p) => { for (const key of [...p.keys()]) if (key !== 'tab' && key !== 'gateway') p.delete(key); p.set('study', s.study) })}
          empty={<Empty icon="gateway" title={params.has('from') ? 'Nothing came in that time.' : 'No image has come yet.'}><p>Each study that passes shows here, with what happened to each of its images from the scanner to the display, and the receipts to prove it.</p></Empty>}
          noMatch={(show) => <Empty icon="filter" title="No study passes these filters." action={<Button onClick={show}>Show all</Button>} />}
        />
        <More query={query} />
      </div>
    </div>
  )
}

function ByInstance({ gateway, theatre }: { gateway: string; theatre: (id: string) => string }) {
  const [params, setParams] = useURLState()
  const open = params.get('open') ?? ''
  const g = useWhere()
  const terms = useMemo(() => readTerms(params, instanceFields), [params])
  const filter = useMemo<InstanceFilter>(() => {
    const one = (f: string) => terms.find((t) => t.field === f && !t.not && t.values.length === 1)?.values[0] ?? ''
    return { study: '', series: params.get('series') ?? '', sop_instance: params.get('sop') ?? '', sha256: params.get('sha256') ?? '', device: one('device'), destination: one('destination'), state: one('state'), delivery: one('delivery'), theatre: one('theatre'), from: params.get('from') ?? '', to: params.get('to') ?? '' }
  }, [terms, params])
  const query = useInfiniteQuery(instances(gateway, filter))
  const pages = query.data?.pages
  const rows = useMemo(() => pages?.flatMap((p) => p.instances) ?? [], [pages])
  const names = useMemo(() => namesOf(theatre, rows.map((r) => ({ id: r.sender.device, name: r.device_name }))), [theatre, rows])
  const columns = useMemo(() => instanceColumns(names, false), [names])
  const show = (n: string) => setParams((p) => { if (n === '') p.delete('open'); else p.set('open', n) }, { replace: open !== '' })
  const onlyAll = () => setParams((p) => { for (const f of ['series', 'sop', 'sha256']) p.delete(f); p.set('by', 'instance') })
  useKeys('Images', [{ keys: 'u', does: 'Back to the list', run: () => show('') }], open !== '')
  if (query.isPending) return <Loading what="images"><GridSkeleton columns={8} /></Loading>
  if (!pages) return <ErrorState error={query.error} lost="The images cannot be listed." kept="All that was taken is kept." retry={() => void query.refetch()} />
  return (
    <div className={cx('lg-cols', open !== '' && 'lg-open')}>
      <div className="lg-list">
        <Stale gateway={gateway} query={query} kept="All that was taken is kept." />
        {params.has('sha256') && <p className="im-only">Only what came or went with the SHA-256 <Copyable value={params.get('sha256') ?? ''} what="SHA-256" cut /> <Button small kind="quiet" onClick={() => onlyAll()}>Show all</Button></p>}
        {params.has('series') && <p className="im-only">Only the series <Copyable value={params.get('series') ?? ''} what="series UID" /> {rows[0] && <Link to="/imaging" search={{ tab: 'instances', study: rows[0].study, ...g }}>Its study</Link>} <Button small kind="quiet" onClick={() => onlyAll()}>Show all</Button></p>}
        {params.has('sop') && <p className="im-only">Only the SOP instance <Copyable value={params.get('sop') ?? ''} what="SOP instance UID" /> <Button small kind="quiet" onClick={() => onlyAll()}>Show all</Button></p>}
        <FilteredGrid
          what="images" one="image" rows={rows} columns={columns} sort={newest} fields={instanceFields} fieldName={instanceFieldName} values={instanceValues} valueName={(f, v) => instanceValueName(f, v, names)} text={instanceText} rowId={(r) => String(r.number)} rowName={titleOf}
          placeholder="Narrow what is shown" keep={keep} clickOpens mark={(r) => (String(r.number) === open ? 'grid-tr-open' : undefined)} onOpen={(r) => show(String(r.number))}
          empty={<Empty icon="filter" title="No image passes these filters." action={<Button onClick={() => setParams((p) => { for (const key of [...p.keys()]) if (key !== 'tab' && key !== 'gateway') p.delete(key); p.set('by', 'instance') })}>Show all</Button>} />}
          noMatch={(all) => <Empty icon="filter" title="No image passes these filters." action={<Button onClick={all}>Show all</Button>} />}
        />
        <More query={query} />
      </div>
      {open !== '' && <div className="lg-detail"><InstanceView key={open} number={open} gateway={gateway} theatre={theatre} back="All images" onBack={() => show('')} /></div>}
    </div>
  )
}
