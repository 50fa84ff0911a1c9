// SPDX-License-Identifier: Apache-2.0
// What the build weighs, compressed as the server sends it: all of it, and what
// a browser needs before the board is drawn. Fails when the latter is over its
// limit: a page that pulls something heavy into the first screen is noticed.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const limit = 128 // KiB for the first screen; react-dom alone is 62
const dist = process.argv[2] ?? fileURLToPath(new URL('../dist/', import.meta.url)) // ends with a slash
const weight = (file) => gzipSync(readFileSync(dist + file), { level: 9 }).length

/** A file, and what it imports before it runs. */
function add(file, seen) {
  if (seen.has(file)) return
  seen.add(file)
  if (!file.endsWith('.js')) return
  for (const [, name] of readFileSync(dist + file, 'utf8').matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)) add(`assets/${name}`, seen)
}

const first = new Set()
for (const [, file] of readFileSync(`${dist}index.html`, 'utf8').matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)) add(file, first)
// The board comes with the rest. Were it loaded for itself, what it brings would not be counted.
if (existsSync(`${dist}assets/Board.js`)) throw new Error('the board is a file of its own: vite.config.ts has it with the core')
const kib = (files) => files.reduce((n, f) => n + weight(f), 0) / 1024
const all = readdirSync(`${dist}assets`).filter((f) => /\.(js|css)$/.test(f)).map((f) => `assets/${f}`)
const needed = kib([...first])
console.log(`scripts and styles, compressed: ${needed.toFixed(0)} KiB for the first screen, ${kib(all).toFixed(0)} KiB in all`)
if (needed > limit) {
  console.error(`the first screen may take ${limit} KiB`)
  process.exit(1)
}
