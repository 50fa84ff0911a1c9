// SPDX-License-Identifier: Apache-2.0
// What the grids of studies and of images show, and what they are narrowed by.

import type { ImagingInstance, ImagingStudy } from '@/api/types'
import { Time } from '@/ui'
import type { Choice, Column } from '@/ui/grid'
import { bytes, count } from '@/ui/units'
import { Chip, CustodyChip, DeliveryChip, StateChip, VerdictChip } from './Chip'
import { className, custodyName, deliveryName, deliverySum, stateName, verdictName, verdictRank, type ImagingCustody } from './words'

export const instanceFields = ['state', 'verdict', 'delivery', 'destination', 'device', 'theatre', 'modality', 'rule'] as const
export type InstanceField = (typeof instanceFields)[number]
export const instanceFieldName: Record<InstanceField, string> = { state: 'State', verdict: 'Verdict', delivery: 'Delivery', destination: 'Destination', device: 'From', theatre: 'Theatre', modality: 'Modality', rule: 'Rule' }

export interface Names { theatre: (id: string) => string; device: (id: string) => string }

export function instanceValues(r: ImagingInstance, field: string): readonly string[] {
  switch (field as InstanceField) {
    case 'state': return [r.state]
    case 'verdict': return [r.verdict]
    case 'delivery': return [...new Set((r.deliveries ?? []).map((d) => d.state))]
    case 'destination': return (r.deliveries ?? []).map((d) => d.destination)
    case 'device': return r.sender.device ? [r.sender.device] : []
    case 'theatre': return r.sender.theatre ? [r.sender.theatre] : []
    case 'modality': return r.modality ? [r.modality] : []
    case 'rule': return [...new Set((r.hits ?? []).map((h) => h.rule))]
  }
}
export function instanceValueName(f: InstanceField, v: string, names: Names): string {
  if (v === '') return 'none'
  switch (f) {
    case 'state': return stateName[v as ImagingInstance['state']] ?? v
    case 'verdict': return verdictName[v as ImagingInstance['verdict']] ?? v
    case 'delivery': return deliveryName[v as keyof typeof deliveryName] ?? v
    case 'device': return names.device(v)
    case 'theatre': return names.theatre(v)
    default: return v
  }
}
export const instanceText = (r: ImagingInstance): string =>
  [r.modality, className(r.sop_class), r.device_name, r.sender.device, r.sender.calling_ae, r.study_description, r.sop_instance, r.study, r.series, r.data_set, r.pixel, String(r.number), ...(r.deliveries ?? []).map((d) => d.destination)].filter(Boolean).join('\n').toLowerCase()

const none = <span className="grid-none">–</span>
const uid = (v: string) => <span className="grid-cut mono" title={v}>{v}</span>

export function instanceColumns(names: Names, inStudy: boolean): Column<ImagingInstance>[] {
  const choice = (f: InstanceField, v: string): Choice => ({ field: f, value: v, label: `${instanceFieldName[f]}: ${instanceValueName(f, v, names)}` })
  const all: Column<ImagingInstance>[] = [
    { id: 'received', label: 'Received', width: 108, downFirst: true, value: (r) => r.received, render: (r) => <Time at={r.received} as="short" plain /> },
    { id: 'modality', label: 'What', width: 130, fixed: true, value: (r) => r.modality || className(r.sop_class), choices: (r) => (r.modality ? [choice('modality', r.modality)] : []), render: (r) => <span className="grid-cut" title={className(r.sop_class)}><strong className="im-peer">{r.modality || '–'}</strong> <span className="quiet">{className(r.sop_class) === r.sop_class || className(r.sop_class) === r.modality ? '' : className(r.sop_class)}</span></span> },
    { id: 'device', label: 'From', width: 150, value: (r) => r.device_name ?? r.sender.device, choices: (r) => (r.sender.device ? [choice('device', r.sender.device)] : []), render: (r) => <span className="grid-cut">{r.device_name ?? (r.sender.device || r.sender.calling_ae || r.sender.address)}</span> },
    { id: 'state', label: 'State', width: 152, value: (r) => stateName[r.state], choices: (r) => [choice('state', r.state)], render: (r) => <StateChip state={r.state} /> },
    { id: 'verdict', label: 'Verdict', width: 112, value: (r) => verdictName[r.verdict], order: (r) => verdictRank[r.verdict], choices: (r) => [choice('verdict', r.verdict)], render: (r) => <VerdictChip verdict={r.verdict} /> },
    { id: 'delivery', label: 'Delivery', width: 148, value: (r) => deliverySum(r.deliveries)?.word ?? '', choices: (r) => instanceValues(r, 'delivery').map((v) => choice('delivery', v)), render: (r) => <DeliveryChip of={r} /> },
    { id: 'custody', label: 'Proof', width: 118, value: (r) => (r.custody ? custodyName[r.custody] : ''), render: (r) => <CustodyChip state={r.custody} /> },
    { id: 'sop', label: 'SOP instance', width: 220, grow: true, value: (r) => r.sop_instance, render: (r) => uid(r.sop_instance) },
    { id: 'bytes', label: 'Size', width: 86, align: 'end', downFirst: true, value: (r) => r.bytes, render: (r) => bytes(r.bytes) },
    { id: 'number', label: 'Number', width: 84, align: 'end', downFirst: true, value: (r) => r.number },
    { id: 'theatre', label: 'Theatre', width: 104, hidden: inStudy, value: (r) => (r.sender.theatre ? names.theatre(r.sender.theatre) : ''), choices: (r) => (r.sender.theatre ? [choice('theatre', r.sender.theatre)] : []), render: (r) => (r.sender.theatre ? <span className="grid-cut">{names.theatre(r.sender.theatre)}</span> : none) },
    { id: 'study', label: 'Study', width: 200, hidden: true, value: (r) => r.study, render: (r) => uid(r.study) },
    { id: 'series', label: 'Series', width: 200, hidden: true, value: (r) => r.series, render: (r) => uid(r.series) },
    { id: 'digest', label: 'SHA-256', width: 160, hidden: true, value: (r) => r.data_set, render: (r) => uid(r.data_set) },
  ]
  return inStudy ? all.filter((c) => !['device', 'study', 'theatre'].includes(c.id)) : all
}

export const studyFields = ['device', 'theatre', 'modality', 'custody'] as const
export type StudyField = (typeof studyFields)[number]
export const studyFieldName: Record<StudyField, string> = { device: 'From', theatre: 'Theatre', modality: 'Modality', custody: 'Proof' }
export function studyValues(s: ImagingStudy, f: string): readonly string[] {
  switch (f as StudyField) {
    case 'device': return s.device ? [s.device] : []
    case 'theatre': return s.theatre ? [s.theatre] : []
    case 'modality': return s.modalities
    case 'custody': return s.custody ? [s.custody] : []
  }
}
export const studyValueName = (f: StudyField, v: string, names: Names): string => (v === '' ? 'none' : f === 'device' ? names.device(v) : f === 'theatre' ? names.theatre(v) : f === 'custody' ? (custodyName[v as ImagingCustody] ?? v) : v)
export const studyText = (s: ImagingStudy): string => [s.study, s.study_description, s.device_name, s.device, ...s.modalities].filter(Boolean).join('\n').toLowerCase()

/** What of a study needs somebody, or else that all of it arrived. */
export function studyNote(s: ImagingStudy): { tone: 'ok' | 'medium' | 'high' | 'critical' | 'quiet'; icon: 'check' | 'clock' | 'lock' | 'warning' | 'minus'; text: string } {
  const n = (of: Record<string, number>, ...keys: string[]) => keys.reduce((sum, k) => sum + (of[k] ?? 0), 0)
  const dead = n(s.deliveries, 'dead')
  const held = n(s.states, 'quarantined')
  const wait = n(s.deliveries, 'waiting')
  const sent = n(s.deliveries, 'delivered', 'committed')
  if (dead > 0) return { tone: 'critical', icon: 'warning', text: `${count(dead)} given up` }
  if (held > 0) return { tone: 'high', icon: 'lock', text: `${count(held)} held` }
  if (n(s.states, 'refused') === s.instances) return { tone: 'high', icon: 'warning', text: 'all refused' }
  if (wait > 0) return { tone: 'medium', icon: 'clock', text: `${count(wait)} on the way` }
  const not = n(s.deliveries, 'dropped')
  if (not > 0) return { tone: 'quiet', icon: 'minus', text: `${count(not)} not sent` }
  if (sent > 0) return { tone: 'ok', icon: 'check', text: 'all delivered' }
  return { tone: 'quiet', icon: 'minus', text: 'goes nowhere' }
}

export function studyColumns(names: Names): Column<ImagingStudy>[] {
  const choice = (f: StudyField, v: string): Choice => ({ field: f, value: v, label: `${studyFieldName[f]}: ${studyValueName(f, v, names)}` })
  return [
    { id: 'last', label: 'Newest', width: 108, downFirst: true, value: (s) => s.last, render: (s) => <Time at={s.last} as="short" plain /> },
    { id: 'what', label: 'What', width: 200, grow: true, fixed: true, value: (s) => [s.modalities.join(', '), s.study_description].filter(Boolean).join(': '), render: (s) => <span className="grid-cut"><strong className="im-peer">{s.modalities.join(', ') || '–'}</strong>{s.study_description && <span className="quiet"> {s.study_description}</span>}</span> },
    { id: 'device', label: 'From', width: 170, value: (s) => s.device_name ?? s.device, choices: (s) => (s.device ? [choice('device', s.device)] : []), render: (s) => <span className="grid-cut">{s.device_name ?? s.device}</span> },
    { id: 'theatre', label: 'Theatre', width: 110, value: (s) => (s.theatre ? names.theatre(s.theatre) : ''), choices: (s) => (s.theatre ? [choice('theatre', s.theatre)] : []), render: (s) => (s.theatre ? <span className="grid-cut">{names.theatre(s.theatre)}</span> : none) },
    { id: 'instances', label: 'Images', width: 84, align: 'end', downFirst: true, value: (s) => s.instances, render: (s) => `${count(s.instances)}${s.more ? '+' : ''}` },
    { id: 'bytes', label: 'Size', width: 92, align: 'end', downFirst: true, value: (s) => s.bytes, render: (s) => bytes(s.bytes) },
    { id: 'note', label: 'Delivery', width: 132, value: (s) => studyNote(s).text, render: (s) => { const n = studyNote(s); return <Chip tone={n.tone} icon={n.icon}>{n.text}</Chip> } },
    { id: 'custody', label: 'Proof', width: 118, value: (s) => (s.custody ? custodyName[s.custody] : ''), choices: (s) => (s.custody ? [choice('custody', s.custody)] : []), render: (s) => <CustodyChip state={s.custody} /> },
    { id: 'study', label: 'Study', width: 240, value: (s) => s.study, render: (s) => uid(s.study) },
    { id: 'first', label: 'First', width: 108, hidden: true, downFirst: true, value: (s) => s.first, render: (s) => <Time at={s.first} as="short" plain /> },
  ]
}
