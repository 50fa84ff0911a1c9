// SPDX-License-Identifier: Apache-2.0
// Imaging: what the gateway does, as people see and steer it. Most of it before an
// invented gateway, in which each state can be had; some before that of the demo.
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { Failure } from '../dev/fixtures/failure'
import { STUDY } from '../dev/fixtures/gateway'
import { expectAccessible, expectNoSidewaysScroll, open, settled, useBrowser, type Options, type Size, type Theme } from './harness'
import { imaged, type Imaged } from './imaged'
import { asViewer } from './proved'

useBrowser()

async function go(path: string, o: Options & Parameters<typeof imaged>[1] & { instead?: Imaged['instead']; viewer?: boolean } = {}) {
  const opened = await open('about:blank', { reducedMotion: true, ...o })
  const p = await imaged(opened.page, o)
  if (o.instead) p.instead = o.instead
  if (o.viewer) await asViewer(opened.page)
  await opened.page.goto(path)
  return { ...opened, p }
}
const main = (page: Page) => page.locator('#main')
const grid = (page: Page, name: string) => page.getByRole('grid', { name })
const dialog = (page: Page) => page.getByRole('dialog')
const posted = (p: Imaged) => p.asked.filter((a) => !a.what.startsWith('GET ')).map((a) => a.what)

describe('the overview', () => {
  it('says what to do, what flows, and in plain words what happens when something fails', async () => {
    const { page, expectQuiet, close } = await go('/imaging')
    await settled(page)
    await main(page).locator('.page-sentence').getByText(/images\/s in, .* out; 1.delivery was given up, 4.images are in quarantine/).waitFor()
    const advice = main(page).getByRole('region', { name: 'What to do' }).getByRole('listitem')
    await advice.first().getByText('PACS-MAIN has not taken an image for 14 minutes.').waitFor()
    await main(page).getByRole('list', { name: 'Senders' }).getByText('No TLS on a port for TLS').waitFor()
    await main(page).getByRole('list', { name: 'Destinations' }).getByText('fails, 36 wait').waitFor()
    await main(page).getByText('If the ledger or the firewall fails, nothing passes.').first().waitFor()
    await main(page).getByText('Its collector').or(main(page).getByText(/The collector at audit\.example/)).waitFor()
    await main(page).getByRole('list', { name: 'Destinations' }).getByRole('link', { name: /PACS-MAIN/ }).click()
    await main(page).getByRole('heading', { name: 'PACS-MAIN' }).waitFor()
    expectQuiet()
    await close()
  })

  it('is reached by the rail and by keys, and its parts by numbers', async () => {
    const { page, close } = await go('/verify')
    await settled(page)
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Imaging' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('g')
    await page.getByRole('heading', { level: 1, name: 'Imaging' }).waitFor()
    await settled(page)
    await page.keyboard.press('4')
    await grid(page, 'Held images').waitFor()
    expect(new URL(page.url()).searchParams.get('tab')).toBe('quarantine')
    expect(await page.getByRole('navigation', { name: 'Parts of Imaging' }).locator('[aria-current="page"]').allInnerTexts()).toEqual([expect.stringMatching(/^Quarantine/)])
    await close()
  })

  it('shows one gateway at a time and says that one is silent', async () => {
    const { page, p, close } = await go('/imaging', { gateways: [{ name: 'gateway-or', state: 'live' }, { name: 'gateway-radiology', state: 'silent' }] })
    await settled(page)
    await page.getByRole('combobox', { name: 'Gateway' }).selectOption('gateway-radiology')
    await main(page).getByText(/gateway-radiology has not been heard since/).waitFor()
    expect(new URL(page.url()).searchParams.get('gateway')).toBe('gateway-radiology')
    await page.getByRole('navigation', { name: 'Parts of Imaging' }).getByRole('link', { name: 'Destinations' }).click()
    await main(page).getByRole('heading', { name: 'PACS-MAIN' }).waitFor()
    expect(new URL(page.url()).searchParams.get('gateway')).toBe('gateway-radiology')
    expect(p.asked.length).toBeGreaterThan(0)
    await page.goto('/imaging?gateway=gone')
    await main(page).getByRole('heading', { name: 'No gateway is called gone.' }).waitFor()
    await expectAccessible(page)
    await close()
  })

  it('teaches where none runs, says what is lost when it does not answer, and what is old', async () => {
    const none = await go('/imaging', { gateways: [] })
    await main(none.page).getByRole('heading', { name: 'No DICOM gateway runs here.' }).waitFor()
    await expectAccessible(none.page)
    none.expectQuiet()
    await none.close()

    const failure = new Failure(503, 'Not available', 'The gateway did not answer within 5 s.', 'See that it runs.')
    const bad = await go('/imaging', { instead: (_, path) => { if (path === '/imaging/overview') throw failure; return undefined } })
    const alert = main(bad.page).getByRole('alert')
    await alert.getByText('Images go on as before').waitFor({ timeout: 20_000 })
    await alert.getByText('See that it runs.').waitFor()
    await expectAccessible(bad.page)
    bad.p.instead = () => undefined
    await alert.getByRole('button', { name: 'Try again' }).click()
    await main(bad.page).getByRole('heading', { name: 'What flows now' }).waitFor()
    bad.p.instead = (_, path) => { if (path === '/imaging/overview') throw failure; return undefined }
    await main(bad.page).getByText(/the gateway did not answer since/).waitFor({ timeout: 30_000 })
    await main(bad.page).getByRole('heading', { name: 'What flows now' }).waitFor()
    await bad.close()
  })

  it('is calm when nothing has happened yet, on each of its parts', { timeout: 120_000 }, async () => {
    const { page, expectQuiet, close } = await go('/imaging', { empty: true })
    await main(page).getByText('Nobody has sent anything in the last 15 minutes.').waitFor()
    const parts: [string, string | RegExp][] = [['associations', 'Nobody has talked to the gateway yet.'], ['destinations', 'No destination is set.'], ['quarantine', 'Nothing is held.'], ['instances', 'No image has come yet.'], ['bindings', 'No device is bound.']]
    for (const [tab, says] of parts) {
      await page.goto(`/imaging?tab=${tab}`)
      await main(page).getByRole('heading', { name: says }).waitFor()
      await expectAccessible(page)
    }
    expectQuiet()
    await close()
  })
})

describe('associations', () => {
  it('say what went wrong in words, and what to do', async () => {
    const { page, expectQuiet, close } = await go('/imaging?tab=associations')
    await grid(page, 'Associations').getByText('Unknown calling AE title').click()
    const one = main(page).getByRole('article')
    await one.getByText('Its certificate is of a device that is bound, and it calls itself OEC_NEW').waitFor()
    await one.getByText(/add OEC_NEW to its AE titles under Bindings/).waitFor()
    await expectAccessible(page)
    await one.getByRole('link', { name: 'What it may do' }).click()
    await main(page).getByText('1 of 8').waitFor()
    expectQuiet()
    await close()
  })

  it('are narrowed by a click on a value, and the link keeps it', async () => {
    const { page, close } = await go('/imaging?tab=associations&is=is:problem')
    await grid(page, 'Associations').waitFor()
    await main(page).getByText('3 of 10').waitFor()
    await close()
  })
})

describe('destinations', () => {
  it('are tried step by step, and say which step was not reached', async () => {
    const { page, p, close } = await go('/imaging?tab=destinations')
    const strip = main(page).getByRole('listitem', { name: 'PACS-MAIN' })
    await strip.getByText(/The connection to 10\.20\.0\.5:11112 was refused\. 36.*next try/).waitFor()
    await strip.getByRole('button', { name: 'Try it' }).click()
    await dialog(page).getByText('Nobody listens at 10.20.0.5:11112.').waitFor()
    expect(await dialog(page).locator('.im-step-not').allInnerTexts()).toEqual([expect.stringMatching(/^Agree.*not reached$/s), expect.stringMatching(/^Echo.*not reached$/s)])
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'detached' })
    await main(page).getByRole('listitem', { name: 'XR-PROC-3' }).getByRole('button', { name: 'Try it' }).click()
    await dialog(page).getByText(/It works: 31 ms/).waitFor()
    await dialog(page).getByRole('button', { name: 'Close', exact: true }).last().click()
    await strip.getByRole('button', { name: 'Retry all' }).click()
    await strip.getByText('Sending', { exact: true }).waitFor()
    expect(posted(p)).toContain('POST /imaging/destinations/PACS-MAIN/retry')
    await close()
  })

  it('are paused and resumed; one that a case waits for only after a second word', async () => {
    const { page, p, close } = await go('/imaging?tab=destinations')
    const xr = main(page).getByRole('listitem', { name: 'XR-PROC-3' })
    await xr.getByRole('button', { name: 'Pause' }).click()
    await dialog(page).getByText(/shows images to a team that is at work now/).waitFor()
    await expectAccessible(page)
    expect(posted(p)).toEqual([])
    await dialog(page).getByRole('button', { name: 'Pause during the case' }).click()
    await xr.getByText('Paused by a person').waitFor()
    expect(p.asked.find((a) => a.what.endsWith('/pause'))?.body).toEqual({ confirm_in_case: true })
    await xr.getByRole('button', { name: 'Resume' }).click()
    await xr.getByText('Sending', { exact: true }).waitFor()
    await main(page).getByRole('listitem', { name: 'XR-PROC-5' }).getByRole('button', { name: 'Pause' }).click()
    await main(page).getByRole('listitem', { name: 'XR-PROC-5' }).getByText('Paused by a person').waitFor()
    await close()
  })

  it('are only looked at by who may not steer, with the reason', async () => {
    const { page, close } = await go('/imaging?tab=destinations', { viewer: true })
    const button = main(page).getByRole('listitem', { name: 'PACS-MAIN' }).getByRole('button', { name: 'Pause' })
    await button.waitFor()
    expect(await button.getAttribute('aria-disabled')).toBe('true')
    await button.focus()
    await page.getByRole('tooltip').getByText(/needs the role Security engineer/).waitFor()
    await close()
  })
})

describe('the quarantine', () => {
  it('takes two people: one asks with a reason, another agrees', async () => {
    const { page, p, expectQuiet, close } = await go('/imaging?tab=quarantine')
    await grid(page, 'Held images').getByText(/runs JavaScript/).click()
    const one = main(page).getByRole('article')
    await one.getByText('document.active').first().waitFor()
    await one.getByRole('button', { name: 'Ask to release it…' }).click()
    await dialog(page).getByText('Another person has to agree before it goes anywhere.').waitFor()
    expect(await dialog(page).getByRole('button', { name: 'Ask', exact: true }).getAttribute('aria-disabled')).toBe('true')
    await dialog(page).getByLabel('Reason').fill('The report of the vendor; opened in a viewer that runs nothing.')
    await expectAccessible(page)
    await dialog(page).getByRole('button', { name: 'Ask', exact: true }).click()
    await one.getByText('Another person has to agree. You can take your word back until then.').waitFor()
    // The same item, as somebody else sees it.
    p.state.user = 'j.novak'
    await page.reload()
    await one.getByRole('button', { name: 'Agree, and release it…' }).click()
    await dialog(page).getByText('admin says:').waitFor()
    await dialog(page).getByLabel('Reason').fill('Looked at it too.')
    await dialog(page).getByRole('button', { name: 'Release it' }).click()
    await one.getByText('It is not held any more: released.').waitFor()
    expect(posted(p).filter((a) => a.endsWith('/release'))).toHaveLength(2)
    expectQuiet()
    await close()
  })

  it('says whom it waits for, and asks once more while a case is in progress', async () => {
    const { page, p, close } = await go('/imaging?tab=quarantine')
    await grid(page, 'Held images').waitFor()
    await main(page).getByText('One waits for a second person').waitFor()
    await main(page).getByRole('button', { name: 'Show it' }).click()
    await main(page).getByText('1 of 4').waitFor()
    await grid(page, 'Held images').getByText('m.rossi asks to release').waitFor()
    await grid(page, 'Held images').getByText(/of another patient/).click()
    p.instead = (method, path) => {
      if (method !== 'POST' || !path.startsWith('/imaging/quarantine/') || p.asked.at(-1)?.body['confirm_in_case'] === true) return undefined
      throw new Failure(409, 'Conflict', 'A case is in progress in the theatre that this concerns, and what is decided may change what it shows.')
    }
    await main(page).getByRole('button', { name: 'Agree, and release it…' }).click()
    await dialog(page).getByLabel('Reason').fill('Checked with the team.')
    await dialog(page).getByRole('button', { name: /^Release it/ }).click()
    const sure = page.getByRole('dialog', { name: 'A case is in progress' })
    await sure.getByText('Call the room first').waitFor()
    await expectAccessible(page)
    await sure.getByRole('button', { name: 'Release it during the case' }).click()
    await main(page).getByText('It is not held any more: released.').waitFor()
    expect(p.asked.filter((a) => a.what.endsWith('/release')).at(-1)?.body).toMatchObject({ confirm_in_case: true, reason: 'Checked with the team.' })
    await close()
  })

  it('keeps what one typed when somebody else was faster, and says so', async () => {
    const { page, p, close } = await go('/imaging?tab=quarantine')
    await grid(page, 'Held images').getByText(/JavaScript/).click()
    await main(page).getByRole('button', { name: 'Ask to destroy it…' }).click()
    p.instead = (method, path) => { if (method === 'POST' && path.endsWith('/destroy')) throw new Failure(409, 'Conflict', 'Somebody else has changed it meanwhile.', 'Look at it again.'); return undefined }
    await dialog(page).getByLabel('Reason').fill('Nobody needs it.')
    await dialog(page).getByRole('button', { name: 'Ask', exact: true }).click()
    await dialog(page).getByRole('alert').getByText(/Somebody else has changed it meanwhile/).waitFor()
    expect(await dialog(page).getByLabel('Reason').inputValue()).toBe('Nobody needs it.')
    await close()
  })

  it('shows a header without naming anybody; who may and says why sees more, and it is hidden again', async () => {
    const { page, p, close } = await go('/imaging?tab=quarantine')
    await grid(page, 'Held images').getByText(/JavaScript/).click()
    const header = main(page).getByRole('region', { name: 'Its header' })
    await header.getByText('5 values that identify a patient are hidden.').waitFor()
    expect(await main(page).getByText('TESTFALL').count()).toBe(0)
    await header.getByText('document.active').waitFor()
    await header.getByRole('button', { name: 'Show what is hidden…' }).click()
    await dialog(page).getByLabel('Reason').fill('The theatre asks whose it is.')
    await dialog(page).getByRole('button', { name: 'Show it' }).click()
    await header.getByText('TESTFALL^FIKTIV').waitFor()
    await header.getByText(/That you read it is recorded/).waitFor()
    await expectAccessible(page)
    await header.getByRole('button', { name: 'Hide it again' }).click()
    expect(await main(page).getByText('TESTFALL').count()).toBe(0)
    expect(p.asked.find((a) => a.what.endsWith('/header/clear'))?.body).toEqual({ reason: 'The theatre asks whose it is.' })
    await close()
  })

  it('shows no more to who may not', async () => {
    const { page, close } = await go('/imaging?tab=quarantine', { viewer: true })
    await grid(page, 'Held images').getByText(/JavaScript/).click()
    expect(await main(page).getByRole('button', { name: 'Show what is hidden…' }).getAttribute('aria-disabled')).toBe('true')
    expect(await main(page).getByRole('button', { name: 'Ask to release it…' }).getAttribute('aria-disabled')).toBe('true')
    await close()
  })

  it('is worked from the keyboard alone', async () => {
    const { page, close } = await go('/imaging?tab=quarantine')
    await grid(page, 'Held images').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await main(page).getByRole('article').waitFor()
    await page.keyboard.press('u')
    await main(page).getByRole('article').waitFor({ state: 'detached' })
    await close()
  })
})

describe('studies', () => {
  it('tell their story from the scanner to the processor, with receipts that verify', async () => {
    const { page, context, expectQuiet, close } = await go('/imaging?tab=instances')
    await grid(page, 'Studies').getByText('CT abdomen, arterial phase').first().click()
    const story = main(page).getByRole('list', { name: 'What happened to the study' })
    await story.getByText('28 images received from CT-1').waitFor()
    await story.getByText('24 images waiting for PACS-MAIN').waitFor()
    const download = page.waitForEvent('download')
    await main(page).getByRole('button', { name: 'Save all receipts' }).click()
    expect((await download).suggestedFilename()).toBe(`receipts-${STUDY}.zip`)
    await grid(page, 'Images').getByRole('row').nth(1).click()
    await main(page).getByText('What was sent is bit by bit what came.').waitFor()
    await expectAccessible(page)
    await main(page).getByRole('link', { name: /^Verify entry/ }).first().click()
    await page.getByRole('heading', { level: 1, name: 'Verify' }).waitFor()
    await page.locator('.vf-sum h2').getByText('Verified').waitFor()
    expect(new URL(page.url()).searchParams.get('gateway')).toBe('gateway-or')
    expect(context.pages().length).toBeGreaterThan(0)
    expectQuiet()
    await close()
  })

  it('are found by UID, and a data set by its digest', async () => {
    const { page, close } = await go('/imaging?tab=instances')
    const field = page.getByRole('textbox', { name: 'UID or SHA-256' })
    await field.fill('Weber')
    await page.keyboard.press('Enter')
    await main(page).getByText(/Search by the UID of a study or an image/).waitFor()
    await field.fill('9.9.9')
    await page.keyboard.press('Enter')
    await main(page).getByText('The gateway has seen no study and no image with this UID.').waitFor()
    await expectAccessible(page)
    await field.fill(`${STUDY}.2.3`)
    await page.keyboard.press('Enter')
    await main(page).getByText(/Only the SOP instance/).waitFor()
    await grid(page, 'Images').getByText(`${STUDY}.2.3`).waitFor()
    const digest = await page.evaluate(async (study) => {
      const r = (await (await fetch(`/api/v1/imaging/instances?gateway=gateway-or&study=${study}&limit=1`)).json()) as { instances: { data_set: string }[] }
      return r.instances[0]?.data_set ?? ''
    }, `${STUDY.slice(0, -1)}5`)
    await field.fill(`sha256:${digest.toUpperCase()}`)
    await page.keyboard.press('Enter')
    await main(page).getByRole('heading', { name: /statements about this content/ }).waitFor()
    await expectAccessible(page)
    await page.goto(`/imaging?tab=instances&digest=${'0'.repeat(64)}`)
    await main(page).getByRole('heading', { name: 'Nothing is recorded about this content.' }).waitFor()
    await close()
  })

  it('are one click from what is held, and one study that is unknown says so', async () => {
    const { page, close } = await go(`/imaging?tab=instances&study=${STUDY}&is=state:quarantined`)
    await grid(page, 'Images').getByRole('row').nth(1).click()
    await main(page).getByRole('link', { name: 'Decide about it' }).click()
    await main(page).getByRole('button', { name: 'Ask to release it…' }).waitFor()
    await page.goto('/imaging?tab=instances&study=1.2.3')
    await main(page).getByRole('heading', { name: 'This gateway has seen nothing of this study.' }).waitFor()
    await close()
  })
})

describe('the policy', () => {
  const text = (page: Page) => page.getByRole('textbox', { name: 'The policy as YAML' })
  it('is checked while one rests, tried on what is stored, compared, and put in force', { timeout: 90_000 }, async () => {
    const { page, p, expectQuiet, close } = await go('/imaging?tab=policy')
    await text(page).waitFor()
    const was = await text(page).inputValue()
    await text(page).fill(was.replace('verdict: sanitise', 'verdict: sanitize'))
    await main(page).getByText('“sanitize” is no verdict').waitFor()
    expect(await main(page).getByRole('button', { name: 'Put in force…' }).getAttribute('aria-disabled')).toBe('true')
    await expectAccessible(page)
    await main(page).getByRole('button', { name: 'Line 23' }).click()
    expect(await text(page).evaluate((e: HTMLTextAreaElement) => e.value.slice(0, e.selectionStart).split('\n').length)).toBe(23)
    await text(page).fill(was.replace('private.group:\n    verdict: flag', 'private.group:\n    verdict: quarantine'))
    await main(page).getByText('The text is right.').waitFor()
    await main(page).getByRole('button', { name: 'Dry run' }).click()
    await main(page).getByText(/images would come out otherwise/).waitFor()
    await page.getByRole('radio', { name: /Difference/ }).click()
    await main(page).getByRole('region', { name: /What differs/ }).getByText('removed: ').waitFor({ state: 'attached' })
    await expectAccessible(page)
    await main(page).getByRole('button', { name: 'Put in force…' }).click()
    await page.getByRole('alertdialog').getByText(/would have come out otherwise/).waitFor()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Put in force' }).click()
    await main(page).getByText('As it is in force.').waitFor()
    expect(p.asked.find((a) => a.what === 'PUT /imaging/policy')?.body['yaml']).toContain('verdict: quarantine\n    options')
    expectQuiet()
    await close()
  })

  it('of somebody who was faster is not overwritten, and what one wrote is kept', async () => {
    const { page, p, close } = await go('/imaging?tab=policy')
    await text(page).waitFor()
    const was = await text(page).inputValue()
    await text(page).fill(`${was}# mine\n`)
    await main(page).getByText('The text is right.').waitFor()
    await page.evaluate(async ({ yaml }) => {
      const now = (await (await fetch('/api/v1/imaging/policy?gateway=gateway-or')).json()) as { sha256: string }
      await fetch('/api/v1/imaging/policy?gateway=gateway-or', { method: 'PUT', body: JSON.stringify({ yaml, sha256: now.sha256 }) })
    }, { yaml: `${was}# theirs\n` })
    await main(page).getByRole('button', { name: 'Put in force…' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Put in force' }).click()
    await page.getByRole('alertdialog').getByText(/Somebody else has changed the policy meanwhile/).waitFor()
    await page.keyboard.press('Escape')
    await main(page).getByText('Somebody saved a newer policy while this was open.').waitFor()
    expect(await text(page).inputValue()).toContain('# mine')
    await main(page).getByRole('button', { name: 'Show the difference' }).click()
    await main(page).getByRole('region', { name: /What differs/ }).getByText('# theirs').waitFor()
    expect(p.asked.filter((a) => a.what === 'PUT /imaging/policy')).toHaveLength(2)
    await close()
  })
})

describe('bindings', () => {
  it('are changed together, said back in words, and refused where they are wrong', { timeout: 90_000 }, async () => {
    const { page, p, expectQuiet, close } = await go('/imaging?tab=bindings')
    await main(page).getByRole('button', { name: 'Change the binding of CT-1' }).click()
    const d = dialog(page)
    await d.getByLabel('Its own AE titles').fill('CT1, MUCH_TOO_LONG_A_TITLE')
    await d.getByRole('button', { name: 'Take it over' }).click()
    await d.getByText(/an AE title has at most 16/).first().waitFor()
    await expectAccessible(page)
    await d.getByLabel('Its own AE titles').fill('CT1, CT1_QR')
    await d.getByRole('checkbox', { name: 'Find', exact: true }).check()
    await d.getByText(/as CT1 or CT1_QR .* may: echo, store, storage commitment, find/).waitFor()
    await d.getByRole('button', { name: 'Take it over' }).click()
    await main(page).getByText('1 changed: not in force yet.').waitFor()
    await main(page).getByRole('button', { name: 'Take out the binding of ENDO-2' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Take it out' }).click()
    await main(page).getByText('1 changed, 1 taken out: not in force yet.').waitFor()
    await expectAccessible(page)
    await main(page).getByRole('button', { name: 'Put in force' }).click()
    await main(page).getByText('7 devices').waitFor()
    await main(page).getByText('not in force yet').waitFor({ state: 'detached' })
    const put = p.asked.find((a) => a.what === 'PUT /imaging/bindings')?.body as { bindings: Record<string, unknown>[]; revision: string }
    expect(put.revision).toBe('r7')
    expect(put.bindings[0]).toMatchObject({ calling_ae: ['CT1', 'CT1_QR'] })
    expect(put.bindings[0]).not.toHaveProperty('last_seen')
    expectQuiet()
    await close()
  })

  it('that the gateway does not take say which field is wrong, and nothing is lost', async () => {
    const { page, close } = await go('/imaging?tab=bindings&q=CT-1')
    await main(page).getByRole('button', { name: 'Change the binding of CT-1' }).click()
    await dialog(page).getByLabel('Its own AE titles').fill('TAKEN')
    await dialog(page).getByRole('button', { name: 'Take it over' }).click()
    await main(page).getByRole('button', { name: 'Put in force' }).click()
    await main(page).getByText('TAKEN is an AE title of the gateway itself').waitFor()
    await main(page).getByText('1 changed: not in force yet.').waitFor()
    await expectAccessible(page)
    await close()
  })
})

describe('before the gateway that the demo runs', () => {
  const real = async (path: string) => {
    const opened = await open(path, { reducedMotion: true })
    await settled(opened.page)
    return opened
  }
  it('shows what flows, tries the way to a destination, and a receipt of it verifies', { timeout: 120_000 }, async () => {
    const { page, expectQuiet, close } = await real('/imaging')
    await main(page).getByRole('list', { name: 'Destinations' }).getByText('xr-processor').waitFor()
    await expectAccessible(page)
    await page.goto('/imaging?tab=destinations')
    await main(page).getByRole('listitem', { name: 'archive' }).getByRole('button', { name: 'Try it' }).click()
    await dialog(page).getByText(/It works/).waitFor()
    await page.keyboard.press('Escape')
    await page.goto('/imaging?tab=instances&by=instance&is=state:accepted')
    await grid(page, 'Images').getByText('Accepted').first().waitFor({ timeout: 60_000 })
    await grid(page, 'Images').getByText(/^2\.25\./).first().click()
    await main(page).getByRole('list', { name: 'What happened to it' }).waitFor()
    await expectAccessible(page)
    await main(page).getByRole('link', { name: /^Verify entry/ }).first().click({ timeout: 60_000 })
    await page.locator('.vf-sum h2').getByText(/Verified|Right, but not witnessed/).waitFor()
    expectQuiet()
    await close()
  })

  it('holds what runs a script; one person’s word does not release it', { timeout: 120_000 }, async () => {
    const { page, close } = await real('/imaging?tab=quarantine')
    await grid(page, 'Held images').getByText(/JavaScript/).first().click({ timeout: 90_000 })
    await main(page).getByRole('region', { name: 'Its header' }).getByText('SOP Class UID').first().waitFor()
    await main(page).getByRole('button', { name: 'Ask to release it…' }).click()
    await dialog(page).getByLabel('Reason').fill('Opened where it can do no harm.')
    await dialog(page).getByRole('button', { name: /^Ask/ }).click()
    // A case may be in progress in the room that it is for: then the server asks once more.
    const sure = page.getByRole('button', { name: 'Ask during the case' })
    const asked = main(page).getByText('Another person has to agree. You can take your word back until then.')
    await sure.or(asked).waitFor()
    if (await sure.isVisible()) await sure.click()
    await asked.waitFor()
    await main(page).getByRole('button', { name: 'Take it back…' }).click()
    await dialog(page).getByLabel('Reason').fill('Not needed any more.')
    await dialog(page).getByRole('button', { name: 'Take it back' }).click()
    await main(page).getByRole('button', { name: 'Ask to release it…' }).waitFor()
    await close()
  })

  it('checks a policy line by line and tries it on what is stored', { timeout: 120_000 }, async () => {
    const { page, expectQuiet, close } = await real('/imaging?tab=policy')
    const text = page.getByRole('textbox', { name: 'The policy as YAML' })
    const was = await text.inputValue()
    await text.fill(was.replace('verdict: quarantine', 'verdict: quarantined'))
    await main(page).getByRole('button', { name: /^Line \d+$/ }).waitFor()
    await text.fill(was.replace('verdict: quarantine', 'verdict: flag'))
    await main(page).getByText('The text is right.').waitFor()
    await main(page).getByRole('button', { name: 'Dry run' }).click()
    await main(page).getByText(/would come out otherwise|No image is stored/).waitFor()
    await main(page).getByRole('button', { name: 'As in force' }).click()
    expectQuiet()
    await close()
  })
})

describe('drawn in both sizes and themes', () => {
  const paths = ['/imaging', '/imaging?tab=associations&open=as-bad-2', '/imaging?tab=destinations', '/imaging?tab=quarantine', '/imaging?tab=quarantine&open=72', '/imaging?tab=instances', `/imaging?tab=instances&study=${STUDY}`, `/imaging?tab=instances&study=${STUDY}&open=20`, '/imaging?tab=policy', '/imaging?tab=bindings']
  for (const size of ['wide', 'narrow'] as Size[]) {
    it.each(paths)(`${size}: %s`, { timeout: 120_000 }, async (path) => {
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
