// SPDX-License-Identifier: Apache-2.0
// RFC 3161 timestamp tokens (RFC 5652 signed data), as strictly as the server reads them: one signer, every
// certificate of its chain, no attribute that nobody signed.

import { type Bytes, concat, equal } from './bytes'
import { type Certificate, comesFrom, parseCertificates, signatureAlgorithms, verifyBy } from './certificate'
import { DerError, Fields, type Node, list, oid, only, read, small, tags, time } from './der'
import { ReceiptError } from './errors'

const ids = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCert: '1.2.840.113549.1.9.16.2.12',
  signingCertV2: '1.2.840.113549.1.9.16.2.47',
  rsa: '1.2.840.113549.1.1.1',
}

const maxCertificates = 8

type Hash = 'SHA-256' | 'SHA-384' | 'SHA-512'

const digests: Record<string, Hash> = { '2.16.840.1.101.3.4.2.1': 'SHA-256', '2.16.840.1.101.3.4.2.2': 'SHA-384', '2.16.840.1.101.3.4.2.3': 'SHA-512' }

const digest = async (h: string, b: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest(h, b))

/** Algorithm identifier whose parameters are absent or NULL. */
function algorithm(n: Node): string {
  const f = new Fields(n.tag === tags.sequence ? n.body : new Uint8Array())
  const id = oid(f.any())
  if (f.left > 0 && f.any().raw.join() !== '5,0') throw new DerError('parameters')
  return id
}

function hashOf(n: Node): Hash {
  const h = digests[algorithm(n)]
  if (h === undefined) throw new DerError('no digest of ours')
  return h
}

interface Signer {
  version: number
  sid: Node
  digest: Node
  signed: Node
  algorithm: string
  signature: Bytes
}

interface Token {
  digests: Node
  content: Bytes
  certificates: Bytes
  signer: Signer
}

function parseToken(der: Bytes): Token {
  const info = new Fields(only(der, tags.sequence).body)
  if (oid(info.any()) !== ids.signedData) throw new DerError('no signed data')
  const sd = new Fields(only(info.take(0xa0).body, tags.sequence).body)
  if (info.left > 0 || small(sd.take(tags.integer)) !== 3) throw new DerError('no token')
  const listed = sd.take(tags.set)
  const content = new Fields(sd.take(tags.sequence).body)
  if (oid(content.any()) !== ids.tstInfo) throw new DerError('no token')
  const octets = only(content.take(0xa0).body, tags.octets).body
  const certificates = sd.take(0xa0).body
  const signers = list(sd.take(tags.set).body)
  if (content.left > 0 || sd.left > 0 || signers.length !== 1) throw new DerError('not one signer')
  const s = new Fields((signers[0] as Node).body)
  const signer = {
    version: small(s.take(tags.integer)),
    sid: s.any(),
    digest: s.take(tags.sequence),
    signed: s.take(0xa0),
    algorithm: algorithm(s.take(tags.sequence)),
    signature: s.take(tags.octets).body,
  }
  if (s.left > 0) throw new DerError('an attribute that nobody signed')
  return { digests: listed, content: octets, certificates, signer }
}

/** RFC 3161 §2.4.2 up to the time. */
function readInfo(b: Bytes): { when: number; hash: Hash; imprint: Bytes } {
  const f = new Fields(only(b, tags.sequence).body)
  if (small(f.take(tags.integer)) !== 1) throw new DerError('version')
  oid(f.take(tags.oid))
  const m = new Fields(f.take(tags.sequence).body)
  const hash = hashOf(m.any())
  const imprint = m.take(tags.octets).body
  f.take(tags.integer)
  const when = time(f.take(tags.time))
  if (imprint.length * 8 !== Number(hash.slice(4))) throw new DerError('imprint')
  return { when, hash, imprint }
}

function signerCertificate(s: Signer, certs: Certificate[]): Certificate | undefined {
  if (s.version === 3 && s.sid.tag === 0x80) return certs.find((c) => c.keyId !== undefined && equal(c.keyId, s.sid.body))
  if (s.version !== 1 || s.sid.tag !== tags.sequence) return undefined
  const f = new Fields(s.sid.body)
  const issuer = f.any().raw
  const serial = f.take(tags.integer).body
  return f.left > 0 ? undefined : certs.find((c) => equal(c.issuer, issuer) && equal(c.serial, serial))
}

/** The first ESSCertID (RFC 2634) or ESSCertIDv2 (RFC 5816) is of the signer. */
async function namesSigner(id: string, value: Bytes, signer: Certificate): Promise<boolean> {
  const certs = read(only(value).body).node
  let rest = read(certs.body).node.body
  let hash = 'SHA-1'
  if (id === ids.signingCertV2) {
    hash = 'SHA-256' // unless it says otherwise
    const first = read(rest)
    if (first.node.tag === tags.sequence) {
      hash = hashOf(first.node)
      rest = first.rest
    }
  }
  const sum = read(rest).node
  return sum.tag === tags.octets && equal(sum.body, await digest(hash, signer.raw))
}

async function signedRight(t: Token, signer: Certificate): Promise<boolean> {
  const s = t.signer
  const hash = hashOf(s.digest)
  if (!equal(only(t.digests.body, tags.sequence).raw, s.digest.raw)) return false
  const seen = new Set<string>()
  for (const a of list(s.signed.body)) {
    const f = new Fields(a.body)
    const id = oid(f.any())
    const value = f.take(tags.set).body
    if (seen.has(id) || a.tag !== tags.sequence || f.left > 0) return false
    seen.add(id)
    if (id === ids.contentType && oid(only(value)) !== ids.tstInfo) return false
    if (id === ids.messageDigest && !equal(only(value, tags.octets).body, await digest(hash, t.content))) return false
    if ((id === ids.signingCert || id === ids.signingCertV2) && !(await namesSigner(id, value, signer))) return false
  }
  if (!seen.has(ids.contentType) || !seen.has(ids.messageDigest) || (!seen.has(ids.signingCert) && !seen.has(ids.signingCertV2))) return false
  // What is signed is the SET OF, not the [0] that stands in its place.
  const message = concat(Uint8Array.of(tags.set), s.signed.raw.slice(1))
  const known = s.algorithm === ids.rsa ? { hash, key: 'RSA' as const } : signatureAlgorithms[s.algorithm]
  return known !== undefined && known.hash === hash && (await verifyBy(signer, known, message, s.signature))
}

/** Checks a token over body and gives its time, in seconds since 1970. */
export async function verifyToken(der: Bytes, body: Bytes, roots: Certificate[]): Promise<number> {
  const attempt = <T>(why: string, f: () => T): T => {
    try {
      return f()
    } catch (e) {
      if (e instanceof DerError) throw new ReceiptError('bad-timestamp', why)
      throw e
    }
  }
  const t = attempt('The timestamp is no token with one signer.', () => parseToken(der))
  const info = attempt('The timestamp’s content cannot be read.', () => readInfo(t.content))
  if (!equal(await digest(info.hash, body), info.imprint)) throw new ReceiptError('wrong-timestamp', 'The timestamp is of something else than this checkpoint.')
  const certs = parseCertificates(t.certificates)
  if (certs === null || certs.length === 0 || certs.length > maxCertificates) {
    throw new ReceiptError('bad-timestamp', `The timestamp has no certificates that can be read, or more than ${maxCertificates}.`)
  }
  const signer = attempt('The timestamp’s signer cannot be read.', () => signerCertificate(t.signer, certs))
  if (signer === undefined) throw new ReceiptError('bad-timestamp', 'The timestamp’s signer has no certificate in it.')
  let right = false
  try {
    right = await signedRight(t, signer)
  } catch (e) {
    if (!(e instanceof DerError)) throw e
  }
  if (!right) throw new ReceiptError('bad-timestamp', 'The timestamp’s signature is wrong.')
  if (!(await comesFrom(signer, certs, roots, info.when))) {
    throw new ReceiptError('untrusted-timestamp', 'The timestamp’s signer does not come from a root of the trust file, was not valid then, or may not sign timestamps.')
  }
  return info.when
}
