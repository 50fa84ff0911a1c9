// SPDX-License-Identifier: Apache-2.0
// Writes licences.txt into the build: every package of which something is in
// the bundle, with its version and the text of its own licence file. A package
// without one stops the build.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vite'

interface Manifest {
  name?: string
  version?: string
  license?: string
  dependencies?: Record<string, string>
}

export function licences(root: string): Plugin {
  return {
    name: 'asepsis-licences',
    apply: 'build',
    generateBundle() {
      const found = new Map<string, string>() // directory of the package by name
      for (const id of this.getModuleIds()) {
        const dir = packageOf(id.replace(/^\0/, '').split('?')[0] ?? '')
        if (dir) found.set(manifest(dir).name ?? dir, dir)
      }
      // Fonts come in through CSS and are no modules.
      for (const name of Object.keys(manifest(root).dependencies ?? {})) {
        if (name.startsWith('@fontsource')) found.set(name, join(root, 'node_modules', name))
      }
      const parts = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, dir]) => {
        const m = manifest(dir)
        return `${name} ${m.version ?? ''}\n${m.license ?? ''}\n\n${text(dir).trim()}\n`
      })
      const head = 'The console of Asepsis is under the Apache License 2.0 (LICENSE in the source).\nIts bundle contains parts of these packages, each under its own licence.\n'
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: [head, ...parts].join(`\n${'-'.repeat(78)}\n\n`) })
    },
  }
}

function manifest(dir: string): Manifest {
  return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest
}

/** The directory right below the last node_modules of a path. */
function packageOf(id: string): string | undefined {
  const i = id.lastIndexOf('/node_modules/')
  if (i < 0) return undefined
  const rest = id.slice(i + '/node_modules/'.length).split('/')
  return join(id.slice(0, i), 'node_modules', ...rest.slice(0, rest[0]?.startsWith('@') ? 2 : 1))
}

function text(dir: string): string {
  // A package of a monorepo may leave its licence one level up in the scope.
  for (const d of [dir, dirname(dir)]) {
    if (!existsSync(d)) continue
    const file = readdirSync(d).sort().find((f) => /^licen[cs]e/i.test(f))
    if (file) return readFileSync(join(d, file), 'utf8').replaceAll('\r\n', '\n')
  }
  throw new Error(`no licence file in ${dir}`)
}
