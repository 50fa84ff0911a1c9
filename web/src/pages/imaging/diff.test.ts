// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { changes, diffLines, hunks, type DiffLine } from './diff'

const shown = (l: DiffLine) => `${l.is === 'added' ? '+' : l.is === 'removed' ? '-' : ' '}${l.text}`
const before = (ls: DiffLine[]) => ls.filter((l) => l.is !== 'added').map((l) => l.text)
const after = (ls: DiffLine[]) => ls.filter((l) => l.is !== 'removed').map((l) => l.text)

describe('the difference of two texts', () => {
  it.each<[string, string, string, string[]]>([
    ['nothing changed', 'a\nb\n', 'a\nb\n', [' a', ' b']],
    ['a line came', 'a\nb', 'a\nx\nb', [' a', '+x', ' b']],
    ['a line went', 'a\nx\nb', 'a\nb', [' a', '-x', ' b']],
    ['a line changed', 'a\nx\nb', 'a\ny\nb', [' a', '-x', '+y', ' b']],
    ['all is new', '', 'a\nb', ['+a', '+b']],
    ['all is gone', 'a\nb', '', ['-a', '-b']],
    ['only the line ends differ', 'a\r\nb\r\n', 'a\nb', [' a', ' b']],
  ])('%s', (_, a, b, says) => expect(diffLines(a, b).map(shown)).toEqual(says))

  it('numbers lines as each side counts them', () => expect(diffLines('a\nx\nb\nc', 'a\nb\ny\nc').map((l) => [l.is, l.before, l.after])).toEqual([['same', 1, 1], ['removed', 2, undefined], ['same', 3, 2], ['added', undefined, 3], ['same', 4, 4]]))

  it('always leads from the one to the other, and by no more changes than there are', () => {
    let seed = 7
    const next = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
    for (let round = 0; round < 300; round++) {
      const a = Array.from({ length: next(14) }, () => 'abcd'[next(4)] ?? '')
      const b = Array.from({ length: next(14) }, () => 'abcd'[next(4)] ?? '')
      const d = diffLines(a.join('\n'), b.join('\n'))
      expect(before(d)).toEqual(a)
      expect(after(d)).toEqual(b)
      expect(changes(d).added + changes(d).removed).toBe(a.length + b.length - 2 * common(a, b))
    }
  })

  it('of two texts that share nothing is done at once, and still right', () => {
    const a = Array.from({ length: 4_000 }, (_, i) => `a${i}`)
    const b = Array.from({ length: 4_000 }, (_, i) => `b${i}`)
    const d = diffLines(a.join('\n'), b.join('\n'))
    expect(before(d)).toEqual(a)
    expect(after(d)).toEqual(b)
  })
})

/** The length of the longest common subsequence, by the table that everybody knows. */
function common(a: string[], b: string[]): number {
  const t = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0))
  for (let i = 1; i <= a.length; i++) for (let j = 1; j <= b.length; j++) t[i]![j] = a[i - 1] === b[j - 1] ? t[i - 1]![j - 1]! + 1 : Math.max(t[i - 1]![j]!, t[i]![j - 1]!)
  return t[a.length]![b.length]!
}

describe('hunks', () => {
  it('leave out what is far from any change, and say how much', () => {
    const text = Array.from({ length: 30 }, (_, i) => `line ${i}`)
    const other = [...text]
    other[10] = 'changed'
    other[25] = 'changed too'
    const h = hunks(diffLines(text.join('\n'), other.join('\n')), 2)
    expect(h.map((x) => [x.skipped, x.lines.length])).toEqual([[8, 6], [10, 6]])
  })
  it('are none where nothing changed', () => expect(hunks(diffLines('a', 'a'))).toEqual([]))
})
