// SPDX-License-Identifier: Apache-2.0
// As much of X.509 (RFC 5280) as a timestamp's chain needs.

import { type Bytes, equal } from './bytes'
import { DerError, Fields, type Node, list, oid, only, read, small, tags, time } from './der'

export interface Certificate {
  raw: Bytes
  tbs: Bytes
  serial: Bytes
  issuer: Bytes
  subject: Bytes
  notBefore: number
  notAfter: number
  spki: Bytes
  keyAlgorithm: string
  keyCurve: string | undefined
  signatureAlgorithm: string
  signature: Bytes
  authority: boolean
  pathLength: number | undefined
  mayCertify: boolean
  usages: string[] | undefined
  keyId: Bytes | undefined
  version: number
  unknownCritical: boolean
}

const ids = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extKeyUsage: '2.5.29.37',
  ecKey: '1.2.840.10045.2.1',
  rsaKey: '1.2.840.113549.1.1.1',
}

export const timeStamping = '1.3.6.1.5.5.7.3.8'

/** Reads a certificate, or null. */
export function parseCertificate(der: Bytes): Certificate | null {
  try {
    return readCertificate(der)
  } catch (e) {
    if (e instanceof DerError) return null
    throw e
  }
}

function readCertificate(der: Bytes): Certificate {
  const outer = new Fields(only(der, tags.sequence).body)
  const tbs = outer.take(tags.sequence)
  const algorithm = outer.take(tags.sequence)
  const signature = bits(outer.take(tags.bits))
  if (outer.left > 0) throw new DerError('something follows')
  const f = new Fields(tbs.body)
  const versionNode = f.optional(0xa0)
  const serial = f.take(tags.integer)
  const inner = f.take(tags.sequence)
  if (!equal(inner.raw, algorithm.raw)) throw new DerError('two algorithms')
  const issuer = f.take(tags.sequence)
  const validity = new Fields(f.take(tags.sequence).body)
  const subject = f.take(tags.sequence)
  const spki = f.take(tags.sequence)
  const key = new Fields(new Fields(spki.body).take(tags.sequence).body)
  const c: Certificate = {
    raw: der,
    tbs: tbs.raw,
    serial: serial.body,
    issuer: issuer.raw,
    subject: subject.raw,
    notBefore: time(validity.any()),
    notAfter: time(validity.any()),
    spki: spki.raw,
    keyAlgorithm: oid(key.take(tags.oid)),
    keyCurve: undefined,
    signatureAlgorithm: oid(new Fields(algorithm.body).any()),
    signature,
    authority: false,
    pathLength: undefined,
    mayCertify: true,
    usages: undefined,
    keyId: undefined,
    version: versionNode === undefined ? 1 : small(only(versionNode.body)) + 1,
    unknownCritical: false,
  }
  if (c.keyAlgorithm === ids.ecKey) c.keyCurve = oid(key.any())
  f.optional(0x81)
  f.optional(0x82)
  const extensions = f.optional(0xa3)
  if (f.left > 0) throw new DerError('something follows')
  if (extensions !== undefined) for (const e of list(only(extensions.body, tags.sequence).body)) extension(c, e)
  return c
}

function bits(n: Node): Bytes {
  if (n.body[0] !== 0) throw new DerError('bits that are no bytes')
  return n.body.slice(1)
}

function extension(c: Certificate, n: Node): void {
  const f = new Fields(n.body)
  const id = oid(f.any())
  const critical = f.optional(tags.boolean) !== undefined
  const value = f.take(tags.octets).body
  switch (id) {
    case ids.basicConstraints: {
      const b = new Fields(only(value, tags.sequence).body)
      c.authority = b.optional(tags.boolean)?.body[0] === 0xff
      const path = b.optional(tags.integer)
      if (path !== undefined) c.pathLength = small(path)
      return
    }
    case ids.keyUsage: {
      const b = only(value, tags.bits).body
      c.mayCertify = ((b[1] ?? 0) & 0x04) !== 0
      return
    }
    case ids.extKeyUsage:
      c.usages = list(only(value, tags.sequence).body).map(oid)
      return
    case ids.subjectKeyId:
      c.keyId = only(value, tags.octets).body
      return
    default:
      if (critical) c.unknownCritical = true
  }
}

interface Algorithm {
  hash: 'SHA-256' | 'SHA-384' | 'SHA-512'
  key: 'RSA' | 'EC'
}

/** Signature algorithms (RFC 8017, RFC 5758). */
export const signatureAlgorithms: Record<string, Algorithm> = {
  '1.2.840.113549.1.1.11': { hash: 'SHA-256', key: 'RSA' },
  '1.2.840.113549.1.1.12': { hash: 'SHA-384', key: 'RSA' },
  '1.2.840.113549.1.1.13': { hash: 'SHA-512', key: 'RSA' },
  '1.2.840.10045.4.3.2': { hash: 'SHA-256', key: 'EC' },
  '1.2.840.10045.4.3.3': { hash: 'SHA-384', key: 'EC' },
  '1.2.840.10045.4.3.4': { hash: 'SHA-512', key: 'EC' },
}

const curves: Record<string, { name: string; bytes: number }> = {
  '1.2.840.10045.3.1.7': { name: 'P-256', bytes: 32 },
  '1.3.132.0.34': { name: 'P-384', bytes: 48 },
  '1.3.132.0.35': { name: 'P-521', bytes: 66 },
}

/** Checks a signature by a certificate's key. */
export async function verifyBy(c: Certificate, a: Algorithm, message: Bytes, signature: Bytes): Promise<boolean> {
  try {
    if (a.key === 'RSA' && c.keyAlgorithm === ids.rsaKey) {
      const key = await crypto.subtle.importKey('spki', c.spki, { name: 'RSASSA-PKCS1-v1_5', hash: a.hash }, false, ['verify'])
      return await crypto.subtle.verify('RSASSA-PKCS1-v1_5', key, signature, message)
    }
    const curve = curves[c.keyCurve ?? '']
    if (a.key !== 'EC' || c.keyAlgorithm !== ids.ecKey || curve === undefined) return false
    const key = await crypto.subtle.importKey('spki', c.spki, { name: 'ECDSA', namedCurve: curve.name }, false, ['verify'])
    return await crypto.subtle.verify({ name: 'ECDSA', hash: a.hash }, key, fixedWidth(signature, curve.bytes), message)
  } catch {
    return false // a key or a signature that cannot be read
  }
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) as WebCrypto wants it: both numbers in full width. */
function fixedWidth(der: Bytes, width: number): Bytes {
  const f = new Fields(only(der, tags.sequence).body)
  const out = new Uint8Array(2 * width)
  for (const end of [width, 2 * width]) {
    let b = f.take(tags.integer).body
    if (b.length === 0 || ((b[0] as number) & 128) !== 0) throw new DerError('negative')
    if (b[0] === 0 && b.length > 1) {
      if (((b[1] as number) & 128) === 0) throw new DerError('padded')
      b = b.slice(1)
    }
    if (b.length > width) throw new DerError('too long')
    out.set(b, end - b.length)
  }
  if (f.left > 0) throw new DerError('something follows')
  return out
}

/** Reads all certificates that stand one after the other, or null. */
export function parseCertificates(b: Bytes): Certificate[] | null {
  const out: Certificate[] = []
  try {
    for (let rest = b; rest.length > 0; ) {
      const r = read(rest)
      out.push(readCertificate(r.node.raw))
      rest = r.rest
    }
  } catch (e) {
    if (e instanceof DerError) return null
    throw e
  }
  return out
}

/**
 * Whether a signer of timestamps comes from a root, by a chain that holds each of the certificates that came along, all valid at that time.
 */
export async function comesFrom(signer: Certificate, certs: Certificate[], roots: Certificate[], at: number): Promise<boolean> {
  if (signer.usages?.length !== 1 || signer.usages[0] !== timeStamping) return false
  const covers = (chain: Certificate[]): boolean => certs.every((c) => chain.some((x) => equal(x.raw, c.raw)))
  let checks = 64 // bounds what a hostile token can ask for
  const climb = async (chain: Certificate[]): Promise<boolean> => {
    const c = chain.at(-1) as Certificate
    if (at < c.notBefore || at > c.notAfter || c.unknownCritical) return false
    if (chain.length > 1 && c.usages !== undefined && !c.usages.includes(timeStamping) && !c.usages.includes('2.5.29.37.0')) return false
    if (roots.some((r) => equal(r.raw, c.raw))) return covers(chain)
    for (const up of [...roots, ...certs]) {
      if (!equal(up.subject, c.issuer) || chain.some((x) => equal(x.raw, up.raw))) continue
      if (up.version === 3 && (!up.authority || !up.mayCertify)) continue
      if (up.pathLength !== undefined && chain.length - 1 > up.pathLength) continue
      const algorithm = signatureAlgorithms[c.signatureAlgorithm]
      if (algorithm === undefined || checks-- <= 0 || !(await verifyBy(up, algorithm, c.tbs, c.signature))) continue
      if (await climb([...chain, up])) return true
    }
    return false
  }
  return climb([signer])
}
