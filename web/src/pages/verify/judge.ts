// SPDX-License-Identifier: Apache-2.0
// What was dropped, sorted into receipts, files and trust files; each receipt
// checked, and each file given to the receipt that speaks of it. Nothing of
// this asks the server anything.

import { type Bytes } from '@/receipt/bytes'
import type { Sums } from '@/receipt/dicom'
import { ReceiptError } from '@/receipt/errors'
import { parseTrust, type Trust } from '@/receipt/trust'
import { matchFile, verify, type Part, type Result } from '@/receipt/verify'
import { sumsOfFile, TooBig } from './hash'

export interface Dropped {
  receipts: { name: string; bytes: Bytes }[]
  files: { name: string; file: File }[]
  trusts: { name: string; bytes: Bytes }[]
}

const SMALL = 256 << 10 // a receipt has at most 192 KiB; a trust file may have this much
const read = async (f: Blob): Promise<Bytes> => new Uint8Array(await f.arrayBuffer())

/** Receipts and trust files are told by what is in them, and a damaged receipt by its name: it must not pass as a file that nobody asked about. */
export async function sortOut(files: readonly File[]): Promise<Dropped> {
  const out: Dropped = { receipts: [], files: [], trusts: [] }
  for (const file of files) {
    const named = /\.receipt(\.json)?$|(^|[-_.])receipt\.json$/i.test(file.name)
    if (file.size <= SMALL) {
      const bytes = await read(file)
      const text = new TextDecoder().decode(bytes)
      const object = /^\s*\{/.test(text)
      if (object && /"format"\s*:\s*"asepsis-trust\//.test(text)) {
        out.trusts.push({ name: file.name, bytes })
        continue
      }
      if (named || (object && /"format"\s*:\s*"asepsis-receipt\/|"predicateType"\s*:\s*"[^"]*\/custody\//.test(text))) {
        out.receipts.push({ name: file.name, bytes })
        continue
      }
    }
    out.files.push({ name: file.name, file })
  }
  return out
}

export interface Because { title: string; why: string; hint: string | undefined; code: string }

/** What came of one receipt, or of a file that no receipt speaks of. */
export interface Judgement {
  key: string
  receipt: string // its file's name, '' for none
  file: string // the artefact's name, '' when none was dropped
  subject: string // which subject of the statement the file is
  part?: Part // of the file that is it: a DICOM file is known by its data set
  is: 'verified' | 'unwitnessed' | 'refused'
  result: Result | undefined // also of a receipt that is right while the file is another
  because: Because | undefined
}

export async function readTrust(bytes: Bytes): Promise<{ trust: Trust } | { because: Because }> {
  try {
    return { trust: await parseTrust(bytes) }
  } catch (e) {
    return { because: because(e) }
  }
}

/** "scan.dcm.receipt.json" and "scan.receipt.json" are of scan.dcm. */
function named(receipt: string, file: string): boolean {
  const stem = receipt.toLowerCase().replace(/\.receipt(\.json)?$|\.json$/i, '')
  const f = file.toLowerCase()
  return stem === f || stem === f.replace(/\.[^.]+$/, '')
}

/** Judges all that was dropped. A file goes to the receipt that has its content; else to the one of its name, or to the only one, which is then refused. */
export async function judge(dropped: Dropped, trust: Trust, unwitnessed: boolean): Promise<Judgement[]> {
  const out: Judgement[] = []
  for (const [i, r] of dropped.receipts.entries()) {
    const base = { key: `r${i}`, receipt: r.name, file: '', subject: '' }
    try {
      const result = await verify(r.bytes, trust, { unwitnessed })
      out.push({ ...base, is: result.witnessed || trust.required === 0 ? 'verified' : 'unwitnessed', result, because: undefined })
    } catch (e) {
      out.push({ ...base, is: 'refused', result: undefined, because: because(e) })
    }
  }
  const left: { name: string; file: File; why: Because | undefined }[] = []
  const copies: Judgement[] = []
  for (const f of dropped.files) {
    let sums: Sums
    try {
      sums = await sumsOfFile(f.file)
    } catch (e) {
      left.push({ ...f, why: because(e) })
      continue
    }
    const found = out.filter((j) => j.result?.statement.subjects.some((s) => s.sha256 === sums.whole || s.sha256 === sums.dataSet))
    if (found.length === 0) left.push({ ...f, why: undefined })
    for (const j of found) {
      const { subject, part } = matchFile(j.result as Result, sums)
      if (j.file === '') Object.assign(j, { file: f.name, subject, part })
      else copies.push({ ...j, key: `${j.key} ${f.name} ${copies.length}`, file: f.name, subject, part })
    }
  }
  for (const [i, f] of left.entries()) {
    const free = out.filter((j) => j.file === '')
    const j = free.find((x) => named(x.receipt, f.name)) ?? (free.length === 1 && left.length === 1 ? free[0] : undefined)
    if (j) {
      j.file = f.name
      if (j.is === 'refused') continue // what is wrong with the receipt goes first
      j.is = 'refused'
      j.because = f.why ?? because(new ReceiptError('wrong-file', `The receipt is right, and it is not about this file: none of its ${j.result?.statement.subjects.length ?? 0} subjects has this content.`))
    } else {
      out.push({
        key: `f${i}`, receipt: '', file: f.name, subject: '', is: 'refused', result: undefined,
        because: f.why ?? { title: 'No receipt speaks of this file', why: dropped.receipts.length === 0 ? 'There is no receipt among what was dropped.' : 'None of the receipts here is about this content.', hint: 'Drop its receipt beside it. Receipts are saved on the ledger’s page.', code: 'no-receipt' },
      })
    }
  }
  // What needs somebody goes first.
  const order = { refused: 0, unwitnessed: 1, verified: 2 }
  return [...out, ...copies].sort((a, b) => order[a.is] - order[b.is])
}

const titles: Record<string, string> = {
  'bad-trust': 'The trust file cannot be used', 'too-large': 'It is too large for a receipt', 'not-json': 'It is no receipt', 'not-canonical': 'The receipt was changed', 'wrong-format': 'It is no receipt of a format known here',
  malformed: 'The receipt is damaged', 'bad-statement': 'What the receipt claims cannot be read', 'bad-checkpoint': 'The log’s checkpoint in it is damaged', 'wrong-log': 'It is a receipt of another ledger',
  'duplicate-signature': 'Somebody signed twice', 'unknown-key': 'Somebody signed whom the trust file does not know', 'bad-log-signature': 'The ledger’s signature is wrong', 'no-log-signature': 'The ledger did not sign it',
  'bad-cosignature': 'A witness’s signature is wrong', 'not-witnessed': 'Too few witnesses signed it', 'index-out-of-range': 'The entry is not in the log', 'truncated-proof': 'The proof is cut', 'wrong-root': 'The entry is not in the log as it stands here',
  'bad-timestamp': 'The timestamp is damaged', 'wrong-timestamp': 'The timestamp is of something else', 'untrusted-timestamp': 'The timestamp is by somebody whom the trust file does not know', 'wrong-file': 'It is another file',
}
const advice: Record<string, string> = {
  'bad-log-signature': 'Do not rely on it. Get the receipt again from the ledger; if it stays wrong, tell whoever runs it.',
  'wrong-root': 'Do not rely on it: the statement is not the one that was recorded. Get the receipt again from the ledger.',
  'bad-cosignature': 'Do not rely on it. Get the receipt again from the ledger.',
  'truncated-proof': 'Get the receipt again from the ledger: this copy lacks a part.',
  malformed: 'Get the receipt again from the ledger.', 'bad-checkpoint': 'Get the receipt again from the ledger.',
  'wrong-file': 'Do not rely on the file: it is not what was recorded, or it is a later version of it. The receipt’s own file has the SHA-256 below.',
}

/** The words for what went wrong, whatever it was. */
export function because(e: unknown): Because {
  if (e instanceof ReceiptError) return { title: titles[e.code] ?? 'It is not verified', why: e.message, hint: advice[e.code] ?? e.hint, code: e.code }
  if (e instanceof TooBig) return { title: 'The file is too large for a browser', why: e.message, hint: e.hint, code: 'file-too-large' }
  if (e instanceof DOMException && (e.name === 'NotReadableError' || e.name === 'NotFoundError')) return { title: 'The file cannot be read', why: 'It was moved or changed since it was dropped, or the browser ran out of memory.', hint: 'Drop it again.', code: 'not-readable' }
  if (e instanceof DOMException && e.name === 'NotSupportedError') return { title: 'This browser cannot verify', why: 'It does not know Ed25519 signatures.', hint: 'Use a newer browser, or asepsis verify on the command line.', code: 'no-ed25519' }
  return { title: 'It could not be verified', why: e instanceof Error ? e.message : String(e), hint: 'Use asepsis verify on the command line.', code: 'failed' }
}
