// SPDX-License-Identifier: Apache-2.0
// Which destinations need a person, as the sign at their tab says it: in as few
// words as fit, with the tone of the worst, and whole sentences behind them.

import type { ImagingDestination } from '@/api/types'
import { short } from '@/ui/time'
import { compact, count, plural } from '@/ui/units'
import type { Tone } from './words'

export interface Needs {
  /** "2 fail"; of several kinds only that they need somebody. */
  words: string
  tone: Tone
  /** One sentence for each destination, the worst first. */
  why: string[]
}

type Kind = 'down' | 'gone' | 'dead' | 'paused'
interface Need { kind: Kind; n: number; tone: Tone; why: string }

const rank: Partial<Record<Tone, number>> = { critical: 3, high: 2, medium: 1 }
const order: Record<Kind, number> = { down: 3, gone: 2, dead: 1, paused: 0 }

/** What somebody has to do something about. One that fails while nothing waits for it holds nobody up. */
function needOf(d: ImagingDestination): Need | undefined {
  const waits = d.waiting > 0 ? `, and ${plural(d.waiting, 'image waits', 'images wait')}${d.urgent > 0 ? `, ${count(d.urgent)} of them for a case in progress` : ''}` : ''
  const given = d.dead > 0 ? `${plural(d.dead, 'delivery was', 'deliveries were')} given up` : ''
  const tone: Tone = d.urgent > 0 ? 'critical' : 'high'
  if (d.state === 'backing-off' && d.waiting > 0) return { kind: 'down', n: 1, tone, why: `${d.name} has taken no image ${d.success ? `since ${short(d.success)}` : 'since the gateway started'}${waits}${given && `; ${given}`}.` }
  if (d.state === 'gone') return { kind: 'gone', n: 1, tone, why: `${d.name} is not configured any more${waits}${given && `; ${given}`}.` }
  if (d.dead > 0) return { kind: 'dead', n: d.dead, tone: 'high', why: `For ${d.name} ${given}${d.state === 'paused' ? '; it is paused' : ''}.` }
  if (d.state === 'paused') return { kind: 'paused', n: 1, tone: d.urgent > 0 ? 'critical' : 'medium', why: `${d.name} is paused by a person${waits}.` }
  return undefined
}

const says: Record<Kind, (n: number) => string> = { down: (n) => (n === 1 ? '1 fails' : `${compact(n)} fail`), gone: (n) => `${compact(n)} gone`, dead: (n) => `${compact(n)} given up`, paused: (n) => `${compact(n)} paused` }

/** Undefined where nobody has to do anything. */
export function needsOf(list: readonly ImagingDestination[]): Needs | undefined {
  const all = list.flatMap((d) => needOf(d) ?? []).sort((a, b) => (rank[b.tone] ?? 0) - (rank[a.tone] ?? 0) || order[b.kind] - order[a.kind])
  const [worst] = all
  if (!worst) return undefined
  const one = all.every((x) => x.kind === worst.kind)
  return { words: one ? says[worst.kind](all.reduce((n, x) => n + x.n, 0)) : `${compact(all.length)} need you`, tone: worst.tone, why: all.map((x) => x.why) }
}
