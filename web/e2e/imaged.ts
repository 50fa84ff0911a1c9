// SPDX-License-Identifier: Apache-2.0
// Answers what the Imaging page asks with an invented gateway whose receipts
// verify, so that each state of it can be seen; all else is the server's.
import type { Page, Route } from 'playwright-core'
import { Failure } from '../dev/fixtures/failure'
import { imaging, NAME, type ImagingState } from '../dev/fixtures/imaging'
import { RawFile } from '../dev/fixtures/prove'
import { build, type World } from '../dev/fixtures/world'
import { open, type Opened, type Options } from './harness'
import { asViewer, changed } from './proved'

export interface Imaged {
  world: World
  state: ImagingState
  /** Stands in front of the answers: what it answers is taken. */
  instead: (method: string, path: string, body: Record<string, unknown>) => unknown
  /** What was asked, as "POST /imaging/quarantine/7/release", with what was sent. */
  asked: { what: string; body: Record<string, unknown> }[]
}

/** Call before the page is opened. */
export async function imaged(page: Page, o: { empty?: boolean; gateways?: ImagingState['gateways'] } = {}): Promise<Imaged> {
  const p: Imaged = { world: build(o.empty ? 0 : 120, Date.now()), state: { empty: o.empty ?? false, gateways: o.gateways ?? [{ name: NAME, state: 'live' }], user: 'admin' }, instead: () => undefined, asked: [] }
  await page.route(/\/api\/v1\/imaging\//, async (r: Route) => {
    const url = new URL(r.request().url())
    const path = url.pathname.slice('/api/v1'.length)
    const method = r.request().method()
    const body = (r.request().postDataJSON() ?? {}) as Record<string, unknown>
    p.asked.push({ what: `${method} ${path}`, body })
    try {
      const found = p.instead(method, path, body)
      const said = found === undefined ? imaging(p.state, p.world, method, path, url.searchParams, body) : { answer: found }
      if (!said) throw new Failure(404, 'Not found')
      if (said.answer instanceof RawFile) await r.fulfill({ contentType: said.answer.type, body: said.answer.text })
      else await r.fulfill({ json: said.answer })
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      await r.fulfill({ status: e.problem.status, contentType: 'application/problem+json', body: JSON.stringify(e.problem) })
    }
  })
  // Its theatres have their names.
  await page.route(/\/api\/v1\/theatres$/, (r) => r.fulfill({ json: p.world.theatres }))
  await changed(page, /\/api\/v1\/status$/, (s) => ({ ...s, runs: [...new Set([...((s as { runs?: string[] }).runs ?? []), 'imaging'])] }))
  return p
}

/** A page of Imaging before an invented gateway. */
export async function openImaged(path: string, o: Options & Parameters<typeof imaged>[1] & { instead?: Imaged['instead']; viewer?: boolean } = {}): Promise<Opened & { p: Imaged }> {
  const opened = await open('about:blank', { reducedMotion: true, ...o })
  const p = await imaged(opened.page, o)
  if (o.instead) p.instead = o.instead
  if (o.viewer) await asViewer(opened.page)
  await opened.page.goto(path)
  return { ...opened, p }
}

/** What was asked besides reading. */
export const posted = (p: Imaged): string[] => p.asked.filter((a) => !a.what.startsWith('GET ')).map((a) => a.what)
