// SPDX-License-Identifier: Apache-2.0
// What differs between two versions of something, field by field.

export interface FieldChange {
  field: string
  before?: string
  after?: string
}

const most = 12 // fields shown; more are counted

export function changes(before: unknown, after: unknown): FieldChange[] {
  const a = flat(before)
  const b = flat(after)
  const out: FieldChange[] = []
  for (const field of new Set([...a.keys(), ...b.keys()])) {
    const x = a.get(field)
    const y = b.get(field)
    if (x !== y && field !== 'revision') out.push({ field, before: x, after: y })
  }
  if (out.length <= most) return out
  return [...out.slice(0, most), { field: '…', after: `${out.length - most} more` }]
}

function flat(v: unknown, at = '', out = new Map<string, string>(), depth = 0): Map<string, string> {
  if (v === undefined || v === null) return out
  if (Array.isArray(v)) out.set(at || 'value', v.every((x) => typeof x !== 'object') ? v.join(', ') : JSON.stringify(v))
  else if (typeof v === 'object' && depth < 4) for (const [k, x] of Object.entries(v)) flat(x, at ? `${at}.${k}` : k, out, depth + 1)
  else out.set(at || 'value', typeof v === 'string' ? v : JSON.stringify(v))
  return out
}
