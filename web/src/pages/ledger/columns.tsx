// SPDX-License-Identifier: Apache-2.0
// What the grid of entries shows, and what it is narrowed by.

import type { LedgerEntry } from '@/api/types'
import { Icon, Time } from '@/ui'
import type { Choice, Column } from '@/ui/grid'
import { StateChip } from './StateChip'
import { kindOf, stateName } from './words'

export const entryFields = ['kind', 'theatre', 'device', 'case'] as const
export type EntryField = (typeof entryFields)[number]
export const fieldName: Record<EntryField, string> = { kind: 'Kind', theatre: 'Theatre', device: 'Device', case: 'Case' }

export function valuesOf(e: LedgerEntry, field: string): readonly string[] {
  switch (field as EntryField) {
    case 'kind': return [e.kind]
    case 'theatre': return e.theatre ? [e.theatre] : []
    case 'device': return e.device ? [e.device] : []
    case 'case': return e.case ? [e.case.case] : []
  }
}

export interface Names { theatre: (id: string) => string; device: (id: string) => string }
export function valueName(field: EntryField, value: string, names: Names): string {
  if (value === '') return 'none'
  switch (field) {
    case 'kind': return kindOf(value).name
    case 'theatre': return names.theatre(value)
    case 'device': return names.device(value)
    case 'case': return shortCase(value)
  }
}

/** A commitment as far as people tell cases apart by it. */
export const shortCase = (c: string): string => c.replace(/^hs256:/, '').slice(0, 8)


const none = <span className="grid-none">–</span>

export function columnsOf(theatre: (id: string) => string, state: (e: LedgerEntry) => LedgerEntry['state']): Column<LedgerEntry>[] {
  const choice = (field: EntryField, value: string, label: string): Choice => ({ field, value, label: `${fieldName[field]}: ${label}` })
  return [
    { id: 'time', label: 'When', width: 108, sortable: false, value: (e) => e.time, render: (e) => <Time at={e.time} as="short" plain /> },
    { id: 'kind', label: 'Kind', width: 138, sortable: false, value: (e) => kindOf(e.kind).name, choices: (e) => [choice('kind', e.kind, kindOf(e.kind).name)], render: (e) => <span className="lg-kind"><Icon name={kindOf(e.kind).icon} size={14} /><span className="grid-cut">{kindOf(e.kind).name}</span></span> },
    { id: 'sentence', label: 'What happened', width: 280, grow: true, fixed: true, sortable: false, value: (e) => e.sentence, render: (e) => <span className="grid-cut" title={e.sentence}>{e.sentence}</span> },
    { id: 'state', label: 'Proof', width: 104, sortable: false, about: 'How far it is proven', value: (e) => stateName[state(e)], render: (e) => <StateChip state={state(e)} plain /> },
    { id: 'theatre', label: 'Theatre', width: 100, sortable: false, value: (e) => (e.theatre ? theatre(e.theatre) : ''), choices: (e) => (e.theatre ? [choice('theatre', e.theatre, theatre(e.theatre))] : []), render: (e) => (e.theatre ? <span className="grid-cut">{theatre(e.theatre)}</span> : none) },
    { id: 'device', label: 'Device', width: 130, sortable: false, value: (e) => e.device_name ?? e.device ?? '', choices: (e) => (e.device ? [choice('device', e.device, e.device_name ?? e.device)] : []), render: (e) => (e.device ? <span className="grid-cut">{e.device_name ?? e.device}</span> : none) },
    { id: 'case', label: 'Case', width: 96, sortable: false, about: 'The beginning of the commitment to the case', value: (e) => e.case?.case ?? '', choices: (e) => (e.case ? [choice('case', e.case.case, shortCase(e.case.case))] : []), render: (e) => (e.case ? <span className="mono">{shortCase(e.case.case)}</span> : none) },
    { id: 'index', label: 'Entry', width: 84, align: 'end', sortable: false, value: (e) => e.index },
    { id: 'who', label: 'Said by', width: 150, hidden: true, sortable: false, value: (e) => [e.actor.user, e.actor.device_name ?? e.actor.device, e.actor.software].filter(Boolean).join(', '), render: (e) => <span className="grid-cut">{[e.actor.user, e.actor.device_name ?? e.actor.device, e.actor.software].filter(Boolean).join(', ')}</span> },
    { id: 'hash', label: 'SHA-256', width: 150, hidden: true, sortable: false, about: 'Of the entry itself', value: (e) => e.hash, render: (e) => <span className="grid-cut mono" title={e.hash}>{e.hash}</span> },
  ]
}
