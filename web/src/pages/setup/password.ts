// SPDX-License-Identifier: Apache-2.0
// What the server will say about a password, said while it is typed. The
// server decides: NIST SP 800-63B §3.1.1, length and not common, no rules
// about kinds of characters.
export const least = 12

export function suggestion(password: string): string | undefined {
  const n = [...password].length
  if (n < least) return n === 0 ? 'A password is needed.' : `${least - n} more ${least - n === 1 ? 'character is' : 'characters are'} needed.`
  if (n > 256) return 'At most 256 characters.'
  if (new Set(password).size < 4) return 'The same few characters again and again are guessed first.'
  return undefined
}
