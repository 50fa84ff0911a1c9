// SPDX-License-Identifier: Apache-2.0
// Events: searched, counted, read and followed.
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible, open, settled, useBrowser } from './harness'
import { until } from './until'

useBrowser()

const body = '[role="treegrid"][aria-label="Events"] .grid-body [role="row"]'
const total = async (page: Page) => Number((await page.locator('.ev-total strong').innerText()).replace(/\D/g, ''))

beforeAll(async () => {
  const { page, close } = await open('/theatres')
  await settled(page)
  await until(() => page.evaluate(async () => ((await (await fetch('/api/v1/events?is=protocol:dicom&limit=5')).json()) as { events: unknown[] }).events.length === 5))
  await close()
})

describe('the list of events', () => {
  it('narrows to a value of the sidebar and back, rows and counts together', async () => {
    const { page, expectQuiet, close } = await open('/events?from=-24h')
    await settled(page)
    const all = await total(page)
    await page.getByRole('complementary', { name: 'Fields' }).getByRole('button', { name: /^dicom / }).click()
    await page.waitForURL(/is=protocol:dicom/)
    await settled(page)
    await expect.poll(() => total(page)).toBeLessThan(all)
    for (const text of await page.locator(`${body} [data-col="2"]`).allInnerTexts()) expect(text).toBe('dicom')
    expectQuiet()
    await close()
  })

  it('is read from the keyboard: j, Enter, decoded first, OCSF last', async () => {
    const { page, expectQuiet, close } = await open('/events?from=-24h&is=protocol:dicom')
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('tab', { name: 'Decoded' }).waitFor()
    await expect.poll(() => page.locator('.ev-groups dt').count()).toBeGreaterThan(5)
    expect(await page.locator('.ev-ocsf').count()).toBe(0)
    await page.getByRole('tab', { name: 'OCSF' }).click()
    expect(JSON.parse(await page.locator('.ev-ocsf pre').innerText())).toHaveProperty('class_uid')
    await page.locator('[role="treegrid"]').focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('.ev-detail').count()).toBe(0)
    expectQuiet()
    await close()
  })

  it('excludes with o, and the link restores exactly this view', async () => {
    const { page, close } = await open('/events?from=-24h&order=oldest')
    await settled(page)
    await page.keyboard.press('j')
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight')
    await page.keyboard.press('o')
    await page.waitForURL(/not=src_device|not=src_ip/)
    await settled(page)
    const chips = await page.getByRole('group', { name: 'Filters' }).innerText()
    const again = await open(new URL(page.url()).pathname + new URL(page.url()).search)
    await settled(again.page)
    expect(await again.page.getByRole('group', { name: 'Filters' }).innerText()).toBe(chips)
    expect(await again.page.getByRole('columnheader', { name: /^Time/ }).getAttribute('aria-sort')).toBe('ascending')
    await again.close()
    await close()
  })

  it('zooms into what is brushed and out again', async () => {
    const { page, expectQuiet, close } = await open('/events?from=-24h')
    await settled(page)
    const chart = page.locator('.ev-chart .bars')
    const box = await chart.boundingBox()
    if (!box) throw new Error('no chart')
    await page.mouse.move(box.x + box.width * 0.6, box.y + 30)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.9, box.y + 30, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/from=\d{4}.*to=\d{4}/)
    const span = () => {
      const p = new URL(page.url()).searchParams
      return Date.parse(p.get('to') ?? '') - Date.parse(p.get('from') ?? '')
    }
    const brushed = span()
    expect(brushed).toBeLessThan(24 * 3600e3 * 0.4)
    await chart.focus()
    await page.keyboard.press('-')
    await expect.poll(span).toBeGreaterThan(brushed * 1.9)
    expectQuiet()
    await close()
  })

  it('brushes from the keyboard', async () => {
    const { page, close } = await open('/events?from=-6h')
    await settled(page)
    await page.locator('.ev-chart .bars').focus()
    await page.keyboard.press('ArrowLeft')
    for (let i = 0; i < 20; i++) await page.keyboard.press('Shift+ArrowLeft')
    await page.keyboard.press('Enter')
    await page.waitForURL(/from=\d{4}.*to=\d{4}/)
    await close()
  })

  it('says what it did not search, and goes on when told to', async () => {
    const { page, close } = await open('/theatres')
    await settled(page)
    let asked = 0
    await page.route(/\/api\/v1\/events\?/, async (r) => {
      const answer = (await (await r.fetch()).json()) as Record<string, unknown>
      asked++
      await r.fulfill({ json: asked === 1 ? { ...answer, events: [], next: 'more', complete: false, reached: '2026-01-01T09:12:00Z' } : { ...answer, next: null, complete: true } })
    })
    await page.goto('/events?from=-24h&q=anything')
    await page.getByText(/Nothing found yet, back to/).waitFor()
    await page.unroute(/\/api\/v1\/events\?/)
    await page.route(/\/api\/v1\/events\?.*cursor=more/, async (r) => {
      const url = new URL(r.request().url())
      url.searchParams.delete('cursor')
      url.searchParams.delete('q')
      await r.fulfill({ response: await r.fetch({ url: url.href }) })
    })
    await page.getByRole('button', { name: 'Go on searching' }).click()
    await expect.poll(() => page.locator(body).count()).toBeGreaterThan(0)
    await close()
  })

  it('explains its search in a sentence', async () => {
    const { page, close } = await open('/events?q=ultra*%20-echo')
    await settled(page)
    await page.getByRole('button', { name: 'How to search' }).click()
    await page.getByText('events with a word that begins with “ultra”, without “echo”').waitFor()
    await close()
  })

  it('exports all that matches', async () => {
    const { page, close } = await open('/events?from=-24h&is=protocol:dicom')
    await settled(page)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export all that matches' }).click().then(() => page.getByRole('menuitem', { name: /NDJSON/ }).click()),
    ])
    expect(new URL(download.url()).searchParams.get('is')).toBe('protocol:dicom')
    await close()
  })
})

describe('live', () => {
  it('gathers new events and moves nothing until asked', async () => {
    const { page, expectQuiet, close } = await open('/events?from=-15m&live=1')
    await settled(page)
    await page.getByRole('group', { name: 'Live' }).getByText('Live.').waitFor()
    const first = await page.locator(`${body} >> nth=0`).getAttribute('data-row')
    const more = page.getByRole('button', { name: /^\d.* new$/ })
    await more.waitFor({ timeout: 45_000 })
    expect(await page.locator(`${body} >> nth=0`).getAttribute('data-row')).toBe(first)
    await more.click()
    await expect.poll(() => page.locator(`${body} >> nth=0`).getAttribute('data-row')).not.toBe(first)
    expectQuiet()
    await close()
  })

  it('misses nothing and shows nothing twice when the connection breaks', async () => {
    const { page, close } = await open('/events?from=-15m&live=1', { alone: true })
    await settled(page)
    await page.getByRole('group', { name: 'Live' }).getByText('Live.').waitFor()
    await page.getByRole('checkbox', { name: 'Follow' }).check()
    const before = BigInt((await page.locator(`${body} >> nth=0`).getAttribute('data-row')) ?? '0')
    // The browser goes offline and comes back.
    await page.context().setOffline(true)
    await page.waitForFunction(() => !navigator.onLine)
    await page.context().setOffline(false)
    await expect.poll(async () => BigInt((await page.locator(`${body} >> nth=0`).getAttribute('data-row')) ?? '0') > before, { timeout: 60_000 }).toBe(true)
    const seen = await page.locator(body).evaluateAll((rows) => rows.map((r) => r.getAttribute('data-row')))
    expect(new Set(seen).size).toBe(seen.length)
    await close()
  })
})

describe('saved searches', () => {
  it('keep the view under a name, and open it', async () => {
    const { page, expectQuiet, close } = await open('/events?from=-24h&is=protocol:dicom')
    await settled(page)
    await page.getByRole('button', { name: 'Saved searches' }).click()
    await page.getByRole('menuitem', { name: /Save this view/ }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('Images of a day')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('Saved as “Images of a day”.').waitFor()
    await page.goto('/events')
    await settled(page)
    await page.getByRole('button', { name: 'Saved searches' }).click()
    await page.getByRole('menuitem', { name: 'Images of a day' }).click()
    await page.waitForURL(/is=protocol:dicom/)
    expectQuiet()
    await close()
  })
})

describe('access', () => {
  it('passes axe with an event open', async () => {
    const { page, close } = await open('/events?from=-24h&is=protocol:dicom', { reducedMotion: true })
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.locator('.ev-groups dt').first().waitFor()
    await expectAccessible(page)
    await close()
  })
})
