// SPDX-License-Identifier: Apache-2.0
// Small habits of one browser: which panels are open. Nothing that a link must
// restore, and nothing that is missed where storage is refused.

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`asepsis.${key}`)
  } catch {
    return null
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`asepsis.${key}`, value)
  } catch {
    // It is forgotten with the page.
  }
}
