// SPDX-License-Identifier: Apache-2.0
// The ledger: one sentence of truth, the newest entries, and the life of
// whatever one looks for. Everything on the page follows from the address.

import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import { statement } from '@/api/said'
import type { LedgerEntry } from '@/api/types'
import { kinds } from '@/receipt/statement'
import { useMay } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, cx, Empty, ErrorState, Icon, Loading, Menu, Notice, Skeleton, time, toast, toastError } from '@/ui'
import { addValue, Chips, countBy, FilterButton, flipValue, Grid, GridSkeleton, GridTools, layoutOf, passes, readState, readTerms, removeValue, SearchField, writeState, writeTerms, type Choice, type GridHandle, type GridState, type Term } from '@/ui/grid'
import { useNow } from '@/ui/time'
import { count, plural } from '@/ui/units'
import { deviceList } from '../devices/queries'
import { sumsOfFile, TooBig } from '../verify/hash'
import { columnsOf, entryFields, fieldName, valueName, valuesOf, type EntryField } from './columns'
import { EntryView } from './EntryView'
import './ledger.css'
import { checkLedger, fileOf, ledgerEntries, ledgerStatus, save, stateOf, type EntryFilter } from './queries'
import { Overview } from './Overview'
import { When } from './When'
import { readHash, truth, whyNoHash } from './words'

export function LedgerPage() {
  const status = useQuery(ledgerStatus)
  const now = useNow(5_000)
  const s = status.data
  if (!s) {
    const none = status.error instanceof ApiError && status.error.status === 404
    return (
      <Page title="Ledger" sentence={status.isPending ? <Skeleton width={46} /> : undefined}>
        {status.isPending ? (
          <Loading what="the ledger"><Skeleton lines={16} /></Loading>
        ) : none ? (
          <Empty icon="ledger" title="No ledger runs here." action={<Link to="/verify" className="btn btn-plain"><Icon name="shield-check" /><span className="btn-t">Verify a receipt</span></Link>}>
            <p>A ledger keeps what happened to images, models and devices so that nobody can change it unnoticed. <code>asepsis up</code> runs one.</p>
            <p>Receipts of another ledger can be verified here all the same.</p>
          </Empty>
        ) : (
          <ErrorState error={status.error} lost="The ledger cannot be shown." kept="What it has recorded is kept, and recording does not depend on this page." retry={() => void status.refetch()} />
        )}
      </Page>
    )
  }
  return (
    <Page title="Ledger" full sentence={truth(s, now)} actions={<Actions />}>
      <div className="grid-page lg">
        {status.isError && <Notice kind="attention" action={<Button small onClick={() => void status.refetch()}>Try again</Button>}>This is from {time.clock(status.dataUpdatedAt)}: the server did not answer since.</Notice>}
        {s.audit.problem && <Notice kind="stop">{statement(s.audit.problem)} Nothing new is lost; what was there before has to be compared with a backup: <code>asepsis ledger fsck</code>.</Notice>}
        {s.alarm && !s.audit.problem && <Notice kind="attention">Nothing is lost: entries are kept, and witnessed when witnesses answer again. Until then this server alone vouches for {plural(s.unwitnessed, 'entry', 'entries')}. Look at the network to the witnesses.</Notice>}
        <Overview s={s} />
        <Entries size={s.size} />
      </div>
    </Page>
  )
}

function Actions() {
  const client = useQueryClient()
  const refused = useMay()('settings.edit')
  const [busy, setBusy] = useState(false)
  const check = async () => {
    setBusy(true)
    try {
      const r = await checkLedger()
      if (r.problem) toast(`The check found something wrong: ${r.problem}`, { error: true })
      else toast(`All is right: ${plural(r.checked, 'entry', 'entries')} read again and compared with what was signed.`)
    } catch (e) {
      toastError('The ledger was not checked.', e)
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: ledgerStatus.queryKey })
    }
  }
  return (
    <>
      <Link to="/verify" className="btn btn-primary"><Icon name="shield-check" /><span className="btn-t">Verify a receipt</span></Link>
      <Menu
        align="end" label="More" trigger={<Button icon="more" busy={busy} aria-label="More actions" />}
        entries={[
          { label: 'Check the whole log now', icon: 'refresh', disabled: refused !== undefined, note: refused ?? 'Reads it again and compares it with what was signed', run: () => void check() },
          { label: 'Save the trust file', icon: 'download', note: 'With it anybody can verify receipts of this ledger', run: () => void save('The trust file', () => fileOf('/ledger/trust'), 'asepsis-trust.json') },
        ]}
      />
    </>
  )
}

const keep = ['open', 'hash', 'from', 'to']
const FEW = 30
const PAGES = 30 // looked through by itself for rows that are not left out

function Entries({ size }: { size: number }) {
  const [params, setParams] = useURLState()
  const client = useQueryClient()
  const grid = useRef<GridHandle>(null)
  const box = useRef<HTMLInputElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const rooms = useQuery(theatresQuery).data
  const status = useQuery(ledgerStatus).data
  const theatreName = useCallback((id: string) => rooms?.find((t) => t.id === id)?.name ?? id, [rooms])
  const columns = useMemo(() => columnsOf(theatreName, (e) => stateOf(e, status)), [theatreName, status])
  const layout = useMemo(() => layoutOf(columns, []), [columns])
  const state = useMemo(() => readState(params, layout), [params, layout])
  const terms = useMemo(() => readTerms(params, entryFields), [params])
  const hash = params.get('hash') ?? ''
  const from = params.get('from') ?? ''
  const to = params.get('to') ?? ''
  const open = params.get('open') ?? ''

  const [typed, setTyped] = useState(hash)
  const seenHash = useRef(hash)
  useEffect(() => {
    if (seenHash.current === hash) return
    seenHash.current = hash
    setTyped(hash)
  }, [hash])

  const filter = useMemo<EntryFilter>(() => {
    const one = (f: EntryField) => terms.find((t) => t.field === f && !t.not)?.values[0] ?? ''
    return { hash, kind: one('kind'), theatre: one('theatre'), device: one('device'), case: one('case'), from, to }
  }, [terms, hash, from, to])
  const query = useInfiniteQuery(ledgerEntries(filter))
  const pages = query.data?.pages
  const all = useMemo(() => pages?.flatMap((p) => p.entries) ?? [], [pages])
  const rows = useMemo(() => all.filter((e) => passes(terms, (f) => valuesOf(e, f))), [all, terms])
  // All devices, from when somebody reaches for the filter or the address names one.
  const [wantsDevices, setWantsDevices] = useState(false)
  const devices = useQuery({ ...deviceList, enabled: wantsDevices || terms.some((t) => t.field === 'device') }).data?.devices
  const names = useMemo(() => {
    const known = new Map((devices ?? []).map((d) => [d.id, d.name]))
    for (const e of all) if (e.device && e.device_name) known.set(e.device, e.device_name)
    return { theatre: theatreName, device: (id: string) => known.get(id) ?? id }
  }, [theatreName, all, devices])
  /** What is loaded with how often, then what else there is. */
  const offered = useCallback((f: EntryField) => {
    const here = countBy(rows, (e) => valuesOf(e, f))
    const have = new Set(here.map((v) => v.value))
    const others = f === 'kind' ? [...kinds] : f === 'theatre' ? (rooms ?? []).map((t) => t.id) : f === 'device' ? (devices ?? []).map((d) => d.id) : []
    return [...here, ...others.filter((v) => !have.has(v)).map((value) => ({ value, count: 0 }))]
  }, [rows, rooms, devices])

  // What is left out is left out here: look further back until there is something to see.
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage])
  useEffect(() => {
    if (rows.length < FEW && (pages?.length ?? 0) < PAGES) more()
  }, [rows.length, pages?.length, more])

  const narrowed = hash !== '' || terms.length > 0 || from !== '' || to !== ''
  const waiting = pages?.[0] ? Math.max(0, size - pages[0].seen) : 0
  const showNew = useCallback(() => {
    void client.resetQueries({ queryKey: ledgerEntries(filter).queryKey })
    grid.current?.toTop()
  }, [client, filter])
  // The first entries of an empty ledger need not be asked for.
  const first = query.isPending
  const began = !first && waiting > 0 && all.length === 0 && !narrowed
  useEffect(() => {
    if (began) showNew()
  }, [began, showNew])

  const change = useCallback(
    (next: { state?: GridState; terms?: Term<EntryField>[]; hash?: string; from?: string; to?: string; open?: string }, replace = false) =>
      setParams((u) => {
        const written = { state: next.state ?? readState(u, layout), terms: next.terms ?? readTerms(u, entryFields) }
        for (const key of [...u.keys()]) if (!keep.includes(key)) u.delete(key)
        for (const name of ['hash', 'from', 'to', 'open'] as const) {
          const v = next[name]
          if (v === '') u.delete(name)
          else if (v !== undefined) u.set(name, v)
        }
        writeTerms(u, written.terms)
        writeState(u, written.state, layout)
      }, { replace }),
    [setParams, layout],
  )
  /** The ledger is asked for one value of a field; others of it are replaced. */
  const narrow = useCallback((field: EntryField, value: string, not: boolean) => {
    const others = not ? terms : terms.filter((t) => t.field !== field || t.not)
    change({ terms: addValue(others, field, value, not) })
  }, [change, terms])
  const clear = () => {
    setTyped('')
    change({ terms: [], hash: '', from: '', to: '' })
  }
  const find = (h: string) => change({ hash: h, terms: [], from: '', to: '', open: '' })

  const [hashing, setHashing] = useState('')
  const findFile = async (file: File) => {
    setHashing(file.name)
    try {
      const { whole, dataSet } = await sumsOfFile(file)
      find(dataSet ?? whole) // a gateway's statements name the data set of a DICOM file
    } catch (e) {
      if (e instanceof TooBig) toast(`${e.message} ${e.hint}`, { error: true })
      else toastError(`${file.name} was not read.`, e)
    } finally {
      setHashing('')
    }
  }

  useKeys('Ledger', [
    { keys: 'f', does: 'Search the ledger', run: () => box.current?.select() },
    { keys: 'j', does: 'Next entry', run: () => grid.current?.move(1) },
    { keys: 'k', does: 'Previous entry', run: () => grid.current?.move(-1) },
    { keys: 'enter', does: 'Open the entry', run: () => grid.current?.focus() },
    { keys: 'u', does: 'Back to the list', run: () => { change({ open: '' }, true); grid.current?.focus() } },
    { keys: '.', does: 'Show the new ones', run: showNew },
  ])

  const wrong = whyNoHash(typed)
  const openEntry = (index: string) => change({ open: index }, open !== '')
  return (
    <>
      <div className="grid-bar lg-bar">
        <SearchField
          ref={box} label="Search by the SHA-256 of a file or an entry" placeholder="SHA-256 of a file or an entry" value={typed} onDown={() => grid.current?.focus()}
          onChange={(text) => {
            setTyped(text)
            const h = readHash(text)
            if (h !== '' || text.trim() === '') {
              seenHash.current = h
              change({ hash: h }, true)
            }
          }}
        />
        <Button icon="search" busy={hashing !== ''} onClick={() => picker.current?.click()}>Find a file…</Button>
        <input ref={picker} type="file" className="sr-only" tabIndex={-1} aria-label="File to look for; it is not sent" onChange={(e) => { const file = e.target.files?.[0]; e.target.value = ''; if (file) void findFile(file) }} />
        <span className="lg-filter" onFocus={() => setWantsDevices(true)} onPointerEnter={() => setWantsDevices(true)}>
          <FilterButton what="entries" fields={entryFields} fieldName={fieldName} values={offered} valueName={(f, v) => valueName(f, v, names)} onFilter={narrow} />
        </span>
        <When from={from} to={to} onChange={(f, t) => change({ from: f, to: t })} />
        <span className="grid-count" role="status">{hashing !== '' ? `Reading ${hashing}…` : first ? '' : `${count(rows.length)}${query.hasNextPage ? '+' : ''} ${rows.length === 1 ? 'entry' : 'entries'}`}</span>
        {waiting > 0 && !first && !began && <Button small kind="primary" icon="arrow-up" onClick={showNew}>{narrowed ? 'Look for newer' : `${count(waiting)} new`}</Button>}
        <div className="grid-bar-end"><GridTools what="ledger" rows={rows} columns={columns} layout={layout} state={state} onState={(g) => change({ state: g }, true)} /></div>
        {wrong && <p className="field-error lg-wrong" role="status"><Icon name="warning" size={13} />{wrong}</p>}
        {terms.length > 0 && (
          <div className="grid-chips">
            <Chips
              terms={terms} fieldName={(f) => fieldName[f]} valueName={(f, v) => valueName(f, v, names)} onFlip={(f, v, not) => change({ terms: flipValue(terms, f, v, not) })}
              onRemove={(f, v, not) => change({ terms: removeValue(terms, f, v, not) })} onClear={() => change({ terms: [] })}
            />
          </div>
        )}
      </div>
      <div className={cx('lg-cols', open !== '' && 'lg-open')}>
        <div className="lg-list">
          {first ? (
            <Loading what="entries"><GridSkeleton columns={6} /></Loading>
          ) : !pages ? (
            <ErrorState error={query.error} lost="The entries cannot be shown." kept="They are kept, and recording goes on." retry={() => void query.refetch()} />
          ) : (
            <Grid
              ref={grid} label="Entries" rows={rows} columns={columns} rowId={rowId} rowName={rowName} state={state} onState={(g) => change({ state: g }, true)} onExpand={openEntry}
              onFilter={(c: Choice, not) => narrow(c.field as EntryField, c.value, not)} mark={(e) => (String(e.index) === open ? 'grid-tr-open' : undefined)} onEnd={more} total={query.hasNextPage ? -1 : rows.length}
              empty={<Nothing narrowed={narrowed} hash={hash} busy={query.isFetching} onClear={clear} />}
              after={query.isFetchNextPageError ? <Button small onClick={() => void fetchNextPage()}>Older ones did not come. Try again</Button> : isFetchingNextPage ? 'Older ones are coming …' : !query.hasNextPage ? (narrowed ? 'That is all.' : 'That is all: the log begins here.') : undefined}
            />
          )}
        </div>
        {open !== '' && (
          <div className="lg-detail">
            <EntryView
              key={open} index={open} row={all.find((e) => String(e.index) === open)} onOpen={(i) => openEntry(String(i))} onHash={(h) => { setTyped(h); find(h) }}
              onOnly={(field, value) => narrow(field, value, false)} onBack={() => { change({ open: '' }, true); grid.current?.focus() }}
            />
          </div>
        )}
      </div>
    </>
  )
}

const rowId = (e: LedgerEntry) => String(e.index)
const rowName = (e: LedgerEntry) => e.sentence

function Nothing({ narrowed, hash, busy, onClear }: { narrowed: boolean; hash: string; busy: boolean; onClear: () => void }) {
  if (busy) return <Loading what="older entries"><p className="quiet lg-looking">Looking further back …</p></Loading>
  if (hash !== '') {
    return (
      <Empty icon="search" title="No entry is about this." action={<Button onClick={onClear}>Show all</Button>}>
        <p>Either it never came by here, or it is not the same any more: one changed bit gives another hash.</p>
      </Empty>
    )
  }
  if (narrowed) return <Empty icon="filter" title="No entry passes these filters." action={<Button onClick={onClear}>Show all</Button>} />
  return (
    <Empty icon="ledger" title="Nothing has been recorded yet.">
      <p>Here stands what happened to images, models and devices: received, altered, forwarded, displayed, and who decided what. Guards write it by themselves; devices and programs with</p>
      <pre className="code">asepsis record record.json</pre>
    </Empty>
  )
}
