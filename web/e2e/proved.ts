// SPDX-License-Identifier: Apache-2.0
// Answers what the Prove pages ask with an invented ledger and authority whose
// receipts verify, so that each state of them can be seen; all else is the
// server's.
import type { Page, Route } from 'playwright-core'
import { Failure } from '../dev/fixtures/failure'
import { prove, RawFile } from '../dev/fixtures/prove'
import { build, type World } from '../dev/fixtures/world'

export interface Proved {
  world: World
  /** Stands in front of the answers: what it answers is taken. */
  instead: (method: string, path: string, body: Record<string, unknown>) => unknown
  /** What was asked, as "POST /identity/codes". */
  asked: string[]
}

const type = 'application/problem+json'

/** Call before the page is opened. */
export async function proved(page: Page, o: { empty?: boolean; runs?: string[] } = {}): Promise<Proved> {
  const p: Proved = { world: build(o.empty ? 0 : 120, Date.now()), instead: () => undefined, asked: [] }
  const state = { empty: o.empty ?? false }
  const answer = async (r: Route) => {
    const url = new URL(r.request().url())
    const path = url.pathname.slice('/api/v1'.length)
    const method = r.request().method()
    const body = (r.request().postDataJSON() ?? {}) as Record<string, unknown>
    p.asked.push(`${method} ${path}`)
    try {
      const found = p.instead(method, path, body)
      const said = found === undefined ? prove(state, p.world, method, path, url.searchParams, body) : { answer: found }
      if (!said) throw new Failure(404, 'Not found')
      if (said.answer instanceof RawFile) await r.fulfill({ contentType: said.answer.type, body: said.answer.text })
      else if (said.answer === undefined) await r.fulfill({ status: 204 })
      else await r.fulfill({ json: said.answer })
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      await r.fulfill({ status: e.problem.status, contentType: type, body: JSON.stringify(e.problem) })
    }
  }
  await page.route(/\/api\/v1\/(ledger|identity)(\/|\?|$)/, answer)
  await changed(page, /\/api\/v1\/status$/, (s) => ({ ...s, runs: o.runs ?? ['ledger', 'identity'] }))
  return p
}

/** The server's own answer with something changed. A page that is closed meanwhile does not wait for it. */
export async function changed(page: Page, url: RegExp, change: (answer: Record<string, unknown>) => object): Promise<void> {
  await page.route(url, async (r) => {
    try {
      const real = await r.fetch()
      await r.fulfill({ response: real, json: change((await real.json()) as Record<string, unknown>) })
    } catch {
      await r.abort().catch(() => undefined)
    }
  })
}

/** Somebody with fewer permissions. */
export const asViewer = (page: Page): Promise<void> => changed(page, /\/api\/v1\/session$/, (s) => ({ ...s, user: { ...(s['user'] as object), roles: ['viewer'] }, permissions: ['read'] }))

/** The files of a list as a browser hands them over when they are dropped. */
export async function dropFiles(page: Page, on: string, files: { name: string; text: string }[]): Promise<void> {
  const data = await page.evaluateHandle((list) => {
    const t = new DataTransfer()
    for (const f of list) t.items.add(new File([f.text], f.name))
    return t
  }, files)
  await page.dispatchEvent(on, 'dragover', { dataTransfer: data })
  await page.dispatchEvent(on, 'drop', { dataTransfer: data })
}
