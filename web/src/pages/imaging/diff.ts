// SPDX-License-Identifier: Apache-2.0
// What differs between two texts, line by line: the shortest way from one to the
// other, as far as it can be found in bounded time.

export interface DiffLine { is: 'same' | 'added' | 'removed'; text: string; before?: number; after?: number }
/** Lines that stand together: changes with a few around them. */
export interface Hunk { lines: DiffLine[]; skipped: number } // equal lines before it that are not shown

const MOST = 2_000 // differences beyond which all of the middle counts as changed

/** Lines of before that are gone, lines of after that are new, in order. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = split(before)
  const b = split(after)
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const out: DiffLine[] = []
  for (let i = 0; i < start; i++) out.push({ is: 'same', text: a[i] ?? '', before: i + 1, after: i + 1 })
  for (const step of middle(a.slice(start, a.length - end), b.slice(start, b.length - end))) {
    if (step.is === 'removed') out.push({ ...step, before: (step.before ?? 0) + start })
    else if (step.is === 'added') out.push({ ...step, after: (step.after ?? 0) + start })
    else out.push({ ...step, before: (step.before ?? 0) + start, after: (step.after ?? 0) + start })
  }
  for (let i = end; i > 0; i--) out.push({ is: 'same', text: a[a.length - i] ?? '', before: a.length - i + 1, after: b.length - i + 1 })
  return out
}

/** A last line end is no line of its own. */
const split = (t: string): string[] => (t === '' ? [] : t.replace(/\r?\n$/, '').split(/\r?\n/))

/** Myers, "An O(ND) difference algorithm": the furthest end on each diagonal, one difference after the other. */
function middle(a: readonly string[], b: readonly string[]): DiffLine[] {
  const n = a.length
  const m = b.length
  const all = Math.min(n + m, MOST)
  const off = all + 1
  const v = new Int32Array(2 * all + 3)
  const trace: Int32Array[] = []
  for (let d = 0; d <= all; d++) {
    trace.push(v.slice(off - d - 1, off + d + 2))
    for (let k = -d; k <= d; k += 2) {
      const at = off + k
      let x = k === -d || (k !== d && (v[at - 1] ?? 0) < (v[at + 1] ?? 0)) ? (v[at + 1] ?? 0) : (v[at - 1] ?? 0) + 1
      while (x < n && x - k < m && a[x] === b[x - k]) x++
      v[at] = x
      if (x >= n && x - k >= m) return back(a, b, trace, d)
    }
  }
  return [...a.map((text, i): DiffLine => ({ is: 'removed', text, before: i + 1 })), ...b.map((text, i): DiffLine => ({ is: 'added', text, after: i + 1 }))]
}

function back(a: readonly string[], b: readonly string[], trace: readonly Int32Array[], last: number): DiffLine[] {
  const out: DiffLine[] = []
  let x = a.length
  let y = b.length
  for (let d = last; d > 0; d--) {
    // As the diagonals stood before this difference; the slice begins one below -d.
    const v = trace[d] as Int32Array
    const at = (k: number) => v[k + d + 1] ?? 0
    const k = x - y
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1))
    const from = down ? k + 1 : k - 1
    const fx = at(from)
    const fy = fx - from
    while (x > (down ? fx : fx + 1) && y > (down ? fy + 1 : fy)) {
      x--
      y--
      out.push({ is: 'same', text: a[x] ?? '', before: x + 1, after: y + 1 })
    }
    if (down) out.push({ is: 'added', text: b[fy] ?? '', after: fy + 1 })
    else out.push({ is: 'removed', text: a[fx] ?? '', before: fx + 1 })
    x = fx
    y = fy
  }
  while (x > 0) {
    x--
    y--
    out.push({ is: 'same', text: a[x] ?? '', before: x + 1, after: y + 1 })
  }
  return out.reverse()
}

/** The changes with so many equal lines around each. */
export function hunks(lines: readonly DiffLine[], around = 3): Hunk[] {
  const near = new Uint8Array(lines.length)
  lines.forEach((l, i) => {
    if (l.is !== 'same') near.fill(1, Math.max(0, i - around), Math.min(lines.length, i + around + 1))
  })
  const out: Hunk[] = []
  let skipped = 0
  let open = false
  lines.forEach((l, i) => {
    if (!near[i]) {
      skipped++
      open = false
      return
    }
    if (!open) out.push({ lines: [], skipped })
    open = true
    skipped = 0
    out[out.length - 1]?.lines.push(l)
  })
  return out
}

export function changes(lines: readonly DiffLine[]): { added: number; removed: number } {
  return { added: lines.filter((l) => l.is === 'added').length, removed: lines.filter((l) => l.is === 'removed').length }
}
