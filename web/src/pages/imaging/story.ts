// SPDX-License-Identifier: Apache-2.0
// What happened to one instance, oldest first: what the ledger has of it, and
// what the gateway has still to do or gave up.

import { sentence } from '@/api/said'
import type { ImagingInstance, ImagingInstanceDetail, LedgerEntry } from '@/api/types'
import type { IconName } from '@/ui'
import { kindOf } from '../ledger/words'
import { deliveryIcon, deliveryTone, stateIcon, stateTone, type Tone } from './words'

export interface Moment {
  at: string
  text: string
  icon: IconName
  tone: Tone
  entry?: number
  state?: LedgerEntry['state'] // how far it is proven; undefined: nothing about it is in the ledger
}

export function storyOf({ instance: r, entries }: ImagingInstanceDetail): Moment[] {
  const out: Moment[] = entries.map((e) => ({ at: e.time, text: e.sentence, icon: kindOf(e.kind).icon, tone: 'quiet', entry: e.index, state: e.state }))
  if (!entries.some((e) => e.kind === 'artefact-received') && r.original === undefined) out.push({ at: r.received, text: r.state === 'refused' ? 'It came, and was refused' : 'It came', icon: 'arrow-down', tone: 'quiet' })
  if (r.state !== 'accepted' && entries.length === 0) out.push({ at: r.received, text: { quarantined: 'It is held in quarantine', released: 'Two people released it', destroyed: 'Two people had it destroyed', replaced: 'A sanitised copy goes on in its place', refused: '' }[r.state], icon: stateIcon[r.state], tone: stateTone[r.state] })
  const forwarded = entries.filter((e) => e.kind === 'artefact-forwarded').length
  for (const d of r.deliveries ?? []) {
    const say = (text: string) => out.push({ at: d.at ?? r.received, text, icon: deliveryIcon[d.state], tone: deliveryTone[d.state] })
    const again = d.attempts > 0 ? `, tried ${d.attempts === 1 ? 'once' : `${d.attempts} times`}${d.why ? `: ${sentence(d.why)}` : ''}` : d.urgent ? ', first: a case is in progress there' : ''
    if (d.state === 'waiting') say(`Waits to be sent to ${d.destination}${again}`)
    else if (d.state === 'dead') say(`Given up for ${d.destination}${d.why ? `: ${sentence(d.why)}` : ''}`)
    else if (d.state === 'dropped') say(`Not sent to ${d.destination} any more`)
    else if (d.state === 'committed') say(`${d.destination} took responsibility for it`)
    else if (forwarded === 0) say(`Sent to ${d.destination}`)
  }
  return out.filter((m) => m.text !== '').sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

/** Whether what went to a destination is bit by bit what came. */
export function sameBits(r: Pick<ImagingInstance, 'data_set' | 'deliveries'>): 'same' | 'changed' | undefined {
  const sent = (r.deliveries ?? []).filter((d) => d.forwarded !== undefined && d.forwarded !== '')
  if (sent.length === 0) return undefined
  return sent.every((d) => d.forwarded === r.data_set) ? 'same' : 'changed'
}

/** What somebody typed to find: a digest as people paste it, a UID, or neither. */
export function readSought(text: string): { digest: string } | { uid: string } | { why: string } | undefined {
  const t = text.trim()
  if (t === '') return undefined
  const bare = t.replace(/^sha-?256[:=]\s*/i, '').replace(/[\s:]/g, '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(bare)) return { digest: bare }
  if (/^\d+(\.\d+)+$/.test(t)) return t.length <= 64 ? { uid: t } : { why: `A UID has at most 64 characters, this has ${t.length}.` }
  if (/^[0-9.]+$/.test(t)) return { why: 'A UID is numbers with dots between.' }
  if (/^[0-9a-f]+$/i.test(bare) && bare.length > 16) return { why: `A SHA-256 has 64 digits, this has ${bare.length}.` }
  return { why: 'Search by the UID of a study, a series or an image, by the SHA-256 of a data set, or by a file. For devices and rooms, use the filter.' }
}
