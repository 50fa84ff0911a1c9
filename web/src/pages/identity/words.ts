// SPDX-License-Identifier: Apache-2.0
// The words of identity: whose certificate it is, how it stands, why it ended.

import type { IdentityCertificate, IdentityCode, IdentityImpact, IdentityLive, IdentityStatus } from '@/api/types'
import type { IconName } from '@/ui'
import { day, relative, span } from '@/ui/time'
import { count, plural } from '@/ui/units'

export const profileName: Record<string, string> = {
  'dicom-node': 'DICOM node', 'xr-headset': 'XR headset', 'surgical-device': 'Surgical device', 'api-client': 'API client', 'api-server': 'API server',
  'eap-tls-supplicant': 'Network access (802.1X)', 'radius-server': 'RADIUS server', infrastructure: 'Infrastructure',
}
export const profileOf = (p: string): string => profileName[p] ?? p

const profileFor: Record<string, string> = {
  'dicom-node': 'Scanners, archives, workstations and XR processors: whatever sends, takes or asks for images over DICOM or DICOMweb.',
  'xr-headset': 'A headset or another display that a surgeon looks through. It only asks for what it shows; nobody connects to it.',
  'surgical-device': 'Tables, lights, robots, navigation and pumps: they report what they do and are asked for it.',
  'api-client': 'A program that calls a server of the theatre in its own name: a script, an export, a system of the hospital.',
  'api-server': 'A server that people and programs reach over HTTPS: this console’s, a registry of models.',
  'eap-tls-supplicant': 'A device that proves who it is to the switch or the access point before it gets onto the network.',
  'radius-server': 'The server that switches and access points ask whether a device may get onto the network.',
  infrastructure: 'The parts of Asepsis among themselves: gateways, sensors, the ledger, the message bus.',
}
/** What a certificate of a profile is for; the server’s own word for one that this console does not know. */
export const purposeOf = (p: { name: string; what: string }): string => profileFor[p.name] ?? (p.what === '' ? '' : `${p.what.replace(/\.$/, '')}.`)

/** Reasons of RFC 5280 that a person may give, in the order in which they are usual. */
export const reasons: { value: string; label: string; teaches: string }[] = [
  { value: 'keyCompromise', label: 'Its key was lost, stolen or copied', teaches: 'Somebody else may hold the key. Everything that it signed since counts as doubtful.' },
  { value: 'superseded', label: 'It was replaced by another certificate', teaches: 'The device has a newer one already.' },
  { value: 'cessationOfOperation', label: 'The device is out of service', teaches: 'Sold, scrapped, sent back to its manufacturer.' },
  { value: 'privilegeWithdrawn', label: 'It may no longer take part', teaches: 'The device is there, and what it was allowed is taken back.' },
  { value: 'affiliationChanged', label: 'It belongs to another owner or place', teaches: 'Names in the certificate are no longer right.' },
  { value: 'unspecified', label: 'Another reason', teaches: 'Say which in the note.' },
]
const ended: Record<string, string> = {
  keyCompromise: 'key lost', superseded: 'replaced by another', cessationOfOperation: 'device out of service', privilegeWithdrawn: 'may no longer take part',
  affiliationChanged: 'another owner or place', unspecified: 'revoked', cACompromise: 'the authority that signed it is no longer good',
}
export const endedBecause = (reason: string | undefined): string => ended[reason ?? ''] ?? reason ?? 'revoked'

const via: Record<string, string> = { 'est-code': 'Enrolled with a code', 'est-renewal': 'Renewed by itself', manufacturer: 'Enrolled with its manufacturer’s certificate', 'csr-file': 'Signed from a request in a file', scep: 'Enrolled by SCEP', self: 'Made by the authority for itself' }
export const viaOf = (v: string | undefined): string => (v ? (via[v] ?? v) : 'not said')

export type Standing = 'good' | 'due' | 'overdue' | 'ending' | 'expired' | 'revoked' | 'superseded'
const WARN = 30 * 86_400_000 // of a long life, which a person has to replace

/** Finer than the status: whether a good one needs somebody. */
export function standing(c: IdentityCertificate, now: number): Standing {
  if (c.status !== 'good') return c.status
  const end = Date.parse(c.not_after)
  if (end <= now) return 'expired'
  if (c.long_life) return end - now < WARN ? 'ending' : 'good'
  // A tenth of the lifetime is for trying again.
  if (now > Date.parse(c.renew_from) + (end - Date.parse(c.not_before)) / 10) return 'overdue'
  return c.due ? 'due' : 'good'
}
export const standingName: Record<Standing, string> = { good: 'Good', due: 'Renewal due', overdue: 'Renewal overdue', ending: 'Ends soon', expired: 'Expired', revoked: 'Revoked', superseded: 'Replaced' }
export const standingIcon: Record<Standing, IconName> = { good: 'check', due: 'clock', overdue: 'warning', ending: 'warning', expired: 'minus', revoked: 'close', superseded: 'undo' }
export const standingRank: Record<Standing, number> = { overdue: 6, ending: 5, expired: 4, due: 3, good: 2, superseded: 1, revoked: 0 }

export const ownerOf = (c: Pick<IdentityCertificate, 'device' | 'device_name' | 'spiffe'>): string => (c.device_name ?? c.device) || c.spiffe.replace(/^spiffe:\/\/[^/]*\/(service\/)?/, '') || c.spiffe
export const codeOwner = (c: IdentityCode): string => c.device_name || c.device || c.service || 'nobody'

/** "The certificate of OR-3’s C-arm ended: key lost." */
export function sentenceOf(c: IdentityCertificate, now: number): string {
  const whose = `The certificate of ${ownerOf(c)}`
  switch (standing(c, now)) {
    case 'revoked': return `${whose} was ended${c.revoked ? ` ${relative(c.revoked, now)}` : ''}: ${endedBecause(c.reason)}.`
    case 'expired': return `${whose} ended ${relative(c.not_after, now)}: it was not renewed.`
    case 'superseded': return `${whose} is still good until ${day(c.not_after)}, and the device has a newer one.`
    case 'overdue': return `${whose} ends ${relative(c.not_after, now)}, and the device has not renewed it as it should have.`
    case 'ending': return `${whose} ends ${relative(c.not_after, now)} and has to be replaced by hand.`
    case 'due': return `${whose} is good, and the device should renew it about now.`
    case 'good': return c.long_life ? `${whose} is good until ${day(c.not_after)}. The device cannot renew it by itself.` : `${whose} is good. The device renews it by itself ${relative(c.renew_from, now)}.`
  }
}

/** How identity stands; counts: of the certificates that are listed, or else the server's. */
export function overview(s: IdentityStatus, now: number, counts?: { good: number; due: number; ending: number; expired: number }): string {
  const c = counts ?? { ...s.counts, ending: s.counts.expiring }
  const active = s.authorities.find((a) => a.active && !a.root)
  if (!active) return 'No issuing authority is active: nothing can be signed or renewed.'
  const left = Date.parse(active.not_after) - now
  if (left < 30 * 86_400_000) return left <= 0 ? 'The issuing authority has ended: nothing can be renewed.' : `The issuing authority ends in ${span(left)}: replace it, or nothing can be renewed.`
  const parts = [
    c.due > 0 && `${count(c.due)} ${c.due === 1 ? 'is' : 'are'} due for renewal`,
    c.ending > 0 && `${count(c.ending)} ${c.ending === 1 ? 'ends' : 'end'} soon`,
    c.expired > 0 && `${count(c.expired)} ended without a successor`,
  ].filter((p) => p !== false)
  if (c.good === 0 && parts.length === 0) return 'No device has a certificate of this authority yet.'
  return `${plural(c.good, 'certificate is', 'certificates are')} good${parts.length === 0 ? ', and none needs anybody.' : `; ${parts.join(', ')}.`}`
}

export const cutName: Record<IdentityLive['policy'], string> = { cut: 'is cut at once', finish: 'may finish what it does, then is cut', alarm: 'stays, and people are told: they decide' }

/** What revoking will do, in one line. */
export function willCut(i: IdentityImpact): string {
  const n = (p: IdentityLive['policy']) => i.live.filter((l) => l.policy === p).length
  if (i.live.length === 0) return 'It has no connection open now. It is refused from now on.'
  const parts = [n('cut') > 0 && `${plural(n('cut'), 'connection')} cut at once`, n('finish') > 0 && `${count(n('finish'))} after what ${n('finish') === 1 ? 'it is' : 'they are'} doing`, n('alarm') > 0 && `${count(n('alarm'))} left open with an alarm`].filter((p) => p !== false)
  return `${parts.join(', ')}. New ones are refused.`
}

/** Names and addresses that a person typed, one after the other. */
export function splitNames(text: string): { dns: string[]; ips: string[]; wrong: string[] } {
  const out = { dns: [] as string[], ips: [] as string[], wrong: [] as string[] }
  for (const t of text.split(/[\s,;]+/).filter((x) => x !== '')) {
    if (/^\d{1,3}(\.\d{1,3}){3}$/.test(t)) (t.split('.').every((p) => Number(p) < 256) ? out.ips : out.wrong).push(t)
    else if (/^[0-9a-f:]*:[0-9a-f:]+$/i.test(t)) out.ips.push(t)
    else if (/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(t)) out.dns.push(t.toLowerCase())
    else out.wrong.push(t)
  }
  return out
}

/** Lifetimes as people say them. */
export function lifetime(hours: number): string {
  if (hours % 24 === 0) return hours >= 730 * 24 ? `${Math.round(hours / 8766)} years` : hours === 24 ? 'a day' : `${count(hours / 24)} days`
  return plural(hours, 'hour')
}
