// SPDX-License-Identifier: Apache-2.0
// The text search of grids and events: words that must all occur, "a phrase",
// word* for a beginning, -word for what must not occur. Case does not matter.

export interface Word {
  text: string // lower case, without quotes, dash and star
  not: boolean
  phrase: boolean
  prefix: boolean
}

const pattern = /(-?)(?:"([^"]*)"?|(\S+))/g

export function parseText(input: string): Word[] {
  const words: Word[] = []
  for (const [, dash, phrase, bare] of input.matchAll(pattern)) {
    const prefix = bare !== undefined && bare.length > 1 && bare.endsWith('*')
    const text = (phrase ?? (prefix ? bare.slice(0, -1) : (bare ?? ''))).trim().toLowerCase()
    if (text !== '') words.push({ text, not: dash === '-', phrase: phrase !== undefined, prefix })
  }
  return words
}

/** Whether a text in lower case has all the words. A grid searches inside words too: it has all its rows at hand. */
export function matches(words: readonly Word[], lowered: string): boolean {
  return words.every((w) => lowered.includes(w.text) !== w.not)
}

/** Says in a sentence what a search means, for the help beside the field; empty when there is nothing to explain. */
export function explain(words: readonly Word[]): string {
  if (words.length === 0) return ''
  const say = (w: Word) => (w.prefix ? `a word that begins with “${w.text}”` : w.phrase ? `the phrase “${w.text}”` : `“${w.text}”`)
  const wanted = words.filter((w) => !w.not).map(say)
  const unwanted = words.filter((w) => w.not).map(say)
  const parts: string[] = []
  if (wanted.length > 0) parts.push(`with ${join(wanted, 'and')}`)
  if (unwanted.length > 0) parts.push(`without ${join(unwanted, 'or')}`)
  return parts.join(', ')
}

function join(parts: string[], word: string): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} ${word} ${parts[parts.length - 1] ?? ''}`
}
