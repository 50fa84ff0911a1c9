// SPDX-License-Identifier: Apache-2.0
// What a filter offers: the values that occur, and how often.

/** How often each value of a field occurs, most first; rows without one count as "". */
export function countBy<T>(rows: readonly T[], valuesOf: (row: T) => readonly string[]): { value: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const row of rows) {
    const values = valuesOf(row)
    for (const v of values.length === 0 ? [''] : values) counts.set(v, (counts.get(v) ?? 0) + 1)
  }
  return [...counts].map(([value, n]) => ({ value, count: n })).sort((a, b) => b.count - a.count || a.value.localeCompare(b.value, 'en', { numeric: true }))
}
