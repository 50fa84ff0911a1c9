// SPDX-License-Identifier: Apache-2.0
// Which steps of a playbook somebody has ticked. Kept in this browser only: it
// helps who works on it now, and is no record.

import { recall, remember } from '@/ui/grid'

const MOST = 200 // findings whose ticks are kept

type Kept = Record<string, number[]>

function read(): Kept {
  try {
    const kept = JSON.parse(recall('findings.playbook') ?? '{}') as unknown
    return kept !== null && typeof kept === 'object' ? (kept as Kept) : {}
  } catch {
    return {}
  }
}

export function ticked(id: string): ReadonlySet<number> {
  const list = read()[id]
  return new Set(Array.isArray(list) ? list.filter((n) => Number.isInteger(n)) : [])
}

export function tick(id: string, steps: ReadonlySet<number>): void {
  const { [id]: _, ...rest } = read()
  const others = Object.entries(rest).slice(-(MOST - 1))
  remember('findings.playbook', JSON.stringify(Object.fromEntries(steps.size > 0 ? [...others, [id, [...steps]]] : others)))
}
