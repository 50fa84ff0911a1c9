// SPDX-License-Identifier: Apache-2.0
// What a binding may hold, checked before it is sent; the gateway checks again.

import type { ImagingBinding } from '@/api/types'

export const operations: { id: string; name: string; group: 'send' | 'ask' | 'work' | 'web' }[] = [
  { id: 'echo', name: 'Echo', group: 'send' }, { id: 'store', name: 'Store', group: 'send' }, { id: 'commitment', name: 'Storage commitment', group: 'send' },
  { id: 'find', name: 'Find', group: 'ask' }, { id: 'move', name: 'Move', group: 'ask' }, { id: 'get', name: 'Get', group: 'ask' },
  { id: 'worklist', name: 'Worklist', group: 'work' }, { id: 'mpps', name: 'Performed steps (MPPS)', group: 'work' },
  { id: 'stow', name: 'STOW-RS', group: 'web' }, { id: 'qido', name: 'QIDO-RS', group: 'web' }, { id: 'wado', name: 'WADO-RS', group: 'web' },
]
export const groupName = { send: 'Send', ask: 'Ask', work: 'Work lists', web: 'DICOMweb' } as const
export const operationName = (id: string): string => operations.find((o) => o.id === id)?.name ?? id
export const cutName: Record<NonNullable<ImagingBinding['on_revocation']>, string> = { cut: 'Cut at once', finish: 'Finish this image, then cut', alarm: 'Leave it open, and raise an alarm' }

/** One value per line or between commas. An AE title may hold blanks inside (PS3.5 §6.2). */
export const splitList = (text: string): string[] => [...new Set(text.split(/[\n,]+/).map((t) => t.trim()).filter((t) => t !== ''))]
export const joinList = (list: readonly string[] | undefined): string => (list ?? []).join(', ')

/** Why an AE title is none, or undefined (PS3.5 §6.2: 16 characters of the default repertoire, no backslash, no control characters). */
export function aeProblem(t: string): string | undefined {
  if (t.length > 16) return `“${t}” has ${t.length} characters; an AE title has at most 16.`
  // eslint-disable-next-line no-control-regex
  if (!/^[\x20-\x5b\x5d-\x7e]+$/.test(t)) return `“${t}” has a character that no AE title may have.`
  return undefined
}

const octets = (t: string): boolean => /^\d{1,3}(\.\d{1,3}){3}$/.test(t) && t.split('.').every((o) => Number(o) < 256)
function ipv6(t: string): boolean {
  if (!/^[0-9a-f:]+$/i.test(t) || !t.includes(':') || t.split('::').length > 2) return false
  const groups = t.split('::').flatMap((half) => (half === '' ? [] : half.split(':')))
  return groups.every((g) => /^[0-9a-f]{1,4}$/i.test(g)) && (t.includes('::') ? groups.length < 8 : groups.length === 8)
}
export function addressProblem(t: string): string | undefined {
  const [address = '', bits, more] = t.split('/')
  const four = octets(address)
  if (more !== undefined || (!four && !ipv6(address))) return `“${t}” is no address and no prefix, like 10.20.3.0/24.`
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > (four ? 32 : 128))) return `“${t}”: a prefix of ${four ? 'IPv4 has 0 to 32' : 'IPv6 has 0 to 128'} bits.`
  return undefined
}

export type BindingErrors = Partial<Record<'device' | 'calling_ae' | 'called_ae' | 'addresses' | 'sop_classes' | 'operations' | 'destinations', string>>

const dimse = ['echo', 'store', 'find', 'move', 'get', 'worklist', 'mpps', 'commitment']

/** What is wrong with a binding, by field. others: the ones beside it. */
export function check(b: ImagingBinding, others: readonly ImagingBinding[]): BindingErrors {
  const out: BindingErrors = {}
  const first = (list: readonly string[] | undefined, f: (t: string) => string | undefined): string | undefined => (list ?? []).map(f).find((p) => p !== undefined)
  if (b.device === '') out.device = 'Choose the device.'
  else if (others.some((o) => o.device === b.device)) out.device = 'This device has a binding already. Change that one.'
  if (b.operations.length === 0) out.operations = 'Choose what it may do. Without any it need not be bound.'
  const speaks = b.operations.some((o) => dimse.includes(o))
  out.calling_ae = first(b.calling_ae, aeProblem) ?? (speaks && b.calling_ae.length === 0 ? 'It needs an AE title of its own to speak DICOM.' : undefined)
  out.called_ae = first(b.called_ae, aeProblem)
  out.destinations = first(b.destinations, aeProblem) ?? (b.operations.includes('move') && (b.destinations ?? []).length === 0 ? 'Name the AE titles to which it may have images moved.' : undefined)
  out.addresses = first(b.addresses, addressProblem)
  if (b.plain && (b.addresses ?? []).length === 0) out.addresses = 'In clear it is known by its address only: name it.'
  if (b.plain && b.operations.some((o) => ['stow', 'qido', 'wado'].includes(o))) out.operations = 'DICOMweb needs a certificate: it is not spoken in clear.'
  // In clear an address and a title are all there is to tell two devices apart.
  const twin = b.plain && others.find((o) => o.plain && o.calling_ae.some((t) => b.calling_ae.includes(t)) && (o.addresses ?? []).some((a) => (b.addresses ?? []).includes(a)))
  if (twin) out.addresses = `${twin.name || twin.device_name || twin.device} comes in clear from the same address with the same AE title: they could not be told apart.`
  out.sop_classes = first(b.sop_classes, (t) => (/^[0-9.]+$/.test(t) ? (/^\d+(\.\d+)+$/.test(t) && t.length <= 64 ? undefined : `“${t}” is no UID.`) : /^[a-z][a-z0-9-]*$/.test(t) ? undefined : `“${t}” is neither a UID nor the name of a group, like “ct”.`))
  for (const k of Object.keys(out) as (keyof BindingErrors)[]) if (out[k] === undefined) delete out[k]
  return out
}
