// SPDX-License-Identifier: Apache-2.0
// Reading DER (X.690 §10): definite lengths in their shortest form.

import type { Bytes } from './bytes'

export interface Node {
  tag: number // identifier octet: class, constructed bit and number (below 31)
  body: Bytes
  raw: Bytes // with its header
}

export class DerError extends Error {}

export const tags = { boolean: 1, integer: 2, bits: 3, octets: 4, null: 5, oid: 6, time: 24, utcTime: 23, sequence: 0x30, set: 0x31 } as const

/** Reads the first value; rest is what follows. */
export function read(b: Bytes): { node: Node; rest: Bytes } {
  const tag = b[0]
  let length = b[1]
  if (tag === undefined || length === undefined || (tag & 31) === 31) throw new DerError('no value')
  let at = 2
  if (length > 127) {
    const n = length & 127
    if (n === 0 || n > 3 || at + n > b.length || b[2] === 0) throw new DerError('bad length')
    length = 0
    for (; at < 2 + n; at++) length = length * 256 + (b[at] as number)
    if (length < 128) throw new DerError('bad length')
  }
  if (at + length > b.length) throw new DerError('cut')
  return { node: { tag, body: b.slice(at, at + length), raw: b.slice(0, at + length) }, rest: b.slice(at + length) }
}

/** Reads exactly one value of a tag. */
export function only(b: Bytes, tag?: number): Node {
  const { node, rest } = read(b)
  if (rest.length > 0 || (tag !== undefined && node.tag !== tag)) throw new DerError('something else')
  return node
}

/** Reads all values in a body. */
export function list(b: Bytes): Node[] {
  const out: Node[] = []
  for (let rest = b; rest.length > 0; ) {
    const r = read(rest)
    out.push(r.node)
    rest = r.rest
  }
  return out
}

/** Takes values in order, checking their tags. */
export class Fields {
  private rest: Node[]

  constructor(body: Bytes) {
    this.rest = list(body)
  }

  take(tag: number): Node {
    const n = this.rest.shift()
    if (n?.tag !== tag) throw new DerError('a field is missing')
    return n
  }

  any(): Node {
    const n = this.rest.shift()
    if (n === undefined) throw new DerError('a field is missing')
    return n
  }

  optional(tag: number): Node | undefined {
    return this.rest[0]?.tag === tag ? this.rest.shift() : undefined
  }

  get left(): number {
    return this.rest.length
  }
}

export function oid(n: Node): string {
  if (n.tag !== tags.oid || n.body.length === 0) throw new DerError('no OID')
  const parts: number[] = []
  let v = 0
  for (const [i, b] of n.body.entries()) {
    if (v === 0 && b === 0x80) throw new DerError('bad OID')
    v = v * 128 + (b & 127)
    if (v > Number.MAX_SAFE_INTEGER / 128) throw new DerError('bad OID')
    if (b > 127) {
      if (i === n.body.length - 1) throw new DerError('bad OID')
      continue
    }
    if (parts.length === 0) parts.push(Math.min(Math.floor(v / 40), 2), v - 40 * Math.min(Math.floor(v / 40), 2))
    else parts.push(v)
    v = 0
  }
  return parts.join('.')
}

/** A small whole number that is not negative. */
export function small(n: Node): number {
  const b = n.body
  if (n.tag !== tags.integer || b.length === 0 || b.length > 6 || ((b[0] as number) & 128) !== 0 || (b.length > 1 && b[0] === 0 && ((b[1] as number) & 128) === 0)) {
    throw new DerError('no small number')
  }
  return b.reduce((v, d) => v * 256 + d, 0)
}

/** Seconds since 1970 of a UTCTime or GeneralizedTime that ends in Z; fractions are kept. */
export function time(n: Node): number {
  const s = new TextDecoder().decode(n.body)
  const m = n.tag === tags.time ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d*[1-9])?Z$/.exec(s) : n.tag === tags.utcTime ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(s) : null
  if (m === null) throw new DerError('no time')
  let year = Number(m[1])
  if (n.tag === tags.utcTime) year += year < 50 ? 2000 : 1900 // RFC 5280 §4.1.2.5.1
  const [month, day, hour, minute, second] = m.slice(2, 7).map(Number) as [number, number, number, number, number]
  const t = Date.UTC(year, month - 1, day, hour, minute, second)
  const back = new Date(t)
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) throw new DerError('no time')
  return t / 1000 + Number(m[7] ?? 0)
}
