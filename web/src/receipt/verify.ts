// SPDX-License-Identifier: Apache-2.0
// Checks, without any server, that a custody statement is in a transparency log that witnesses watch. The same checks in
// the same order as the Go package prove/receipt; docs/ledger.md describes the format. Nothing leaves the browser.

import { type Bytes, equal, fromBase64, sha256, toHex, utf8 } from './bytes'
import { type Json, decode } from './canonical'
import type { Sums } from './dicom'
import { ReceiptError } from './errors'
import { leafHash, proofLength, rootOf } from './merkle'
import { type Key, type Note, type Signature, maxCheckpoint, parseNote, verifySignature } from './note'
import { type Statement, canonicalStatement, maxDepth, readStatement } from './statement'
import { verifyToken } from './token'
import type { Trust } from './trust'

const format = 'asepsis-receipt/v1'
const maxReceipt = 192 << 10
const maxProof = 63
const maxToken = 32 << 10
const members = ['format', 'statement', 'index', 'proof', 'checkpoint', 'timestamp']

export interface Cosignature {
  witness: string
  seconds: number // 0: the witness did not say
}

export interface Result {
  statement: Statement
  hash: string // SHA-256 of the canonical statement
  index: number
  origin: string
  size: number
  witnessed: boolean
  cosigned: Cosignature[]
  by: number | undefined // seconds since 1970 by which enough witnesses had seen it
  timestamp: number | undefined
}

interface Receipt {
  statement: { [name: string]: Json }
  text: string
  index: number
  proof: Bytes[]
  checkpoint: string
  timestamp: Bytes | undefined
}

const malformed = (why: string): ReceiptError => new ReceiptError('malformed', why)

/** Reads a file strictly. It proves nothing. */
function parse(file: Bytes): Receipt {
  if (file.length > maxReceipt) throw new ReceiptError('too-large', `It has ${file.length} bytes, more than ${maxReceipt}.`)
  if (file.at(-1) !== 10) throw new ReceiptError('not-canonical', 'It does not end in a line feed: it was cut, or is no receipt.')
  const m = decode(file.slice(0, -1), maxDepth + 6)
  if (typeof m !== 'object' || m === null || Array.isArray(m)) throw malformed('It is no object.')
  if (m['format'] !== format) throw new ReceiptError('wrong-format', `Its format is not ${format}.`)
  if (Object.keys(m).some((k) => !members.includes(k))) throw malformed('There is a member that the format does not have.')
  const { index, statement, checkpoint, proof, timestamp } = m
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) throw malformed('Its index is not a whole number from 0 to 2^53-1.')
  if (typeof statement !== 'object' || statement === null || Array.isArray(statement)) throw malformed('Its statement is missing or no object.')
  const text = canonicalStatement(statement)
  if (typeof checkpoint !== 'string' || checkpoint === '' || utf8(checkpoint).length > maxCheckpoint) throw malformed(`Its checkpoint is missing, no text, or longer than ${maxCheckpoint} bytes.`)
  if (!Array.isArray(proof) || proof.length > maxProof) throw malformed(`Its proof is missing, no list, or longer than ${maxProof}.`)
  const hashes = proof.map((p, i) => {
    const h = typeof p === 'string' ? fromBase64(p) : null
    if (h?.length !== 32) throw malformed(`Its proof[${i}] is no hash of 32 bytes in base64.`)
    return h
  })
  let token: Bytes | undefined
  if (timestamp !== undefined) {
    token = (typeof timestamp === 'string' && fromBase64(timestamp)) || undefined
    if (token === undefined || token.length === 0 || token.length > maxToken) throw malformed(`Its timestamp is no base64 of 1 to ${maxToken} bytes.`)
  }
  return { statement, text, index, proof: hashes, checkpoint, timestamp: token }
}

function keyOf(t: Trust, s: Signature): Key | undefined {
  return [t.log, ...t.witnesses].find((k) => k.name === s.name && k.id === s.id)
}

/** Checks a checkpoint's signatures: the log's must be there, all others must be of witnesses of the trust file, and all right. */
async function open(t: Trust, text: string): Promise<{ note: Note; cosigned: Cosignature[] }> {
  const note = parseNote(text)
  if (typeof note === 'string') throw new ReceiptError('bad-checkpoint', `The checkpoint cannot be read: ${note}.`)
  if (note.origin !== t.log.name) throw new ReceiptError('wrong-log', 'The checkpoint is of another log than the trust file’s.')
  const seen = new Set<string>()
  const cosigned: Cosignature[] = []
  let byLog = false
  for (const s of note.signatures) {
    const key = keyOf(t, s)
    if (key === undefined) throw new ReceiptError('unknown-key', 'A signature of the checkpoint is by a key that the trust file does not have.')
    if (seen.has(key.name)) throw new ReceiptError('duplicate-signature', `The checkpoint is signed twice by ${key.name}.`)
    seen.add(key.name)
    const { ok, seconds } = await verifySignature(key, note.body, s.bytes)
    if (!key.witness && !ok) throw new ReceiptError('bad-log-signature', 'The log’s signature is wrong: the checkpoint was changed, or another key made it.')
    if (!ok) throw new ReceiptError('bad-cosignature', `The signature of witness ${key.name} is wrong.`)
    if (key.witness) cosigned.push({ witness: key.name, seconds })
    else byLog = true
  }
  if (!byLog) throw new ReceiptError('no-log-signature', 'The log did not sign the checkpoint.')
  return { note, cosigned }
}

/** The n-th earliest time: of n witnesses at least one is honest. One who gives no time counts last. */
function seenBy(cosigned: Cosignature[], n: number): number | undefined {
  const times = cosigned.map((c) => c.seconds).filter((s) => s > 0)
  return times.sort((a, b) => a - b)[n - 1]
}

/** Checks a receipt; what is wrong with it is a ReceiptError. */
export async function verify(file: Bytes, trust: Trust, options: { unwitnessed?: boolean } = {}): Promise<Result> {
  const r = parse(file)
  const statement = readStatement(r.statement, r.text)
  const { note, cosigned } = await open(trust, r.checkpoint)
  const enough = cosigned.length >= trust.required
  if (!enough && !options.unwitnessed) {
    throw new ReceiptError('not-witnessed', `${cosigned.length} of ${trust.required} witnesses that are required signed the checkpoint.`)
  }
  if (r.index >= note.size) throw new ReceiptError('index-out-of-range', `The entry has index ${r.index}, the checkpoint’s log ${note.size} entries.`)
  const want = proofLength(r.index, note.size)
  if (r.proof.length !== want) throw new ReceiptError('truncated-proof', `The proof has ${r.proof.length} hashes, index and size demand ${want}.`)
  const data = utf8(r.text)
  if (!equal(await rootOf(await leafHash(data), r.index, note.size, r.proof), note.root)) {
    throw new ReceiptError('wrong-root', 'Statement, index and proof do not lead to the checkpoint’s root.')
  }
  const witnessed = enough && trust.required > 0
  return {
    statement,
    hash: toHex(await sha256(data)),
    index: r.index,
    origin: note.origin,
    size: note.size,
    witnessed,
    cosigned,
    by: witnessed ? seenBy(cosigned, trust.required) : undefined,
    timestamp: r.timestamp === undefined ? undefined : await verifyToken(r.timestamp, note.body, trust.roots),
  }
}

/** Which subject of the statement a file is, by its SHA-256 in hexadecimal. */
export function match(result: Result, sum: string): string {
  const s = result.statement.subjects.find((s) => s.sha256 === sum)
  if (s === undefined) throw new ReceiptError('wrong-file', `The statement is not about this file: none of its ${result.statement.subjects.length} subjects has this content.`)
  return s.name
}

export type Part = 'file' | 'data-set'

/** Which subject a file is, and by which part of it: as a whole, or as a DICOM file by its data set. */
export function matchFile(result: Result, sums: Sums): { subject: string; part: Part } {
  const has = (sum: string): boolean => result.statement.subjects.some((s) => s.sha256 === sum)
  if (sums.dataSet !== null && !has(sums.whole) && has(sums.dataSet)) return { subject: match(result, sums.dataSet), part: 'data-set' }
  return { subject: match(result, sums.whole), part: 'file' }
}
