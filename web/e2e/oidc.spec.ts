// SPDX-License-Identifier: Apache-2.0
// Logging in with the hospital's own accounts, as a person does it: the button,
// the provider's page, back to the view that was asked for, and out again.
import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch } from './browser'
import { expectAccessible } from './harness'
import { clientSecret, freePort, missing, passwordOf, startProvider, type Provider } from './provider'
import { built, firstAccount, printed } from './server'

const lacks = missing()
if (lacks) console.warn(`oidc.spec.ts is left out: ${lacks} not found (Debian packages glewlwyd, glewlwyd-common, sqlite3)`)

describe.skipIf(lacks !== '')('logging in with OpenID Connect', () => {
  const dir = mkdtempSync(join(tmpdir(), 'asepsis-oidc-'))
  let base = ''
  let browser: Browser
  let provider: Provider | undefined
  let server: ChildProcess | undefined

  beforeAll(async () => {
    const port = await freePort()
    base = `https://127.0.0.1:${port}`
    provider = await startProvider(join(dir, 'provider'), `${base}/api/v1/auth/oidc/callback`, { eve: ['staff', 'or-security'], vic: ['staff'] })
    const secret = join(dir, 'secret')
    writeFileSync(secret, clientSecret)
    chmodSync(secret, 0o600)
    writeFileSync(
      join(dir, 'asepsis.yaml'),
      `access:\n  oidc:\n    issuer: ${provider.issuer}\n    client_id: asepsis\n    client_secret_file: ${secret}\n    name: Hospital login\n    scopes: [openid]\n    roles:\n      or-security: engineer\n`,
    )
    server = spawn(built('./cmd/asepsis', 'asepsis'), ['up', '--demo', '--config', join(dir, 'asepsis.yaml'), '--data', join(dir, 'data'), '--listen', `127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'pipe'] })
    await firstAccount(await printed(server), join(dir, 'state.json'))
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    if (server && server.exitCode === null) {
      const ended = new Promise((f) => server?.once('exit', f))
      server.kill('SIGTERM')
      await ended
    }
    await provider?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const fresh = async () => {
    const context = await browser.newContext({ baseURL: base, ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 } })
    return { context, page: await context.newPage() }
  }
  /** Through the provider's own pages: name, password, and the consent that it asks for. */
  const logInThere = async (page: Page, name: string) => {
    await page.waitForURL(/login\.html/)
    await page.getByLabel(/login/i).or(page.locator('#username')).first().fill(name)
    await page.locator('#password').fill(passwordOf(name))
    await page.locator('#password').press('Enter')
  }

  it('leads to the provider and back to the view that was asked for, with the role of the group; logging out ends it', async () => {
    const { context, page } = await fresh()
    await page.goto('/events?from=-2h&is=protocol:dicom')
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await expectAccessible(page)
    await page.getByRole('link', { name: 'Log in with Hospital login' }).click()
    await logInThere(page, 'eve')
    await grant(page, base)
    await page.getByRole('heading', { name: 'Events', level: 1 }).waitFor()
    expect(page.url()).toBe(`${base}/events?from=-2h&is=protocol:dicom`)

    await page.getByRole('button', { name: 'eve Example: account' }).click()
    await page.getByRole('menu').getByText('eve · Security engineer').waitFor()
    const cookies = async () => (await context.cookies(base)).filter((c) => /session/.test(c.name) && c.value !== '').length
    expect(await cookies()).toBe(1)
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    expect(await cookies()).toBe(0)
    await page.goto('/devices')
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await context.close()
  })

  it('is refused in words to who is in no group that has a role, and leads back to the log-in', async () => {
    const { context, page } = await fresh()
    await page.goto('/login')
    await page.getByRole('link', { name: 'Log in with Hospital login' }).click()
    await logInThere(page, 'vic')
    await grant(page, base)
    await page.getByText('Hospital login knows you, but gives you no role in Asepsis.').waitFor()
    await page.getByText(/put you into one of the groups/i).waitFor()
    await expectAccessible(page)
    await page.getByRole('link').first().click()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    expect((await page.request.get('/api/v1/session')).status()).toBe(401)
    await context.close()
  })
})

/** The provider asks once whether the console may know who somebody is. */
async function grant(page: Page, base: string): Promise<void> {
  const go = page.getByRole('button', { name: /grant|continue/i }) // an icon stands before the word
  for (let i = 0; i < 4; i++) {
    const back = page.waitForURL((u) => u.href.startsWith(base), { timeout: 10_000 }).then(() => 'back' as const)
    const asked = go.first().waitFor({ timeout: 10_000 }).then(() => 'asked' as const)
    const which = await Promise.any([back, asked]).catch(async () => {
      throw new Error(`the provider shows neither a question nor the way back:\n${page.url()}\n${await page.locator('body').innerText()}\n${(await page.getByRole('button').allInnerTexts()).join(' | ')}`)
    })
    if (which === 'back') return
    const box = page.locator('input[type="checkbox"]:not(:checked)')
    if (await box.count()) await box.first().check()
    await go.first().click()
  }
}
