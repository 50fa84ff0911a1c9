// SPDX-License-Identifier: Apache-2.0
// The list as it is drawn: findings in an order, under headings where they are
// grouped. A finding about two devices stands under each of them.

import type { Finding, Severity } from '@/api/types'

export const groupings = ['rule', 'device', 'theatre', 'none'] as const
export type Grouping = (typeof groupings)[number]
export const orders = ['severity', 'last', 'first', 'count'] as const
export type Order = (typeof orders)[number]

export interface Group {
  key: string
  label: string
  findings: Finding[]
  worst: Severity
  open: number
  last: string
}
export type Row = { kind: 'group'; id: string; group: Group; closed: boolean } | { kind: 'finding'; id: string; finding: Finding; under: string }

const rank: Record<Severity, number> = { unknown: 0, info: 1, low: 2, medium: 3, high: 4, critical: 5 }

const by: Record<Order, (a: Finding, b: Finding) => number> = {
  severity: (a, b) => rank[b.severity] - rank[a.severity] || later(a.last, b.last),
  last: (a, b) => later(a.last, b.last),
  first: (a, b) => later(a.first, b.first),
  count: (a, b) => b.count - a.count,
}
function later(a: string, b: string): number {
  return Date.parse(b) - Date.parse(a)
}

/** The worst or newest first; what is equal there by severity, then by name of what it is, so that nothing jumps. */
export function ordered(list: readonly Finding[], order: Order): Finding[] {
  return [...list].sort((a, b) => by[order](a, b) || rank[b.severity] - rank[a.severity] || (a.id < b.id ? -1 : 1))
}

export interface GroupNames { rule: (id: string) => string; device: (id: string) => string; theatre: (id: string) => string }

function keysOf(f: Finding, grouping: Grouping): string[] {
  switch (grouping) {
    case 'rule': return [f.rule]
    case 'theatre': return [f.theatre]
    case 'device': return f.devices.length > 0 ? f.devices.map((d) => d.id) : ['']
    case 'none': return []
  }
}

function labelOf(key: string, grouping: Grouping, names: GroupNames): string {
  if (key === '') return grouping === 'theatre' ? 'No theatre' : 'No device'
  return grouping === 'rule' ? names.rule(key) : grouping === 'device' ? names.device(key) : names.theatre(key)
}

/** Groups in the order of their first finding. */
export function grouped(list: readonly Finding[], grouping: Grouping, names: GroupNames): Group[] {
  const groups = new Map<string, Group>()
  for (const f of list) {
    for (const key of keysOf(f, grouping)) {
      let g = groups.get(key)
      if (!g) groups.set(key, (g = { key, label: labelOf(key, grouping, names), findings: [], worst: 'unknown', open: 0, last: f.last }))
      g.findings.push(f)
      if (rank[f.severity] > rank[g.worst]) g.worst = f.severity
      if (f.state === 'open') g.open++
      if (Date.parse(f.last) > Date.parse(g.last)) g.last = f.last
    }
  }
  return [...groups.values()]
}

export function rowsOf(list: readonly Finding[], grouping: Grouping, names: GroupNames, closed: ReadonlySet<string>): Row[] {
  if (grouping === 'none') return list.map((finding) => ({ kind: 'finding', id: finding.id, finding, under: '' }))
  return grouped(list, grouping, names).flatMap((group): Row[] => {
    // One alone of its rule says what its heading would.
    const only = group.findings[0]
    if (grouping === 'rule' && only && group.findings.length === 1) return [{ kind: 'finding', id: only.id, finding: only, under: '' }]
    const shut = closed.has(group.key)
    const head: Row = { kind: 'group', id: `\u0000${group.key}`, group, closed: shut }
    return shut ? [head] : [head, ...group.findings.map((finding): Row => ({ kind: 'finding', id: grouping === 'device' ? `${finding.id}\u0000${group.key}` : finding.id, finding, under: group.key }))]
  })
}

/** What the findings of a rule have in common in their titles reads better than its ID: the longest of equal words, with … for the rest. */
export function commonTitle(titles: readonly string[]): string {
  const first = titles[0]
  if (first === undefined) return ''
  const words = titles.map((t) => t.split(' '))
  const lead: string[] = []
  for (let i = 0; words.every((w) => w[i] !== undefined && w[i] === words[0]?.[i]); i++) lead.push(words[0]?.[i] ?? '')
  if (lead.length === words[0]?.length) return first
  const rest = words.map((w) => w.slice(lead.length))
  const tail: string[] = []
  for (let i = 1; rest.every((w) => w.length >= i && w[w.length - i] === rest[0]?.[rest[0].length - i]); i++) tail.unshift(rest[0]?.[rest[0].length - i] ?? '')
  if (lead.length + tail.length > 0) return [...lead, '…', ...tail].join(' ')
  const middle = commonRun(words)
  return middle === '' ? '' : `… ${middle} …`
}

/** The longest run of words that all have. */
function commonRun(all: readonly (readonly string[])[]): string {
  const first = all[0] ?? []
  const texts = all.map((words) => ` ${words.join(' ')} `)
  for (let n = first.length - 1; n > 0; n--) {
    for (let i = 0; i + n <= first.length; i++) {
      const run = first.slice(i, i + n).join(' ')
      if (texts.every((t) => t.includes(` ${run} `))) return run
    }
  }
  return ''
}

// ---- what is new waits ------------------------------------------------------

/**
 * A list that is looked at does not move by itself: findings that were not there
 * when it was opened are held back until somebody asks for them. What is
 * already shown changes in place.
 */
export function heldBack(list: readonly Finding[], seen: ReadonlySet<string> | null): { shown: Finding[]; waiting: Finding[] } {
  if (!seen) return { shown: [...list], waiting: [] }
  const shown: Finding[] = []
  const waiting: Finding[] = []
  for (const f of list) (seen.has(f.id) ? shown : waiting).push(f)
  return { shown, waiting }
}
