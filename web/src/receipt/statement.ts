// SPDX-License-Identifier: Apache-2.0
// What every verifier must agree on about a statement. Members that a later version adds are passed over.

import { utf8, isHex } from './bytes'
import { CanonicalError, type Json, canonical } from './canonical'
import { ReceiptError } from './errors'

const maxStatement = 60 << 10
const maxSubjects = 64
export const maxDepth = 16

export const kinds = [
  'artefact-received',
  'artefact-altered',
  'artefact-forwarded',
  'artefact-displayed',
  'operation-record',
  'configuration-change',
  'certificate-event',
  'decision',
  'override',
] as const

export type Kind = (typeof kinds)[number]

export interface Subject {
  name: string
  sha256: string
}

export interface Statement {
  kind: Kind
  subjects: Subject[]
  predicate: { [name: string]: Json }
  canonical: string
}

const root = 'https://github.com/asepsis/asepsis/custody/'

const wrong = (why: string): ReceiptError => new ReceiptError('bad-statement', `The statement ${why}.`)

type Members = { [name: string]: Json }

const isObject = (v: Json | undefined): v is Members => typeof v === 'object' && v !== null && !Array.isArray(v)

/** The canonical form, or why there is none. */
export function canonicalStatement(v: Json): string {
  try {
    return canonical(v, maxDepth + 4)
  } catch (e) {
    if (e instanceof CanonicalError) throw wrong('is nested too deeply')
    throw e
  }
}

export function readStatement(v: Members, text: string): Statement {
  if (utf8(text).length > maxStatement) throw wrong(`has more than ${maxStatement} bytes`)
  if (v['_type'] !== 'https://in-toto.io/Statement/v1') throw wrong('is no in-toto statement')
  const type = v['predicateType']
  const kind = kinds.find((k) => type === `${root}${k}/v1`)
  if (kind === undefined) throw wrong('is of a kind that is not known')
  const list = v['subject']
  if (!Array.isArray(list) || list.length === 0 || list.length > maxSubjects) throw wrong(`has no subjects, or more than ${maxSubjects}`)
  const subjects = list.map((s, i) => {
    const digest = isObject(s) ? s['digest'] : undefined
    const name = isObject(s) ? s['name'] : undefined
    const sha256 = isObject(digest) ? digest['sha256'] : undefined
    if (typeof name !== 'string' || name === '' || !isHex(sha256, 64)) throw wrong(`has subject[${i}] without a name or a sha256`)
    return { name, sha256 }
  })
  const predicate = v['predicate']
  if (!isObject(predicate)) throw wrong('has no predicate')
  return { kind, subjects, predicate, canonical: text }
}
