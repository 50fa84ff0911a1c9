// SPDX-License-Identifier: Apache-2.0
// Findings, Rules and Advisories against the real binary: the demo's day has
// findings, and one is worked on from the keyboard alone.
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible, open, settled, useBrowser } from './harness'
import { until } from './until'

useBrowser()

const list = (page: Page) => page.getByRole('treegrid', { name: 'Findings' })
const rows = (page: Page) => list(page).locator('[data-row].fl-finding')
const title = (page: Page) => page.locator('#fd-title')
const message = (page: Page, text: RegExp) => page.getByRole('region', { name: 'Messages' }).getByText(text).first()

interface Found { id: string; title: string; rule: string; state: string; assignee: string; revision: number }
const get = (page: Page, path: string) => page.evaluate(async (p) => (await (await fetch(`/api/v1${p}`)).json()) as unknown, path)
const one = async (page: Page, id: string) => (await get(page, `/findings/${id}`)) as Found
const openID = (page: Page) => new URL(page.url()).searchParams.get('open') ?? ''

beforeAll(async () => {
  const { page, close } = await open('/findings')
  await settled(page)
  // The demo replays a day: it takes a moment until its rules have fired.
  await until(async () => ((await get(page, '/findings?limit=1')) as { total: number }).total >= 5)
  await close()
}, 120_000)

describe('findings', () => {
  it('are worked on without leaving the keyboard', async () => {
    const { page, expectQuiet, close } = await open('/findings?group=none')
    await settled(page)
    await page.keyboard.press('j')
    await page.locator('.fl-active').waitFor()
    const first = await title(page).innerText()
    await page.keyboard.press('j')
    await expect.poll(() => title(page).innerText()).not.toBe(first)
    await page.keyboard.press('k')
    await expect.poll(() => title(page).innerText()).toBe(first)
    const id = openID(page)

    await page.keyboard.press('e')
    await message(page, /^Acknowledged: /).waitFor()
    await expect.poll(async () => (await one(page, id)).state).toBe('acknowledged')
    expect((await one(page, id)).assignee).toBe('admin')
    await expectAccessible(page)

    await page.keyboard.press('n')
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('What others should know').fill('Asked the biomedical engineer.')
    await page.keyboard.press('Control+Enter')
    await dialog.waitFor({ state: 'detached' })
    await page.getByText('Asked the biomedical engineer.').waitFor()

    await page.keyboard.press('c')
    await dialog.getByRole('radio', { name: /^Benign/ }).click()
    await dialog.getByLabel('Reason', { exact: true }).fill('An announced test.')
    await expectAccessible(page)
    await page.keyboard.press('Control+Enter')
    await expect.poll(async () => (await one(page, id)).state).toBe('closed')
    // The next one takes its place.
    await expect.poll(() => openID(page)).not.toBe(id)
    expectQuiet()
    await close()
  })

  it('are brought back with Undo', async () => {
    const { page, close } = await open('/findings?group=none')
    await settled(page)
    await page.keyboard.press('j')
    await page.getByRole('button', { name: 'Acknowledge' }).waitFor()
    const id = openID(page)
    const before = await one(page, id)
    await page.keyboard.press('e')
    await page.getByRole('region', { name: 'Messages' }).getByRole('button', { name: 'Undo' }).first().click()
    await message(page, /^As before/).waitFor()
    const after = await one(page, id)
    expect([after.state, after.assignee]).toEqual([before.state, before.assignee])
    await close()
  })

  it('say what somebody else did meanwhile, and overwrite nothing', async () => {
    const { page, close } = await open('/findings?group=none')
    await settled(page)
    await page.keyboard.press('j')
    await page.getByRole('button', { name: 'Acknowledge' }).waitFor()
    const id = openID(page)
    await page.route(/\/findings\/[^/]+\/acknowledge$/, async (r) => {
      const body = r.request().postDataJSON() as { revision: number }
      await r.continue({ postData: JSON.stringify({ ...body, revision: body.revision + 7 }) })
    })
    await page.keyboard.press('e')
    await page.getByRole('alert').getByText(/Not done.*changed by someone else/).waitFor()
    await page.unroute(/\/findings\/[^/]+\/acknowledge$/)
    expect((await one(page, id)).state).toBe('open')
    await close()
  })

  it('are decided many at once, and filters narrow them', async () => {
    const { page, close } = await open('/findings?group=none')
    await settled(page)
    const rule = ((await get(page, '/findings?limit=1&sort=count')) as { findings: Found[] }).findings[0]?.rule ?? ''
    await page.goto(`/findings?group=none&is=rule:${encodeURIComponent(rule)}`)
    await settled(page)
    await rows(page).first().waitFor()
    await page.keyboard.press('Shift+X')
    await page.getByRole('group', { name: 'Selected findings' }).waitFor()
    await page.keyboard.press('a')
    await page.getByRole('dialog').getByLabel('To', { exact: true }).fill('admin')
    await page.getByRole('dialog').getByRole('button', { name: 'Assign' }).click()
    await message(page, /^Assigned to admin/).waitFor()
    await expect.poll(async () => ((await get(page, `/findings?rule=${encodeURIComponent(rule)}`)) as { findings: Found[] }).findings.every((f) => f.assignee === 'admin')).toBe(true)
    await close()
  })

  it('are hidden only after the backtest has been seen', async () => {
    const { page, close } = await open('/findings?group=none')
    await settled(page)
    await page.keyboard.press('j')
    await page.getByRole('heading', { name: 'What to do now' }).waitFor()
    await page.keyboard.press('s')
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Why these need nobody').fill('Known, and planned to be replaced.')
    const save = dialog.getByRole('button', { name: 'Save' })
    expect(await save.getAttribute('aria-disabled')).toBe('true')
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Run the backtest' }).click()
    await dialog.getByText(/It would have hidden/).waitFor({ timeout: 60_000 })
    await expect.poll(() => save.getAttribute('aria-disabled')).toBe(null)
    await save.click()
    await dialog.waitFor({ state: 'detached' })
    await page.goto('/rules?tab=suppressions')
    await page.getByText('Known, and planned to be replaced.').waitFor()
    await close()
  })

  it('stand alone on a narrow screen, with a way back', async () => {
    const { page, close } = await open('/findings?group=none', { size: 'narrow' })
    await settled(page)
    await rows(page).first().click()
    await title(page).waitFor()
    expect(await list(page).isVisible()).toBe(false)
    await page.getByRole('button', { name: 'All findings' }).click()
    await list(page).waitFor()
    await close()
  })

  it('are found from anywhere', async () => {
    const { page, close } = await open('/theatres')
    await settled(page)
    const first = ((await get(page, '/findings?limit=1')) as { findings: Found[] }).findings[0]
    await page.keyboard.press('/')
    await page.getByRole('combobox', { name: 'Search everything' }).fill(first?.title ?? '')
    await page.getByRole('option').filter({ hasText: first?.title ?? '' }).first().click()
    await title(page).waitFor()
    expect(await title(page).innerText()).toBe(first?.title)
    await close()
  })
})

describe('rules', () => {
  it('are switched off with a reason, and on again', async () => {
    const { page, expectQuiet, close } = await open('/rules/endpoint.telnet-login')
    await settled(page)
    await page.getByRole('button', { name: 'Switch off…' }).click()
    await page.getByRole('dialog').getByLabel('Why nobody needs what it finds').fill('For a moment.')
    await page.getByRole('dialog').getByRole('button', { name: 'Switch off' }).click()
    await page.getByText('It is off').waitFor()
    await page.getByRole('button', { name: 'Switch on…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Switch on' }).click()
    await page.getByRole('button', { name: 'Switch off…' }).waitFor()
    expectQuiet()
    await close()
  })

  it('of one’s own are checked while they are written', async () => {
    const { page, close } = await open('/rules/new')
    await settled(page)
    await page.getByText('The text is right.').waitFor({ timeout: 20_000 })
    await page.getByText('2 samples').waitFor()
    const text = page.getByRole('textbox', { name: 'The rule as YAML' })
    await text.fill((await text.inputValue()).replace('confidence: 80', 'confidance: 80'))
    await page.locator('.re-errors').waitFor({ timeout: 20_000 })
    expect(await page.getByRole('button', { name: 'Save' }).getAttribute('aria-disabled')).toBe('true')
    await expectAccessible(page)
    await close()
  })

  it('rest while work is done, in a window that says when', async () => {
    const { page, close } = await open('/rules?tab=maintenance')
    await settled(page)
    await page.getByRole('button', { name: 'New window' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('Updates at night')
    await dialog.getByLabel('Why').fill('Planned updates.')
    await dialog.getByRole('checkbox').first().check()
    await dialog.getByRole('radio', { name: 'Weekly' }).click()
    await dialog.getByRole('checkbox', { name: 'Tuesday' }).check()
    await dialog.getByText(/Every Tuesday at 22:00 for 2/).waitFor()
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('rowheader', { name: /Updates at night/ }).waitFor()
    await close()
  })
})

describe('advisories', () => {
  it('are listed by advisory and by device, and exported', async () => {
    const { page, expectQuiet, close } = await open('/advisories')
    await settled(page)
    await page.getByRole('grid', { name: 'Advisories' }).waitFor()
    const saved = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export VEX' }).click()
    await page.getByRole('menuitem', { name: 'OpenVEX' }).click()
    expect((await saved).suggestedFilename()).toMatch(/\.json$/)
    await page.getByRole('radio', { name: 'By device' }).click()
    await page.getByRole('grid', { name: 'Matches' }).waitFor()
    await expectAccessible(page)
    expectQuiet()
    await close()
  })

  it('are decided with a reason, and the decision is taken back', async () => {
    const { page, close } = await open('/advisories')
    await settled(page)
    const id = ((await get(page, '/advisories?limit=1')) as { advisories: { id: string }[] }).advisories[0]?.id ?? ''
    await page.goto(`/advisories/${id}`)
    await settled(page)
    await page.getByRole('button', { name: 'Decide for all…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('It is').selectOption('fixed')
    await dialog.getByLabel('Reason').fill('Updated by the manufacturer.')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Updated by the manufacturer.').first().waitFor()
    await page.getByRole('button', { name: 'Take back' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Take back' }).click()
    await page.getByText('Updated by the manufacturer.').first().waitFor({ state: 'detached' })
    await close()
  })
})
