// SPDX-License-Identifier: Apache-2.0
// The columns of the devices grid.

import { Link } from '@tanstack/react-router'
import type { DeviceRow } from '@/api/types'
import { ClassIcon, Icon, SeverityShape, severityName, Time } from '@/ui'
import type { Column } from '@/ui/grid'
import { attributeName, certificateName, choice, criticalityName, criticalityRank, riskRank, seenBucket, type DeviceField, type Names } from './fields'

const none = <span className="grid-none">–</span>

export function deviceColumns(names: Names, now: () => number): Column<DeviceRow>[] {
  const text = (id: string, label: string, width: number, value: (d: DeviceRow) => string, field: DeviceField, extra: Partial<Column<DeviceRow>> = {}): Column<DeviceRow> => ({
    id, label, width, value,
    choices: (d) => [choice(field, value(d), names)],
    render: (d) => (value(d) === '' ? none : <span className="grid-cut" title={value(d)}>{value(d)}</span>),
    ...extra,
  })
  const mono = (id: string, label: string, width: number, value: (d: DeviceRow) => readonly string[] | string, about?: string): Column<DeviceRow> => ({
    id, label, width, about, hidden: true, value,
    render: (d) => {
      const all = ([] as string[]).concat(value(d)).filter((v) => v !== '')
      return all.length === 0 ? none : <span className="grid-cut mono" title={all.join('\n')}>{all.join(', ')}</span>
    },
  })
  const person = (d: DeviceRow, attribute: string) =>
    d.by_person.includes(attribute) && <span className="dev-person" title={`The ${attributeName[attribute] ?? attribute} was set by a person`}><Icon name="user" size={12} label={`${attributeName[attribute] ?? attribute} set by a person`} /></span>

  return [
    {
      id: 'name', label: 'Name', width: 180, grow: true, fixed: true, value: (d) => d.name,
      render: (d) => (
        <>
          <span className="dev-icon"><ClassIcon class={d.class} label={d.class_name} /></span>
          <Link to="/devices/$id" params={{ id: d.id }} className="grid-cut dev-name" title={d.name} tabIndex={-1}>{d.name}</Link>
          {person(d, 'name')}
        </>
      ),
    },
    text('class', 'Class', 140, (d) => d.class_name, 'class', {
      about: 'What it is for, as far as its traffic tells. A pale question mark: less than 60 % sure.',
      choices: (d) => [choice('class', d.class, names)],
      render: (d) => (
        <>
          <span className="grid-cut" title={`${d.class_name}, ${d.confidence} % sure`}>{d.class_name}</span>
          {d.class !== 'unknown' && d.confidence < 60 && <span className="grid-none" title={`${d.confidence} % sure`}>?</span>}
          {person(d, 'class')}
        </>
      ),
    }),
    {
      id: 'product', label: 'Vendor, model', width: 164, value: (d) => [d.vendor, d.model].filter(Boolean).join(' '),
      choices: (d) => [...(d.vendor ? [choice('vendor', d.vendor, names)] : []), ...(d.model ? [choice('model', d.model, names)] : []), ...(d.vendor || d.model ? [] : [choice('vendor', '', names)])],
      render: (d) => (d.vendor || d.model ? <span className="grid-cut" title={`${d.vendor} ${d.model}`}>{d.vendor} <span className="dev-model">{d.model}</span></span> : none),
    },
    ...(names.site('') === '' ? [] : [text('site', 'Site', 96, (d) => names.site(d.site), 'site', { choices: (d) => [choice('site', d.site, names)] })]),
    {
      id: 'theatre', label: 'Theatre', width: 88, value: (d) => (d.theatre === '' ? '' : names.theatre(d.theatre)),
      choices: (d) => [choice('theatre', d.theatre, names)],
      render: (d) => (d.theatre === '' ? none : <><span className="grid-cut">{names.theatre(d.theatre)}</span>{person(d, 'theatre')}</>),
    },
    text('zone', 'Zone', 80, (d) => d.zone, 'zone'),
    {
      id: 'last', label: 'Last seen', width: 94, downFirst: true, value: (d) => d.last, order: (d) => Date.parse(d.last),
      choices: (d) => [choice('seen', seenBucket(d.last, now()), names)],
      render: (d) => <Time at={d.last} plain />,
    },
    {
      id: 'risk', label: 'Risk', width: 92, downFirst: true, about: 'The worst open finding. Among equals, what is more critical to care comes first.',
      value: (d) => (d.worst === 'unknown' ? '' : severityName[d.worst]), order: riskRank,
      choices: (d) => [choice('worst', d.worst, names)],
      render: (d) =>
        d.worst === 'unknown' ? none : (
          <span className="dev-worst" title={`${d.findings} open, the worst is ${severityName[d.worst].toLowerCase()}`}>
            <SeverityShape level={d.worst} /> {severityName[d.worst]}
            {d.findings > 1 && <span className="grid-none">{d.findings}</span>}
          </span>
        ),
    },
    {
      id: 'criticality', label: 'Criticality', width: 116, downFirst: true, about: 'How critical it is to care, as a person set it.',
      value: (d) => (d.criticality === '' ? '' : (criticalityName[d.criticality] ?? d.criticality)), order: (d) => criticalityRank[d.criticality] ?? 0,
      choices: (d) => [choice('criticality', d.criticality, names)],
      render: (d) => (d.criticality === '' ? none : <span className={`dev-crit dev-crit-${d.criticality}`}>{criticalityName[d.criticality]}</span>),
    },
    {
      id: 'certificate', label: 'Certificate', width: 94, value: (d) => (d.certificate === '' ? '' : (certificateName[d.certificate] ?? d.certificate)),
      choices: (d) => [choice('certificate', d.certificate, names)],
      render: (d) =>
        d.certificate === '' ? none : (
          <span className={`dev-cert dev-cert-${d.certificate}`}>
            <Icon name={d.certificate === 'valid' ? 'certificate' : 'warning'} size={13} />
            {certificateName[d.certificate] ?? d.certificate}
          </span>
        ),
    },
    {
      id: 'speaks', label: 'Speaks', width: 150, value: (d) => d.speaks,
      choices: (d) => (d.speaks.length === 0 ? [choice('speaks', '', names)] : d.speaks.map((s) => choice('speaks', s, names))),
      render: (d) => (d.speaks.length === 0 ? none : <span className="grid-cut" title={d.speaks.join(', ')}>{d.speaks.join(', ')}</span>),
    },
    mono('ips', 'IP addresses', 140, (d) => d.ips),
    mono('macs', 'MAC addresses', 150, (d) => d.macs),
    mono('ae', 'AE titles', 130, (d) => d.ae_titles, 'DICOM application entity titles'),
    mono('serial', 'Serial number', 130, (d) => d.serial),
    text('os', 'Operating system', 150, (d) => d.os, 'os', { hidden: true }),
    text('firmware', 'Firmware', 120, (d) => d.firmware, 'firmware', { hidden: true }),
    {
      id: 'vlans', label: 'VLANs', width: 80, hidden: true, value: (d) => d.vlans.map(String), order: (d) => d.vlans[0] ?? null,
      choices: (d) => d.vlans.map((v) => choice('vlan', String(v), names)),
      render: (d) => (d.vlans.length === 0 ? none : <span className="grid-cut">{d.vlans.join(', ')}</span>),
    },
    {
      id: 'confidence', label: 'Sure of class', width: 100, align: 'end', hidden: true, downFirst: true, value: (d) => d.confidence,
      render: (d) => <span>{d.confidence}{'\u00a0'}%</span>,
    },
    {
      id: 'findings', label: 'Findings', width: 85, align: 'end', hidden: true, downFirst: true, value: (d) => d.findings, choices: (d) => [choice('worst', d.worst, names)],
    },
    {
      id: 'conflicts', label: 'Conflicts', width: 85, align: 'end', hidden: true, downFirst: true, about: 'Where the evidence disagrees with itself.', value: (d) => d.conflicts,
      choices: (d) => [choice('conflict', d.conflicts > 0 ? 'yes' : 'no', names)],
    },
    { id: 'first', label: 'First seen', width: 110, hidden: true, downFirst: true, value: (d) => d.first, order: (d) => Date.parse(d.first), render: (d) => <Time at={d.first} plain /> },
    {
      id: 'edited', label: 'Set by a person', width: 130, hidden: true, value: (d) => d.by_person.map((a) => attributeName[a] ?? a),
      choices: (d) => (d.by_person.length === 0 ? [choice('edited', '', names)] : d.by_person.map((a) => choice('edited', a, names))),
    },
    mono('id', 'Device ID', 190, (d) => d.id),
  ]
}
