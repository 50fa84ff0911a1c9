// SPDX-License-Identifier: Apache-2.0
// What passed the gateway, by study or image by image, and how to find one again:
// by its UID, or by the SHA-256 of what somebody holds in hand.

import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useCallback, useMemo, useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import { Button, cx, Empty, ErrorState, Icon, Loading, Segmented, time, toastError } from '@/ui'
import { GridSkeleton, readTerms } from '@/ui/grid'
import { FilteredGrid } from '../advisories/FilteredGrid'
import '../ledger/ledger.css'
import { When } from '../ledger/When'
import { Digest } from './Digest'
import { InstanceView } from './InstanceView'
import { instances, studies, whatIs, type InstanceFilter } from './queries'
import { readSought } from './story'
import {
  instanceColumns, instanceFieldName, instanceFields, instanceText, instanceValueName, instanceValues, studyColumns, studyFieldName, studyFields, studyText, studyValueName, studyValues, type Names,
} from './studyColumns'
import { StudyView } from './StudyView'
import { titleOf } from './words'

const keep = ['tab', 'gateway', 'open', 'by', 'study', 'from', 'to', 'sop']
const newest = [{ id: 'received', down: true }]
const newestStudy = [{ id: 'last', down: true }]

export function Studies({ gateway }: { gateway: string }) {
  const [params, setParams] = useURLState()
  const rooms = useQuery(theatresQuery).data
  const theatre = useCallback((id: string) => rooms?.find((t) => t.id === id)?.name ?? id, [rooms])
  const study = params.get('study') ?? ''
  const digest = params.get('digest') ?? ''
  const by = params.get('by') === 'instance' || params.has('sop') ? 'instance' : 'study'
  const clear = (then: (p: URLSearchParams) => void) => setParams((p) => { for (const key of [...p.keys()]) if (key !== 'tab' && key !== 'gateway') p.delete(key); then(p) })
  if (study !== '') return <StudyView key={study} study={study} gateway={gateway} theatre={theatre} onBack={() => clear(() => {})} />
  const bar = (
    <div className="im-find">
      <Segmented label="What is listed" value={by} onChange={(v) => clear((p) => { if (v === 'instance') p.set('by', v) })} options={[{ value: 'study', label: 'Studies' }, { value: 'instance', label: 'Images' }]} />
      <Find gateway={gateway} onFound={(what, v) => clear((p) => { if (what === 'digest') p.set('digest', v); else if (what === 'study') p.set('study', v); else p.set('sop', v) })} />
      {digest === '' && <When from={params.get('from') ?? ''} to={params.get('to') ?? ''} onChange={(f, t) => setParams((p) => { for (const [k, v] of [['from', f], ['to', t]] as const) if (v === '') p.delete(k); else p.set(k, v) })} />}
    </div>
  )
  if (digest !== '') return <>{bar}<Digest digest={digest} gateway={gateway} onBack={() => clear(() => {})} /></>
  return by === 'study' ? <>{bar}<ByStudy gateway={gateway} theatre={theatre} /></> : <>{bar}<ByInstance gateway={gateway} theatre={theatre} /></>
}

/** One field for whatever somebody has: it says what it was taken for. */
function Find({ gateway, onFound }: { gateway: string; onFound: (what: 'study' | 'instance' | 'digest', v: string) => void }) {
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState('')
  const go = async () => {
    const s = readSought(text)
    if (!s) return
    if ('why' in s) return setSaid(s.why)
    if ('digest' in s) return onFound('digest', s.digest)
    setBusy(true)
    try {
      const what = await whatIs(gateway, s.uid)
      if (what) onFound(what, s.uid)
      else setSaid('The gateway has seen no study and no image with this UID.')
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

function More({ query }: { query: { hasNextPage: boolean; isFetchingNextPage: boolean; isFetchNextPageError: boolean; fetchNextPage: () => Promise<unknown> } }) {
  if (!query.hasNextPage) return null
  return <p className="im-foot"><Button small busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Load older ones</Button>{query.isFetchNextPageError && <span className="im-warn"> They did not come. Try again.</span>}</p>
}

function ByInstance({ gateway, theatre }: { gateway: string; theatre: (id: string) => string }) {
  const [params, setParams] = useURLState()
  const open = params.get('open') ?? ''
  const terms = useMemo(() => readTerms(params, instanceFields), [params])
  const filter = useMemo<InstanceFilter>(() => {
    const one = (f: string) => terms.find((t) => t.field === f && !t.not && t.values.length === 1)?.values[0] ?? ''
    return { study: '', sop_instance: params.get('sop') ?? '', device: one('device'), destination: one('destination'), state: one('state'), delivery: one('delivery'), theatre: one('theatre'), from: params.get('from') ?? '', to: params.get('to') ?? '' }
  }, [terms, params])
  const query = useInfiniteQuery(instances(gateway, filter))
  const pages = query.data?.pages
  const rows = useMemo(() => pages?.flatMap((p) => p.instances) ?? [], [pages])
  const names = useMemo(() => namesOf(theatre, rows.map((r) => ({ id: r.sender.device, name: r.device_name }))), [theatre, rows])
  const columns = useMemo(() => instanceColumns(names, false), [names])
  const show = (n: string) => setParams((p) => { if (n === '') p.delete('open'); else p.set('open', n) }, { replace: open !== '' })
  useKeys('Images', [{ keys: 'u', does: 'Back to the list', run: () => show('') }], open !== '')
  if (query.isPending) return <Loading what="images"><GridSkeleton columns={8} /></Loading>
  if (!pages) return <ErrorState error={query.error} lost="The images cannot be listed." kept="All that was taken is kept." retry={() => void query.refetch()} />
  return (
    <div className={cx('lg-cols', open !== '' && 'lg-open')}>
      <div className="lg-list">
        {params.has('sop') && <p className="im-only">Only the SOP instance <span className="mono">{params.get('sop')}</span> <Button small kind="quiet" onClick={() => setParams((p) => { p.delete('sop'); p.set('by', 'instance') })}>Show all</Button></p>}
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
