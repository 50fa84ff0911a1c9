// SPDX-License-Identifier: Apache-2.0
// Signed checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

import { type Bytes, concat, fromBase64, sha256, uint32, utf8 } from './bytes'

const ed25519 = 1
const cosignature = 4

export const maxCheckpoint = 16 << 10
const maxSignatures = 32

export interface Key {
  name: string
  id: number
  witness: boolean
  raw: Bytes
}

export interface Signature {
  name: string
  id: number
  bytes: Bytes
}

export interface Note {
  origin: string
  size: number
  root: Bytes
  body: Bytes // what is signed
  signatures: Signature[]
}

// White space as Unicode has it, which JavaScript's \s is but for U+0085 and U+FEFF.
const space = /[\t\n\v\f\r \u0085\p{Z}]/u

const validName = (name: string): boolean => name !== '' && !space.test(name) && !name.includes('+')

/** Reads name+id+key: Ed25519 of a log (1) or of a witness (4); a string says what is wrong. */
export async function parseKey(vkey: string): Promise<Key | string> {
  const parts = vkey.split('+')
  const [name, id] = parts
  const text = parts.slice(2).join('+') // base64 has plus signs too
  if (name === undefined || id === undefined || parts.length < 3 || !validName(name) || utf8(name).length > 256) return 'it is not name+id+key'
  const key = fromBase64(text)
  if (key === null || key.length !== 33) return 'its key is not 33 bytes in base64'
  if (key[0] !== ed25519 && key[0] !== cosignature) return `its algorithm ${key[0]} is not known`
  const want = uint32(await sha256(concat(utf8(name + '\n'), key)))
  if (!/^[0-9a-fA-F]{8}$/.test(id) || parseInt(id, 16) !== want) return 'its ID is not that of the name and the key'
  return { name, id: want, witness: key[0] === cosignature, raw: key.slice(1) }
}

/** Reads a note with a checkpoint in it; a string says what is wrong. */
export function parseNote(text: string): Note | string {
  if (utf8(text).length > maxCheckpoint || /[\ud800-\udfff]/u.test(text)) return 'it is too long or not UTF-8'
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x09\x0b-\x1f\x7f]/.test(text)) return 'it has control characters'
  const end = text.indexOf('\n\n')
  if (end < 0) return 'it has no signatures'
  const lines = text.slice(0, end).split('\n')
  const [origin, sizeText, rootText] = lines
  if (lines.length !== 3 || origin === undefined || sizeText === undefined || rootText === undefined) return `it has ${lines.length} lines, want origin, size and root`
  const size = Number(sizeText)
  if (!/^(0|[1-9][0-9]*)$/.test(sizeText) || !Number.isSafeInteger(size)) return 'its size is no decimal number'
  const root = fromBase64(rootText)
  if (root?.length !== 32) return 'its root is not 32 bytes in base64'
  const block = text.slice(end + 2)
  if (!block.endsWith('\n')) return 'its last line does not end'
  const signatures: Signature[] = []
  for (const line of block.slice(0, -1).split('\n')) {
    const rest = line.startsWith('— ') ? line.slice(2) : ''
    const blank = rest.indexOf(' ')
    const name = rest.slice(0, Math.max(blank, 0))
    const sig = blank < 0 ? null : fromBase64(rest.slice(blank + 1))
    if (!validName(name) || sig === null || sig.length < 5) return 'a line below the text is no signature'
    if (signatures.length === maxSignatures) return `it has more than ${maxSignatures} signatures`
    signatures.push({ name, id: uint32(sig), bytes: sig.slice(4) })
  }
  return { origin, size, root, body: utf8(text.slice(0, end + 1)), signatures }
}

async function verifyEd25519(key: Bytes, signature: Bytes, message: Bytes): Promise<boolean> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify'])
  return crypto.subtle.verify({ name: 'Ed25519' }, imported, signature, message)
}

/** Checks one signature; of a witness it gives the time, in seconds (0: the witness did not say). */
export async function verifySignature(key: Key, body: Bytes, signature: Bytes): Promise<{ ok: boolean; seconds: number }> {
  if (!key.witness) return { ok: signature.length === 64 && (await verifyEd25519(key.raw, signature, body)), seconds: 0 }
  if (signature.length !== 72) return { ok: false, seconds: 0 }
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  if (seconds > 1n << 40n) return { ok: false, seconds: 0 }
  const message = concat(utf8(`cosignature/v1\ntime ${seconds}\n`), body)
  return { ok: await verifyEd25519(key.raw, signature.slice(8), message), seconds: Number(seconds) }
}
