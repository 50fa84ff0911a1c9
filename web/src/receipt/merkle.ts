// SPDX-License-Identifier: Apache-2.0
// Inclusion proofs of RFC 9162 §2.1.3.

import { type Bytes, concat, sha256 } from './bytes'

export const leafHash = (data: Bytes): Promise<Bytes> => sha256(concat(Uint8Array.of(0), data))

const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256(concat(Uint8Array.of(1), left, right))

/** How many levels lie below where the paths of the leaf and of the last leaf part. */
function inner(index: bigint, size: bigint): number {
  const x = index ^ (size - 1n)
  return x === 0n ? 0 : x.toString(2).length
}

/** How many hashes the proof of a leaf has. Needs index < size. */
export function proofLength(index: number, size: number): number {
  const [i, n] = [BigInt(index), BigInt(size)]
  const below = inner(i, n)
  return below + [...(i >> BigInt(below)).toString(2)].filter((b) => b === '1').length
}

/** The root that a proof of the right length leads to. */
export async function rootOf(leaf: Bytes, index: number, size: number, proof: Bytes[]): Promise<Bytes> {
  const i = BigInt(index)
  const below = inner(i, BigInt(size))
  let h = leaf
  for (const [n, p] of proof.entries()) {
    const right = n >= below || ((i >> BigInt(n)) & 1n) === 1n
    h = right ? await nodeHash(p, h) : await nodeHash(h, p)
  }
  return h
}
