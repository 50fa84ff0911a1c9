// SPDX-License-Identifier: Apache-2.0
// The console as a whole against the real server: coming in and going out,
// moving by keyboard, changing things, and what happens when others do.
import type { Route } from 'playwright-core'
import { describe, expect, inject, it } from 'vitest'
import { expectAccessible, open, settled, useBrowser } from './harness'

useBrowser()

describe('coming in', () => {
  it('leads back to the very view that was asked for', async () => {
    const { page, close } = await open('/events?from=-2h&is=protocol:dicom', { anonymous: true })
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    expect(new URL(page.url()).searchParams.get('return')).toBe('/events?from=-2h&is=protocol:dicom')
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password').fill('not the password')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    expect(await page.getByLabel('Password').inputValue()).toBe('')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('password')
    // A wrong password may have to be waited out; the button counts it down.
    await page.getByRole('button', { name: 'Log in', exact: true, disabled: false }).waitFor()
    await page.getByLabel('Password').fill(inject('password'))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Events', level: 1 }).waitFor()
    expect(page.url()).toContain('is=protocol:dicom')
    await close()
  })

  it('never leads to another site', async () => {
    const { page, close } = await open('/login?return=https://elsewhere.example/', { anonymous: true })
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password').fill(inject('password'))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Theatres', level: 1 }).waitFor()
    await close()
  })

  it('through the set-up link works once', async () => {
    const { page, close } = await open('/setup#token=used', { anonymous: true })
    await page.getByRole('heading', { name: 'Already set up' }).waitFor()
    expect(page.url()).not.toContain('token')
    await close()
  })

  it('says of a password that the server refuses what is wrong and what to do, each as a sentence', async () => {
    const { page, close } = await open('about:blank', { anonymous: true })
    await page.route(/\/api\/v1\/auth$/, async (r) => r.fulfill({ json: { ...((await (await r.fetch()).json()) as object), setup_needed: true } }))
    await page.route(/\/api\/v1\/setup$/, (r) => r.fulfill({ status: 400, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: 'Bad Request', status: 400, detail: 'One field is not right.', errors: [{ field: 'password', message: 'is one of the passwords that are tried first', hint: 'several words that do not belong together are easy to keep in mind' }] }) }))
    await page.goto('/setup#token=once')
    await page.getByLabel('Name to log in with').fill('admin')
    await page.getByLabel('Password', { exact: true }).fill('trustno1trustno1')
    await page.getByLabel('Password again').fill('trustno1trustno1')
    await page.getByRole('button', { name: 'Set up and log in' }).click()
    await page.getByText('It is one of the passwords that are tried first. Several words that do not belong together are easy to keep in mind.', { exact: true }).waitFor()
    expect(await page.getByLabel('Password', { exact: true }).getAttribute('aria-invalid')).toBe('true')
    await expectAccessible(page)
    await close()
  })

  it('ends where the session ends, and the login says why', async () => {
    const { page, context, close } = await open('/login', { anonymous: true })
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password').fill(inject('password'))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Theatres', level: 1 }).waitFor()
    await context.clearCookies()
    await page.keyboard.press('g')
    await page.keyboard.press('s')
    await page.getByText('Your session has ended').waitFor()
    // Where one wanted to go; or where one was, when that page asked again before the second key.
    expect(new URL(page.url()).searchParams.get('return')).toMatch(/^\/(sensor|theatres)$/)
    await close()
  })
})

describe('by keyboard alone', () => {
  it('every page is two keys away, and the focus follows', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    for (const [key, name] of [
      ['d', 'Devices'],
      ['m', 'Map'],
      ['e', 'Events'],
      ['s', 'Sensor'],
      [',', 'Settings'],
      ['t', 'Theatres'],
    ] as const) {
      await page.keyboard.press('g')
      await page.keyboard.press(key)
      await page.getByRole('heading', { name, level: 1 }).waitFor()
    }
    expectQuiet()
    await close()
  })

  it('the sheet lists the keys of the page, and gives the focus back', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    const button = page.getByRole('button', { name: 'Keys of this page' })
    await button.focus()
    await page.keyboard.press('?')
    const sheet = page.getByRole('dialog', { name: 'Keys' })
    await sheet.waitFor()
    expect(await sheet.innerText()).toContain('Wall mode')
    expect(await sheet.innerText()).toContain('Go to Events')
    await page.keyboard.press('g')
    await page.keyboard.press('e')
    expect(new URL(page.url()).pathname).toBe('/theatres')
    await page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'hidden' })
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Keys of this page')
    expectQuiet()
    await close()
  })

  it('the search finds a room and opens it', async () => {
    const { page, expectQuiet, close } = await open('/sensor')
    await settled(page)
    const name = await page.evaluate(async () => ((await (await fetch('/api/v1/theatres')).json()) as { name: string }[])[0]?.name ?? '')
    await page.keyboard.press('/')
    await page.keyboard.type(name)
    await page.getByRole('option', { name }).first().waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name, level: 1 }).waitFor()
    expectQuiet()
    await close()
  })

  it('the search says that its results could not be loaded, and asks for them again', async () => {
    const { page, close } = await open('about:blank', { alone: true })
    await page.route(/\/assets\/SearchHits\.js$/, (r) => r.abort())
    await page.goto('/sensor')
    await settled(page)
    await page.keyboard.press('/')
    await page.keyboard.type('OR')
    await page.getByRole('alert').getByText(/The search could not be loaded/).waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await page.unroute(/\/assets\/SearchHits\.js$/)
    await page.keyboard.press('/')
    await page.keyboard.type('OR')
    await page.getByRole('option').first().waitFor()
    await close()
  })

  it('wall mode comes and goes, and is in the address', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    await page.keyboard.press('w')
    await page.waitForURL(/wall=1/)
    await page.getByRole('navigation').waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    await page.getByRole('navigation', { name: 'Pages' }).first().waitFor()
    expectQuiet()
    await close()
  })

  it('the first stop is the way past the navigation', async () => {
    const { page, close } = await open('/theatres')
    await settled(page)
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the page')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    await close()
  })
})

describe('changing things', () => {
  it('a theatre is made, edited by two at once, and removed', async () => {
    const { page, close } = await open('/settings/theatres')
    await settled(page)
    await page.getByRole('button', { name: 'New theatre' }).click()
    await page.getByLabel('Name').fill('Day surgery')
    await page.getByLabel('VLANs').fill('4095')
    await page.getByText('is not a VLAN').waitFor()
    await page.getByLabel('VLANs').fill('990, 991')
    await page.getByLabel('Addresses').fill('10.99.0.0/24')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByRole('link', { name: 'Day surgery' }).waitFor()

    // Somebody else changes it while the dialog is open.
    await page.getByRole('button', { name: 'Edit Day surgery' }).click()
    await page.getByLabel('To call').fill('Extension 1')
    await page.evaluate(async () => {
      const { csrf } = (await (await fetch('/api/v1/session')).json()) as { csrf: string }
      const all = (await (await fetch('/api/v1/theatres')).json()) as { id: string; name: string }[]
      const t = all.find((x) => x.name === 'Day surgery')
      const r = await fetch(`/api/v1/theatres/${t?.id}`, { method: 'PUT', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf }, body: JSON.stringify({ ...t, contact: 'Extension 2' }) })
      if (!r.ok) throw new Error(await r.text())
    })
    await page.getByRole('button', { name: 'Save' }).click()
    const conflict = page.getByText('Somebody else has saved in the meantime.')
    await conflict.waitFor()
    const table = page.getByRole('table', { name: 'What differs' })
    expect(await table.innerText()).toMatch(/Extension 2\s+Extension 1/)
    await page.getByRole('button', { name: 'Save mine over it' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('cell', { name: 'Extension 1' }).waitFor()

    await page.getByRole('button', { name: 'Delete Day surgery' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('link', { name: 'Day surgery' }).waitFor({ state: 'detached' })
    await close()
  })

  it('the state of a case is set by hand, with a note, and stands on the board', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    const first = page.getByRole('article').first()
    await first.getByRole('link').click()
    await page.getByRole('button', { name: 'Change' }).click()
    const now = await page.getByRole('radio', { checked: true }).innerText()
    const next = now === 'Maintenance' ? 'Idle' : 'Maintenance'
    await page.getByRole('radio', { name: next }).click()
    await page.getByLabel('Note').fill('Filter change')
    await page.getByRole('button', { name: `Set to ${next.toLowerCase()}` }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByText(`${next} for`).first().waitFor()
    expectQuiet()
    await close()
  })

  it('a token is shown once, works, and is refused after it was revoked', async () => {
    const { page, close } = await open('/settings/tokens')
    await settled(page)
    await page.getByRole('button', { name: 'New token' }).click()
    await page.getByLabel('Name').fill('a test')
    await page.getByRole('button', { name: 'Make' }).click()
    const shown = page.getByRole('button', { name: /^Copy token asp_/ })
    await shown.waitFor()
    const secret = (await shown.innerText()).trim()
    const ask = async () => {
      const context = page.context().browser()
      const other = await context?.newContext({ ignoreHTTPSErrors: true })
      const r = await other?.request.get(`${inject('base')}/api/v1/status`, { headers: { Authorization: `Bearer ${secret}` } })
      const code = r?.status()
      await other?.close()
      return code
    }
    expect(await ask()).toBe(200)
    await page.getByRole('button', { name: 'I have it' }).click()
    await page.getByRole('row', { name: /a test/ }).getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('row', { name: /a test/ }).waitFor({ state: 'detached' })
    expect(await ask()).toBe(401)
    await close()
  })

  it('the theme that was chosen is there after a reload, before the first paint', async () => {
    const { page, expectQuiet, close } = await open('/theatres', { theme: 'light' })
    await settled(page)
    await page.getByRole('button', { name: /account$/ }).click()
    await page.getByRole('menuitemradio', { name: 'Dark' }).click()
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await page.reload()
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe('dark')
    expectQuiet()
    await close()
  })
})

describe('what is not there', () => {
  it('an address without a page says so', async () => {
    const { page, close } = await open('/theatres/no-such-room')
    await page.getByText('This theatre does not exist.').waitFor()
    await close()
  })
})

/** Answers a request, unless its page was left meanwhile: then nobody waits for the answer. */
const unlessGone = (answer: (r: Route) => Promise<void>) => (r: Route): Promise<void> =>
  answer(r).catch((e: unknown) => {
    if (!/disposed|closed/.test(String(e))) throw e
  })

describe('a hub of several sites', () => {
  it('shows one site or all, keeps the choice, and hands it on with a link', async () => {
    const { page, expectQuiet, close } = await open('about:blank', { alone: true })
    const sites = [
      { name: 'hub', title: 'Main building', own: true },
      { name: 'north', title: 'north', own: false },
    ]
    await page.route(/\/api\/v1\/status/, unlessGone(async (r) => r.fulfill({ json: { ...((await (await r.fetch()).json()) as object), sites } })))
    const asked: string[] = []
    await page.route(/\/api\/v1\/(board|devices|findings|events|map|theatres|search)(\?|$)/, unlessGone(async (r) => {
      const url = new URL(r.request().url())
      const site = url.searchParams.get('site')
      if (r.request().method() === 'GET') asked.push(`${url.pathname.slice('/api/v1'.length)} ${site ?? 'all'}`)
      url.searchParams.delete('site') // the server of this test has one site
      const answer = await r.fetch({ url: url.href })
      const json = (await answer.json()) as { theatres?: { site: string; name: string }[] }
      if (url.pathname.endsWith('/board') && json.theatres) json.theatres = json.theatres.map((t, i) => ({ ...t, site: i === 0 ? 'north' : '' })).filter((t) => site === null || t.site === (site === 'hub' ? '' : site))
      await r.fulfill({ response: answer, json })
    }))
    await page.goto('/theatres')
    await settled(page)
    const all = await page.locator('.tile').count()
    expect(all).toBeGreaterThan(1)
    expect((await page.locator('.tile-site').allInnerTexts()).map((t) => t.trim())).toEqual(['north', ...Array.from({ length: all - 1 }, () => 'Main building')])
    await page.getByRole('button', { name: /All sites/ }).click()
    await expectAccessible(page)
    await page.getByRole('menuitemradio', { name: 'north' }).click()
    await expect.poll(() => page.locator('.tile').count()).toBe(1)
    expect(await page.locator('.tile-site').count()).toBe(0) // all that is seen is of one site
    await page.keyboard.press('g')
    await page.keyboard.press('d')
    await page.waitForURL(/\/devices/)
    await settled(page)
    await expect.poll(() => asked).toContain('/devices north')

    // Another load of the page is of the same site; a link says which.
    await page.reload()
    await settled(page)
    expect(await page.locator('.top-site').innerText()).toContain('north')
    await page.getByRole('button', { name: 'Copy the link to exactly this view' }).click()
    const link = await page.evaluate(() => navigator.clipboard.readText())
    expect(new URL(link).searchParams.get('site')).toBe('north')
    await page.goto(link.replace('site=north', 'site=hub'))
    await settled(page)
    expect(await page.locator('.top-site').innerText()).toContain('Main building')
    expect(page.url()).not.toContain('site=')
    await expect.poll(() => asked.includes('/devices hub')).toBe(true)

    // A site that is none any more is not looked at for ever.
    sites.pop()
    sites.pop()
    await expect.poll(() => page.evaluate(() => localStorage.getItem('site')), { timeout: 20_000 }).toBe(null)
    expectQuiet()
    await close()
  })
})
