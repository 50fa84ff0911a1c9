// SPDX-License-Identifier: Apache-2.0
// Findings: what needs somebody. The list and one finding side by side; on a
// narrow screen one after the other. Everything on the page follows from the
// address, and triage never leaves the keyboard.

import { useQuery } from '@tanstack/react-query'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { Finding, Suppression } from '@/api/types'
import { useMay, useSession } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, ErrorState, Loading, Menu, Notice, Segmented, Skeleton, time, toast } from '@/ui'
import { addValue, Chips, CopyLink, countBy, FilterButton, flipValue, keepExisting, matches, noSelection, parseText, passes, readTerms, removeValue, SearchField, writeTerms, type Selection, type Term } from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { SavedViews } from '../events/SavedViews'
import { plainTitle } from '../rules/title'
import { ruleList } from '../rules/queries'
import { Actions, BulkBar } from './Actions'
import { DecisionDialog, type Asking } from './Dialogs'
import { NothingWrong, NothingMatches } from './Empty'
import { FindingDetailView } from './FindingDetailView'
import { exportFindings } from './export'
import { fieldName, findingFields, searchText, valueName, valuesOf, type FindingField, type Names } from './fields'
import { FindingList, type ListHandle } from './FindingList'
import './findings.css'
import { finding as findingQuery, findingList, shelfName, shelves, type Shelf } from './queries'
import { commonTitle, groupings, heldBack, ordered, orders, rowsOf, type Grouping, type Order, type Row } from './rows'
import { SuppressDialog } from './SuppressDialog'
import { useDecide } from './triage'
import { useMedia } from './media'

const groupName: Record<Grouping, string> = { rule: 'By rule', device: 'By device', theatre: 'By theatre', none: 'Not grouped' }
const orderName: Record<Order, string> = { severity: 'Worst first', last: 'Newest first', first: 'Latest found first', count: 'Most often first' }
const known = <T extends string>(all: readonly T[], value: string | null, otherwise: T): T => all.find((x) => x === value) ?? otherwise

export function FindingsPage() {
  const [params, setParams] = useURLState()
  const { user } = useSession()
  const may = useMay()
  const refused = may('finding.edit')
  const list = useRef<ListHandle>(null)
  const searchBox = useRef<HTMLInputElement>(null)
  const wide = useMedia('(min-width: 60rem)')

  const shelf = known<Shelf>(shelves, params.get('shelf'), 'active')
  const grouping = known<Grouping>(groupings, params.get('group'), 'rule')
  const order = known<Order>(orders, params.get('order'), shelf === 'closed' ? 'last' : 'severity')
  const q = params.get('q') ?? ''
  const open = params.get('open') ?? ''
  const terms = useMemo(() => readTerms(params, findingFields), [params])

  const query = useQuery(findingList(shelf))
  const rooms = useQuery(theatresQuery)
  const all = query.data?.findings

  const names = useMemo<Names>(() => {
    const theatres = new Map((rooms.data ?? []).map((t) => [t.id, t.name]))
    const devices = new Map((all ?? []).flatMap((f) => f.devices.map((d): [string, string] => [d.id, d.name])))
    return { theatre: (id) => theatres.get(id) ?? id, device: (id) => devices.get(id) ?? id }
  }, [rooms.data, all])

  // What was there when the shelf was opened; null while nothing is.
  const [seen, setSeen] = useState<{ shelf: Shelf; ids: ReadonlySet<string> } | null>(null)
  useEffect(() => {
    if (all && seen?.shelf !== shelf) setSeen({ shelf, ids: new Set(all.map((f) => f.id)) })
  }, [all, shelf, seen])
  const held = useMemo(() => heldBack(all ?? [], shelf === 'active' && seen?.shelf === shelf ? seen.ids : null), [all, seen, shelf])
  const showNew = useCallback(() => {
    if (!all) return
    setSeen({ shelf, ids: new Set(all.map((f) => f.id)) })
    list.current?.toTop()
  }, [all, shelf])

  const wanted = useDeferredValue(q)
  const found = useMemo(() => {
    const words = parseText(wanted)
    return ordered(
      held.shown.filter((f) => passes(terms, (field) => valuesOf(f, field)) && (words.length === 0 || matches(words, searchText(f, names.theatre(f.theatre))))),
      order,
    )
  }, [held, terms, wanted, order, names])
  const rules = useQuery(ruleList)
  const ruleTitles = useMemo(() => {
    const titles = new Map<string, string[]>()
    for (const f of found) titles.set(f.rule, [...(titles.get(f.rule) ?? []), f.title])
    const known = new Map((rules.data?.rules ?? []).map((r) => [r.id, plainTitle(r.title)]))
    return new Map([...titles].map(([rule, list]) => [rule, list.length === 1 ? commonTitle(list) : (known.get(rule) ?? commonTitle(list))]))
  }, [found, rules.data])
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const rows = useMemo(
    () => rowsOf(found, grouping, { rule: (id) => ruleTitles.get(id) || id, device: names.device, theatre: names.theatre }, closed),
    [found, grouping, ruleTitles, names, closed],
  )

  const change = useCallback(
    (next: { shelf?: Shelf; group?: Grouping; order?: Order; q?: string; terms?: Term<FindingField>[]; open?: string }, replace = false) =>
      setParams(
        (p) => {
          if (next.terms !== undefined) {
            p.delete('is')
            p.delete('not')
            writeTerms(p, next.terms)
          }
          const set = (name: string, value: string | undefined, fallback: string) => {
            if (value === undefined) return
            if (value === fallback) p.delete(name)
            else p.set(name, value)
          }
          set('shelf', next.shelf, 'active')
          set('group', next.group, 'rule')
          set('order', next.order, '')
          set('q', next.q, '')
          set('open', next.open, '')
          if (next.shelf !== undefined) p.delete('order')
        },
        { replace },
      ),
    [setParams],
  )
  const onFilter = useCallback((field: FindingField, value: string, not: boolean) => change({ terms: addValue(terms, field, value, not) }), [change, terms])

  const [active, setActive] = useState('') // a row's id: a finding stands under each of its devices
  const activeRow = rows.find((r) => r.id === active) ?? rows.find((r) => r.kind === 'finding' && r.finding.id === open)
  const openRow = found.find((f) => f.id === open)
  const show = useCallback((id: string) => change({ open: id }, wide || id === ''), [change, wide])
  const onActive = useCallback((row: Row) => {
    setActive(row.id)
    if (wide && row.kind === 'finding') change({ open: row.finding.id }, true)
  }, [wide, change])
  const onOpen = useCallback((row: Row) => {
    setActive(row.id)
    if (row.kind === 'group') setClosed((old) => toggled(old, row.group.key))
    else show(row.finding.id)
  }, [show])

  // What was decided away makes room for the next one.
  const place = useRef({ open: '', index: -1 })
  useEffect(() => {
    const index = found.findIndex((f) => f.id === open)
    if (index >= 0) {
      place.current = { open, index }
      return
    }
    if (open === '' || place.current.open !== open || !wide) return
    const next = found[Math.min(place.current.index, found.length - 1)]
    place.current = { open: '', index: -1 }
    setActive('')
    change({ open: next?.id ?? '' }, true)
  }, [found, open, wide, change])

  const [selection, setSelection] = useState<Selection>(noSelection)
  const order_ = useMemo(() => found.map((f) => f.id), [found])
  useEffect(() => setSelection((s) => keepExisting(s, order_)), [order_])
  const selected = useMemo(() => (selection.ids.size === 0 ? [] : found.filter((f) => selection.ids.has(f.id))), [found, selection])

  const decide = useDecide()
  const [asking, setAsking] = useState<{ what: Asking; list: readonly Finding[] } | null>(null)
  const [hiding, setHiding] = useState<Suppression | null>(null)
  const detail = useQuery(findingQuery(open)).data
  /** What a key acts on: the selection, or else the finding that is open. */
  const targets = useCallback((): readonly Finding[] => {
    if (selected.length > 0) return selected
    if (activeRow?.kind === 'group') return activeRow.group.findings
    const one = openRow ?? (detail?.id === open ? detail : undefined) ?? (activeRow?.kind === 'finding' ? activeRow.finding : undefined)
    return one ? [one] : []
  }, [selected, activeRow, openRow, detail, open])
  const act = useCallback((what: Asking | 'acknowledge' | 'reopen' | 'suppress', on?: readonly Finding[]) => {
    const all = on ?? targets()
    if (refused !== undefined) return void toast(refused)
    if (all.length === 0) return void toast('Choose a finding first.')
    if (what === 'acknowledge' || what === 'reopen') {
      void decide(all, { action: what }).then(() => on === undefined && setSelection(noSelection))
    } else if (what === 'suppress') {
      const one = all[0]
      if (detail && one && detail.id === one.id && detail.suppression) setHiding(detail.suppression)
      else toast(all.length > 1 ? 'Hide one finding at a time: each needs its own reason.' : 'The finding is still loading.')
    } else setAsking({ what, list: all })
  }, [targets, refused, decide, detail])

  useKeys('Findings', [
    { keys: 'j', does: 'Next finding', run: () => list.current?.move(1) },
    { keys: 'k', does: 'Previous finding', run: () => list.current?.move(-1) },
    { keys: 'x', does: 'Select', run: () => {
      const f = activeRow?.kind === 'finding' ? activeRow.finding : openRow
      if (f) setSelection((s) => ({ ids: toggled(s.ids, f.id), anchor: f.id }))
    } },
    { keys: 'e', does: 'Acknowledge', run: () => act('acknowledge') },
    { keys: 'a', does: 'Assign', run: () => act('assign') },
    { keys: 'c', does: 'Close', run: () => act('close') },
    { keys: 'r', does: 'Reopen', run: () => act('reopen') },
    { keys: 'n', does: 'Note', run: () => act('note') },
    { keys: 's', does: 'Hide findings like this', run: () => act('suppress') },
    { keys: 'z', does: 'Put off', run: () => act('snooze') },
    { keys: 'shift+x', does: 'Select all that match', run: () => setSelection({ ids: new Set(order_), anchor: order_[0] ?? null }) },
    { keys: 'f', does: 'Search findings', run: () => searchBox.current?.select() },
    { keys: '.', does: 'Show the new ones', run: showNew },
    { keys: 'u', does: 'Back to the list', run: () => { if (!wide) show(''); list.current?.focus() } },
    { keys: 'escape', does: 'Clear the selection', run: () => setSelection(noSelection) },
  ])

  const counts = query.data?.counts
  const narrowed = q !== '' || terms.length > 0
  const clear = () => change({ q: '', terms: [] })
  const people = useMemo(() => countBy(all ?? [], (f) => (f.assignee === '' ? [] : [f.assignee])).map((v) => v.value).filter((v) => v !== ''), [all])
  const values = useCallback((f: FindingField) => countBy(found, (x) => valuesOf(x, f)), [found])
  const sentence = counts && (counts.open + counts.acknowledged === 0 ? 'Nothing needs anybody now.' : `${plural(counts.open, 'is', 'are')} open${counts.critical > 0 ? `, ${counts.critical} critical` : ''}${counts.high > 0 ? `, ${counts.high} high` : ''}; ${count(counts.acknowledged)} ${counts.acknowledged === 1 ? 'is' : 'are'} being worked on.`)
  const countOf: Partial<Record<Shelf, number>> = counts ? { active: counts.open + counts.acknowledged, mine: counts.mine, snoozed: counts.snoozed, suppressed: counts.suppressed, closed: counts.closed } : {}
  const showDetail = open !== '' && (wide || open !== '')

  return (
    <Page title="Findings" full sentence={sentence ?? <Skeleton width={38} />} actions={<SavedViews page="findings" />}>
      <div className={`grid-page fx${showDetail ? ' fx-open' : ''}`}>
        {query.isError && all && (
          <Notice kind="attention" action={<Button small onClick={() => void query.refetch()}>Try again</Button>}>The list is from {time.clock(query.dataUpdatedAt)}: the server did not answer since.</Notice>
        )}
        {query.data?.next && <Notice>Only the worst {count(query.data.findings.length)} of {count(query.data.total)} are loaded. Search and filters look at those.</Notice>}
        <div className="grid-bar fx-bar">
          <Segmented
            label="Which findings" value={shelf} onChange={(s) => { setSelection(noSelection); change({ shelf: s, open: '' }) }}
            options={shelves.map((s) => ({ value: s, label: <>{shelfName[s]} <span className="fx-n">{countOf[s] === undefined ? '' : count(countOf[s])}</span></> }))}
          />
          <SearchField ref={searchBox} label="Search findings" placeholder="Words, devices, rules …" value={q} onChange={(text) => change({ q: text }, true)} onDown={() => list.current?.focus()} />
          <FilterButton what="findings" fields={findingFields} fieldName={fieldName} values={values} valueName={(f, v) => valueName(f, v, names)} onFilter={onFilter} />
          <div className="grid-bar-end">
            <Menu
              label="How the list is shown" align="end" trigger={<Button icon="list" kind="quiet">{groupName[grouping]}</Button>}
              entries={[
                { kind: 'label', label: 'Grouped' }, { kind: 'radio', value: grouping, onChange: (v) => change({ group: v as Grouping }, true), options: groupings.map((g) => ({ value: g, label: groupName[g] })) },
                { kind: 'line' }, { kind: 'label', label: 'Order' }, { kind: 'radio', value: order, onChange: (v) => change({ order: v as Order }, true), options: orders.map((o) => ({ value: o, label: orderName[o] })) },
                { kind: 'line' }, { label: 'Save as CSV', icon: 'download', disabled: found.length === 0, run: () => exportFindings('csv', found, names) }, { label: 'Save as JSON', icon: 'download', disabled: found.length === 0, run: () => exportFindings('json', found, names) },
              ]}
            />
            <CopyLink />
          </div>
          {terms.length > 0 && (
            <div className="grid-chips">
              <Chips
                terms={terms} fieldName={(f) => fieldName[f]} valueName={(f, v) => valueName(f, v, names)} onFlip={(f, v, not) => change({ terms: flipValue(terms, f, v, not) })}
                onRemove={(f, v, not) => change({ terms: removeValue(terms, f, v, not) })} onClear={() => change({ terms: [] })}
              />
            </div>
          )}
        </div>
        <div className="fx-cols">
          <div className="fx-list">
            <div className="fx-list-bar">
              {selected.length > 0 ? (
                <BulkBar
                  selected={selected.length} all={found.length} refused={refused} act={(what) => act(what)} onAll={() => setSelection({ ids: new Set(order_), anchor: order_[0] ?? null })} onClear={() => setSelection(noSelection)}
                />
              ) : (
                <span role="status" className="quiet">{all ? (narrowed ? `${count(found.length)} of ${plural(held.shown.length, 'finding')}` : plural(found.length, 'finding')) : ''}</span>
              )}
              {held.waiting.length > 0 && <Button small kind="primary" icon="arrow-up" className="fx-new" onClick={showNew}>{held.waiting.length} new</Button>}
            </div>
            {query.isPending ? (
              <Loading what="findings"><div className="fx-wait"><Skeleton lines={14} /></div></Loading>
            ) : !all ? (
              <ErrorState error={query.error} lost="The findings cannot be shown." kept="Detection goes on, and what it finds is kept." retry={() => void query.refetch()} />
            ) : (
              <FindingList
                ref={list} rows={rows} active={activeRow?.id ?? ''} selection={selection} theatre={names.theatre} me={user.name} onActive={onActive} onOpen={onOpen}
                onToggleGroup={(key) => setClosed((old) => toggled(old, key))} onSelection={setSelection}
                empty={narrowed ? <NothingMatches total={held.shown.length} onClear={clear} /> : <NothingWrong shelf={shelf} />}
              />
            )}
          </div>
          <div className="fx-detail">
            {showDetail ? (
              <FindingDetailView
                key={open} id={open} row={openRow} onOpen={(id) => { setActive(''); show(id) }} onFilter={onFilter} onBack={() => show('')}
                actions={(f) => <Actions f={f} me={user.name} refused={refused} hidable={detail?.suppression != null} act={(what) => act(what, [f])} assignMe={() => void decide([f], { action: 'assign', assignee: user.name })} />}
              />
            ) : (
              all && rows.length > 0 && <p className="fx-hint quiet">Choose a finding, or press <kbd className="kbd">j</kbd>. <kbd className="kbd">?</kbd> shows all keys.</p>
            )}
          </div>
        </div>
      </div>
      {asking && <DecisionDialog what={asking.what} list={asking.list} me={user.name} people={people} decide={decide} onClose={() => { setAsking(null); setSelection(noSelection) }} />}
      {hiding && <SuppressDialog draft={hiding} deviceName={names.device} theatreName={names.theatre} onClose={() => setHiding(null)} />}
    </Page>
  )
}

function toggled<T>(set: ReadonlySet<T>, one: T): Set<T> {
  const next = new Set(set)
  if (!next.delete(one)) next.add(one)
  return next
}
