// SPDX-License-Identifier: Apache-2.0
// Identity: which device has a certificate, which needs somebody, and the ways
// in (enrol) and out (revoke).

import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { ApiError } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { IdentityCertificate, IdentityStatus } from '@/api/types'
import { useMay } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, cx, Empty, ErrorState, Icon, Loading, Menu, Notice, Segmented, Skeleton, time } from '@/ui'
import { GridSkeleton, readTerms, writeTerms } from '@/ui/grid'
import { useNow } from '@/ui/time'
import { count } from '@/ui/units'
import { FilteredGrid } from '../advisories/FilteredGrid'
import '../ledger/ledger.css'
import { fileOf, save } from '../ledger/queries'
import { Authorities } from './Authorities'
import { CertificateView } from './CertificateView'
import { Codes } from './Codes'
import { EnrolDialog } from './EnrolDialog'
import { certFieldName, certFields, certText, certValueName, certValues, columnsOf, countsOf, rowsOf, type Row } from './fields'
import './identity.css'
import { certificates, identityStatus } from './queries'
import { RevokeDialog } from './RevokeDialog'
import { SignDialog } from './SignDialog'
import { overview, ownerOf, type Standing } from './words'

export function IdentityPage() {
  const status = useQuery(identityStatus)
  const now = useNow(10_000)
  const may = useMay()
  const refused = may('identity.edit')
  const [params, setParams] = useURLState()
  const tab = params.get('tab') === 'codes' ? 'codes' : 'certificates'
  const [asking, setAsking] = useState<{ is: 'enrol'; device?: string } | { is: 'sign' } | { is: 'revoke'; c: IdentityCertificate } | null>(null)
  const s = status.data
  const list = useQuery({ ...certificates, enabled: s !== undefined })
  const minute = useNow(60_000)
  const rows = useMemo(() => (list.data ? rowsOf(list.data.certificates, minute) : undefined), [list.data, minute])
  useKeys('Identity', [{ keys: 'n', does: 'Enrol a device', run: () => refused === undefined && setAsking({ is: 'enrol' }) }], s !== undefined)
  if (!s) {
    const none = status.error instanceof ApiError && status.error.status === 404
    return (
      <Page title="Identity" sentence={status.isPending ? <Skeleton width={46} /> : undefined}>
        {status.isPending ? (
          <Loading what="identity"><Skeleton lines={16} /></Loading>
        ) : none ? (
          <Empty icon="key" title="No authority runs here.">
            <p>An authority gives each device one identity: a certificate that it renews by itself, and that can be ended. Make one:</p>
            <pre className="code">asepsis ca init</pre>
          </Empty>
        ) : (
          <ErrorState error={status.error} lost="Identity cannot be shown." kept="Certificates go on being good or not as before." retry={() => void status.refetch()} />
        )}
      </Page>
    )
  }
  const close = () => setAsking(null)
  return (
    <Page
      title="Identity" full sentence={overview(s, now, rows && countsOf(rows))}
      actions={
        <>
          <Button kind="primary" icon="plus" reason={refused} onClick={() => setAsking({ is: 'enrol' })}>Enrol…</Button>
          <Button icon="certificate" reason={refused} onClick={() => setAsking({ is: 'sign' })}>Sign a request…</Button>
          <Menu align="end" label="More" trigger={<Button icon="more" aria-label="More actions" />} entries={[{ label: 'Save the authorities’ certificates', icon: 'download', note: 'What others have to trust (PEM)', run: () => void save('The bundle', () => fileOf('/identity/bundle.pem'), 'asepsis-authorities.pem') }]} />
        </>
      }
    >
      <div className="grid-page id">
        {status.isError && <Notice kind="attention" action={<Button small onClick={() => void status.refetch()}>Try again</Button>}>This is from {time.clock(status.dataUpdatedAt)}: the server did not answer since.</Notice>}
        <Authorities list={s.authorities} />
        <div className="id-tabs">
          <Segmented
            label="What is listed" value={tab} onChange={(v) => setParams((p) => { for (const key of [...p.keys()]) p.delete(key); if (v === 'codes') p.set('tab', 'codes') })}
            options={[{ value: 'certificates', label: 'Certificates' }, { value: 'codes', label: <>Codes <span className="id-n">{count(s.counts.codes)}</span></> }]}
          />
          {tab === 'certificates' && rows && <QuickFilters rows={rows} />}
        </div>
        {tab === 'codes' ? <div className="id-codes"><Codes onEnrol={() => setAsking({ is: 'enrol' })} /></div> : <Certificates s={s} rows={rows} onRevoke={(c) => setAsking({ is: 'revoke', c })} onEnrol={(device) => setAsking({ is: 'enrol', device })} refused={refused} />}
      </div>
      {asking?.is === 'enrol' && <EnrolDialog device={asking.device} onClose={close} />}
      {asking?.is === 'sign' && <SignDialog onClose={close} />}
      {asking?.is === 'revoke' && <RevokeDialog c={asking.c} onClose={close} />}
    </Page>
  )
}

const keep = ['open']
type Quick = { label: string; is?: Standing[]; long?: true }
const quick: Quick[] = [
  { label: 'All' }, { label: 'Good', is: ['good', 'due', 'overdue', 'ending'] }, { label: 'Renewal due', is: ['due', 'overdue'] }, { label: 'Ends soon', is: ['ending', 'overdue'] },
  { label: 'Expired', is: ['expired'] }, { label: 'Revoked', is: ['revoked'] }, { label: 'Long life', long: true },
]

function Certificates({ s, rows, onRevoke, onEnrol, refused }: { s: IdentityStatus; rows: Row[] | undefined; onRevoke: (c: IdentityCertificate) => void; onEnrol: (device?: string) => void; refused: string | undefined }) {
  const list = useQuery(certificates)
  const rooms = useQuery(theatresQuery).data
  const [params, setParams] = useURLState()
  const open = params.get('open') ?? ''
  const theatre = useMemo(() => (id: string) => rooms?.find((t) => t.id === id)?.name ?? id, [rooms])
  const columns = useMemo(() => columnsOf(theatre), [theatre])
  const show = (serial: string) => setParams((p) => { if (serial === '') p.delete('open'); else p.set('open', serial) }, { replace: open !== '' })
  useKeys('Certificates', [{ keys: 'u', does: 'Back to the list', run: () => show('') }], open !== '')
  if (list.isPending && !rows) return <Loading what="certificates"><GridSkeleton columns={7} /></Loading>
  if (!list.data || !rows) return <ErrorState error={list.error} lost="The certificates cannot be listed." kept="They go on being good or not as before." retry={() => void list.refetch()} />
  return (
    <div className={cx('lg-cols', open !== '' && 'lg-open')}>
      <div className="lg-list">
        {list.data.more && <Notice>Not all that ended or were replaced are loaded. Search and filters look at the {count(rows.length)} that are.</Notice>}
        <FilteredGrid
          what="certificates" one="certificate" rows={rows} columns={columns} sort={[{ id: 'is', down: true }, { id: 'ends', down: false }]} fields={certFields} fieldName={certFieldName} values={certValues} valueName={(f, v) => certValueName(f, v, theatre)} text={certText}
          rowId={(c) => c.serial} rowName={(c) => `Certificate of ${ownerOf(c)}`} placeholder="Device, serial number, identity …" keep={keep} clickOpens mark={(c) => (c.serial === open ? 'grid-tr-open' : undefined)} onOpen={(c: Row) => show(c.serial)}
          empty={<Empty icon="certificate" title="No device has a certificate yet." action={<Button icon="plus" kind="primary" reason={refused} onClick={() => onEnrol()}>Enrol a device…</Button>}><p>With one a device proves who it is, to guards and to others. Devices that speak EST renew by themselves{s.est && <> at <span className="mono">{s.est}</span></>}.</p></Empty>}
          noMatch={(clear) => <Empty icon="filter" title="No certificate passes these filters." action={<Button onClick={clear}>Show all</Button>} />}
        />
      </div>
      {open !== '' && <div className="lg-detail"><CertificateView key={open} serial={open} row={rows.find((c) => c.serial === open)} onRevoke={onRevoke} onEnrol={onEnrol} onBack={() => show('')} /></div>}
    </div>
  )
}

/** Counts that are filters: pressed while they hold. */
function QuickFilters({ rows }: { rows: readonly Row[] }) {
  const [params, setParams] = useURLState()
  const terms = readTerms(params, certFields)
  const passesQuick = (q: Quick, c: Row) => (q.is ? q.is.includes(c.is) : q.long ? c.long_life === true : true)
  const holds = (q: Quick) => {
    const is = terms.find((t) => t.field === 'is' && !t.not)?.values ?? []
    const long = terms.some((t) => t.field === 'long' && !t.not && t.values.includes('yes'))
    if (q.is) return is.length === q.is.length && q.is.every((v) => is.includes(v))
    return q.long ? long : is.length === 0 && !long
  }
  const choose = (q: Quick) => setParams((p) => {
    const others = readTerms(p, certFields).filter((t) => t.field !== 'is' && t.field !== 'long')
    p.delete('is')
    p.delete('not')
    writeTerms(p, [...others, ...(q.is ? [{ field: 'is' as const, values: q.is, not: false }] : []), ...(q.long ? [{ field: 'long' as const, values: ['yes'], not: false }] : [])])
    p.delete('open')
  })
  return (
    <div className="id-quick" role="group" aria-label="Quick filters">
      {quick.map((q) => {
        const n = rows.filter((c) => passesQuick(q, c)).length
        const bad = n > 0 && (q.label === 'Ends soon' || q.label === 'Expired')
        return (
          <button key={q.label} type="button" className={cx('id-pill', bad && 'id-pill-bad')} aria-pressed={holds(q)} onClick={() => choose(holds(q) && q.label !== 'All' ? { label: 'All' } : q)}>
            {bad && <Icon name="warning" size={13} />}{q.label} <span className="id-n">{count(n)}</span>
          </button>
        )
      })}
    </div>
  )
}
