// SPDX-License-Identifier: Apache-2.0
// Bytes and their spellings. Only one spelling of each is accepted.

export type Bytes = Uint8Array<ArrayBuffer>

export const utf8 = (s: string): Bytes => new Uint8Array(new TextEncoder().encode(s))

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i])
}

export function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}

/** base64 (RFC 4648 §4) with its padding and without line ends, or null. */
export function fromBase64(s: string): Bytes | null {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(s) || s.length % 4 !== 0) return null
  const binary = atob(s)
  const out = Uint8Array.from(binary, (c) => c.charCodeAt(0))
  return btoa(binary) === s ? out : null // unused bits must be zero
}

export function toHex(b: Uint8Array): string {
  return Array.from(b, (v) => v.toString(16).padStart(2, '0')).join('')
}

export function isHex(s: unknown, digits: number): s is string {
  return typeof s === 'string' && s.length === digits && /^[0-9a-f]*$/.test(s)
}

export async function sha256(b: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', b))
}

export function uint32(b: Uint8Array): number {
  return new DataView(b.buffer, b.byteOffset, b.length).getUint32(0)
}
