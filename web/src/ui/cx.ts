// SPDX-License-Identifier: Apache-2.0
/** Joins class names; what is false, null or empty is left out. */
export function cx(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(' ')
}
