// SPDX-License-Identifier: Apache-2.0
// Numbers with their units. Bytes in powers of 1024, rates in powers of 1000,
// as the tools that people compare with.

const thin = '\u202f' // narrow no-break space: groups digits, and stays with its unit
const nb = '\u00a0'

export function count(n: number): string {
  if (!Number.isFinite(n)) return '–'
  const s = String(Math.abs(Math.round(n)))
  const grouped = s.length > 4 ? s.replace(/\B(?=(\d{3})+$)/g, thin) : s
  return n < 0 ? `−${grouped}` : grouped
}

function scaled(n: number, base: number, steps: string[]): [number, string] {
  let i = 0
  while (Math.abs(n) >= base && i < steps.length - 1) {
    n /= base
    i++
  }
  // 1023.99 would print as "1024": go up one.
  if (i < steps.length - 1 && Math.round(Math.abs(n)) >= base) {
    n /= base
    i++
  }
  return [n, steps[i] ?? '']
}
/** Three significant digits at most, never an exponent. */
function digits(n: number): string {
  const a = Math.abs(n)
  if (a >= 100) return String(Math.round(n))
  const s = n.toFixed(a >= 10 ? 1 : 2)
  return Number.isInteger(Number(s)) ? String(Number(s)) : s
}

export function bytes(n: number): string {
  if (!Number.isFinite(n)) return '–'
  const [v, u] = scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])
  return `${digits(v)}${nb}${u}`
}
export function bits(n: number): string {
  if (!Number.isFinite(n)) return '–'
  const [v, u] = scaled(n, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'])
  return `${digits(v)}${nb}${u}`
}
/** 12 300 → "12.3 k" */
export function compact(n: number): string {
  if (!Number.isFinite(n)) return '–'
  if (Math.abs(n) < 10_000) return count(n)
  const [v, u] = scaled(n, 1000, ['', 'k', 'M', 'G', 'T'])
  return `${digits(v)}${nb}${u}`
}
/** 0.0002 → "0.02 %"; what is not zero never reads as zero. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–'
  const p = share * 100
  if (p === 0) return `0${nb}%`
  if (p > 0 && p < 0.01) return `<${nb}0.01${nb}%`
  if (p < 100 && p > 99.99) return `>${nb}99.99${nb}%`
  return `${p >= 10 ? p.toFixed(1).replace(/\.0$/, '') : Number(p.toFixed(2))}${nb}%`
}
/** plural(1, 'device') → "1 device" */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)}${nb}${n === 1 ? one : many}`
}
