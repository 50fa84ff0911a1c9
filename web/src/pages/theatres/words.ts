// SPDX-License-Identifier: Apache-2.0
// The sentences of the board.
import type { Board, CaseState, Finding, Severity, Tile } from '@/api/types'
import { levelRank, type Level } from '@/ui/Light'
import { plural } from '@/ui/units'

export const stateName: Record<CaseState, string> = { idle: 'Idle', 'in-case': 'In case', maintenance: 'Maintenance' }

export function worst(t: Tile): Level {
  const all = Object.values(t.lights).map((l) => l.level)
  return all.reduce((a, b) => (levelRank[b] > levelRank[a] ? b : a), 'calm')
}

/** "6 theatres, 3 in case. OR 3 must stop and look; 2 need a look." */
export function boardSentence(b: Board): string {
  const n = b.theatres.length
  const inCase = b.theatres.filter((t) => t.state === 'in-case').length
  const of = (l: Level) => b.theatres.filter((t) => worst(t) === l)
  const stop = of('stop')
  const look = of('attention')
  const blind = of('unknown')
  const parts: string[] = []
  if (stop.length) parts.push(`${names(stop)} ${stop.length === 1 ? 'needs' : 'need'} somebody now`)
  if (look.length) parts.push(`${names(look)} ${look.length === 1 ? 'needs' : 'need'} a look`)
  if (blind.length) parts.push(`${names(blind)} cannot be fully seen`)
  const head = `${plural(n, 'theatre')}, ${inCase === 0 ? 'none' : inCase} in case.`
  return parts.length ? `${head} ${capital(parts.join('; '))}.` : `${head} All calm.`
}
function names(ts: Tile[]): string {
  if (ts.length > 3) return plural(ts.length, 'theatre')
  const all = ts.map((t) => t.name)
  return all.length === 1 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} and ${all[all.length - 1]}`
}
function capital(s: string): string {
  return s.charAt(0).toUpperCase() + s.slice(1)
}

/** Columns so that all tiles fit a screen of this shape without scrolling, each as close to 4:3 as can be. */
export function wallColumns(n: number, width: number, height: number): number {
  let best = 1
  let bestScore = -1
  for (let cols = 1; cols <= n; cols++) {
    const rows = Math.ceil(n / cols)
    const w = width / cols
    const h = height / rows
    const score = Math.min(w, h * 1.5)
    if (score > bestScore) {
      bestScore = score
      best = cols
    }
  }
  return best
}

export const severityOrder: Severity[] = ['critical', 'high', 'medium', 'low', 'info', 'unknown']

/** Findings that say the same to the room are said once: the worst or newest of them, and how many more there are. */
export function alike(list: readonly Finding[]): { first: Finding; more: number }[] {
  const groups = new Map<string, { first: Finding; more: number }>()
  for (const f of list) {
    const key = `${f.rule}\n${f.room || f.title}`
    const group = groups.get(key)
    if (group) group.more++
    else groups.set(key, { first: f, more: 0 })
  }
  return [...groups.values()]
}
