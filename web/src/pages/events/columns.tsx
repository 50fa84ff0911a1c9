// SPDX-License-Identifier: Apache-2.0
// The columns of the events grid. Their order is the time's: a part of what
// matches is loaded, so other columns could only be sorted by half.

import { Link } from '@tanstack/react-router'
import type { EventEnd, EventField, EventRow } from '@/api/types'
import { severityName, SeverityShape, time } from '@/ui'
import type { Choice, Column } from '@/ui/grid'
import { fieldNames } from './query'

const none = <span className="grid-none">–</span>
const choice = (field: EventField, value: string, label: string): Choice => ({ field, value, label: `${fieldNames[field]}: ${label === '' ? 'none' : label}` })

function endText(e: EventEnd | null): string {
  return e ? e.name || e.ip || e.mac : ''
}
function endChoices(e: EventEnd | null, side: 'src' | 'dst'): Choice[] {
  if (!e) return []
  const out: Choice[] = []
  if (e.device !== '') out.push(choice(`${side}_device`, e.device, e.name || e.device), choice('device', e.device, e.name || e.device))
  if (e.ip !== '') out.push(choice(`${side}_ip`, e.ip, e.ip))
  return out
}
function End({ end }: { end: EventEnd | null }) {
  if (!end || endText(end) === '') return none
  const whole = [end.name, end.ip && end.port ? `${end.ip}:${end.port}` : end.ip, end.mac].filter(Boolean).join('\n')
  return <span className={end.name ? 'grid-cut' : 'grid-cut mono'} title={whole}>{endText(end)}</span>
}

export function eventColumns(theatre: (id: string) => string, manyDays: boolean): Column<EventRow>[] {
  return [
    {
      id: 'time', label: 'Time', width: manyDays ? 122 : 104, fixed: true, value: (e) => e.time,
      render: (e) => <time dateTime={e.time} title={time.absolute(e.time, { millis: true })} className="ev-time">{manyDays && <span className="grid-none">{time.short(e.time, 0).replace(/ \d\d:\d\d$/, '')} </span>}{time.clock(e.time, { millis: !manyDays })}</time>,
    },
    {
      id: 'severity', label: 'Severity', width: 82, sortable: false, value: (e) => severityName[e.severity], choices: (e) => [choice('severity', e.severity, severityName[e.severity])],
      render: (e) => <span className={`ev-sev${e.severity === 'info' || e.severity === 'unknown' ? ' grid-none' : ''}`}><SeverityShape level={e.severity} />{severityName[e.severity]}</span>,
    },
    { id: 'protocol', label: 'Protocol', width: 74, sortable: false, value: (e) => e.protocol, choices: (e) => [choice('protocol', e.protocol, e.protocol)], render: (e) => (e.protocol === '' ? none : <span className="grid-cut">{e.protocol}</span>) },
    {
      id: 'message', label: 'What happened', width: 260, grow: true, sortable: false, value: (e) => e.message || `${e.class_name}: ${e.activity_name}`,
      render: (e) => <span className="grid-cut" title={e.message}>{e.message || `${e.class_name}: ${e.activity_name}`}</span>,
    },
    { id: 'from', label: 'From', width: 122, sortable: false, value: (e) => endText(e.src), choices: (e) => endChoices(e.src, 'src'), render: (e) => <End end={e.src} /> },
    { id: 'to', label: 'To', width: 122, sortable: false, value: (e) => endText(e.dst), choices: (e) => endChoices(e.dst, 'dst'), render: (e) => <End end={e.dst} /> },
    { id: 'theatre', label: 'Theatre', width: 88, sortable: false, value: (e) => (e.theatre === '' ? '' : theatre(e.theatre)), choices: (e) => [choice('theatre', e.theatre, e.theatre === '' ? '' : theatre(e.theatre))], render: (e) => (e.theatre === '' ? none : <span className="grid-cut">{theatre(e.theatre)}</span>) },
    {
      id: 'status', label: 'Result', width: 72, sortable: false, value: (e) => (e.status === 'unknown' ? '' : e.status), choices: (e) => [choice('status', e.status, e.status)],
      render: (e) => (e.status === 'unknown' ? none : <span className={e.status === 'failure' ? 'ev-failure' : undefined}>{e.status === 'failure' ? 'failed' : 'success'}</span>),
    },
    { id: 'kind', label: 'Kind', width: 170, hidden: true, sortable: false, value: (e) => e.class_name, choices: (e) => [choice('class', String(e.class), e.class_name)], render: (e) => <span className="grid-cut">{e.class_name}</span> },
    { id: 'activity', label: 'Activity', width: 120, hidden: true, sortable: false, value: (e) => e.activity_name, choices: (e) => [choice('activity', `${e.class}/${e.activity}`, e.activity_name)], render: (e) => <span className="grid-cut">{e.activity_name}</span> },
    { id: 'src_ip', label: 'From address', width: 170, hidden: true, sortable: false, value: (e) => address(e.src), choices: (e) => (e.src?.ip ? [choice('src_ip', e.src.ip, e.src.ip)] : []), render: (e) => <Address end={e.src} /> },
    { id: 'dst_ip', label: 'To address', width: 170, hidden: true, sortable: false, value: (e) => address(e.dst), choices: (e) => (e.dst?.ip ? [choice('dst_ip', e.dst.ip, e.dst.ip)] : []), render: (e) => <Address end={e.dst} /> },
    { id: 'sensor', label: 'Sensor', width: 110, hidden: true, sortable: false, value: (e) => e.sensor, choices: (e) => [choice('sensor', e.sensor, e.sensor)], render: (e) => <span className="grid-cut">{e.sensor}</span> },
    { id: 'id', label: 'Number', width: 110, hidden: true, sortable: false, about: 'The number of the event in the store', value: (e) => e.id, render: (e) => <span className="mono grid-cut">{e.id}</span> },
  ]
}

function address(e: EventEnd | null): string {
  return !e || e.ip === '' ? '' : e.port > 0 ? `${e.ip.includes(':') ? `[${e.ip}]` : e.ip}:${e.port}` : e.ip
}
const Address = ({ end }: { end: EventEnd | null }) => (address(end) === '' ? none : <span className="mono grid-cut" title={address(end)}>{address(end)}</span>)

export function DeviceLink({ end }: { end: EventEnd | null }) {
  if (!end) return none
  return end.device.startsWith('dev-') ? <Link to="/devices/$id" params={{ id: end.device }}>{endText(end)}</Link> : <span className="mono">{endText(end)}</span>
}
