// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encode, svgPath, TooLong, type Matrix } from './qr'

const textOf = (length: number): string => 'asepsis-enroll:?code=k7&'.repeat(9).slice(0, length)

// Length of the text, mask, and SHA-256 of the matrix that `qrencode -8 -l M` 4.1.1
// draws of it, as lines of # and . : the largest text of each version.
const drawn: [number, number, string][] = [
  [14, 3, '1d895e709526a34af648672a31e2604e57c86ad446d801f9e323f28d59c4a667'],
  [26, 2, '4f1cf6d2c4dbebd7298c1347ce1f9ccbf8cd0dea5f72f22b2196ec119d180913'],
  [42, 3, '5666b7e6d00978564831cce1b6996eb736ad4d35f57ed269f90f392a6ca7afa4'],
  [62, 2, 'e3ccf328551dd3f2983e04d26cfaf32a668206818cd14317fa4e2c9704e4163a'],
  [84, 2, '762f57e591af501cc023ab2585eb02291eb86b8cbb56d89fc77eebb98a78bf0e'],
  [106, 4, '7fe68cf7b2a2658b51be654a71a8e2b5efdc9f78a73851e192c70a3dbf532007'],
  [122, 2, '7f6558a9a36b053206b418f7641789f883013ef4123c7ef13f06b064a2bace9e'],
  [152, 2, 'bb4006bba1cf30300a3de9005690c200cda60bba9b57b6715507c6a712389ec4'],
  [180, 2, '74793ccb295d6022eb4c4671bca070909b2f26679b00589ddc83a26424db9074'],
  [213, 2, '8cff90e632696b87fdcb2ead30e3139168f11803acd94f878d4b644389dd79dd'],
]

describe('a QR code', () => {
  it.each(drawn)('of %i bytes with mask %i is the one that another program draws', (length, mask, sum) => {
    const m = encode(textOf(length), mask)
    expect(createHash('sha256').update(m.map((r) => r.map((d) => (d ? '#' : '.')).join('')).join('\n')).digest('hex')).toBe(sum)
  })

  it('takes the next size when the text has one byte more', () => {
    expect(drawn.map(([n]) => encode(textOf(n)).length)).toEqual([21, 25, 29, 33, 37, 41, 45, 49, 53, 57])
    expect(drawn.slice(0, -1).map(([n]) => encode(textOf(n + 1)).length)).toEqual([25, 29, 33, 37, 41, 45, 49, 53, 57])
  })

  it('says when a text is too long for it', () => expect(() => encode('a'.repeat(214))).toThrow(TooLong))

  it('is drawn module by module', () => {
    const m = encode('a')
    const path = svgPath(m)
    const back = m.map((r) => r.map(() => false))
    for (const [, c, r, n] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) for (let i = 0; i < Number(n); i++) (back[Number(r)] as boolean[])[Number(c) + i] = true
    expect(back).toEqual(m)
  })

  const reader = installed('zbarimg')
  it.skipIf(!reader)(`is read by a camera’s software, whatever the text${reader ? '' : ' (zbarimg is not installed: no decoder reads what is drawn)'}`, () => {
    const dir = mkdtempSync(join(tmpdir(), 'qr-'))
    try {
      for (const text of ['a', 'K7QF2-9XWMP-3HTRB-VC6NA', 'asepsis-enroll:?ca=00&server=https%3A%2F%2F10.20.0.5%3A8443', 'ÄÖÜ€', textOf(150), textOf(213)]) {
        const file = join(dir, 'code.pgm')
        writeFileSync(file, image(encode(text)))
        const read = execFileSync('zbarimg', ['-q', '--raw', file], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trimEnd()
        expect(read).toBe(text)
      }
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})

function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function image(m: Matrix): string {
  const scale = 5
  const side = (m.length + 8) * scale
  const rows = Array.from({ length: side }, (_, y) => Array.from({ length: side }, (_, x) => (m[Math.floor(y / scale) - 4]?.[Math.floor(x / scale) - 4] ? 0 : 255)).join(' '))
  return `P2\n${side} ${side}\n255\n${rows.join('\n')}\n`
}
