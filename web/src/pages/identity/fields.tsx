// SPDX-License-Identifier: Apache-2.0
// What the grid of certificates shows, is filtered and searched by.

import { Link } from '@tanstack/react-router'
import type { IdentityCertificate } from '@/api/types'
import { Time } from '@/ui'
import type { Choice, Column } from '@/ui/grid'
import { StandingChip } from './StandingChip'
import { ownerOf, profileOf, standing, standingName, standingRank, viaOf, type Standing } from './words'

export const certFields = ['is', 'profile', 'theatre', 'via', 'long'] as const
export type CertField = (typeof certFields)[number]
export const certFieldName: Record<CertField, string> = { is: 'State', profile: 'For', theatre: 'Theatre', via: 'How it came', long: 'Long life' }

export interface Row extends IdentityCertificate { is: Standing }

/** Each with how it stands. One that ended and has a successor needs nobody: it was replaced. */
export function rowsOf(list: readonly IdentityCertificate[], now: number): Row[] {
  const latest = new Map<string, number>()
  const key = (c: IdentityCertificate) => `${c.spiffe} ${c.profile}`
  for (const c of list) if (c.status !== 'revoked') latest.set(key(c), Math.max(latest.get(key(c)) ?? 0, Date.parse(c.not_after)))
  return list.map((c) => {
    const is = standing(c, now)
    return { ...c, is: is === 'expired' && Date.parse(c.not_after) < (latest.get(key(c)) ?? 0) ? 'superseded' : is }
  })
}

export interface Counts { good: number; due: number; ending: number; expired: number }
export function countsOf(rows: readonly Row[]): Counts {
  const n = (...is: Standing[]) => rows.filter((c) => is.includes(c.is)).length
  return { good: n('good', 'due', 'overdue', 'ending'), due: n('due', 'overdue'), ending: n('ending', 'overdue'), expired: n('expired') }
}

export function certValues(c: Row, field: string): readonly string[] {
  switch (field as CertField) {
    case 'is': return [c.is]
    case 'profile': return [c.profile]
    case 'theatre': return c.theatre ? [c.theatre] : []
    case 'via': return c.via ? [c.via] : []
    case 'long': return [c.long_life ? 'yes' : 'no']
  }
}
export function certValueName(field: CertField, value: string, theatre: (id: string) => string): string {
  if (value === '') return 'none'
  switch (field) {
    case 'is': return standingName[value as Standing] ?? value
    case 'profile': return profileOf(value)
    case 'theatre': return theatre(value)
    case 'via': return viaOf(value)
    case 'long': return value
  }
}
export const certText = (c: IdentityCertificate): string => [ownerOf(c), c.device, c.serial, c.spiffe, c.subject, c.sha256, profileOf(c.profile), c.note ?? ''].join('\n').toLowerCase()

const none = <span className="grid-none">–</span>

export function columnsOf(theatre: (id: string) => string): Column<Row>[] {
  const choice = (field: CertField, value: string): Choice => ({ field, value, label: `${certFieldName[field]}: ${certValueName(field, value, theatre)}` })
  return [
    { id: 'owner', label: 'Whose', width: 190, grow: true, fixed: true, value: ownerOf, render: (c) => (c.device ? <Link to="/devices/$id" params={{ id: c.device }} className="grid-cut id-owner" tabIndex={-1}>{ownerOf(c)}</Link> : <span className="grid-cut">{ownerOf(c)}</span>) },
    { id: 'is', label: 'State', width: 138, downFirst: true, value: (c) => standingName[c.is], order: (c) => standingRank[c.is], choices: (c) => [choice('is', c.is)], render: (c) => <StandingChip is={c.is} /> },
    { id: 'profile', label: 'For', width: 150, value: (c) => profileOf(c.profile), choices: (c) => [choice('profile', c.profile)], render: (c) => <span className="grid-cut">{profileOf(c.profile)}</span> },
    { id: 'theatre', label: 'Theatre', width: 100, value: (c) => (c.theatre ? theatre(c.theatre) : ''), choices: (c) => (c.theatre ? [choice('theatre', c.theatre)] : []), render: (c) => (c.theatre ? <span className="grid-cut">{theatre(c.theatre)}</span> : none) },
    { id: 'ends', label: 'Good until', width: 100, value: (c) => c.not_after, order: (c) => Date.parse(c.not_after), render: (c) => <Time at={c.not_after} plain /> },
    { id: 'renews', label: 'Renews from', width: 104, value: (c) => (c.long_life || c.status !== 'good' ? '' : c.renew_from), order: (c) => Date.parse(c.renew_from), render: (c) => (c.long_life || c.status !== 'good' ? none : <Time at={c.renew_from} plain />) },
    { id: 'via', label: 'How it came', width: 150, value: (c) => viaOf(c.via), choices: (c) => (c.via ? [choice('via', c.via)] : []), render: (c) => <span className="grid-cut">{viaOf(c.via)}</span> },
    { id: 'long', label: 'Long life', width: 84, value: (c) => (c.long_life ? 'yes' : ''), choices: (c) => [choice('long', c.long_life ? 'yes' : 'no')], render: (c) => (c.long_life ? <span>yes</span> : none) },
    { id: 'since', label: 'Issued', width: 100, hidden: true, downFirst: true, value: (c) => c.not_before, order: (c) => Date.parse(c.not_before), render: (c) => <Time at={c.not_before} plain /> },
    { id: 'serial', label: 'Serial number', width: 170, hidden: true, value: (c) => c.serial, render: (c) => <span className="grid-cut mono" title={c.serial}>{c.serial}</span> },
    { id: 'spiffe', label: 'Identity', width: 220, hidden: true, value: (c) => c.spiffe, render: (c) => <span className="grid-cut mono" title={c.spiffe}>{c.spiffe}</span> },
  ]
}
