// SPDX-License-Identifier: Apache-2.0
// What the gateway holds back. Beside the list: why it is held, what its header
// says without naming anybody, and the two words that it takes to let it go or
// to destroy it.

import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { ImagingHeld } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { useURLState } from '@/shell/urlstate'
import { Button, cx, Empty, ErrorState, Icon, Loading, Notice, Time } from '@/ui'
import { GridSkeleton, type Choice, type Column } from '@/ui/grid'
import { count } from '@/ui/units'
import { FilteredGrid } from '../advisories/FilteredGrid'
import '../ledger/ledger.css'
import { VerdictChip } from './Chip'
import { HeldView } from './HeldView'
import { quarantine } from './queries'
import { More, Stale } from './Stale'
import { titleOf, verdictName, verdictRank, whyHeld } from './words'

const keep = ['tab', 'gateway', 'open']
const first = [{ id: 'received', down: true }]
const fields = ['waits', 'rule', 'from', 'modality', 'theatre'] as const
type Field = (typeof fields)[number]
const fieldName: Record<Field, string> = { waits: 'Waits for', rule: 'Rule', from: 'From', modality: 'Modality', theatre: 'Theatre' }
const waitName: Record<string, string> = { one: 'a first person', other: 'another person', mine: 'you, as the second' }

/** Whose word is awaited. "mine": somebody else has asked, and who looks may agree. */
const waits = (h: ImagingHeld): string => (!h.asked ? 'one' : h.own ? 'other' : 'mine')
const from = (h: ImagingHeld): string => h.device_name ?? (h.sender.device || h.sender.calling_ae || h.sender.address)

function values(h: ImagingHeld, field: string): readonly string[] {
  switch (field as Field) {
    case 'waits': return [waits(h)]
    case 'rule': return [...new Set((h.hits ?? []).map((x) => x.rule))]
    case 'from': return [from(h)]
    case 'modality': return h.modality ? [h.modality] : []
    case 'theatre': return h.sender.theatre ? [h.sender.theatre] : []
  }
}
const textOf = (h: ImagingHeld): string => [titleOf(h), h.study_description, h.sop_instance, h.study, h.data_set, h.sender.calling_ae, ...(h.hits ?? []).flatMap((x) => [x.rule, x.why, x.path])].filter(Boolean).join('\n').toLowerCase()

export function Quarantine({ gateway }: { gateway: string }) {
  const query = useInfiniteQuery(quarantine(gateway))
  const rooms = useQuery(theatresQuery).data
  const [params, setParams] = useURLState()
  const open = params.get('open') ?? ''
  const pages = query.data?.pages
  const rows = useMemo(() => pages?.flatMap((p) => p.held) ?? [], [pages])
  const theatre = useCallback((id: string) => rooms?.find((t) => t.id === id)?.name ?? id, [rooms])
  const valueName = useCallback((f: Field, v: string) => (v === '' ? 'none' : f === 'waits' ? (waitName[v] ?? v) : f === 'theatre' ? theatre(v) : v), [theatre])
  const columns = useMemo<Column<ImagingHeld>[]>(() => {
    const choice = (f: Field, v: string): Choice => ({ field: f, value: v, label: `${fieldName[f]}: ${valueName(f, v)}` })
    return [
      { id: 'received', label: 'Held since', width: 108, downFirst: true, value: (h) => h.received, render: (h) => <Time at={h.received} as="short" plain /> },
      { id: 'what', label: 'What', width: 190, fixed: true, value: titleOf, render: (h) => <strong className="grid-cut im-peer" title={titleOf(h)}>{titleOf(h)}</strong> },
      { id: 'verdict', label: 'Verdict', width: 112, value: (h) => verdictName[h.verdict], order: (h) => verdictRank[h.verdict], render: (h) => <VerdictChip verdict={h.verdict} /> },
      { id: 'why', label: 'Why', width: 260, grow: true, value: whyHeld, render: (h) => <span className="grid-cut" title={whyHeld(h)}>{whyHeld(h)}</span> },
      { id: 'waits', label: 'Waits for', width: 186, value: (h) => waitName[waits(h)] ?? '', choices: (h) => [choice('waits', waits(h))], render: (h) => (h.asked ? <span className={cx('grid-cut', !h.own && 'im-asks')} title={`${h.own ? `You asked to ${h.asked.action} it` : h.asked.by}: ${h.asked.reason}`}><Icon name="users" size={14} /> {h.own ? 'another person' : `${h.asked.by} asks to ${h.asked.action}`}</span> : <span className="quiet">a first person</span>) },
      { id: 'theatre', label: 'Theatre', width: 104, value: (h) => (h.sender.theatre ? theatre(h.sender.theatre) : ''), choices: (h) => (h.sender.theatre ? [choice('theatre', h.sender.theatre)] : []), render: (h) => <span className="grid-cut">{h.sender.theatre ? theatre(h.sender.theatre) : '–'}{h.in_case && <span className="im-incase">in case</span>}</span> },
      { id: 'number', label: 'Number', width: 84, align: 'end', downFirst: true, value: (h) => h.number },
      { id: 'sop', label: 'SOP instance', width: 180, hidden: true, value: (h) => h.sop_instance, render: (h) => <span className="grid-cut mono">{h.sop_instance}</span> },
      { id: 'study', label: 'Study', width: 180, hidden: true, value: (h) => h.study, render: (h) => <span className="grid-cut mono">{h.study}</span> },
    ]
  }, [theatre, valueName])
  const show = (n: string) => setParams((p) => { if (n === '') p.delete('open'); else p.set('open', n) }, { replace: open !== '' })
  useKeys('Quarantine', [{ keys: 'u', does: 'Back to the list', run: () => show('') }], open !== '')
  if (query.isPending) return <Loading what="the quarantine"><GridSkeleton columns={6} /></Loading>
  if (!pages) return <ErrorState error={query.error} lost="The quarantine cannot be listed." kept="What is held stays held." retry={() => void query.refetch()} />
  const here = rows.find((h) => String(h.number) === open)
  const mine = rows.filter((h) => waits(h) === 'mine').length
  return (
    <div className={cx('lg-cols', open !== '' && 'lg-open')}>
      <div className="lg-list">
        <Stale gateway={gateway} query={query} kept="What is held stays held." />
        {mine > 0 && open === '' && <Notice action={<Button small onClick={() => setParams((p) => { p.delete('is'); p.append('is', 'waits:mine') })}>Show {mine === 1 ? 'it' : 'them'}</Button>}>{mine === 1 ? 'One waits' : `${count(mine)} wait`} for a second person: somebody has asked, and another has to agree.</Notice>}
        <FilteredGrid
          what="held images" one="held image" rows={rows} columns={columns} sort={first} fields={fields} fieldName={fieldName} values={values} valueName={valueName} text={textOf} rowId={(h) => String(h.number)} rowName={titleOf}
          placeholder="Rule, device, UID, digest …" keep={keep} clickOpens mark={(h) => (String(h.number) === open ? 'grid-tr-open' : undefined)} onOpen={(h) => show(String(h.number))}
          empty={<Empty icon="check" title="Nothing is held."><p>What the policy holds back comes here: with the reason, and until two people say what becomes of it. Nothing that is held reaches a display.</p></Empty>}
          noMatch={(clear) => <Empty icon="filter" title="Nothing that is held passes these filters." action={<Button onClick={clear}>Show all</Button>} />}
        />
        <More query={query} />
      </div>
      {open !== '' && <div className="lg-detail"><HeldView key={open} number={open} row={here} gateway={gateway} theatre={theatre} onBack={() => show('')} /></div>}
    </div>
  )
}
