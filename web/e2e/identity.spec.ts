// SPDX-License-Identifier: Apache-2.0
// Identity: who has a certificate, how one is got, and what it takes to end one.
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { Failure } from '../dev/fixtures/failure'
import type { IdentityCertificate, IdentityCertificates, IdentityImpact } from '../src/api/types'
import { expectAccessible, expectNoSidewaysScroll, open, settled, useBrowser, type Options, type Size, type Theme } from './harness'
import { asViewer, proved, type Proved } from './proved'

useBrowser()

async function go(path: string, o: Options & { empty?: boolean; viewer?: boolean; instead?: Proved['instead'] } = {}) {
  const opened = await open('about:blank', { reducedMotion: true, ...o })
  const p = await proved(opened.page, o)
  if (o.instead) p.instead = o.instead
  if (o.viewer) await asViewer(opened.page)
  await opened.page.goto(path)
  return { ...opened, p }
}
const grid = (page: Page) => page.getByRole('grid', { name: 'Certificates' })
const dialog = (page: Page) => page.getByRole('dialog')
async function some(page: Page, which: (c: IdentityCertificate) => boolean): Promise<IdentityCertificate> {
  const all = await page.evaluate(async () => (await (await fetch('/api/v1/identity/certificates')).json()) as IdentityCertificates)
  const c = all.certificates.find(which)
  if (!c) throw new Error('no such certificate in the fixture')
  return c
}
const calm: IdentityImpact = { live: [], in_case: false, sentence: 'It is not part of a case now.' }
const inCase: IdentityImpact = { live: [{ consumer: 'Stream', peer: 'HOLO-2', since: new Date().toISOString(), policy: 'cut' }], theatre: 'or-1', in_case: true, sentence: 'It is part of the case that runs now.' }

describe('certificates', () => {
  it('are counted, the counts are filters, and one opens beside the list with its history', async () => {
    const { page, expectQuiet, close } = await go('/theatres')
    await settled(page)
    await page.keyboard.press('g')
    await page.keyboard.press('i')
    await page.getByRole('heading', { name: 'Identity', level: 1 }).waitFor()
    await page.locator('.page-sentence').getByText(/certificates are good; .* due for renewal/).waitFor()
    await grid(page).waitFor()
    const pill = page.getByRole('group', { name: 'Quick filters' }).getByRole('button', { name: /^Revoked/ })
    const n = Number(/\d+/.exec(await pill.innerText())?.[0])
    expect(n).toBeGreaterThan(0)
    await pill.click()
    expect(await pill.getAttribute('aria-pressed')).toBe('true')
    await page.getByText(new RegExp(`^${n} of \\d+$`)).waitFor()
    await grid(page).focus()
    await page.keyboard.press('Enter')
    await page.locator('.id-one').getByText(/was ended .* key lost\./).waitFor()
    await page.locator('.id-one').getByText('The headset was left in a taxi.').waitFor()
    await page.locator('.id-one .lg-life li').first().waitFor()
    const saved = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save as PEM' }).click()
    expect(readFileSync(await (await saved).path(), 'utf8')).toContain('-----BEGIN CERTIFICATE-----')
    await expectAccessible(page)
    expectQuiet()
    await close()
  })

  it('teach when there is none, say what is lost when the server fails, and that no authority runs', async () => {
    const empty = await go('/identity', { empty: true })
    await empty.page.getByText('No device has a certificate yet.').waitFor()
    await expectAccessible(empty.page)
    await empty.page.getByRole('radio', { name: /Codes/ }).click()
    await empty.page.getByText('No code waits for a device.').waitFor()
    empty.expectQuiet()
    await empty.close()

    const none = await go('/identity', { instead: () => { throw new Failure(404, 'Not found', 'No authority runs here.') } })
    await none.page.getByRole('heading', { name: 'No authority runs here.' }).waitFor()
    await expectAccessible(none.page)
    await none.close()

    const bad = await go('/identity', { instead: (_, path) => { if (path === '/identity/certificates') throw new Failure(500, 'Internal error', 'The store did not answer.', 'Look at its log.'); return undefined } })
    await bad.page.getByRole('alert').getByText('The certificates cannot be listed.').waitFor({ timeout: 20_000 })
    await bad.page.getByText('Look at its log.').waitFor()
    await expectAccessible(bad.page)
    await bad.close()
  })

  it('are looked at by who may not change them, and the buttons say why', async () => {
    const { page, close } = await go('/identity', { viewer: true })
    await grid(page).waitFor()
    const enrol = page.getByRole('button', { name: 'Enrol…' })
    expect(await enrol.getAttribute('aria-disabled')).toBe('true')
    await enrol.hover()
    await page.getByRole('tooltip').getByText(/needs the role/).waitFor()
    await close()
  })
})

describe('enrolling', () => {
  it('shows the code once, as text, as a picture and as a line to type', async () => {
    const { page, p, expectQuiet, close } = await go('/identity')
    await grid(page).waitFor()
    await page.keyboard.press('n')
    await dialog(page).getByRole('heading', { name: 'Enrol' }).waitFor()
    const make = dialog(page).getByRole('button', { name: 'Make the code' })
    expect(await make.getAttribute('aria-disabled')).toBe('true')
    const device = await page.evaluate(async () => ((await (await fetch('/api/v1/devices')).json()) as { devices: { id: string; name: string }[] }).devices[0])
    await dialog(page).getByRole('combobox', { name: 'Device' }).fill(device?.id ?? '')
    await dialog(page).getByRole('option').first().waitFor()
    await page.keyboard.press('Enter')
    await dialog(page).getByRole('button', { name: 'Another' }).waitFor()
    await dialog(page).getByLabel('What the certificate is for').selectOption('dicom-node')
    await dialog(page).getByLabel('Names and addresses in it').fill('pacs.hospital.example 10.20.0.5')
    await dialog(page).getByRole('checkbox').check()
    expect(await make.getAttribute('aria-disabled')).toBe('true')
    await dialog(page).getByLabel('Why it cannot').fill('Its firmware knows no renewal.')
    await expectAccessible(page)
    const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/identity/codes'))
    await make.click()
    expect((await sent).postDataJSON()).toEqual({ device: device?.id, profile: 'dicom-node', dns: ['pacs.hospital.example'], ips: ['10.20.0.5'], long_life: 'Its firmware knows no renewal.', hours: 24 })
    await dialog(page).getByText('K7QF2-9XWMP-3HTRB-VC6NA', { exact: true }).waitFor()
    await dialog(page).getByRole('img', { name: /QR code/ }).waitFor()
    await dialog(page).getByText(/asepsis enroll 'asepsis-enroll:\?/).waitFor()
    await expectAccessible(page)
    await dialog(page).getByRole('button', { name: 'I have it' }).click()
    await dialog(page).waitFor({ state: 'detached' })
    expect(await page.getByText('K7QF2-9XWMP-3HTRB-VC6NA').count()).toBe(0)

    // The code itself is nowhere any more; that it waits is, and it is withdrawn.
    await page.getByRole('radio', { name: /Codes/ }).click()
    const before = await page.getByRole('button', { name: 'Withdraw' }).count()
    await page.getByRole('button', { name: 'Withdraw' }).first().click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Withdraw' }).click()
    await expect.poll(() => page.getByRole('button', { name: 'Withdraw' }).count()).toBe(before - 1)
    expect(p.asked.some((a) => a.startsWith('DELETE /identity/codes/'))).toBe(true)
    expectQuiet()
    await close()
  })

  it('says at its field what the server refuses', async () => {
    const { page, close } = await go('/identity')
    await grid(page).waitFor()
    await page.getByRole('button', { name: 'Enrol…' }).click()
    await dialog(page).getByRole('radio', { name: 'A service that is no device' }).click()
    await dialog(page).getByLabel('Service', { exact: true }).fill('taken')
    await dialog(page).getByLabel('What the certificate is for').selectOption('infrastructure')
    await dialog(page).getByRole('button', { name: 'Make the code' }).click()
    await dialog(page).getByText('Another service has this name.').waitFor()
    await expectAccessible(page)
    await close()
  })

  it('signs a request from a file, and warns of a private key in it', async () => {
    const { page, expectQuiet, close } = await go('/identity')
    await grid(page).waitFor()
    await page.getByRole('button', { name: 'Sign a request…' }).click()
    await dialog(page).getByRole('radio', { name: 'A service that is no device' }).click()
    await dialog(page).getByLabel('Service', { exact: true }).fill('dicom-gateway')
    await dialog(page).getByLabel('What the certificate is for').selectOption('infrastructure')
    const request = dialog(page).getByRole('textbox', { name: 'Request' })
    await request.fill('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')
    await dialog(page).getByText(/There is a private key in it/).waitFor()
    await dialog(page).getByLabel('File with the request').setInputFiles({ name: 'gateway.csr', mimeType: 'application/octet-stream', buffer: Buffer.from([0x30, 0x03, 0x02, 0x01, 0x05]) })
    await expect.poll(() => request.inputValue()).toContain('-----BEGIN CERTIFICATE REQUEST-----\nMAMCAQU=\n')
    await expectAccessible(page)
    await dialog(page).getByRole('button', { name: 'Sign', exact: true }).click()
    const saved = page.waitForEvent('download')
    await dialog(page).getByRole('button', { name: 'Save with its chain' }).click()
    expect(readFileSync(await (await saved).path(), 'utf8').match(/BEGIN CERTIFICATE/g)?.length).toBe(2)
    expectQuiet()
    await close()
  })
})

describe('revoking', () => {
  it('says what it cuts, wants a reason, and is done', async () => {
    const { page, p, expectQuiet, close } = await go('/identity')
    await grid(page).waitFor()
    const c = await some(page, (x) => x.status === 'good' && x.profile === 'dicom-node')
    p.instead = (_, path) => (path.endsWith('/impact') ? { ...calm, live: [{ ...inCase.live[0], policy: 'finish' }] } : undefined)
    p.world.theatres = []
    await page.goto(`/identity?open=${c.serial}`)
    await page.getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page).getByText('1 after what it is doing. New ones are refused.').waitFor()
    await dialog(page).getByText('may finish what it does, then is cut').waitFor()
    const go_ = dialog(page).getByRole('button', { name: 'Revoke', exact: true })
    expect(await go_.getAttribute('aria-disabled')).toBe('true')
    await dialog(page).getByLabel('Why').selectOption('keyCompromise')
    await dialog(page).getByLabel('Note').fill('Left in a taxi.')
    await expectAccessible(page)
    const sent = page.waitForRequest((r) => r.url().endsWith('/revoke'))
    await go_.click()
    expect((await sent).postDataJSON()).toEqual({ reason: 'keyCompromise', note: 'Left in a taxi.' })
    await dialog(page).waitFor({ state: 'detached' })
    await page.locator('.id-one').getByText(/was ended .*: key lost\./).waitFor()
    expectQuiet()
    await close()
  })

  it('during a case takes a second word, also when the case began in between', async () => {
    const { page, p, close } = await go('/identity')
    await grid(page).waitFor()
    const c = await some(page, (x) => x.status === 'good' && x.profile === 'xr-headset')
    let impact = inCase
    let refuse = false
    p.instead = (method, path, body) => {
      if (path.endsWith('/impact')) return impact
      if (!path.endsWith('/revoke')) return undefined
      if (refuse && body['confirm_in_case'] !== true) {
        impact = inCase
        throw new Failure(409, 'A case is in progress')
      }
      return method === 'POST' ? { ...c, status: 'revoked' } : undefined
    }
    await page.goto(`/identity?open=${c.serial}`)
    await page.getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page).getByText(/A case is in progress in/).waitFor()
    await dialog(page).getByLabel('Why').selectOption('privilegeWithdrawn')
    await dialog(page).getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page).getByRole('button', { name: 'Revoke during the case' }).waitFor()
    expect(p.asked.filter((a) => a.endsWith('/revoke'))).toEqual([])
    await expectAccessible(page)
    await dialog(page).getByRole('button', { name: 'Do not revoke' }).click()
    await dialog(page).waitFor({ state: 'detached' })

    impact = calm
    refuse = true
    await page.getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page).getByText('It has no connection open now.').waitFor()
    await dialog(page).getByLabel('Why').selectOption('keyCompromise')
    await dialog(page).getByRole('button', { name: 'Revoke', exact: true }).click()
    await dialog(page).getByRole('button', { name: 'Revoke during the case' }).click()
    await dialog(page).waitFor({ state: 'detached' })
    expect(p.asked.filter((a) => a.endsWith('/revoke')).length).toBe(2)
    await close()
  })
})

describe('drawn in both sizes and themes', () => {
  for (const size of ['wide', 'narrow'] as Size[]) {
    it.each(['/identity', '/identity?tab=codes'])(`${size}: %s`, { timeout: 120_000 }, async (path) => {
      const { page, expectQuiet, close } = await go(path, { size })
      await settled(page)
      for (const theme of ['light', 'dark'] as Theme[]) {
        await page.emulateMedia({ colorScheme: theme })
        await page.waitForFunction((t) => matchMedia(`(prefers-color-scheme: ${t})`).matches, theme)
        await expectAccessible(page)
      }
      if (size === 'narrow') await expectNoSidewaysScroll(page)
      expectQuiet()
      await close()
    })
  }
})
