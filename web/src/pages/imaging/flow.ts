// SPDX-License-Identifier: Apache-2.0
// Who sends to the gateway, and where it sends to, as the picture on the
// overview shows it: one line for each, the ones that need somebody first.

import type { ImagingAssociation, ImagingDestination } from '@/api/types'
import type { Tone } from './words'

const LATELY = 15 * 60_000 // ms that a sender stays in the picture after its last conversation

export interface Sender {
  key: string
  name: string
  device: string // ID, or ""
  theatre: string
  clear: boolean // it speaks without TLS
  open: number // conversations
  instances: number
  requests: number // of whoever sends nothing: questions that it asked
  last: string // when it was last heard
  problem: string // the code of its newest conversation's problem, or ""
  what: string
}

export const senderKey = (a: ImagingAssociation): string => (a.device ? `device ${a.device}` : a.calling_ae ? `ae ${a.calling_ae}` : `address ${hostOf(a.address)}`)

/** An address without its port. */
export const hostOf = (address: string): string => address.replace(/^\[(.*)\]:\d+$/, '$1').replace(/^([^:]+):\d+$/, '$1')

/** The senders that talk now or did so lately. A conversation that went wrong counts until the same sender has a newer good one. */
export function sendersOf(list: readonly ImagingAssociation[], now: number): Sender[] {
  const by = new Map<string, Sender & { newest: number }>()
  for (const a of list) {
    if (a.direction !== 'in') continue
    const heard = a.ended ? Date.parse(a.ended) : now
    if (now - heard > LATELY) continue
    const key = senderKey(a)
    const s = by.get(key) ?? { key, name: a.device_name ?? (a.device || a.calling_ae || hostOf(a.address)), device: a.device ?? '', theatre: a.theatre ?? '', clear: false, open: 0, instances: 0, requests: 0, last: a.ended ?? a.since, problem: '', what: '', newest: -Infinity }
    const began = Date.parse(a.since)
    if (!a.ended) s.open++
    s.instances += a.instances
    s.requests += a.operations
    if (heard >= Date.parse(s.last)) s.last = a.ended ?? new Date(now).toISOString()
    if (began >= s.newest) {
      s.newest = began
      s.problem = a.problem ?? ''
      s.what = a.what ?? ''
      s.clear = a.tls === undefined || a.tls === ''
      if (a.theatre) s.theatre = a.theatre
    }
    by.set(key, s)
  }
  return [...by.values()].map(({ newest: _, ...s }) => s).sort((a, b) => Number(b.problem !== '') - Number(a.problem !== '') || b.open - a.open || Date.parse(b.last) - Date.parse(a.last) || a.name.localeCompare(b.name))
}

export interface Edge { tone: Tone; flows: boolean; dashed: boolean }
export const senderEdge = (s: Sender): Edge => ({ tone: s.problem !== '' ? 'high' : s.open > 0 ? 'ok' : 'quiet', flows: s.open > 0, dashed: s.open === 0 })
export const destinationEdge = (d: ImagingDestination): Edge => ({ tone: d.state === 'backing-off' || d.state === 'gone' || d.dead > 0 ? 'high' : d.state === 'paused' ? 'medium' : d.state === 'sending' ? 'ok' : 'quiet', flows: d.state === 'sending', dashed: d.state === 'paused' || d.state === 'backing-off' || d.state === 'gone' })

/** What needs somebody first, then what moves. */
export const destinationOrder = (a: ImagingDestination, b: ImagingDestination): number => rank(b) - rank(a) || b.waiting - a.waiting || a.name.localeCompare(b.name)
const rank = (d: ImagingDestination): number => (d.state === 'backing-off' ? 5 : d.state === 'gone' ? 4 : d.dead > 0 ? 3 : d.state === 'paused' ? 2 : d.state === 'sending' ? 1 : 0)

/** The way of a line between two boxes whose middles are at these heights, w wide. */
export const curve = (from: number, to: number, w: number): string => `M0 ${from}C${w / 2} ${from} ${w / 2} ${to} ${w} ${to}`
