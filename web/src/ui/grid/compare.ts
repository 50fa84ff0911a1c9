// SPDX-License-Identifier: Apache-2.0
// How grid values are ordered: numbers as numbers, text as people read it
// ("OR 2" before "OR 10", "192.168.1.9" before "192.168.1.20"), and nothing always last.

export type CellValue = string | number | null | undefined | readonly string[]

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

export function isNone(v: CellValue): boolean {
  return v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)
}

export function compareValues(a: CellValue, b: CellValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return collator.compare(cellText(a), cellText(b))
}

/** Orders rows by several keys. Sorting is stable, so equal rows keep the order in which they came. */
export function sortRows<T>(rows: readonly T[], keys: readonly { value: (row: T) => CellValue; down: boolean }[]): T[] {
  if (keys.length === 0) return [...rows]
  // Keys are computed once a row, not once a comparison.
  const keyed = rows.map((row) => ({ row, values: keys.map((k) => k.value(row)) }))
  keyed.sort((x, y) => {
    for (let i = 0; i < keys.length; i++) {
      const a = x.values[i]
      const b = y.values[i]
      const none = Number(isNone(a)) - Number(isNone(b))
      if (none !== 0) return none
      const c = compareValues(a, b)
      if (c !== 0) return keys[i]?.down ? -c : c
    }
    return 0
  })
  return keyed.map((k) => k.row)
}

export function cellText(v: CellValue): string {
  if (v === null || v === undefined) return ''
  return typeof v === 'string' ? v : typeof v === 'number' ? String(v) : v.join(', ')
}
