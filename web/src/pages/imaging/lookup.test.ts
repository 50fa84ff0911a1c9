// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sha256 } from '../../../dev/fixtures/log'
import type { ImagingInstance } from '@/api/types'
import { asWhat, lookUpAll, MOST, whyNot, type Looked } from './lookup'
import { LARGEST, TooBig } from '../verify/hash'

const set = 'a data set'
/** A DICOM file: preamble, prefix, one element of meta information, and a data set. */
const dicom = (name: string, data = set) => new File([new Uint8Array(128), 'DICM', new Uint8Array([2, 0, 0x10, 0, 0x55, 0x49, 2, 0, 0x31, 0]), data], name)

/** A gateway that keeps one data set, and remembers another. What it was asked is noted. */
function serve(o: { kept?: string; recorded?: string; status?: number } = {}): string[] {
  const asked: string[] = []
  vi.stubGlobal('fetch', (url: string) => {
    asked.push(url)
    const json = (body: unknown, status = 200) => Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': status === 200 ? 'application/json' : 'application/problem+json' } }))
    if (o.status) return json({ title: 'Not available', status: o.status, detail: 'The gateway did not answer.', hint: 'See that it runs.' }, o.status)
    if (url.includes('/receipts/')) return o.recorded && url.includes(sha256(o.recorded)) ? json({ artefact: '', receipts: [{ entry: 1 }] }) : json({ title: 'Not found', status: 404 }, 404)
    return json({ instances: o.kept && url.includes(sha256(o.kept)) ? [{ number: 20 }] : [] })
  })
  return asked
}
async function all(...files: File[]): Promise<Looked[]> {
  const out: Looked[] = []
  for await (const l of lookUpAll('gw', files, new AbortController().signal)) out.push(l)
  return out
}
afterEach(() => vi.unstubAllGlobals())

describe('a file is looked for', () => {
  it('by its data set, and nothing of it is sent but the SHA-256', async () => {
    const asked = serve({ kept: set })
    expect(await all(dicom('scan.dcm'))).toEqual([{ file: 'scan.dcm', digest: sha256(set), bare: false, images: [{ number: 20 }], recorded: false }])
    expect(asked).toHaveLength(1)
    expect(asked[0]).toContain(`sha256=${sha256(set)}`)
    expect(asked[0]).not.toContain('scan')
  })
  it('as a data set where it has no header of DICOM’s', async () => {
    serve({ kept: set })
    expect(await all(new File([set], 'bare'))).toMatchObject([{ bare: true, images: [{ number: 20 }] }])
  })
  it('in the ledger where the gateway does not keep it any more, and nowhere when that knows nothing', async () => {
    serve({ recorded: set })
    expect(await all(dicom('old.dcm'), dicom('other.dcm', 'another data set'))).toMatchObject([{ images: [], recorded: true }, { images: [], recorded: false }])
  })
  it('and what fails is said of each, without losing the others', async () => {
    serve({ status: 503 })
    expect(await all(dicom('a.dcm'))).toEqual([{ file: 'a.dcm', why: 'The gateway did not answer.', hint: 'See that it runs.' }])
  })
  it('one after the other, up to a bound', async () => {
    serve()
    expect(await all(...Array.from({ length: MOST + 5 }, (_, i) => dicom(`${i}`)))).toHaveLength(MOST)
  })
})

describe('a file that is not read', () => {
  it('because it is too large leads to the command line', () => expect(whyNot(new TooBig('a.dcm', LARGEST + 1))).toMatchObject({ why: expect.stringContaining('a.dcm') as string, hint: expect.stringContaining('--file') as string }))
  it('because it is a folder says so', () => expect(whyNot(new DOMException('x', 'NotReadableError')).why).toMatch(/folder/))
})

describe('what a file is', () => {
  const r = (data_set: string, ...sent: [string, string][]): Pick<ImagingInstance, 'data_set' | 'deliveries'> => ({ data_set, deliveries: sent.map(([destination, forwarded]) => ({ destination, forwarded, route: '', state: 'delivered', attempts: 1 })) })
  it.each<[string, Pick<ImagingInstance, 'data_set' | 'deliveries'>, string]>([
    ['came and went nowhere', r('aa'), 'as it came'], ['came and went unchanged', r('aa', ['XR', 'aa'], ['PACS', 'bb']), 'as it came, and as it was sent to XR'], ['is what was made of it for one', r('bb', ['XR', 'bb'], ['RESEARCH', 'aa']), 'as it was changed for RESEARCH'], ['is none of them', r('bb', ['XR', 'bb']), ''],
  ])('%s', (_, x, says) => expect(asWhat(x, 'aa')).toBe(says))
})
