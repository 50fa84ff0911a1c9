// SPDX-License-Identifier: Apache-2.0
// What the grid of conversations shows, and what it is narrowed by.

import type { ImagingAssociation } from '@/api/types'
import { Icon, Time } from '@/ui'
import type { Choice, Column } from '@/ui/grid'
import { span } from '@/ui/time'
import { bytes, count } from '@/ui/units'
import { Chip } from './Chip'
import { hostOf } from './flow'
import { encryption, problemName, standing, standingIcon, standingName, type Standing, type Tone } from './words'

export const fields = ['is', 'direction', 'problem', 'peer', 'theatre', 'tls'] as const
export type Field = (typeof fields)[number]
export const fieldName: Record<Field, string> = { is: 'State', direction: 'Direction', problem: 'Problem', peer: 'Peer', theatre: 'Theatre', tls: 'Encryption' }

export const peerOf = (a: ImagingAssociation): string => (a.direction === 'out' ? (a.destination ?? a.called_ae ?? a.address) : (a.device_name ?? a.device ?? a.calling_ae ?? hostOf(a.address)))
const directionName = { in: 'to the gateway', out: 'from the gateway' } as const
const directionSign = { in: 'arrow-down', out: 'arrow-right' } as const

export function valuesOf(a: ImagingAssociation, field: string): readonly string[] {
  switch (field as Field) {
    case 'is': return [standing(a)]
    case 'direction': return [a.direction]
    case 'problem': return a.problem ? [a.problem] : []
    case 'peer': return [peerOf(a)]
    case 'theatre': return a.theatre ? [a.theatre] : []
    case 'tls': return [a.tls ?? '']
  }
}
export function valueName(field: Field, v: string, theatre: (id: string) => string): string {
  switch (field) {
    case 'is': return standingName[v as Standing] ?? v
    case 'direction': return directionName[v as 'in' | 'out'] ?? v
    case 'problem': return v === '' ? 'none' : problemName(v)
    case 'theatre': return v === '' ? 'none' : theatre(v)
    case 'tls': return encryption(v)
    case 'peer': return v
  }
}
export const textOf = (a: ImagingAssociation): string =>
  [peerOf(a), a.device, a.calling_ae, a.called_ae, a.address, a.listener, a.destination, a.problem && problemName(a.problem), a.what, a.doing, a.id].filter(Boolean).join('\n').toLowerCase()

const tone: Record<Standing, Tone> = { open: 'ok', ended: 'quiet', problem: 'high' }
const rank: Record<Standing, number> = { problem: 2, open: 1, ended: 0 }
const none = <span className="grid-none">–</span>

export function columnsOf(theatre: (id: string) => string, now: number): Column<ImagingAssociation>[] {
  const choice = (field: Field, value: string): Choice => ({ field, value, label: `${fieldName[field]}: ${valueName(field, value, theatre)}` })
  const cut = (text: string | undefined) => (text ? <span className="grid-cut" title={text}>{text}</span> : none)
  return [
    { id: 'since', label: 'Began', width: 82, downFirst: true, value: (a) => a.since, render: (a) => <Time at={a.since} as="short" plain /> },
    { id: 'is', label: 'State', width: 96, value: (a) => standingName[standing(a)], order: (a) => rank[standing(a)], choices: (a) => [choice('is', standing(a))], render: (a) => <Chip tone={tone[standing(a)]} icon={standingIcon[standing(a)]}>{standingName[standing(a)]}</Chip> },
    { id: 'peer', label: 'Peer', width: 150, fixed: true, value: peerOf, choices: (a) => [choice('peer', peerOf(a))], render: (a) => <span className="grid-cut" title={peerOf(a)}><strong className="im-peer">{peerOf(a)}</strong></span> },
    { id: 'what', label: 'What', width: 220, grow: true, value: (a) => (a.problem ? (a.what ?? problemName(a.problem)) : (a.doing ?? '')), render: (a) => (a.problem ? <span className="grid-cut im-warn" title={a.what}>{problemName(a.problem)}{a.what && a.what !== '' ? <span className="quiet">: {a.what}</span> : null}</span> : cut(a.doing)) },
    { id: 'direction', label: 'Way', width: 62, value: (a) => directionName[a.direction], choices: (a) => [choice('direction', a.direction)], render: (a) => <span className="im-way" title={directionName[a.direction]}><Icon name={directionSign[a.direction]} size={13} />{a.direction}</span> },
    { id: 'aes', label: 'AE titles', width: 176, about: 'Calling, then called', value: (a) => [a.calling_ae, a.called_ae].filter(Boolean).join(' → '), render: (a) => (a.way === 'dicomweb' ? <span className="quiet">DICOMweb</span> : <span className="grid-cut mono">{[a.calling_ae, a.called_ae].filter(Boolean).join(' → ') || '–'}</span>) },
    { id: 'instances', label: 'Images', width: 76, align: 'end', downFirst: true, value: (a) => a.instances, render: (a) => count(a.instances) },
    { id: 'bytes', label: 'Bytes', width: 92, align: 'end', hidden: true, downFirst: true, value: (a) => a.bytes, render: (a) => bytes(a.bytes) },
    { id: 'lasted', label: 'Lasted', width: 82, align: 'end', downFirst: true, value: (a) => (a.ended ? Date.parse(a.ended) : now) - Date.parse(a.since), render: (a) => span((a.ended ? Date.parse(a.ended) : now) - Date.parse(a.since)) },
    { id: 'tls', label: 'Encryption', width: 96, value: (a) => encryption(a.tls), choices: (a) => [choice('tls', a.tls ?? '')], render: (a) => (a.tls ? encryption(a.tls) : <span className="im-warn">in clear</span>) },
    { id: 'address', label: 'Address', width: 140, hidden: true, value: (a) => a.address, render: (a) => <span className="grid-cut mono">{a.address}</span> },
    { id: 'theatre', label: 'Theatre', width: 104, value: (a) => (a.theatre ? theatre(a.theatre) : ''), choices: (a) => (a.theatre ? [choice('theatre', a.theatre)] : []), render: (a) => cut(a.theatre && theatre(a.theatre)) },
    { id: 'listener', label: 'Door', width: 120, hidden: true, value: (a) => a.listener ?? '', render: (a) => cut(a.listener) },
    { id: 'operations', label: 'Operations', width: 96, align: 'end', hidden: true, downFirst: true, value: (a) => a.operations, render: (a) => count(a.operations) },
    { id: 'id', label: 'ID', width: 130, hidden: true, value: (a) => a.id, render: (a) => <span className="grid-cut mono">{a.id}</span> },
  ]
}
