// SPDX-License-Identifier: Apache-2.0
// VLANs and address ranges as people type them. The server has the last word.

export interface Parsed<T> {
  values: T[]
  problem?: string
}

function pieces(s: string): string[] {
  return s.split(/[\s,;]+/).filter(Boolean)
}

export function parseVLANs(s: string): Parsed<number> {
  const values: number[] = []
  for (const p of pieces(s)) {
    const range = /^(\d+)\s*[-–]\s*(\d+)$/.exec(p)
    const [a, b] = range ? [Number(range[1]), Number(range[2])] : [Number(p), Number(p)]
    if (!/^\d+([-–]\d+)?$/.test(p) || a < 1 || b > 4094 || a > b) return { values, problem: `“${p}” is not a VLAN: a number from 1 to 4094.` }
    if (b - a > 255) return { values, problem: `“${p}” is more than 256 VLANs.` }
    for (let v = a; v <= b; v++) if (!values.includes(v)) values.push(v)
  }
  return { values }
}

export function parsePrefixes(s: string): Parsed<string> {
  const values: string[] = []
  for (const p of pieces(s)) {
    const [address, bits] = p.split('/')
    const v4 = isIPv4(address ?? '')
    const v6 = !v4 && isIPv6(address ?? '')
    if (!v4 && !v6) return { values, problem: `“${p}” is not an address range, like 10.20.110.0/24.` }
    const most = v4 ? 32 : 128
    if (bits === undefined || !/^\d{1,3}$/.test(bits) || Number(bits) > most) return { values, problem: `“${p}” needs a length after a slash, from 0 to ${most}.` }
    if (!values.includes(p)) values.push(p)
  }
  return { values }
}

function isIPv4(s: string): boolean {
  const parts = s.split('.')
  return parts.length === 4 && parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) <= 255)
}
/** RFC 4291 §2.2, without the form that ends in an IPv4 address. */
function isIPv6(s: string): boolean {
  const halves = s.split('::')
  if (halves.length > 2) return false
  const groups = halves.map((h) => (h === '' ? [] : h.split(':')))
  if (!groups.flat().every((g) => /^[0-9a-f]{1,4}$/i.test(g))) return false
  const n = groups.flat().length
  return halves.length === 2 ? n < 8 : n === 8
}
