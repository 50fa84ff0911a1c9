// SPDX-License-Identifier: Apache-2.0
// The parts of the verifier on what their standards print: RFC 8785's examples,
// RFC 6962's tree as the public test data of its logs have it, and X.690.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Signer } from '../../dev/fixtures/log'
import { type Bytes, fromBase64, toHex, utf8 } from './bytes'
import { canonical, decode, type Json } from './canonical'
import { oid, only, read, small, time } from './der'
import { leafHash, proofLength, rootOf } from './merkle'
import { parseKey, parseNote } from './note'

describe('the canonical form (RFC 8785)', () => {
  it('writes literals, numbers and escapes as §3.2.2 has them', () => {
    const v = JSON.parse('{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}') as Json
    expect(canonical(v, 4)).toBe('{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}')
  })
  it('sorts names by UTF-16 code units, as §3.2.3 has them', () => {
    const v = JSON.parse('{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}') as Json
    expect(canonical(v, 4)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
  })
  it.each([
    ['a space', '{"a": 1}', 'not-canonical'],
    ['a name twice', '{"a":1,"a":2}', 'not-canonical'],
    ['names out of order', '{"b":1,"a":2}', 'not-canonical'],
    ['minus zero', '[-0]', 'not-canonical'],
    ['a whole number too long', '[9007199254740993]', 'not-canonical'],
    ['an escape that is not due', '["\\u0041"]', 'not-canonical'],
    ['half a surrogate pair', '["\\ud800"]', 'not-canonical'],
    ['a number beyond all', '[1e400]', 'not-canonical'],
    ['no JSON', "{'a':1}", 'not-json'],
    ['nested more than four deep', '[[[[[]]]]]', 'not-json'],
  ])('refuses %s', (_, text, code) => {
    expect(() => decode(utf8(text), 4)).toThrow(expect.objectContaining({ code }))
  })
  it('keeps a member that is called __proto__ a member', () => {
    expect(() => decode(utf8('{"__proto__":1}'), 4)).not.toThrow()
    expect(Object.hasOwn(decode(utf8('{"__proto__":{"a":1}}'), 4) as object, '__proto__')).toBe(true)
  })
  it('refuses bytes that are not UTF-8', () => {
    expect(() => decode(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d), 4)).toThrow(expect.objectContaining({ code: 'not-canonical' }))
  })
})

// The leaves and roots that every implementation of RFC 6962 is tried with.
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((h) => new Uint8Array(Buffer.from(h, 'hex')) as Bytes)
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d', 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125', 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4', '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef', 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c', '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const sha = (...parts: Uint8Array[]): Bytes => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest())
function tree(hashes: Bytes[]): Bytes {
  if (hashes.length === 1) return hashes[0] as Bytes
  let k = 1
  while (k * 2 < hashes.length) k *= 2
  return sha(Uint8Array.of(1), tree(hashes.slice(0, k)), tree(hashes.slice(k)))
}
function path(i: number, hashes: Bytes[]): Bytes[] {
  if (hashes.length === 1) return []
  let k = 1
  while (k * 2 < hashes.length) k *= 2
  return i < k ? [...path(i, hashes.slice(0, k)), tree(hashes.slice(k))] : [...path(i - k, hashes.slice(k)), tree(hashes.slice(0, k))]
}

describe('inclusion proofs (RFC 6962)', () => {
  it('lead from each leaf to the roots that are published for it', async () => {
    for (const [n, root] of roots.entries()) {
      const hashes = await Promise.all(leaves.slice(0, n + 1).map(leafHash))
      for (const [i, leaf] of hashes.entries()) {
        const proof = path(i, hashes)
        expect(proofLength(i, n + 1)).toBe(proof.length)
        expect(toHex(await rootOf(leaf, i, n + 1, proof))).toBe(root)
      }
    }
  })
  it('have the length that index and size demand, in logs beyond 2^32 too', () => {
    expect([proofLength(0, 1), proofLength(0, 2 ** 40), proofLength(2 ** 40, 2 ** 40 + 1), proofLength(2 ** 52 - 1, 2 ** 52)]).toEqual([0, 40, 1, 52])
  })
})

describe('bytes', () => {
  it.each(['AB==', 'AA=', 'AA', 'A A=', 'AA\n==', '-_==', 'AAA=A==='])('%j is no base64 of anything', (s) => expect(fromBase64(s)).toBeNull())
  it('and base64 come back', () => expect(fromBase64('AAEC/w==')).toEqual(Uint8Array.of(0, 1, 2, 255)))
})

describe('DER', () => {
  const der = (hex: string): Bytes => new Uint8Array(Buffer.from(hex, 'hex'))
  it('reads object identifiers', () => expect(oid(only(der('06092a864886f70d010702')))).toBe('1.2.840.113549.1.7.2'))
  it('reads an identifier below 2 with a large second arc', () => expect(oid(only(der('060388 3703'.replace(' ', ''))))).toBe('2.999.3'))
  it.each([
    ['an indefinite length', '3080'], ['a length in more bytes than it needs', '0481 01ff'], ['a length beyond what is there', '0405ff'], ['a length of four bytes', '048400000001ff'], ['nothing', ''], ['a tag of more bytes', '1f8101'],
  ])('refuses %s', (_, hex) => expect(() => read(der(hex.replace(' ', '')))).toThrow())
  it('refuses a negative or padded number', () => {
    expect(() => small(only(der('0201ff')))).toThrow()
    expect(() => small(only(der('02020001')))).toThrow()
    expect(small(only(der('02020080')))).toBe(128)
  })
  it('reads times that exist only', () => {
    const at = (s: string) => time(only(Uint8Array.of(24, s.length, ...utf8(s))))
    expect(at('20261122104500Z')).toBe(Date.UTC(2026, 10, 22, 10, 45) / 1000)
    expect(at('20261122104500.25Z')).toBe(Date.UTC(2026, 10, 22, 10, 45) / 1000 + 0.25)
    for (const bad of ['20260230000000Z', '20261122244500Z', '20261122104500', '20261122104500.0Z', '20261122104500.Z', '20261122104500+0100']) expect(() => at(bad)).toThrow()
  })
})

describe('keys and notes', () => {
  const { vkey } = new Signer('northfield.example/ledger', 1)
  it('read a key', async () => expect(await parseKey(vkey)).toMatchObject({ name: 'northfield.example/ledger', witness: false }))
  it('refuse a key whose ID is not its own', async () => expect(await parseKey(vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toBeTypeOf('string'))
  it.each(['', 'a+b', 'a b+00000000+AAAA', 'example.com/foo+530d903d+AAAA'])('refuse %j', async (s) => expect(await parseKey(s)).toBeTypeOf('string'))
  it.each([
    ['no blank line', 'o\n1\nAAAA\n'], ['a line more', `o\n1\n${'A'.repeat(43)}=\nmore\n\n— a AAAAAAAA\n`], ['a size with a zero in front', `o\n01\n${'A'.repeat(43)}=\n\n— a AAAAAAAA\n`], ['a hyphen for the dash', `o\n1\n${'A'.repeat(43)}=\n\n- a AAAAAAAA\n`], ['a control character', `o\r\n1\n${'A'.repeat(43)}=\n\n— a AAAAAAAA\n`],
  ])('refuse a note with %s', (_, text) => expect(parseNote(text)).toBeTypeOf('string'))
})
