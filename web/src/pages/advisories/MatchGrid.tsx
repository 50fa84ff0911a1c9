// SPDX-License-Identifier: Apache-2.0
// Each advisory that concerns a device, device by device.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { theatres as theatresQuery } from '@/api/queries'
import type { AdvisoryMatch } from '@/api/types'
import { Button, ClassIcon, Empty, ErrorState, Loading, Notice, SeverityShape, severityName, severityRank } from '@/ui'
import { GridSkeleton, type Column } from '@/ui/grid'
import { count } from '@/ui/units'
import { classNames } from '../devices/classes'
import { DecideDialog } from './DecideDialog'
import { matchFieldName, matchFields, matchText, matchValueName, matchValues, statusName, verdictName, verdictRank, type MatchField, type Names } from './fields'
import { FilteredGrid } from './FilteredGrid'
import { MatchDialog } from './MatchDialog'
import { advisoryMatches } from './queries'
import { Exploited, Verdict } from './Verdict'

const none = <span className="grid-none">–</span>
const keep = ['by']
const rowId = (m: AdvisoryMatch) => `${m.device} ${m.advisory} ${m.product}`

function matchColumns(names: Names): Column<AdvisoryMatch>[] {
  const choice = (field: MatchField, value: string) => ({ field, value, label: `${matchFieldName[field]}: ${matchValueName(field, value, names)}` })
  return [
    {
      id: 'device', label: 'Device', width: 170, fixed: true, value: (m) => m.device_name, choices: (m) => [choice('device', m.device)],
      render: (m) => <><span className="ad-icon"><ClassIcon class={m.device_class} label={names.class(m.device_class)} /></span><Link to="/devices/$id" params={{ id: m.device }} className="grid-cut ad-title" title={m.device_name} tabIndex={-1}>{m.device_name}</Link></>,
    },
    { id: 'theatre', label: 'Theatre', width: 90, value: (m) => (m.theatre === '' ? '' : names.theatre(m.theatre)), choices: (m) => [choice('theatre', m.theatre)], render: (m) => (m.theatre === '' ? none : <span className="grid-cut">{names.theatre(m.theatre)}</span>) },
    { id: 'verdict', label: 'Verdict', width: 118, downFirst: true, value: (m) => verdictName[m.verdict], order: (m) => verdictRank[m.verdict] * 1000 + (m.exploited ? 500 : 0) + severityRank[m.severity] * 10, choices: (m) => [choice('verdict', m.verdict)], render: (m) => <Verdict is={m.verdict} /> },
    { id: 'sure', label: 'Sure', width: 62, align: 'end', downFirst: true, value: (m) => m.confidence, render: (m) => <span>{m.confidence}{'\u00a0'}%</span> },
    { id: 'title', label: 'Advisory', width: 260, grow: true, value: (m) => m.title, choices: (m) => [choice('advisory', m.advisory)], render: (m) => <span className="grid-cut" title={`${m.title}\n${m.advisory}`}>{m.title}</span> },
    { id: 'severity', label: 'Severity', width: 100, downFirst: true, value: (m) => severityName[m.severity], order: (m) => severityRank[m.severity] * 100 + m.cvss, choices: (m) => [choice('severity', m.severity)], render: (m) => <span className={`ad-sev sev-${m.severity}`}><SeverityShape level={m.severity} /> {severityName[m.severity]}</span> },
    { id: 'exploited', label: 'Exploited', width: 100, downFirst: true, value: (m) => (m.exploited ? 'exploited' : ''), choices: (m) => [choice('exploited', m.exploited ? 'yes' : 'no')], render: (m) => (m.exploited ? <Exploited due={m.due} /> : none) },
    { id: 'missing', label: 'What is missing', width: 190, value: (m) => m.missing, render: (m) => (m.missing.length === 0 ? none : <span className="grid-cut" title={m.missing.join('\n')}>{m.missing.join('; ')}</span>) },
    { id: 'decision', label: 'Decided', width: 110, value: (m) => (m.decision ? statusName[m.decision.status] : ''), choices: (m) => [choice('decided', m.decision ? 'yes' : 'no')], render: (m) => (m.decision ? <span title={`${m.decision.reason} (${m.decision.who})`}>{statusName[m.decision.status]}{m.decision.expired && <span className="grid-none"> over</span>}</span> : none) },
    { id: 'cves', label: 'CVEs', width: 150, hidden: true, value: (m) => m.cves, render: (m) => <span className="grid-cut mono" title={m.cves.join('\n')}>{m.cves.join(', ')}</span> },
    { id: 'id', label: 'Advisory ID', width: 142, hidden: true, value: (m) => m.advisory, render: (m) => <span className="grid-cut mono">{m.advisory}</span> },
  ]
}

export function MatchGrid() {
  const list = useQuery(advisoryMatches)
  const rooms = useQuery(theatresQuery)
  const [open, setOpen] = useState<AdvisoryMatch | null>(null)
  const [deciding, setDeciding] = useState<AdvisoryMatch | null>(null)
  const all = list.data?.matches
  const names = useMemo<Names>(() => {
    const theatres = new Map((rooms.data ?? []).map((t) => [t.id, t.name]))
    const devices = new Map((all ?? []).map((m) => [m.device, m.device_name]))
    return { theatre: (id) => theatres.get(id) ?? id, device: (id) => devices.get(id) ?? id, class: (c) => classNames[c] ?? c }
  }, [rooms.data, all])
  const columns = useMemo(() => matchColumns(names), [names])
  if (list.isPending) return <Loading what="what concerns devices"><GridSkeleton columns={8} /></Loading>
  if (!all || !list.data) return <ErrorState error={list.error} lost="What concerns devices here cannot be shown." kept="What was decided is kept." retry={() => void list.refetch()} />
  return (
    <>
      {list.data.total > all.length && <Notice>Only the worst {count(all.length)} of {count(list.data.total)} are loaded.</Notice>}
      <FilteredGrid
        what="matches" one="match" rows={all} columns={columns} sort={[{ id: 'verdict', down: true }]} fields={matchFields} fieldName={matchFieldName} values={matchValues} valueName={(f, v) => matchValueName(f, v, names)} text={matchText}
        rowId={rowId} rowName={(m) => `${m.device_name}: ${m.title}`} placeholder="Device, CVE, product …" keep={keep} onOpen={(m) => setOpen(m)}
        empty={<Empty icon="shield-check" title="No advisory concerns a device here."><p>Vendor, model and version of each device are compared as they become known. What is not known is said, device by device.</p></Empty>}
        noMatch={(clear) => <Empty icon="filter" title="Nothing passes these filters." action={<Button onClick={clear}>Show all</Button>} />}
      />
      {open && <MatchDialog match={open} theatre={names.theatre} onDecide={() => { setDeciding(open); setOpen(null) }} onClose={() => setOpen(null)} />}
      {deciding && <DecideDialog match={deciding} onClose={() => setDeciding(null)} />}
    </>
  )
}
