// SPDX-License-Identifier: Apache-2.0
// Every list of Imaging: while it waits, when it fails, when it could not be loaded
// again, when there is nothing, and with more rows than anybody reads. Those of
// which states.spec.ts has the first ones are here for the rest.
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { Failure } from '../dev/fixtures/failure'
import { STUDY } from '../dev/fixtures/gateway'
import { imaging } from '../dev/fixtures/imaging'
import type { ImagingAssociations, ImagingBindings, ImagingDestinations, ImagingHeld, ImagingInstances, ImagingQuarantine, ImagingSteps, ImagingStudies, ImagingTimeline } from '../src/api/types'
import { expectAccessible, expectNoSidewaysScroll, settled, useBrowser } from './harness'
import { openImaged, type Imaged } from './imaged'

useBrowser()

const main = (page: Page) => page.locator('#main')
const MANY = 10_000
const failure = new Failure(503, 'Not available', 'older instances are still being indexed', 'ask again in a moment')
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i))
const minutesAgo = (n: number) => new Date(Date.now() - n * 60_000).toISOString()

interface List {
  name: string
  path: string
  /** Of the request whose answer it is. */
  asks: string
  lost: RegExp
  /** Where there is nothing; undefined where the demo's own test has it. */
  empty?: { answer: unknown; says: RegExp }
  /** More than anybody reads, made of what it is otherwise. */
  many?: (one: never) => unknown
}
const lists: List[] = [
  { name: 'associations', path: '?tab=associations', asks: '/imaging/associations', lost: /associations cannot be listed/, many: ({ associations: [a] }: ImagingAssociations) => ({ associations: times(MANY, (i) => ({ ...a, id: `a${i}`, since: minutesAgo(i) })) }) },
  { name: 'quarantine', path: '?tab=quarantine', asks: '/imaging/quarantine', lost: /quarantine cannot be listed/, many: ({ held: [h] }: ImagingQuarantine) => ({ held: times(MANY, (i): ImagingHeld => ({ ...(h as ImagingHeld), number: MANY - i })) }) },
  { name: 'studies', path: '?tab=instances', asks: '/imaging/studies', lost: /studies cannot be listed/, many: ({ studies: [s] }: ImagingStudies) => ({ studies: times(MANY, (i) => ({ ...s, study: `1.2.${i}`, last: minutesAgo(i) })) }) },
  { name: 'images', path: '?tab=instances&by=instance', asks: '/imaging/instances', lost: /images cannot be listed/, empty: { answer: { instances: [] }, says: /No image passes these filters/ }, many: ({ instances: [r] }: ImagingInstances) => ({ instances: times(MANY, (i) => ({ ...r, number: MANY - i })) }) },
  { name: 'images of a study', path: `?tab=instances&study=${STUDY}`, asks: `/imaging/studies/${STUDY}/timeline`, lost: /This study cannot be shown/, many: (t: ImagingTimeline) => ({ ...t, instances: times(MANY, (i) => ({ ...t.instances[0], number: MANY - i })) }) },
  { name: 'destinations', path: '?tab=destinations', asks: '/imaging/destinations', lost: /destinations cannot be listed/ },
  { name: 'procedures', path: '', asks: '/imaging/steps', lost: /procedures are in progress cannot be shown/ },
  { name: 'bindings', path: '?tab=bindings', asks: '/imaging/bindings', lost: /bindings cannot be listed/ },
  { name: 'statements about a content', path: `?tab=instances&digest=${'0'.repeat(64)}`, asks: `/imaging/receipts/${'0'.repeat(64)}`, lost: /What is recorded cannot be shown/ },
]
/** What it is asked for, as it is otherwise. */
const usual = (p: Imaged, path: string) => imaging(p.state, p.world, 'GET', path, new URLSearchParams(), {})?.answer

for (const l of lists) {
  describe(l.name, () => {
    it('say what failed and what to do, and come when asked again', async () => {
      const { page, p, close } = await openImaged(`/imaging${l.path}`, { instead: (_, path) => { if (path === l.asks) throw failure; return undefined } })
      const alert = main(page).getByRole('alert').filter({ hasText: l.lost })
      await alert.waitFor({ timeout: 20_000 })
      expect(await alert.innerText()).toContain('Older instances are still being indexed.\n')
      expect(await alert.innerText()).toContain('Ask again in a moment.')
      await expectAccessible(page)
      p.instead = () => undefined
      // What is asked for by itself at times may be quicker than the hand.
      const gone = alert.waitFor({ state: 'detached' })
      await Promise.race([gone, alert.getByRole('button', { name: 'Try again' }).click().catch(() => gone)])
      await gone
      await settled(page)
      await close()
    })

    it.runIf(l.empty)('teach where there is nothing', async () => {
      const { page, expectQuiet, close } = await openImaged(`/imaging${l.path}`, { instead: (_, path) => (path === l.asks ? l.empty?.answer : undefined) })
      await main(page).getByText(l.empty?.says ?? '').waitFor()
      await expectAccessible(page)
      expectQuiet()
      await close()
    })

    it.runIf(l.many)('draw only what is seen of ten thousand', async () => {
      const { page, p, expectQuiet, close } = await openImaged('about:blank')
      p.instead = (_, path) => (path === l.asks ? l.many?.(usual(p, path) as never) : undefined)
      await page.goto(`/imaging${l.path}`)
      const grid = main(page).getByRole('grid').first()
      await grid.waitFor()
      expect(await grid.getAttribute('aria-rowcount')).toBe(String(MANY + 1))
      const drawn = await grid.getByRole('row').count()
      expect(drawn).toBeGreaterThan(10)
      expect(drawn).toBeLessThan(120)
      await grid.focus()
      await page.keyboard.press('End')
      await grid.locator(`[role="row"][aria-rowindex="${MANY + 1}"]`).waitFor()
      await expectAccessible(page)
      expectQuiet()
      await close()
    })
  })
}

describe('what cannot be loaded again', () => {
  const stays: { name: string; path: string; asks: RegExp }[] = [
    { name: 'associations', path: '?tab=associations', asks: /^\/imaging\/associations$/ },
    { name: 'destinations', path: '?tab=destinations', asks: /^\/imaging\/destinations$/ },
    { name: 'the quarantine', path: '?tab=quarantine', asks: /^\/imaging\/quarantine$/ },
    { name: 'procedures', path: '', asks: /^\/imaging\/steps$/ },
  ]
  it.each(stays)('$name: stays as it was, and from when it is is said', async ({ path, asks }) => {
    const { page, p, close } = await openImaged(`/imaging${path}`)
    await settled(page)
    p.instead = (_, at) => { if (asks.test(at)) throw failure; return undefined }
    const note = main(page).getByText(/This list is from .*: the gateway did not give a newer one since\./)
    await note.waitFor({ timeout: 40_000 })
    expect(await main(page).getByRole('alert').count()).toBe(0)
    await expectAccessible(page)
    p.instead = () => undefined
    const gone = note.waitFor({ state: 'detached', timeout: 20_000 })
    await Promise.race([gone, main(page).getByRole('button', { name: 'Try again' }).first().click().catch(() => gone)])
    await gone
    await close()
  })

  it('of a gateway that does not answer at all is said once', async () => {
    const { page, p, close } = await openImaged('/imaging?tab=associations')
    await settled(page)
    p.instead = (method) => { if (method === 'GET') throw failure; return undefined }
    await main(page).getByText(/What is shown is from .* or before: the gateway did not answer since/).waitFor({ timeout: 40_000 })
    // The list was asked for and failed as well.
    const before = p.asked.length
    await expect.poll(() => p.asked.slice(before).filter((a) => a.what === 'GET /imaging/associations').length, { timeout: 20_000 }).toBeGreaterThan(1)
    expect(await main(page).getByText(/did not answer since|did not give a newer one/).count()).toBe(1)
    await close()
  })

  it('of the next page is said beside the button, and what is there stays', async () => {
    const { page, p, close } = await openImaged('/imaging?tab=quarantine')
    p.instead = (_, path) => (path === '/imaging/quarantine' ? { ...(usual(p, path) as ImagingQuarantine), before: 3 } : undefined)
    await page.reload()
    const more = main(page).getByRole('button', { name: 'Load older ones' })
    await more.waitFor()
    p.instead = (_, path) => { if (path === '/imaging/quarantine') throw failure; return undefined }
    await more.click()
    // Until the list itself is asked for again, and does not come either.
    await main(page).getByText(/They did not come\. Try again\.|did not give a newer one since/).waitFor({ timeout: 20_000 })
    expect(await main(page).getByRole('grid', { name: 'Held images' }).getByRole('row').count()).toBeGreaterThan(2)
    await close()
  })
})

describe('lists that are no grid', () => {
  it('take two thousand bindings, and are searched', async () => {
    const { page, p, close } = await openImaged('about:blank')
    p.instead = (_, path) => {
      if (path !== '/imaging/bindings') return undefined
      const { bindings: [b], revision } = usual(p, path) as ImagingBindings
      return { bindings: times(2000, (i) => ({ ...b, device: `dev-${i}`, name: `STATION-${i}` })), revision }
    }
    await page.goto('/imaging?tab=bindings')
    await main(page).getByText(/^2.?000.devices$/).waitFor({ timeout: 20_000 })
    expect(await main(page).getByRole('row').count()).toBe(201)
    await main(page).getByText(/These are the first 200/).waitFor()
    await main(page).getByLabel('Search bindings').fill('STATION-1999')
    await main(page).getByText(/^1 of 2.?000$/).waitFor()
    await main(page).getByRole('rowheader', { name: 'STATION-1999' }).waitFor()
    await close()
  })

  it('take two hundred destinations and as many procedures', async () => {
    const { page, p, close } = await openImaged('about:blank', { size: 'narrow' })
    p.instead = (_, path) => {
      if (path === '/imaging/destinations') return { destinations: times(200, (i) => ({ ...(usual(p, path) as ImagingDestinations).destinations[0], name: `PACS-${i}` })) }
      if (path === '/imaging/steps') return { steps: times(200, (i) => ({ ...(usual(p, path) as ImagingSteps).steps[0], uid: `1.2.${i}` })) }
      return undefined
    }
    await page.goto('/imaging?tab=destinations')
    await expect.poll(() => main(page).getByRole('list', { name: 'Destinations' }).getByRole('heading').count()).toBe(200)
    await expectNoSidewaysScroll(page)
    await page.goto('/imaging')
    await main(page).getByRole('list', { name: 'Procedures' }).waitFor()
    await expectNoSidewaysScroll(page)
    await close()
  })
})
