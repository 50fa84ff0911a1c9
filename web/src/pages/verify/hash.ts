// SPDX-License-Identifier: Apache-2.0
// The SHA-256 of a file, computed here. A browser hashes only what is in its
// memory as a whole, which bounds the size.
import { type Sums, sumsOf } from '@/receipt/dicom'
import { bytes } from '@/ui/units'

export const LARGEST = 1024 ** 3

/** A file that a browser does not hash. */
export class TooBig extends Error {
  readonly hint: string
  constructor(name: string, size: number) {
    super(`${name} has ${bytes(size)}: a browser holds a file in memory to hash it, and this page stops at ${bytes(LARGEST)}.`)
    this.hint = `Use the command line: asepsis verify RECEIPT ${/^[\w.-]+$/.test(name) ? name : 'FILE'}`
  }
}

/** Whether this page may compute at all: a browser offers it on https and on the machine itself only. */
export const canHash = (): boolean => typeof crypto !== 'undefined' && typeof crypto.subtle?.digest === 'function'

export async function sumsOfFile(file: File): Promise<Sums> {
  if (file.size > LARGEST) throw new TooBig(file.name, file.size)
  if (!canHash()) throw new Error('This browser does not compute hashes on a page without https. Open the console by https.')
  return sumsOf(new Uint8Array(await file.arrayBuffer()))
}
