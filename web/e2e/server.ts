// SPDX-License-Identifier: Apache-2.0
// Starts `asepsis up --demo` on a free port with a directory of its own, makes
// the first account through the printed link in the browser, as a person
// would, and hands the address and the session to the tests. ASEPSIS_BIN names
// a binary that is already built; ASEPSIS_URL with ASEPSIS_LINK a server that
// already runs.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { launch } from './browser'

declare module 'vitest' {
  interface ProvidedContext {
    base: string
    state: string
    password: string
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const out = fileURLToPath(new URL('.out/', import.meta.url))
const password = 'a long enough passphrase'

/** Builds a program of this repository, unless the environment names one that is built. */
export function built(pkg: string, name: string): string {
  if (name === 'asepsis' && process.env.ASEPSIS_BIN) return process.env.ASEPSIS_BIN
  mkdirSync(out, { recursive: true })
  const bin = join(out, name)
  execFileSync('go', ['build', '-o', bin, pkg], { cwd: root, stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0' } })
  return bin
}

export default (project: TestProject) => serve(project, (data) => spawn(built('./cmd/asepsis', 'asepsis'), ['up', '--demo', '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] }))

/** Starts a server that prints a set-up link, and ends it after the tests. */
export async function serve(project: TestProject, start: (data: string) => ChildProcess): Promise<() => Promise<void>> {
  mkdirSync(out, { recursive: true })
  let server: ChildProcess | undefined
  let data = ''
  let link = process.env.ASEPSIS_LINK ?? ''
  if (!link) {
    data = mkdtempSync(join(tmpdir(), 'asepsis-e2e-'))
    server = start(data)
    link = await printed(server)
  }
  const base = new URL(link).origin
  const state = join(out, `state-${process.pid}.json`) // two runs at a time must not take each other's session
  await firstAccount(link, state)
  project.provide('base', base)
  project.provide('state', state)
  project.provide('password', password)
  return async () => {
    if (server && server.exitCode === null) {
      const ended = new Promise((f) => server.once('exit', f))
      server.kill('SIGTERM')
      await ended
    }
    rmSync(state, { force: true })
    if (data) rmSync(data, { recursive: true, force: true })
  }
}

/** The set-up link from what the server prints. */
export function printed(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const late = setTimeout(() => reject(new Error(`no set-up link within 120 s:\n${said}`)), 120_000)
    const read = (chunk: Buffer) => {
      said += chunk.toString()
      const link = /https?:\/\/\S+\/setup#token=\S+/.exec(said)?.[0]
      if (!link) return
      clearTimeout(late)
      resolve(link)
    }
    server.stdout?.on('data', read)
    server.stderr?.on('data', read)
    server.once('exit', (code) => reject(new Error(`asepsis ended with ${code}:\n${said}`)))
  })
}

export async function firstAccount(link: string, state: string): Promise<void> {
  const browser = await launch()
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 } })
    const page = await context.newPage()
    await page.goto(link)
    await page.getByLabel('Name to log in with').fill('admin')
    await page.getByLabel('Your name').fill('Administrator')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByLabel('Password again').fill(password)
    await page.getByRole('button', { name: 'Set up and log in' }).click()
    await page.getByRole('heading', { name: 'Theatres', level: 1 }).waitFor()
    await context.storageState({ path: state })
  } finally {
    await browser.close()
  }
}
