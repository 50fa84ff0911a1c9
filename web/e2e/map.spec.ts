// SPDX-License-Identifier: Apache-2.0
// Map: the drawing, the matrix and the list say the same.
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible, open, settled, useBrowser } from './harness'
import { until } from './until'

useBrowser()

interface Answer { nodes: { id: string; name: string; theatre: string }[]; edges: { from: string; to: string }[]; kept: { from: string; to: string } }
const answer = (page: Page) => page.evaluate(async () => (await (await fetch('/api/v1/map?from=-24h&limit=5000')).json()) as Answer)

beforeAll(async () => {
  const { page, close } = await open('/theatres')
  await settled(page)
  await until(async () => ((await answer(page)).edges ?? []).length > 20)
  await close()
})

describe('the map', () => {
  it('draws each device and finds one by name', async () => {
    const { page, expectQuiet, close } = await open('/map')
    await settled(page)
    const { nodes, edges } = await answer(page)
    await expect.poll(() => page.locator('.map-row').count()).toBeGreaterThanOrEqual(Math.min(nodes.length, 20))
    const busy = edges.find((e) => e.from.startsWith('dev-'))?.from ?? ''
    const name = nodes.find((n) => n.id === busy)?.name ?? ''
    await page.keyboard.press('f')
    await page.keyboard.type(name)
    await page.keyboard.press('Enter')
    await page.waitForURL(/focus=/)
    await page.getByRole('complementary', { name: 'Selection' }).waitFor()
    expect(await page.locator('.map-near').count()).toBeGreaterThan(0)
    await page.keyboard.press('Escape')
    await page.waitForURL((u) => !u.search.includes('focus'))
    expectQuiet()
    await close()
  })

  it('isolates on hover and pins on click', async () => {
    const { page, close } = await open('/map')
    await settled(page)
    await page.locator('.map-row').first().hover()
    await expect.poll(() => page.locator('.map-isolated').count()).toBe(1)
    await page.locator('.map-row .map-name').first().click()
    await page.waitForURL(/focus=/)
    expect(await page.locator('.map-pinned').count()).toBe(1)
    await close()
  })

  it('is walked by the arrow keys with one tab stop', async () => {
    const { page, close } = await open('/map')
    await settled(page)
    expect(await page.locator('.map-name[tabindex="0"]').count()).toBe(1)
    await page.locator('.map-name[tabindex="0"]').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await page.waitForURL(/focus=/)
    await close()
  })

  it('goes back in time, and the link restores it', async () => {
    const { page, close } = await open(`/map?len=${15 * 60_000}`)
    await settled(page)
    const back = page.getByRole('button', { name: 'One step back' })
    if (await back.isDisabled()) return close() // less than two quarters of an hour are kept yet
    await back.click()
    await page.waitForURL(/at=/)
    const said = await page.locator('.map-said').innerText()
    const again = await open(new URL(page.url()).pathname + new URL(page.url()).search)
    await settled(again.page)
    await expect.poll(() => again.page.locator('.map-said').innerText()).toBe(said)
    await again.close()
    await close()
  })

  it('does not play by itself for who asked for less motion', async () => {
    const { page, close } = await open('/map', { reducedMotion: true })
    await settled(page)
    expect(await page.getByRole('button', { name: 'Replay from here' }).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'One step back' }).count()).toBe(1)
    await close()
  })
})

describe('the matrix and the list', () => {
  it('the matrix is walked and unfolded by the keyboard, and tells each cell', async () => {
    const { page, expectQuiet, close } = await open('/map?view=matrix')
    await settled(page)
    const grid = page.getByRole('grid', { name: 'Who talks to whom' })
    const before = Number(await grid.getAttribute('aria-rowcount'))
    await grid.focus()
    await page.keyboard.press('Enter')
    await expect.poll(async () => Number(await grid.getAttribute('aria-rowcount'))).toBeGreaterThan(before)
    await page.keyboard.press('ArrowRight')
    expect(await page.locator('.mx-told').innerText()).toMatch(/ to .*: /)
    expectQuiet()
    await close()
  })

  it('the list has every conversation', async () => {
    const { page, close } = await open('/map?view=list')
    await settled(page)
    const said = Number((await page.locator('.map-list .grid-count').innerText()).replace(/\D/g, ''))
    expect(said).toBeGreaterThan(0)
    expect(Number(await page.getByRole('grid', { name: 'Conversations' }).getAttribute('aria-rowcount'))).toBe(said + 1)
    await close()
  })
})

describe('2,000 devices', () => {
  it('are folded into classes, unfold on demand, and all can be drawn', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    const zones = ['imaging', 'theatre', 'office', 'data-centre', 'wards', '']
    const classes = ['ct', 'infusion-pump', 'patient-monitor', 'workstation', 'server']
    const nodes = Array.from({ length: 2000 }, (_, i) => ({ id: `dev-m${i}`, name: `DEVICE-${i}`, class: classes[i % 5], class_name: classes[i % 5], theatre: '', zone: zones[i % 6], medical: true, worst: 'info', outside: false }))
    const at = new Date().toISOString()
    const edges = Array.from({ length: 5000 }, (_, i) => ({
      from: `dev-m${(i * 7) % 2000}`, to: `dev-m${(i * 13 + 1) % 2000}`, protocol: ['dicom', 'hl7', 'tls'][i % 3], transport: 'tcp', port: 104, flows: 1, failed: 0,
      bytes_out: i * 1000, bytes_in: 10, first: at, last: at, new: i % 50 === 0, in_policy: i % 40 === 0 ? false : i % 2 === 0 ? true : null,
    }))
    await page.route(/\/api\/v1\/map\?/, (r) => r.fulfill({ json: { from: at, to: at, kept: { from: new Date(Date.now() - 864e5).toISOString(), to: at }, nodes, edges, more: false } }))
    await page.goto('/map')
    await settled(page)
    await expect.poll(() => page.locator('.map-row').count()).toBe(30)
    await page.locator('.map-unfold').first().click()
    await expect.poll(() => page.locator('.map-row').count()).toBeGreaterThan(50)
    await page.goto('/map?all=1')
    await settled(page)
    // Rows are drawn where one looks, and the focus goes to where none was drawn.
    const drawn = () => page.locator('.map-row').count()
    await expect.poll(drawn).toBeGreaterThan(100)
    expect(await drawn()).toBeLessThan(700)
    await page.locator('.map-scroll').evaluate((e) => e.scrollTo({ top: 4000 }))
    await expect.poll(() => page.locator('.map-row').evaluateAll((all) => all.filter((e) => e.getBoundingClientRect().top > 300 && e.getBoundingClientRect().top < 700).length)).toBeGreaterThan(60)
    expect(await drawn()).toBeLessThan(700)
    await page.locator('.map-name[tabindex="0"]').focus()
    await page.keyboard.press('End')
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toMatch(/DEVICE-1\d+$/)
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('.map-isolated').count()).toBe(1)
    // The canvas is as large as what is seen, not as the map.
    expect(await page.locator('.map-canvas-at canvas').evaluate((c) => (c as HTMLCanvasElement).height)).toBeLessThan(2000)
    expectQuiet()
    await close()
  })
})

describe('access', () => {
  for (const view of ['', '?view=matrix', '?view=list']) {
    it(`passes axe: /map${view}`, async () => {
      const { page, close } = await open(`/map${view}`, { reducedMotion: true })
      await settled(page)
      await expectAccessible(page)
      await close()
    })
  }
})
