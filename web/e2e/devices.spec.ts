// SPDX-License-Identifier: Apache-2.0
// Devices: found, filtered, chosen and changed, with the mouse and without.
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible, open, settled, useBrowser } from './harness'
import { until } from './until'

useBrowser()

interface Row { id: string; name: string; class: string; class_name: string; theatre: string; by_person: string[]; criticality: string; speaks: string[] }
const rowsOf = (page: Page) => page.evaluate(async () => ((await (await fetch('/api/v1/devices')).json()) as { devices: Row[] }).devices)
const shown = (page: Page) => page.locator('.grid-bar .grid-count').innerText()
const body = '[role="grid"][aria-label="Devices"] .grid-body [role="row"]'

beforeAll(async () => {
  const { page, close } = await open('/devices')
  await settled(page)
  await until(async () => (await rowsOf(page)).filter((d) => d.speaks.includes('dicom')).length > 2)
  await close()
})

describe('the grid of devices', () => {
  it('filters as one types, and the link restores exactly that', async () => {
    const { page, expectQuiet, close } = await open('/devices')
    await settled(page)
    await page.keyboard.press('f')
    await page.keyboard.type('dicom')
    await page.waitForURL(/q=dicom/)
    await expect.poll(() => shown(page)).toMatch(/^(\d+) of (?!\1\D)/)
    const wanted = await shown(page)
    const link = page.url()
    await page.goto('/theatres')
    await page.goto(link)
    await settled(page)
    expect((await shown(page)).split(' ')[0]).toBe(wanted.split(' ')[0])
    expect(await page.getByLabel('Filter devices').inputValue()).toBe('dicom')
    expectQuiet()
    await close()
  })

  it('includes and excludes the value of a cell from the keyboard, and back takes it away', async () => {
    const { page, expectQuiet, close } = await open('/devices')
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('i')
    await page.waitForURL(/is=class/)
    expect(await page.getByRole('group', { name: 'Filters' }).innerText()).toContain('Class is')
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: /Turn round/ }).click()
    await page.waitForURL(/not=class/)
    await page.goBack()
    await page.waitForURL(/is=class/)
    await page.goBack()
    await page.waitForURL((u) => !u.search.includes('class'))
    expectQuiet()
    await close()
  })

  it('opens the menu of a clicked value', async () => {
    const { page, close } = await open('/devices')
    await settled(page)
    await page.locator(`${body} .grid-choosable[data-col="1"] .grid-cut`).first().click()
    await page.getByRole('menuitem', { name: 'Leave these out' }).first().click()
    await page.waitForURL(/not=class/)
    // The focus is back in the grid, so that j goes on.
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('grid')
    await close()
  })

  it('sorts by a header, by keyboard too, and says so to assistive technology', async () => {
    const { page, close } = await open('/devices')
    await settled(page)
    const name = page.getByRole('columnheader', { name: /^Name/ })
    await name.click()
    await expect.poll(() => name.getAttribute('aria-sort')).toBe('ascending')
    const first = async () => (await page.locator(`${body} .dev-name`).allInnerTexts())[0] ?? ''
    const up = await first()
    await page.locator('[role="grid"]').focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await expect.poll(() => name.getAttribute('aria-sort')).toBe('descending')
    expect(await first()).not.toBe(up)
    await close()
  })

  it('selects a range and exports what is shown', async () => {
    const { page, close } = await open('/devices?q=dicom&cols=name,class,ips')
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.keyboard.press('Shift+ArrowDown')
    await page.keyboard.press('Shift+ArrowDown')
    expect(await page.getByRole('group', { name: 'Selected devices' }).innerText()).toContain('3')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export what is shown' }).click().then(() => page.getByRole('menuitem', { name: /CSV/ }).click()),
    ])
    const lines = readFileSync(await download.path(), 'utf8').replace('\ufeff', '').trim().split('\r\n')
    expect(lines[0]).toBe('Name,Class,IP addresses')
    expect(lines.length - 1).toBe(Number((await page.getByRole('grid').getAttribute('aria-rowcount')) ?? 0) - 1)
    await page.keyboard.press('Escape')
    await close()
  })

  it('changes many at once, and undoes it', async () => {
    const { page, expectQuiet, close } = await open('/devices?q=dicom&sort=name')
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByRole('button', { name: 'Set criticality…' }).click()
    await page.getByRole('combobox', { name: 'Criticality' }).selectOption('high')
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await page.getByText(/Criticality set for 2/).waitFor()
    await expect.poll(async () => (await rowsOf(page)).filter((d) => d.criticality === 'high').length).toBe(2)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(async () => (await rowsOf(page)).filter((d) => d.criticality === 'high').length).toBe(0)
    expectQuiet()
    await close()
  })

  it('teaches when nothing passes, and leads back', async () => {
    const { page, close } = await open('/devices?q=nothing-is-called-this')
    await settled(page)
    await page.getByText('No device passes these filters.').waitFor()
    await page.getByRole('button', { name: /Show all/ }).click()
    await page.waitForURL((u) => u.search === '')
    await close()
  })

  it('stays with what is there when the server refuses an edit', async () => {
    const { page, close } = await open('/devices?q=dicom&sort=name')
    await settled(page)
    await page.route('**/api/v1/devices/*', (r) => (r.request().method() === 'PATCH' ? r.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: 'Unavailable', status: 503, detail: 'The recorder cannot be asked now.' }) }) : r.continue()))
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByRole('button', { name: 'Set criticality…' }).click()
    await page.getByRole('combobox', { name: 'Criticality' }).selectOption('low')
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await page.getByText(/was not changed for 1.*The recorder cannot be asked now/).waitFor()
    expect(await page.locator(`${body} .dev-crit`).count()).toBe(0)
    await close()
  })
})

describe('one device', () => {
  it('is opened with Enter, edited in place, marked, and given back', async () => {
    const { page, expectQuiet, close } = await open('/devices?q=dicom&sort=name')
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/devices\/dev-/)
    await settled(page)
    const before = await page.locator('.dev-fact-name').innerText()
    await page.getByRole('button', { name: 'Edit name' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Renamed by a test')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: /Renamed by a test/ }).waitFor()
    await page.getByText(/set the name to “Renamed by a test”/).waitFor()
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Edit name')
    await page.getByRole('button', { name: 'Edit name' }).click()
    await page.getByRole('button', { name: 'As observed' }).click()
    await expect.poll(() => page.locator('.dev-fact-name').innerText()).toBe(before)
    expectQuiet()
    await close()
  })

  it('takes a note', async () => {
    const { page, close } = await open('/devices')
    await settled(page)
    const id = (await rowsOf(page))[0]?.id ?? ''
    await page.goto(`/devices/${id}`)
    await settled(page)
    await page.getByLabel('New note').fill('On loan until Friday.')
    await page.getByRole('button', { name: 'Add note' }).click()
    await page.locator('.dev-note', { hasText: 'On loan until Friday.' }).waitFor()
    await close()
  })

  it('that is not there says so', async () => {
    const { page, close } = await open('/devices/dev-nosuchdevicehere')
    await page.getByText('No device has this ID.').waitFor()
    await close()
  })
})

describe('10,000 devices', () => {
  const many = (rows: Row[]) =>
    JSON.stringify({ revision: 1, total: 10_000, next: null, devices: Array.from({ length: 10_000 }, (_, i) => ({ ...(rows[i % rows.length] ?? {}), id: `dev-many${i}`, name: `DEVICE-${i}` })) })

  it('are drawn, scrolled to the end and filtered without drawing more than is seen', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    const all = many(await rowsOf(page))
    await page.route(/\/api\/v1\/devices$/, (r) => r.fulfill({ contentType: 'application/json', body: all }))
    await page.goto('/devices?sort=name')
    await settled(page)
    expect((await shown(page)).replace(/\D/g, '')).toBe('10000')
    await page.locator('[role="grid"]').focus()
    await page.keyboard.press('End')
    await page.getByText('DEVICE-9999').waitFor()
    expect(await page.locator(body).count()).toBeLessThan(120)
    await page.keyboard.press('f')
    await page.keyboard.type('DEVICE-777')
    await expect.poll(() => shown(page)).toMatch(/^11 of/)
    expectQuiet()
    await close()
  })
})

describe('access', () => {
  it('passes axe with a menu, the chooser and a selection open', async () => {
    const { page, close } = await open('/devices', { reducedMotion: true })
    await settled(page)
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByRole('button', { name: 'Columns and density' }).click()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Filter', exact: true }).click()
    await expectAccessible(page)
    await close()
  })
})
