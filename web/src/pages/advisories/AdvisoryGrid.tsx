// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import type { AdvisoryRow } from '@/api/types'
import { Button, Empty, ErrorState, Loading, SeverityShape, severityName, severityRank } from '@/ui'
import { GridSkeleton, type Column } from '@/ui/grid'
import { count } from '@/ui/units'
import { advisoryFieldName, advisoryFields, advisoryText, advisoryValueName, advisoryValues, verdictRank, worstOf, type AdvisoryField } from './fields'
import { FilteredGrid } from './FilteredGrid'
import { advisoryList } from './queries'
import { Exploited, Verdict } from './Verdict'

const none = <span className="grid-none">–</span>
const choice = (field: AdvisoryField, value: string) => ({ field, value, label: `${advisoryFieldName[field]}: ${advisoryValueName(field, value)}` })
const columns: Column<AdvisoryRow>[] = [
  { id: 'title', label: 'Advisory', width: 300, grow: true, fixed: true, value: (a) => a.title, render: (a) => <Link to="/advisories/$id" params={{ id: a.id }} className="grid-cut ad-title" title={`${a.title}\n${a.id}`} tabIndex={-1}>{a.title}</Link> },
  { id: 'id', label: 'ID', width: 142, value: (a) => a.id, render: (a) => <span className="grid-cut mono">{a.id}</span> },
  {
    id: 'verdict', label: 'Here', width: 116, downFirst: true, about: 'The worst verdict for a device here, as decided', value: (a) => advisoryValueName('verdict', worstOf(a)),
    order: (a) => verdictRank[worstOf(a)] * 100 + (a.exploited ? 50 : 0) + severityRank[a.severity], choices: (a) => [choice('verdict', worstOf(a))],
    render: (a) => { const w = worstOf(a); return w === 'none' ? none : <Verdict is={w} /> },
  },
  { id: 'devices', label: 'Devices', width: 104, align: 'end', downFirst: true, about: 'Affected, and not known', value: (a) => a.affected, order: (a) => a.affected * 1000 + a.unknown, render: (a) => (a.affected + a.unknown === 0 ? none : <span>{count(a.affected)}{a.unknown > 0 && <span className="grid-none"> + {count(a.unknown)}?</span>}</span>) },
  { id: 'severity', label: 'Severity', width: 100, downFirst: true, value: (a) => severityName[a.severity], order: (a) => severityRank[a.severity] * 100 + a.cvss, choices: (a) => [choice('severity', a.severity)], render: (a) => <span className={`ad-sev sev-${a.severity}`}><SeverityShape level={a.severity} /> {severityName[a.severity]}</span> },
  { id: 'cvss', label: 'CVSS', width: 58, align: 'end', downFirst: true, value: (a) => a.cvss, render: (a) => (a.cvss === 0 ? none : <span>{a.cvss.toFixed(1)}</span>) },
  { id: 'exploited', label: 'Exploited', width: 100, downFirst: true, value: (a) => (a.exploited ? 'exploited' : ''), order: (a) => (a.exploited ? 1 : 0), choices: (a) => [choice('exploited', a.exploited ? 'yes' : 'no')], render: (a) => (a.exploited ? <Exploited due={a.due} /> : none) },
  { id: 'vendors', label: 'Manufacturer', width: 160, value: (a) => a.vendors, choices: (a) => a.vendors.map((v) => choice('vendor', v)), render: (a) => (a.vendors.length === 0 ? none : <span className="grid-cut" title={a.vendors.join(', ')}>{a.vendors.join(', ')}</span>) },
  { id: 'cves', label: 'CVEs', width: 150, hidden: true, value: (a) => a.cves, render: (a) => <span className="grid-cut mono" title={a.cves.join('\n')}>{a.cves.join(', ')}</span> },
  { id: 'decided', label: 'Decided', width: 78, align: 'end', downFirst: true, value: (a) => a.decided, choices: (a) => [choice('decided', a.decided > 0 ? 'yes' : 'no')], render: (a) => (a.decided === 0 ? none : <span>{count(a.decided)}</span>) },
  { id: 'updated', label: 'Updated', width: 92, downFirst: true, value: (a) => a.updated, order: (a) => Date.parse(a.updated), render: (a) => <span className="nowrap">{a.updated.slice(0, 10)}</span> },
]

export function AdvisoryGrid() {
  const list = useQuery(advisoryList)
  const navigate = useNavigate()
  if (list.isPending) return <Loading what="advisories"><GridSkeleton columns={8} /></Loading>
  if (!list.data) return <ErrorState error={list.error} lost="The advisories cannot be shown." kept="The index is part of the program, and what was decided is kept." retry={() => void list.refetch()} />
  return (
    <FilteredGrid
      what="advisories" one="advisory" rows={list.data.advisories} columns={columns} sort={[{ id: 'verdict', down: true }]} fields={advisoryFields} fieldName={advisoryFieldName} values={advisoryValues} valueName={advisoryValueName} text={advisoryText}
      rowId={(a) => a.id} rowName={(a) => a.title} placeholder="CVE, product, manufacturer …"
      onOpen={(a, newTab) => (newTab ? void window.open(`/advisories/${encodeURIComponent(a.id)}`, '_blank', 'noopener') : void navigate({ to: '/advisories/$id', params: { id: a.id } }))}
      empty={<Empty icon="certificate" title="There is no advisory in the index."><p>The index is shipped with the program. <code>asepsis knowledge update</code> brings a newer one, without a connection to anywhere.</p></Empty>}
      noMatch={(clear) => <Empty icon="filter" title="No advisory passes these filters." action={<Button onClick={clear}>Show all</Button>} />}
    />
  )
}
