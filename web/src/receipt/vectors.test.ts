// SPDX-License-Identifier: Apache-2.0
// The vectors that the server's verifier is held to as well: the same files give
// the same results and the same codes.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Bytes } from './bytes'
import { sumsOf } from './dicom'
import { ReceiptError } from './errors'
import { parseTrust } from './trust'
import { matchFile, verify } from './verify'

interface Vector {
  name: string
  file: string
  trust: string
  unwitnessed?: boolean
  artefact?: string // base64
  code?: string // of the refusal
  index: number
  hash?: string
  subject?: string
  part?: 'data-set' // of the artefact; without it the whole file
  witnesses?: number
  by?: string
  timestamp?: string
}

const folder = fileURLToPath(new URL('../../../testdata/receipts/', import.meta.url))
const read = (name: string): Bytes => new Uint8Array(readFileSync(folder + name))
const { format, vectors } = JSON.parse(readFileSync(`${folder}vectors.json`, 'utf8')) as { format: string; vectors: Vector[] }

async function outcome(v: Vector): Promise<unknown> {
  try {
    const r = await verify(read(v.file), await parseTrust(read(v.trust)), { unwitnessed: v.unwitnessed ?? false })
    const of = v.artefact === undefined ? undefined : matchFile(r, await sumsOf(new Uint8Array(Buffer.from(v.artefact, 'base64'))))
    return {
      index: r.index, hash: r.hash, subject: of?.subject, part: of?.part === 'data-set' ? of.part : undefined, witnesses: r.cosigned.length,
      by: r.by === undefined ? undefined : new Date(r.by * 1000).toISOString().replace('.000Z', 'Z'),
      timestamp: r.timestamp === undefined ? undefined : new Date(r.timestamp * 1000).toISOString().replace('.000Z', 'Z'),
    }
  } catch (e) {
    if (e instanceof ReceiptError) return { code: e.code }
    throw e
  }
}

describe('the shared vectors', () => {
  it('are of a format that this test knows, and many', () => {
    expect(format).toMatch(/\/v1$/)
    expect(vectors.length).toBeGreaterThan(50)
  })
  it.each(vectors.map((v) => [v.name, v] as const))('%s', async (_, v) => {
    expect(await outcome(v)).toEqual(v.code !== undefined ? { code: v.code } : { index: v.index, hash: v.hash, subject: v.subject, part: v.part, witnesses: v.witnesses ?? 0, by: v.by, timestamp: v.timestamp })
  })
})
