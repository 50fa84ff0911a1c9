// SPDX-License-Identifier: Apache-2.0
// The canonical form of JSON (RFC 8785), and reading what must be in it already.

import { type Bytes, equal, utf8 } from './bytes'
import { ReceiptError } from './errors'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** What has no canonical form, or is nested more than `limit` deep. */
export class CanonicalError extends Error {}

/** The RFC 8785 form. JSON.stringify writes numbers and text as the standard wants; names are sorted by UTF-16 code units. */
export function canonical(v: Json, limit: number): string {
  if (limit < 0) throw new CanonicalError('it is nested too deeply')
  if (typeof v === 'number' && !Number.isFinite(v)) throw new CanonicalError('a number is out of range')
  if (v === null || typeof v !== 'object') return JSON.stringify(v)
  if (Array.isArray(v)) return '[' + v.map((e) => canonical(e, limit - 1)).join(',') + ']'
  const names = Object.keys(v).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return '{' + names.map((k) => JSON.stringify(k) + ':' + canonical(v[k] as Json, limit - 1)).join(',') + '}'
}

/** Refuses what is nested too deeply before anything is made of it. */
function shallow(text: Uint8Array, limit: number): boolean {
  let depth = 0
  let inText = false
  let escaped = false
  for (const c of text) {
    if (escaped) escaped = false
    else if (inText) {
      escaped = c === 0x5c
      inText = c !== 0x22
    } else if (c === 0x22) inText = true
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return false
    } else if (c === 0x7d || c === 0x5d) depth--
  }
  return true
}

/** Reads JSON that must be in canonical form. */
export function decode(bytes: Bytes, limit: number): Json {
  if (!shallow(bytes, limit)) throw new ReceiptError('not-json', `It is nested more than ${limit} deep.`)
  // Bytes that are not UTF-8 become U+FFFD here, and differ from what is written below.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  let v: Json
  try {
    v = JSON.parse(text) as Json
  } catch {
    throw new ReceiptError('not-json', 'It is no JSON.')
  }
  let again: Bytes | undefined
  try {
    again = utf8(canonical(v, limit))
  } catch (e) {
    if (!(e instanceof CanonicalError)) throw e // a number beyond all numbers has no canonical form
  }
  // Half a surrogate pair, escaped, would come back as it was written: it is no text.
  if (again === undefined || !equal(again, bytes) || /\\ud[89a-f]/.test(text)) {
    throw new ReceiptError('not-canonical', 'It is not in its canonical form (RFC 8785): something changed it, or did not make it.')
  }
  return v
}
