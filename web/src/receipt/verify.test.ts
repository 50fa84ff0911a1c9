// SPDX-License-Identifier: Apache-2.0
// The verifier against a log that the test keeps itself: what is right is
// accepted, and whatever was changed is refused with the code of the format.
import { beforeAll, describe, expect, it } from 'vitest'
import { Log, sha256, Signer } from '../../dev/fixtures/log'
import { type Bytes, utf8 } from './bytes'
import { type Code, ReceiptError } from './errors'
import { parseTrust, type Trust } from './trust'
import { match, verify } from './verify'

const image = 'the bytes of an image'

function build(): Log {
  const log = new Log()
  for (let i = 0; i < 11; i++) {
    log.append({ kind: i % 2 ? 'artefact-forwarded' : 'artefact-received', subjects: [{ name: 'instance', sha256: sha256(i === 3 ? image : `image ${i}`) }], predicate: { id: `c${i}`, time: '2026-11-22T10:00:00Z', actor: { software: 'asepsis/gateway 0.3.0' }, detail: { protocol: 'dicom' } } })
  }
  return log
}

const log = build()
let trust: Trust
beforeAll(async () => {
  trust = await parseTrust(utf8(log.trust))
})

async function codeOf(file: Bytes, t: Trust = trust, o: { unwitnessed?: boolean } = {}): Promise<Code | 'accepted'> {
  try {
    await verify(file, t, o)
    return 'accepted'
  } catch (e) {
    if (e instanceof ReceiptError) return e.code
    throw e
  }
}

describe('a receipt', () => {
  it('of each entry in logs of each size proves it', async () => {
    for (let size = 1; size <= 11; size++) {
      for (let i = 0; i < size; i++) {
        const r = await verify(utf8(log.receipt(i, { size })), trust)
        expect([r.index, r.size, r.witnessed, r.hash]).toEqual([i, size, true, log.entryHash(i)])
      }
    }
  })

  it('says by when enough witnesses had seen it, and which', async () => {
    const r = await verify(utf8(log.receipt(3, { cosigned: 3, seconds: 1000 })), trust)
    expect(r.by).toBe(1007) // the second of three: one of two is honest
    expect(r.cosigned.map((c) => c.witness)).toEqual(log.witnesses.map((w) => w.name))
  })

  it('is about the file whose content it names, and about no other', async () => {
    const r = await verify(utf8(log.receipt(3)), trust)
    expect(match(r, sha256(image))).toBe('instance')
    expect(() => match(r, sha256('another'))).toThrow(expect.objectContaining({ code: 'wrong-file' }))
  })

  it('with a bit of any byte changed is refused', { timeout: 60_000 }, async () => {
    const file = utf8(log.receipt(3))
    const passed: number[] = []
    for (let at = 0; at < file.length; at++) {
      const changed = file.slice()
      changed[at] = (changed[at] as number) ^ (1 << at % 8)
      if ((await codeOf(changed)) === 'accepted') passed.push(at)
    }
    expect(passed).toEqual([])
  })

  it('cut anywhere is refused', async () => {
    const file = utf8(log.receipt(3))
    for (let n = 0; n < file.length; n += 7) expect(await codeOf(file.slice(0, n))).not.toBe('accepted')
  })
})

/** A receipt whose parsed members were changed, in canonical form again. */
function changed(f: (m: Record<string, unknown>) => void): Bytes {
  const m = JSON.parse(log.receipt(3)) as Record<string, unknown>
  f(m)
  const sorted = (v: unknown): unknown => (Array.isArray(v) ? v.map(sorted) : v !== null && typeof v === 'object' ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, x]) => [k, sorted(x)])) : v)
  return utf8(JSON.stringify(sorted(m)) + '\n')
}
const checkpointOf = (m: Record<string, unknown>): string => m['checkpoint'] as string
const other = new Signer('elsewhere.example/witness', 4)

describe('what is wrong has its name', () => {
  it.each<[string, Code, (m: Record<string, unknown>) => void]>([
    ['another format', 'wrong-format', (m) => (m['format'] = 'asepsis-receipt/v2')],
    ['a member more', 'malformed', (m) => (m['more'] = 1)],
    ['an index that is no whole number', 'malformed', (m) => (m['index'] = 1.5)],
    ['an index beyond the log', 'index-out-of-range', (m) => (m['index'] = 11)],
    ['a neighbour’s index', 'wrong-root', (m) => (m['index'] = 2)],
    ['a proof that lacks a hash', 'truncated-proof', (m) => (m['proof'] = (m['proof'] as string[]).slice(1))],
    ['a proof with a hash more', 'truncated-proof', (m) => (m['proof'] = [...(m['proof'] as string[]), (m['proof'] as string[])[0]])],
    ['a proof in another order', 'wrong-root', (m) => (m['proof'] = (m['proof'] as string[]).toReversed())],
    ['hashes of another length', 'malformed', (m) => (m['proof'] = ['AAAA'])],
    ['another statement', 'wrong-root', (m) => ((m['statement'] as { predicate: { id: string } }).predicate.id = 'c4')],
    ['a statement of no kind of ours', 'bad-statement', (m) => ((m['statement'] as Record<string, unknown>)['predicateType'] = 'https://example.org/other/v1')],
    ['a statement without subjects', 'bad-statement', (m) => ((m['statement'] as Record<string, unknown>)['subject'] = [])],
    ['a checkpoint that is no note', 'bad-checkpoint', (m) => (m['checkpoint'] = 'hello\n')],
    ['a checkpoint of another log', 'wrong-log', (m) => (m['checkpoint'] = new Log('other.example/ledger').checkpoint())],
    ['a checkpoint that says another size', 'bad-log-signature', (m) => (m['checkpoint'] = checkpointOf(m).replace('\n11\n', '\n12\n'))],
    ['a checkpoint without the log’s signature', 'no-log-signature', (m) => (m['checkpoint'] = checkpointOf(m).replace(/— northfield[^\n]*\n/, ''))],
    ['the log’s signature twice', 'duplicate-signature', (m) => (m['checkpoint'] = checkpointOf(m).replace(/(— northfield[^\n]*\n)/, '$1$1'))],
    ['a signature by nobody whom one trusts', 'unknown-key', (m) => (m['checkpoint'] = checkpointOf(m) + other.line('x', 1))],
    ['a cosignature of another checkpoint', 'bad-cosignature', (m) => (m['checkpoint'] = checkpointOf(m).replace(/— st-anna[^\n]*\n/, log.witnesses[0]?.line('x', 1) ?? ''))],
    ['too few witnesses', 'not-witnessed', (m) => (m['checkpoint'] = log.checkpoint(11, 1))],
    ['a timestamp that is none', 'bad-timestamp', (m) => (m['timestamp'] = 'AAAA')],
    ['a timestamp that is no base64', 'malformed', (m) => (m['timestamp'] = 'A')],
  ])('%s: %s', async (_, code, f) => expect(await codeOf(changed(f))).toBe(code))

  it.each<[string, Code, string]>([
    ['no JSON', 'not-json', 'hello\n'],
    ['nothing', 'not-canonical', ''],
    ['spaces', 'not-canonical', log.receipt(3).replace('":', '": ')],
    ['no line feed at the end', 'not-canonical', log.receipt(3).trimEnd()],
    ['a list', 'malformed', '[]\n'],
    ['too deep', 'not-json', `${'['.repeat(40)}${']'.repeat(40)}\n`],
    ['too large', 'too-large', `"${'a'.repeat(200 << 10)}"\n`],
  ])('%s: %s', async (_, code, text) => expect(await codeOf(utf8(text))).toBe(code))

  it('too few witnesses are accepted by who says so, and then nothing says by when', async () => {
    const file = utf8(log.receipt(3, { cosigned: 1 }))
    const r = await verify(file, trust, { unwitnessed: true })
    expect([r.witnessed, r.by]).toEqual([false, undefined])
  })
})

describe('a trust file', () => {
  const of = (f: (t: Record<string, unknown>) => void): Bytes => {
    const t = JSON.parse(log.trust) as Record<string, unknown>
    f(t)
    return utf8(JSON.stringify(t))
  }
  it.each<[string, (t: Record<string, unknown>) => void]>([
    ['requires more witnesses than it names', (t) => (t['required'] = 4)],
    ['names one operator twice', (t) => (t['witnesses'] = [log.witnesses[0]?.vkey, log.witnesses[0]?.vkey])],
    ['takes a witness for the log', (t) => (t['log'] = other.vkey)],
    ['takes the log for a witness', (t) => (t['witnesses'] = [log.signer.vkey])],
    ['has a key whose ID is not its own', (t) => (t['log'] = log.signer.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))],
    ['has a member that nobody knows', (t) => (t['lenient'] = true)],
    ['has a root that is no certificate', (t) => (t['timestamp_roots'] = ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])],
  ])('that %s is refused', async (_, f) => {
    await expect(parseTrust(of(f))).rejects.toMatchObject({ code: 'bad-trust' })
  })
})
