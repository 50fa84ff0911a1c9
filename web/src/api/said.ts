// SPDX-License-Identifier: Apache-2.0
// What the server and the gateway say, as sentences. They write what is wrong
// and what to do as clauses, with a full stop or without; on a screen the two
// stand one after the other.

/** A clause as the end of a sentence: one full stop, unless it ends as a sentence does. */
export function sentence(text: string): string {
  const t = text.trim().replace(/\.+$/, '')
  return t === '' || /[.!?…]["”’)]?$/.test(t) ? t : `${t}.`
}

/** A clause as a whole sentence. What is typed as it stands (a command, a field, a name with digits) is not given a capital. */
export function statement(text: string): string {
  const s = sentence(text)
  return /^\p{Ll}[\p{L}’'-]*[,;:.!?]?(\s|$)/u.test(s) && !/^asepsis\s/.test(s) ? s.charAt(0).toUpperCase() + s.slice(1) : s
}

/** One after the other, each as a sentence; what is empty is left out. */
export const statements = (...parts: readonly (string | undefined | false)[]): string => parts.flatMap((p) => (p ? [statement(p)] : [])).join(' ')

/** What is wrong with a field, in the words of the server: "is needed" has the field for its subject. */
export function ofField(message: string): string {
  const first = /^\p{Ll}+/u.exec(message)?.[0] ?? ''
  return sentence(plural.has(first) ? `They ${message}` : singular.has(first) ? `It ${message}` : statement(message))
}
const plural = new Set(['are', 'have'])
const singular = new Set(['is', 'has', 'must', 'cannot', 'can', 'may', 'names', 'needs', 'belongs', 'repeats', 'does', 'contains', 'begins', 'ends', 'would', 'will', 'was'])
