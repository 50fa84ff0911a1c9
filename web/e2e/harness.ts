// SPDX-License-Identifier: Apache-2.0
// What each test in a browser needs: a logged-in page of a given size and
// theme, which fails the test on any error that the page reports, a violation
// of the content security policy among them.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, inject } from 'vitest'
import { launch } from './browser'

export type Theme = 'light' | 'dark'
export const sizes = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } }
export type Size = keyof typeof sizes

export interface Options {
  theme?: Theme
  size?: Size
  /** Without the session: the pages before the login. */
  anonymous?: boolean
  reducedMotion?: boolean
  /** A browser of its own: for who goes offline or changes the cookies. */
  alone?: boolean
}

export interface Opened {
  page: Page
  context: BrowserContext
  /** What the page complained about; `expectQuiet` fails on it. */
  complaints: string[]
  expectQuiet: () => void
  close: () => Promise<void>
}

let browser: Browser | undefined
// One per kind and file: a warm cache is a second less for each test.
const contexts = new Map<string, Promise<BrowserContext>>()

/** Call at the top of a spec file. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(async () => {
    contexts.clear()
    await browser?.close()
    browser = undefined
  })
}

function newContext(o: Options): Promise<BrowserContext> {
  if (!browser) throw new Error('useBrowser() is missing')
  const narrow = o.size === 'narrow'
  return browser.newContext({
    baseURL: base(),
    ignoreHTTPSErrors: true,
    viewport: sizes[o.size ?? 'wide'],
    hasTouch: narrow,
    isMobile: narrow,
    storageState: o.anonymous ? undefined : inject('state'),
    permissions: ['clipboard-read', 'clipboard-write'],
  })
}

export function base(): string {
  return inject('base')
}

export async function open(path: string, o: Options = {}): Promise<Opened> {
  const alone = o.alone === true || o.anonymous === true
  const kind = o.size ?? 'wide'
  let made = alone ? undefined : contexts.get(kind)
  if (!made) {
    made = newContext(o)
    if (!alone) contexts.set(kind, made)
  }
  const context = await made
  const page = await context.newPage()
  await page.emulateMedia({ colorScheme: o.theme ?? 'light', reducedMotion: o.reducedMotion ? 'reduce' : 'no-preference' })
  const complaints: string[] = []
  page.on('pageerror', (e) => complaints.push(`error: ${e.message}`))
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') complaints.push(`${m.type()}: ${m.text()}`)
  })
  page.on('request', (r) => {
    const url = r.url()
    if (!url.startsWith(base()) && !url.startsWith('data:') && !url.startsWith('blob:')) complaints.push(`outside request: ${url}`)
  })
  await page.goto(path)
  return {
    page,
    context,
    complaints,
    expectQuiet: () => expect(complaints).toEqual([]),
    close: async () => {
      if (alone) return context.close()
      // What one test chose (a theme, columns) is not the next one's.
      await page.evaluate(() => {
        localStorage.clear()
        sessionStorage.clear()
      })
      await page.close()
    },
  }
}

/** The page is drawn: its title stands, nothing says that it is loading, the fonts are there. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor()
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null, undefined, { timeout: 20_000 })
  await page.evaluate(() => document.fonts.ready.then(() => undefined))
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeResult {
  violations: { id: string; impact: string; help: string; nodes: { target: string[]; failureSummary?: string }[] }[]
}

/** Every rule of WCAG 2.2 A and AA and the best practices. Evaluated by the debugger, so that the policy stays as it is. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axeSource)
  const result = await page.evaluate(async () => {
    const axe = (window as unknown as { axe: { run: (o: unknown) => Promise<unknown> } }).axe
    return (await axe.run({ runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } })) as AxeResult
  })
  const said = result.violations.flatMap((v) => v.nodes.map((n) => `${v.impact} ${v.id}: ${v.help}\n    ${n.target.join(' ')}\n    ${n.failureSummary?.replace(/\n/g, '\n    ') ?? ''}`))
  expect(said.join('\n')).toBe('')
}

/** Nothing sticks out to the right of a narrow screen. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const wide = await page.evaluate(() => {
    const main = document.querySelector('#main') ?? document.documentElement
    return main.scrollWidth - main.clientWidth
  })
  expect(wide).toBeLessThanOrEqual(0)
}
