// SPDX-License-Identifier: Apache-2.0
// QR codes (ISO/IEC 18004) as far as the console needs them: one segment of
// bytes, error correction level M, versions 1 to 10 (213 bytes of text).

/** Rows of modules from the top, true is dark. There is no quiet zone in it: whoever draws it leaves four modules around. */
export type Matrix = readonly (readonly boolean[])[]

export class TooLong extends Error {}

// Level M, by version: bytes of error correction in a block, and blocks (table 9).
const correction = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26]
const blocks = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5]
export const largest = 10

/** All bytes of a version, data and error correction. */
function rawBytes(version: number): number {
  const size = 17 + 4 * version
  const a = version < 2 ? 0 : Math.floor(version / 7) + 2 // alignment patterns in a row
  const alignment = version < 2 ? 0 : 25 * (a * a - 3) - 10 * (a - 2)
  const information = 31 + (version >= 7 ? 36 : 0) // format twice with the dark module, version twice
  return Math.floor((size * size - 3 * 64 - 2 * (size - 16) - alignment - information) / 8)
}

function dataBytes(version: number): number {
  return rawBytes(version) - (correction[version - 1] as number) * (blocks[version - 1] as number)
}

/** Multiplies in GF(2^8) with x^8+x^4+x^3+x^2+1. */
function multiply(a: number, b: number): number {
  let out = 0
  for (let i = 7; i >= 0; i--) {
    out = (out << 1) ^ ((out >> 7) * 0x11d)
    out ^= ((b >> i) & 1) * a
  }
  return out & 255
}

function generator(degree: number): number[] {
  const g = Array<number>(degree).fill(0)
  g[degree - 1] = 1
  let root = 1
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) g[j] = multiply(g[j] as number, root) ^ (g[j + 1] ?? 0)
    root = multiply(root, 2)
  }
  return g
}

/** The remainder of data by the generator: the bytes of error correction. */
export function remainder(data: readonly number[], degree: number): number[] {
  const g = generator(degree)
  const out = Array<number>(degree).fill(0)
  for (const b of data) {
    const factor = b ^ (out.shift() as number)
    out.push(0)
    for (let i = 0; i < degree; i++) out[i] = (out[i] as number) ^ multiply(g[i] as number, factor)
  }
  return out
}

/** Mode, length, text, end and padding; then error correction, and all of it interleaved. */
function codewords(text: Uint8Array, version: number): number[] {
  const bits: number[] = []
  const put = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1)
  }
  const room = dataBytes(version) * 8
  put(4, 4)
  put(text.length, version < 10 ? 8 : 16)
  for (const b of text) put(b, 8)
  put(0, Math.min(4, room - bits.length))
  while (bits.length % 8 > 0) bits.push(0)
  const data: number[] = []
  for (let i = 0; i < bits.length; i += 8) data.push(parseInt(bits.slice(i, i + 8).join(''), 2))
  for (let pad = 0xec; data.length < room / 8; pad ^= 0xec ^ 0x11) data.push(pad)

  const count = blocks[version - 1] as number
  const degree = correction[version - 1] as number
  const short = Math.floor(data.length / count)
  const long = data.length % count // blocks at the end with one byte more
  const parts: { data: number[]; check: number[] }[] = []
  for (let i = 0, at = 0; i < count; i++) {
    const part = data.slice(at, at + short + (i >= count - long ? 1 : 0))
    at += part.length
    parts.push({ data: part, check: remainder(part, degree) })
  }
  const out: number[] = []
  for (let i = 0; i <= short; i++) for (const p of parts) if (i < p.data.length) out.push(p.data[i] as number)
  for (let i = 0; i < degree; i++) for (const p of parts) out.push(p.check[i] as number)
  return out
}

/** Middles of the alignment patterns, along one side. */
function alignment(version: number): number[] {
  if (version === 1) return []
  const count = Math.floor(version / 7) + 2
  const last = 10 + 4 * version
  const step = Math.ceil((last - 6) / (count - 1) / 2) * 2
  return [6, ...Array.from({ length: count - 1 }, (_, i) => last - step * (count - 2 - i))]
}

const masks: ((row: number, col: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
]

class Drawing {
  readonly size: number
  readonly dark: boolean[][]
  readonly fixed: boolean[][] // function patterns: no data there, no mask

  constructor(readonly version: number) {
    this.size = 17 + 4 * version
    const plain = () => Array.from({ length: this.size }, () => Array<boolean>(this.size).fill(false))
    this.dark = plain()
    this.fixed = plain()
    for (let i = 0; i < this.size; i++) {
      this.set(6, i, i % 2 === 0)
      this.set(i, 6, i % 2 === 0)
    }
    for (const [r, c] of [[3, 3], [3, this.size - 4], [this.size - 4, 3]] as const) this.finder(r, c)
    const at = alignment(version)
    const end = at.length - 1
    for (const [i, r] of at.entries()) {
      for (const [j, c] of at.entries()) {
        if ((i === 0 && j === 0) || (i === 0 && j === end) || (i === end && j === 0)) continue
        for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) this.set(r + y, c + x, Math.max(Math.abs(y), Math.abs(x)) !== 1)
      }
    }
    this.format(0)
    this.versionBits()
  }

  private set(row: number, col: number, dark: boolean): void {
    const line = this.dark[row]
    const fixed = this.fixed[row]
    if (!line || !fixed || col < 0 || col >= this.size) return
    line[col] = dark
    fixed[col] = true
  }

  private finder(row: number, col: number): void {
    for (let y = -4; y <= 4; y++) {
      for (let x = -4; x <= 4; x++) {
        const ring = Math.max(Math.abs(y), Math.abs(x))
        this.set(row + y, col + x, ring !== 2 && ring !== 4)
      }
    }
  }

  /** Level M and the mask, BCH(15,5), in both of its places. */
  format(mask: number): void {
    let rest = mask // level M is 00
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >> 9) * 0x537)
    const bits = ((mask << 10) | rest) ^ 0x5412
    const bit = (i: number) => ((bits >> i) & 1) === 1
    for (let i = 0; i < 15; i++) {
      const near = i < 6 ? i : i < 8 ? i + 1 : -1
      if (near >= 0) this.set(near, 8, bit(i))
      else if (i === 8) this.set(8, 7, bit(i))
      else this.set(8, 14 - i, bit(i))
      if (i < 8) this.set(8, this.size - 1 - i, bit(i))
      else this.set(this.size - 15 + i, 8, bit(i))
    }
    this.set(this.size - 8, 8, true)
  }

  /** From version 7 on: the version, Golay(18,6). */
  private versionBits(): void {
    if (this.version < 7) return
    let rest = this.version
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25)
    const bits = (this.version << 12) | rest
    for (let i = 0; i < 18; i++) {
      const dark = ((bits >> i) & 1) === 1
      const a = this.size - 11 + (i % 3)
      const b = Math.floor(i / 3)
      this.set(a, b, dark)
      this.set(b, a, dark)
    }
  }

  /** In columns of two from the right, up and down in turn, around what is fixed. */
  data(words: readonly number[]): void {
    let at = 0
    for (let right = this.size - 1; right > 0; right -= 2) {
      if (right === 6) right = 5
      const up = ((right + 1) & 2) === 0
      for (let i = 0; i < this.size; i++) {
        const row = up ? this.size - 1 - i : i
        for (const col of [right, right - 1]) {
          if (this.fixed[row]?.[col]) continue
          const line = this.dark[row] as boolean[]
          line[col] = (((words[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) === 1
          at++
        }
      }
    }
  }

  flip(mask: number): void {
    const covers = masks[mask] as (r: number, c: number) => boolean
    for (let r = 0; r < this.size; r++) {
      const line = this.dark[r] as boolean[]
      for (let c = 0; c < this.size; c++) if (!this.fixed[r]?.[c] && covers(r, c)) line[c] = !line[c]
    }
  }
}

/** How hard a matrix is to read (§7.8.3.1): the less the better. */
export function penalty(m: Matrix): number {
  const size = m.length
  const columns = m.map((_, c) => m.map((row) => row[c] === true))
  let sum = 0
  for (const line of [...m, ...columns]) {
    let run = 0
    for (let i = 0; i < size; i++) {
      run = i > 0 && line[i] === line[i - 1] ? run + 1 : 1
      if (run === 5) sum += 3
      else if (run > 5) sum++
    }
    const text = line.map((d) => (d ? '1' : '0')).join('')
    for (const like of ['10111010000', '00001011101']) for (let i = text.indexOf(like); i >= 0; i = text.indexOf(like, i + 1)) sum += 40
  }
  let dark = 0
  for (let r = 0; r < size; r++) {
    for (let c = 0; c < size; c++) {
      const d = m[r]?.[c]
      if (d) dark++
      if (r > 0 && c > 0 && d === m[r - 1]?.[c] && d === m[r]?.[c - 1] && d === m[r - 1]?.[c - 1]) sum += 3
    }
  }
  return sum + 10 * Math.floor(Math.abs((dark * 100) / (size * size) - 50) / 5)
}

/** The matrix of a text, in the smallest version that holds it; mask: only for who compares. */
export function encode(text: string, mask?: number): Matrix {
  const bytes = new TextEncoder().encode(text)
  let version = 1
  while (version <= largest && 4 + (version < 10 ? 8 : 16) + 8 * bytes.length > 8 * dataBytes(version)) version++
  if (version > largest) throw new TooLong(`A QR code here holds 213 bytes, not ${bytes.length}.`)
  const d = new Drawing(version)
  d.data(codewords(bytes, version))
  let best = mask ?? 0
  let least = Infinity
  for (let m = 0; m < 8 && mask === undefined; m++) {
    d.format(m)
    d.flip(m)
    const p = penalty(d.dark)
    d.flip(m)
    if (p < least) [best, least] = [m, p]
  }
  d.format(best)
  d.flip(best)
  return d.dark
}

/** The dark modules as the path of an SVG, one unit a module. */
export function svgPath(m: Matrix): string {
  const out: string[] = []
  for (const [r, line] of m.entries()) {
    for (let c = 0; c < line.length; c++) {
      if (!line[c]) continue
      let end = c
      while (line[end + 1]) end++
      out.push(`M${c} ${r}h${end - c + 1}v1h-${end - c + 1}z`)
      c = end
    }
  }
  return out.join('')
}
