// SPDX-License-Identifier: Apache-2.0
// What is dropped on the Verify page, and what is said of it.
import { beforeAll, describe, expect, it } from 'vitest'
import { Log, sha256 } from '../../../dev/fixtures/log'
import { utf8 } from '@/receipt/bytes'
import type { Trust } from '@/receipt/trust'
import { LARGEST } from './hash'
import { because, judge, readTrust, sortOut, type Dropped } from './judge'
import { told } from './told'
import { verify } from '@/receipt/verify'

const image = 'the bytes of an image'
const log = new Log()
log.append({ kind: 'artefact-received', subjects: [{ name: 'instance', sha256: sha256(image) }], predicate: { id: 'a', time: '2026-11-22T10:00:00Z', actor: { software: 'asepsis/gateway' }, detail: { protocol: 'dicom', from: 'CT_1', to: 'PACS' } } })
log.append({ kind: 'artefact-altered', subjects: [{ name: 'before', sha256: sha256(image) }, { name: 'after', sha256: sha256('without names') }], predicate: { id: 'b', time: '2026-11-22T10:00:01Z', actor: {}, detail: { operation: 'de-identification' } } })
const other = new Log('other.example/ledger')
other.append({ kind: 'decision', subjects: [{ name: 'x', sha256: sha256('x') }], predicate: {} })

let trust: Trust
beforeAll(async () => {
  const r = await readTrust(utf8(log.trust))
  if (!('trust' in r)) throw new Error(r.because.why)
  trust = r.trust
})
const file = (name: string, text: string) => new File([text], name)
const drop = (...files: File[]): Promise<Dropped> => sortOut(files)
const judged = async (files: File[], unwitnessed = false) => (await judge(await drop(...files), trust, unwitnessed)).map((j) => [j.is, j.receipt, j.file, j.subject, j.because?.code ?? ''])

describe('what is dropped is told by what is in it', () => {
  it('whatever it is called', async () => {
    const d = await drop(file('a.txt', log.receipt(0)), file('b', log.trust), file('scan.dcm', image), file('other.json', '{"a":1}'))
    expect([d.receipts, d.trusts, d.files].map((l) => l.map((x) => x.name))).toEqual([['a.txt'], ['b'], ['scan.dcm', 'other.json']])
  })
  it('and a damaged receipt by its name: it is not taken for a file', async () => {
    const d = await drop(file('a.receipt.json', log.receipt(0).slice(200)), file('scan.receipt', ''), file('receipt.json', 'x'))
    expect([d.receipts.length, d.files.length]).toEqual([3, 0])
  })
  it('a large file is not read to tell', async () => expect((await drop(file('big', '{"format":"asepsis-trust/v1"'.padEnd(300 << 10)))).files.length).toBe(1))
})

describe('a receipt and its file', () => {
  it('belong together by content, in any order and under any name', async () => {
    expect(await judged([file('x.bin', 'without names'), file('b.json', log.receipt(1)), file('a.json', log.receipt(0)), file('scan.dcm', image)])).toEqual([
      ['verified', 'b.json', 'x.bin', 'after', ''],
      ['verified', 'a.json', 'scan.dcm', 'instance', ''],
      ['verified', 'b.json', 'scan.dcm', 'before', ''],
    ])
  })
  it('a DICOM file is known by its data set, whatever head its receiver gave it', async () => {
    const part10 = (preamble: string, set: string) => file('got.dcm', `${preamble.padEnd(128, '\0')}DICM\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0${set}`)
    const of = async (f: File) => (await judge(await drop(file('a.json', log.receipt(0)), f), trust, false)).map((j) => [j.is, j.subject, j.part, j.because?.code])
    expect(await of(part10('', image))).toEqual([['verified', 'instance', 'data-set', undefined]])
    expect(await of(part10('II*', image))).toEqual([['verified', 'instance', 'data-set', undefined]])
    expect(await of(part10('', `${image}.`))).toEqual([['refused', '', undefined, 'wrong-file']])
    expect(await of(file('scan.dcm', image))).toEqual([['verified', 'instance', 'file', undefined]])
  })
  it('a receipt alone is right without its file', async () => expect(await judged([file('a.json', log.receipt(0))])).toEqual([['verified', 'a.json', '', '', '']]))
  it('a file with one changed bit is refused', async () => expect(await judged([file('a.json', log.receipt(0)), file('scan.dcm', image.replace('t', 'u'))])).toEqual([['refused', 'a.json', 'scan.dcm', '', 'wrong-file']]))
  it('among many a changed file is refused beside the receipt of its name, and goes first', async () => {
    expect(await judged([file('b.receipt.json', log.receipt(1)), file('scan.dcm.receipt.json', log.receipt(0)), file('scan.dcm', 'changed'), file('x', 'without names')])).toEqual([
      ['refused', 'scan.dcm.receipt.json', 'scan.dcm', '', 'wrong-file'],
      ['verified', 'b.receipt.json', 'x', 'after', ''],
    ])
  })
  it('a file that no receipt speaks of is not passed over', async () => {
    expect(await judged([file('scan.dcm', image)])).toEqual([['refused', '', 'scan.dcm', '', 'no-receipt']])
    expect((await judged([file('a.json', log.receipt(0)), file('scan.dcm', image), file('more', 'unknown')]))[0]).toEqual(['refused', '', 'more', '', 'no-receipt'])
  })
  it('a bad receipt stays bad with a file beside it', async () => expect(await judged([file('a.receipt.json', log.receipt(0).replace('CT_1', 'CT_2')), file('scan.dcm', image)])).toEqual([['refused', 'a.receipt.json', 'scan.dcm', '', 'wrong-root']]))
  it('a receipt of another ledger is named so', async () => expect(await judged([file('o.json', other.receipt(0))])).toEqual([['refused', 'o.json', '', '', 'wrong-log']]))
  it('that too few witnesses signed is refused, and accepted only as such', async () => {
    const f = file('a.json', log.receipt(0, { cosigned: 1 }))
    expect(await judged([f])).toEqual([['refused', 'a.json', '', '', 'not-witnessed']])
    expect(await judged([f], true)).toEqual([['unwitnessed', 'a.json', '', '', '']])
  })
  it('a file that is too large is refused before it is read', async () => {
    const huge = new File([], 'huge.raw')
    Object.defineProperty(huge, 'size', { value: LARGEST + 1 })
    Object.defineProperty(huge, 'arrayBuffer', { value: () => Promise.reject(new Error('it was read')) })
    const [j] = await judge({ receipts: [], trusts: [], files: [{ name: 'huge.raw', file: huge }] }, trust, false)
    expect(j?.because).toMatchObject({ code: 'file-too-large', hint: 'Use the command line: asepsis verify RECEIPT huge.raw' })
  })
})

describe('words', () => {
  it('a statement is told from itself alone', async () => {
    const say = async (i: number) => told((await verify(utf8(log.receipt(i)), trust)).statement)
    expect(await say(0)).toBe('“instance” was received from CT_1 to PACS over dicom.')
    expect(await say(1)).toBe('Something was altered: de-identification.')
  })
  it('what a browser cannot do is said', () => expect(because(new DOMException('', 'NotSupportedError')).why).toBe('It does not know Ed25519 signatures.'))
  it('a trust file that is none says why', async () => expect(await readTrust(utf8('{}'))).toMatchObject({ because: { code: 'bad-trust', title: 'The trust file cannot be used' } }))
})
