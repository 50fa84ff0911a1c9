// SPDX-License-Identifier: Apache-2.0
// Prove: the ledger as people search it, and the verifier that needs no server.
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { Failure } from '../dev/fixtures/failure'
import { Log, sha256 } from '../dev/fixtures/log'
import type { LedgerEntries, LedgerEntry, LedgerStatus } from '../src/api/types'
import { utf8 } from '../src/receipt/bytes'
import { parseTrust } from '../src/receipt/trust'
import { verify } from '../src/receipt/verify'
import { expectAccessible, expectNoSidewaysScroll, open, settled, useBrowser, type Options, type Size, type Theme } from './harness'
import { dropFiles, proved, type Proved } from './proved'

useBrowser()

async function go(path: string, o: Options & { empty?: boolean; runs?: string[]; instead?: Proved['instead'] } = {}) {
  const opened = await open('about:blank', { reducedMotion: true, ...o })
  const p = await proved(opened.page, o)
  if (o.instead) p.instead = o.instead
  await opened.page.goto(path)
  return { ...opened, p }
}
const grid = (page: Page) => page.getByRole('grid', { name: 'Entries' })
const main = (page: Page) => page.locator('#main')
const ask = <T>(page: Page, path: string): Promise<T> => page.evaluate(async (at) => (await (await fetch(`/api/v1${at}`)).json()) as unknown, path) as Promise<T>

describe('the ledger', () => {
  it('says how it stands, and is walked with the keyboard down to a receipt that verifies', async () => {
    const { page, expectQuiet, close } = await go('/theatres')
    await settled(page)
    await page.keyboard.press('g')
    await page.keyboard.press('l')
    await page.getByRole('heading', { name: 'Ledger', level: 1 }).waitFor()
    await main(page).getByText(/entries recorded; the newest 6 have waited/).waitFor()
    await page.getByRole('table', { name: /Witnesses, 2 of 3/ }).getByText('Does not sign').waitFor()
    await grid(page).waitFor()
    for (let i = 0; i < 12; i++) await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.locator('.lg-entry h2').waitFor()
    await page.locator('.lg-life').waitFor()
    await expectAccessible(page)
    const saved = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save the receipt', exact: true }).click()
    const download = await saved
    expect(download.suggestedFilename()).toMatch(/^asepsis-\d+\.receipt\.json$/)
    const trust = await parseTrust(utf8(await page.evaluate(async () => (await fetch('/api/v1/ledger/trust')).text())))
    const r = await verify(new Uint8Array(readFileSync(await download.path())), trust)
    expect(`asepsis-${r.index}.receipt.json`).toBe(download.suggestedFilename())
    expectQuiet()
    await close()
  })

  it('is searched by a hash as it is pasted, and the link restores what was found', async () => {
    const { page, close } = await go('/ledger')
    await grid(page).waitFor()
    const e = (await ask<LedgerEntries>(page, '/ledger/entries?kind=artefact-altered&limit=20')).entries.at(-1) as LedgerEntry
    const before = e.subjects[0]?.digest['sha256'] ?? ''
    const box = page.getByRole('searchbox', { name: /Search by the SHA-256/ })
    await box.fill('abcd12')
    await main(page).getByText('A SHA-256 has 64 digits, this has 6.').waitFor()
    await box.fill(`SHA256: ${before.toUpperCase()}`)
    await expect.poll(() => new URL(page.url()).searchParams.get('hash')).toBe(before)
    await main(page).getByText('The gateway took the names out of an image').first().waitFor()
    await main(page).getByText('2 entries').waitFor()
    await page.reload()
    await main(page).getByText('2 entries').waitFor()
    await box.fill(e.hash) // of the entry itself
    await main(page).getByText('1 entry').waitFor()
    await box.fill('0'.repeat(64))
    await main(page).getByText('No entry is about this.').waitFor()
    await expectAccessible(page)
    await close()
  })

  it('finds a file without sending it, and leaves out what nobody wants to see', async () => {
    const { page, p, close } = await go('/ledger')
    await grid(page).waitFor()
    await page.getByLabel('File to look for; it is not sent').setInputFiles({ name: 'scan.dcm', mimeType: 'application/dicom', buffer: Buffer.from('image 40') })
    await expect.poll(() => new URL(page.url()).searchParams.get('hash')).toBe(sha256('image 40'))
    await main(page).getByText(/sent an image to/).first().waitFor()
    expect(p.asked.filter((a) => !a.startsWith('GET '))).toEqual([])
    await page.goto('/ledger?not=kind:certificate-event&not=kind:artefact-received&not=kind:artefact-altered')
    await grid(page).waitFor()
    await expect.poll(() => grid(page).getByRole('row').count()).toBeGreaterThan(5)
    expect(await grid(page).getByText('Received').count()).toBe(0)
    await page.goto('/ledger?is=kind:override')
    await main(page).getByText('1 entry').waitFor()
    await grid(page).getByText(/let an image through/).click()
    await page.getByText('The surgeon asked for it').first().waitFor()
    await page.getByRole('button', { name: 'Only this case' }).click()
    await expect.poll(() => new URL(page.url()).searchParams.getAll('is').some((v) => v.startsWith('case:hs256:'))).toBe(true)
    await close()
  })

  it('holds new entries back until they are asked for', async () => {
    const { page, p, close } = await go('/ledger')
    await grid(page).waitFor()
    const s = await ask<LedgerStatus>(page, '/ledger')
    p.instead = (_, path) => (path === '/ledger' ? { ...s, size: s.size + 7 } : undefined)
    const button = page.getByRole('button', { name: '7 new' })
    await button.waitFor({ timeout: 20_000 })
    await page.keyboard.press('.')
    await button.waitFor({ state: 'detached' })
    await close()
  })

  it.each<[string, (s: LedgerStatus) => Partial<LedgerStatus>, RegExp]>([
    ['witnesses are silent', (s) => ({ alarm: true, unwitnessed: 310, unwitnessed_since: new Date(Date.now() - 3e6).toISOString(), size: s.size }), /Witnesses silent since .*recording goes on/],
    ['its own check found something', () => ({ audit: { checked: 9, last: new Date().toISOString(), problem: 'Entry 7 is not what was signed.' } }), /own check found something wrong: Entry 7/],
    ['nobody witnesses', () => ({ required: 0, witnesses: [], unwitnessed: 0 }), /signed by this server alone/],
  ])('says so when %s', async (_, change, says) => {
    const { page, p, close } = await go('/verify')
    await settled(page)
    const s = await ask<LedgerStatus>(page, '/ledger')
    p.instead = (_m, path) => (path === '/ledger' ? { ...s, ...change(s) } : undefined)
    await page.goto('/ledger')
    await main(page).locator('.page-sentence').getByText(says).waitFor()
    await grid(page).waitFor()
    await expectAccessible(page)
    await close()
  })

  it('teaches when nothing is recorded, when no ledger runs, and says what is lost when the server fails', async () => {
    const empty = await go('/ledger', { empty: true })
    await main(empty.page).getByRole('heading', { name: 'Nothing has been recorded yet.' }).waitFor()
    await expectAccessible(empty.page)
    empty.expectQuiet()
    await empty.close()

    const none = await go('/ledger', { runs: [], instead: () => { throw new Failure(404, 'Not found', 'No ledger runs here.') } })
    await main(none.page).getByText('No ledger runs here.').waitFor()
    expect(await none.page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Ledger' }).count()).toBe(0)
    await none.page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Verify' }).waitFor()
    await expectAccessible(none.page)
    await none.close()

    let fails = true
    const bad = await go('/ledger', { instead: () => { if (fails) throw new Failure(500, 'Internal error', 'The log did not answer.', 'Look at its log.'); return undefined } })
    const alert = main(bad.page).getByRole('alert')
    await alert.getByText('The ledger cannot be shown.').waitFor({ timeout: 20_000 })
    await alert.getByText('Look at its log.').waitFor()
    await expectAccessible(bad.page)
    fails = false
    const gone = alert.waitFor({ state: 'detached' })
    await Promise.race([gone, alert.getByRole('button', { name: 'Try again' }).click().catch(() => gone)])
    await grid(bad.page).waitFor()
    await bad.close()
  })
})

const image = 'the bytes of an image'
const log = new Log()
for (let i = 0; i < 9; i++) log.append({ kind: 'artefact-received', subjects: [{ name: 'instance', sha256: sha256(i === 4 ? image : `image ${i}`) }], predicate: { id: `e${i}`, time: '2026-11-22T10:00:00Z', actor: { software: 'asepsis/gateway 0.3.0' }, detail: { protocol: 'dicom', from: 'CT_1', to: 'PACS' } } })
const own = { name: 'trust.json', text: log.trust }
const receipt = { name: 'scan.receipt.json', text: log.receipt(4) }
const scan = { name: 'scan.dcm', text: image }
const verdict = (page: Page) => page.locator('.vf-sum h2')

describe('the verifier', () => {
  it('verifies what is dropped without any request, also without a network', async () => {
    const { page, context, close } = await go('/verify', { alone: true })
    await settled(page)
    await page.getByText('From this server.').waitFor()
    const asked: string[] = []
    page.on('request', (r) => {
      // The line about the system asks how it is, as on every page: a question without a body.
      if (r.method() !== 'GET' || !/\/api\/v1\/(status|stream|board)\b/.test(r.url())) asked.push(`${r.method()} ${r.url()}`)
    })
    await context.setOffline(true)
    await dropFiles(page, '.vf', [own, receipt, scan])
    await verdict(page).getByText('Verified').waitFor()
    await page.getByText('is “instance” of the statement, bit by bit').waitFor()
    await page.getByText('“instance” was received from CT_1 to PACS over dicom.').waitFor()
    await page.getByText('By the trust file trust.json that you dropped').waitFor()
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Verified')
    expect(asked).toEqual([])
    await context.setOffline(false)
    await close()
  })

  it.each<[string, { name: string; text: string }[], RegExp, RegExp, string]>([
    ['a changed file', [receipt, { name: 'scan.dcm', text: `${image}!` }], /Not verified/, /It is another file/, 'wrong-file'],
    ['a changed receipt', [{ name: 'scan.receipt.json', text: receipt.text.replace('CT_1', 'CT_2') }], /Not verified/, /The entry is not in the log as it stands here/, 'wrong-root'],
    ['a receipt that a mail program touched', [{ name: 'scan.receipt.json', text: receipt.text.replace('\n', '\r\n') }], /Not verified/, /The receipt was changed/, 'not-canonical'],
    ['a receipt of another ledger', [{ name: 'x.receipt.json', text: (() => { const l = new Log('other.example/ledger'); l.append({ kind: 'decision', subjects: [{ name: 'a', sha256: sha256('a') }], predicate: {} }); return l.receipt(0) })() }], /Not verified/, /It is a receipt of another ledger/, 'wrong-log'],
    ['a file alone', [scan], /Not verified/, /No receipt speaks of this file/, 'no-receipt'],
  ])('refuses %s with the reason', async (_, files, sum, title, code) => {
    const { page, expectQuiet, close } = await go('/verify')
    await settled(page)
    await dropFiles(page, '.vf', [own, ...files])
    await verdict(page).getByText(sum).waitFor()
    await main(page).getByRole('heading', { level: 3, name: title }).waitFor()
    await main(page).getByText(`(${code})`).waitFor()
    await expectAccessible(page)
    expectQuiet()
    await close()
  })

  it('accepts what too few witnesses signed only when told to, and says that it is so', async () => {
    const { page, close } = await go('/verify')
    await settled(page)
    await dropFiles(page, '.vf', [own, { name: 'a.receipt.json', text: log.receipt(4, { cosigned: 1 }) }, scan])
    await verdict(page).getByText('Not verified').waitFor()
    await page.getByRole('checkbox', { name: /too few witnesses/ }).check()
    await verdict(page).getByText('Right, but not witnessed').waitFor()
    await expectAccessible(page)
    await close()
  })

  it('judges many at once, what is wrong first', async () => {
    const { page, close } = await go('/verify')
    await settled(page)
    await dropFiles(page, '.vf', [own, ...[0, 1, 2, 3].map((i) => ({ name: `r${i}.receipt.json`, text: log.receipt(i) })), ...[0, 1, 2].map((i) => ({ name: `i${i}`, text: `image ${i}` })), { name: 'odd', text: 'odd' }])
    await verdict(page).getByText('1 of 4 is not verified').waitFor()
    expect(await main(page).getByRole('article').first().innerText()).toContain('odd')
    await page.getByRole('button', { name: 'Start again' }).click()
    await page.getByText('What a receipt proves').waitFor()
    await close()
  })

  it('takes an entry of this server’s ledger by a link, and works with the keyboard alone', async () => {
    const { page, expectQuiet, close } = await go('/verify?entry=3')
    await settled(page)
    await verdict(page).getByText('Verified').waitFor()
    await page.getByText('was not dropped. The receipt is about:').waitFor()
    await page.getByRole('button', { name: 'Choose files' }).focus()
    const chooser = page.waitForEvent('filechooser')
    await page.keyboard.press('Enter')
    await (await chooser).setFiles({ name: 'no', mimeType: '', buffer: Buffer.from('no') })
    await verdict(page).getByText('Not verified').waitFor()
    expectQuiet()
    await close()
  })

  it('works where no ledger runs, and asks for a trust file', async () => {
    const { page, close } = await go('/verify', { runs: [], instead: () => { throw new Failure(404, 'Not found', 'No ledger runs here.') } })
    await settled(page)
    await page.getByText('No ledger runs here. Drop the trust file').waitFor()
    await dropFiles(page, '.vf', [receipt])
    await page.getByText('Drop a trust file too').waitFor()
    await expectAccessible(page)
    await dropFiles(page, '.vf', [{ name: 'bad-trust.json', text: log.trust.replace('"required": 2', '"required": 9') }])
    await page.getByRole('alert').getByText(/bad-trust.json: The trust file requires more witnesses/).waitFor()
    await dropFiles(page, '.vf', [own])
    await verdict(page).getByText('Verified').waitFor()
    await close()
  })
})

describe('drawn in both sizes and themes', () => {
  for (const size of ['wide', 'narrow'] as Size[]) {
    it.each(['/ledger', '/ledger?open=20', '/verify', '/verify?entry=20'])(`${size}: %s`, { timeout: 120_000 }, async (path) => {
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
