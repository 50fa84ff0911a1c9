// SPDX-License-Identifier: Apache-2.0
// Whom a verifier believes: a log, witnesses and timestamp authorities.

import { type Bytes, equal, fromBase64 } from './bytes'
import { type Certificate, parseCertificate } from './certificate'
import { ReceiptError } from './errors'
import { type Key, parseKey } from './note'

const maxTrust = 256 << 10
const most = 16

export interface Trust {
  log: Key
  witnesses: Key[]
  required: number
  roots: Certificate[]
}

const bad = (why: string): ReceiptError => new ReceiptError('bad-trust', `The trust file ${why}.`)

/** Reads a trust file. Unlike a receipt it is written by people too, and may have any spaces. */
export async function parseTrust(file: Bytes): Promise<Trust> {
  if (file.length > maxTrust) throw bad(`has ${file.length} bytes, more than ${maxTrust}`)
  let f: unknown
  try {
    f = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file))
  } catch {
    throw bad('cannot be read: it is no JSON')
  }
  if (typeof f !== 'object' || f === null || Array.isArray(f)) throw bad('is no object')
  const { format, log, witnesses = [], required = 0, timestamp_roots: roots = [], ...other } = f as Record<string, unknown>
  if (Object.keys(other).length > 0) throw bad(`has a member that the format does not have`)
  if (format !== 'asepsis-trust/v1') throw bad('is not of the format asepsis-trust/v1')
  if (!strings(witnesses) || !strings(roots) || typeof log !== 'string') throw bad('has a member of another type')
  if (witnesses.length > most || roots.length > most) throw bad(`has more than ${most} witnesses or roots`)
  if (typeof required !== 'number' || !Number.isInteger(required) || required < 0 || required > witnesses.length) {
    throw bad('requires more witnesses than it names, or no whole number of them')
  }
  const logKey = await parseKey(log)
  if (typeof logKey === 'string' || logKey.witness) throw bad('has a log that is no key of a log')
  const keys: Key[] = []
  for (const [i, w] of witnesses.entries()) {
    const k = await parseKey(w)
    if (typeof k === 'string' || !k.witness) throw bad(`has witnesses[${i}] that is no key of a witness`)
    // One operator under two names would count as two.
    if (keys.some((o) => o.name === k.name || equal(o.raw, k.raw))) throw bad(`has witnesses[${i}] twice`)
    keys.push(k)
  }
  return { log: logKey, witnesses: keys, required, roots: roots.map(readRoot) }
}

function strings(v: unknown): v is string[] {
  return Array.isArray(v) && v.every((s) => typeof s === 'string')
}

function readRoot(pem: string, i: number): Certificate {
  const m = /^\s*-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/.exec(pem)
  const der = fromBase64((m?.[1] ?? '').replace(/\s/g, ''))
  const c = der === null || der.length === 0 ? null : parseCertificate(der)
  if (c === null) throw bad(`has timestamp_roots[${i}] that is no PEM certificate`)
  return c
}
