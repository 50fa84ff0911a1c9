// SPDX-License-Identifier: Apache-2.0
// Include and exclude filters. In a URL and in the API they are written the
// same way: is=field:value and not=field:value, repeated; several values of
// one field mean any of them, several fields must all hold.

export interface Term<F extends string = string> {
  field: F
  values: string[]
  not: boolean
}

/** The value that stands for "none". */
export const NONE = ''

/** Adds a value to what is included or excluded. What was said of it before, the other way round, no longer holds. */
export function addValue<F extends string>(terms: readonly Term<F>[], field: F, value: string, not: boolean): Term<F>[] {
  const rest = removeValue(terms, field, value, !not)
  const at = rest.findIndex((t) => t.field === field && t.not === not)
  const found = rest[at]
  if (!found) return [...rest, { field, values: [value], not }]
  if (found.values.includes(value)) return rest
  return rest.map((t, i) => (i === at ? { ...t, values: [...t.values, value] } : t))
}

export function removeValue<F extends string>(terms: readonly Term<F>[], field: F, value: string, not: boolean): Term<F>[] {
  return terms
    .map((t) => (t.field === field && t.not === not ? { ...t, values: t.values.filter((v) => v !== value) } : t))
    .filter((t) => t.values.length > 0)
}

/** Turns an included value into an excluded one, and back. */
export function flipValue<F extends string>(terms: readonly Term<F>[], field: F, value: string, not: boolean): Term<F>[] {
  return addValue(removeValue(terms, field, value, not), field, value, !not)
}

export function hasValue<F extends string>(terms: readonly Term<F>[], field: F, value: string, not: boolean): boolean {
  return terms.some((t) => t.field === field && t.not === not && t.values.includes(value))
}

export function writeTerms(params: URLSearchParams, terms: readonly Term[]): void {
  for (const t of terms) for (const v of t.values) params.append(t.not ? 'not' : 'is', `${t.field}:${v}`)
}

/** Reads what is known; what a URL says beyond that is left out. */
export function readTerms<F extends string>(params: URLSearchParams, fields: readonly F[]): Term<F>[] {
  let terms: Term<F>[] = []
  for (const [key, text] of params) {
    if (key !== 'is' && key !== 'not') continue
    const colon = text.indexOf(':')
    const field = fields.find((f) => f === text.slice(0, colon))
    if (colon > 0 && field !== undefined) terms = addValue(terms, field, text.slice(colon + 1), key === 'not')
  }
  return terms
}

/** Whether a row passes; values are all that the row has for a field, none of them for an empty list. */
export function passes(terms: readonly Term[], values: (field: string) => readonly string[]): boolean {
  return terms.every((t) => {
    const have = values(t.field)
    const hit = have.length === 0 ? t.values.includes(NONE) : have.some((v) => t.values.includes(v))
    return hit !== t.not
  })
}
