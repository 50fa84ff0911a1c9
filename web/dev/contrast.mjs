// SPDX-License-Identifier: Apache-2.0
// Computes the contrast (WCAG 2.2, 1.4.3 and 1.4.11) of every pair of tokens
// that the console puts on each other, in both themes, and fails below 4.5:1
// for text and 3:1 for shapes and borders of controls.
import { readFileSync } from 'node:fs'

const css = readFileSync(new URL('../src/ui/tokens.css', import.meta.url), 'utf8')
const tokens = new Map()
for (const [, name, light, dark] of css.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)) tokens.set(name, { light, dark })

const surfaces = ['bg', 'surface', 'raised', 'sunken', 'hover', 'selected']
const tints = ['critical-bg', 'high-bg', 'medium-bg', 'low-bg', 'info-bg', 'ok-bg']
const severity = ['critical', 'high', 'medium', 'low', 'info', 'ok']
const pairs = [
  ...[...surfaces, ...tints].flatMap((b) => ['text', 'text-2'].map((t) => [t, b, 4.5])),
  ...[...surfaces, 'info-bg'].flatMap((b) => ['text-3', 'accent', ...severity].map((t) => [t, b, 4.5])),
  ...severity.map((s) => [s, `${s}-bg`, 4.5]),
  ['critical', 'high-bg', 4.5],
  ['text-3', 'high-bg', 4.5],
  ['text-3', 'critical-bg', 4.5],
  ['on-accent', 'accent', 4.5],
  ['on-accent', 'accent-hover', 4.5],
  ...['bg', 'surface', 'raised'].flatMap((b) => ['line-strong', 'focus', 'plot-1', 'plot-2', 'plot-3', 'plot-4', 'plot-5', 'plot-6'].map((t) => [t, b, 3])),
]

const channel = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
const luminance = (hex) => {
  const [r, g, b] = [1, 3, 5].map((i) => channel(parseInt(hex.slice(i, i + 2), 16) / 255))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
export const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p)
  return (x + 0.05) / (y + 0.05)
}

let bad = 0
let least = { text: 21, shape: 21 }
for (const [fg, bg, need] of pairs) {
  for (const theme of ['light', 'dark']) {
    const a = tokens.get(fg)?.[theme]
    const b = tokens.get(bg)?.[theme]
    if (!a || !b) throw new Error(`no token --${a ? bg : fg}`)
    const c = contrast(a, b)
    const kind = need === 3 ? 'shape' : 'text'
    least[kind] = Math.min(least[kind], c)
    if (c < need) {
      bad++
      console.error(`${theme}: --${fg} on --${bg} is ${c.toFixed(2)}:1, needs ${need}:1`)
    }
  }
}
console.log(`${pairs.length * 2} pairs; least ${least.text.toFixed(2)}:1 for text, ${least.shape.toFixed(2)}:1 for shapes`)
process.exitCode = bad ? 1 : 0
