// SPDX-License-Identifier: Apache-2.0
// Imaging: what a person decides there and then, and how a file in hand leads to what
// happened to it. Before an invented gateway.
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { Failure } from '../dev/fixtures/failure'
import { sha256 } from '../dev/fixtures/log'
import { expectAccessible, expectNoSidewaysScroll, settled, useBrowser } from './harness'
import { openImaged as go, posted } from './imaged'
import { dropFiles } from './proved'

useBrowser()

const main = (page: Page) => page.locator('#main')
const grid = (page: Page, name: string) => page.getByRole('grid', { name })
const dialog = (page: Page) => page.getByRole('dialog')
const strip = (page: Page, name: string) => main(page).getByRole('listitem', { name, exact: true })
const busy = new Failure(409, 'Conflict', 'The room is busy.', 'It is recorded.', undefined, 'case-in-progress')
const down = new Failure(503, 'Not available', 'The gateway did not answer within 5 s.', 'See that it runs.')

describe('a destination that is gone', () => {
  it('is said to be gone, and what waits for it is given up for good with a reason', async () => {
    const { page, p, expectQuiet, close } = await go('/imaging?tab=destinations')
    const gone = strip(page, 'XR-OLD')
    await gone.getByText('Not configured any more').waitFor()
    await gone.getByText(/nothing is sent to it\. 7.images wait/).waitFor()
    expect(await gone.getByRole('button').allInnerTexts()).toEqual(['Give up for good…'])
    await gone.getByRole('button', { name: 'Give up for good…' }).click()
    const d = page.getByRole('dialog', { name: /Give up 7.deliveries to XR-OLD/ })
    await d.getByText(/never be sent to XR-OLD/).waitFor()
    await d.getByText(/The images stay in the gateway/).waitFor()
    const give = d.getByRole('button', { name: /^Give up 7.deliveries$/ })
    expect(await give.getAttribute('aria-disabled')).toBe('true')
    await expectAccessible(page)
    await d.getByLabel('Reason').fill('The processor was taken out of service in March.')
    await give.click()
    await page.getByRole('region', { name: 'Messages' }).getByText(/7.deliveries to XR-OLD will not be made/).waitFor()
    await gone.waitFor({ state: 'detached' })
    expect(p.asked.find((a) => a.what === 'POST /imaging/destinations/XR-OLD/drop')?.body).toEqual({ reason: 'The processor was taken out of service in March.' })
    expectQuiet()
    await close()
  })

  it('is marked on the overview, and one click away', async () => {
    const { page, close } = await go('/imaging')
    const box = main(page).getByRole('list', { name: 'Destinations' }).getByRole('link', { name: /XR-OLD/ })
    await box.getByText('gone, 7 wait').waitFor()
    await box.click()
    await strip(page, 'XR-OLD').waitFor()
    await close()
  })
})

describe('what was given up', () => {
  it('is retried or given up for good: the images that this is about are one click away', async () => {
    const { page, p, close } = await go('/imaging?tab=destinations')
    const pacs = strip(page, 'PACS-MAIN')
    await pacs.getByRole('button', { name: 'Retry all' }).waitFor()
    await pacs.getByRole('button', { name: 'Give up for good…' }).click()
    const d = page.getByRole('dialog', { name: /Give up 1.delivery to PACS-MAIN/ })
    await d.getByText(/use “Retry all”/).waitFor()
    await d.getByLabel('Reason').fill('Sent by hand.')
    await d.getByRole('button', { name: /^Give up 1.delivery$/ }).click()
    await pacs.getByRole('button', { name: 'Give up for good…' }).waitFor({ state: 'detached' })
    expect(posted(p)).toEqual(['POST /imaging/destinations/PACS-MAIN/drop'])
    await close()
  })

  it('asks once more when a case has begun meanwhile, by the code of the answer and not by its words', async () => {
    const { page, p, close } = await go('/imaging?tab=destinations')
    p.instead = (method) => { if (method === 'POST' && p.asked.at(-1)?.body['confirm_in_case'] !== true) throw busy; return undefined }
    await strip(page, 'PACS-MAIN').getByRole('button', { name: 'Give up for good…' }).click()
    await dialog(page).getByLabel('Reason').fill('Sent by hand.')
    await dialog(page).getByRole('button', { name: /^Give up 1/ }).click()
    const sure = page.getByRole('dialog', { name: 'A case is in progress' })
    await sure.getByText(/shows images to a team that is at work now/).waitFor()
    await expectAccessible(page)
    await sure.getByRole('button', { name: 'Back' }).click()
    expect(await dialog(page).getByLabel('Reason').inputValue()).toBe('Sent by hand.')
    await dialog(page).getByRole('button', { name: /^Give up 1.delivery…$/ }).click()
    await sure.getByRole('button', { name: /Give up 1.delivery during the case/ }).click()
    await dialog(page).waitFor({ state: 'detached' })
    expect(p.asked.filter((a) => a.what.endsWith('/drop')).map((a) => a.body)).toEqual([{ reason: 'Sent by hand.' }, { reason: 'Sent by hand.', confirm_in_case: true }])
    await close()
  })

  it('keeps the reason when it did not work, and is not for who may not', async () => {
    const { page, p, close } = await go('/imaging?tab=destinations')
    p.instead = (method) => { if (method === 'POST') throw down; return undefined }
    await strip(page, 'XR-OLD').getByRole('button', { name: 'Give up for good…' }).click()
    await dialog(page).getByLabel('Reason').fill('Taken out of service.')
    await dialog(page).getByRole('button', { name: /^Give up 7/ }).click()
    await dialog(page).getByRole('alert').getByText(/did not answer within 5 s\. See that it runs/).waitFor()
    expect(await dialog(page).getByLabel('Reason').inputValue()).toBe('Taken out of service.')
    await close()

    const viewer = await go('/imaging?tab=destinations', { viewer: true })
    const button = strip(viewer.page, 'XR-OLD').getByRole('button', { name: 'Give up for good…' })
    await button.waitFor()
    expect(await button.getAttribute('aria-disabled')).toBe('true')
    await button.focus()
    await viewer.page.getByRole('tooltip').getByText(/needs the role Security engineer/).waitFor()
    await viewer.close()
  })
})

describe('procedures in progress', () => {
  it('are on the overview: who holds something back first, with what is held because of it', async () => {
    const { page, expectQuiet, close } = await go('/imaging')
    const rows = main(page).getByRole('list', { name: 'Procedures' }).getByRole('listitem')
    await rows.first().getByText('In progress, and holds images back').waitFor()
    expect(await rows.count()).toBe(3)
    await rows.last().getByText('Completed', { exact: true }).waitFor()
    expect(await rows.last().getByRole('button', { name: /^End/ }).count()).toBe(0)
    await expectAccessible(page)
    await rows.first().getByRole('link', { name: /1.image was held because of it/ }).click()
    await grid(page, 'Held images').getByText(/of another patient/).waitFor()
    expectQuiet()
    await close()
  })

  it('that nobody ended are ended by a person, with a reason; what is held stays held', async () => {
    const { page, p, close } = await go('/imaging')
    const rows = main(page).getByRole('list', { name: 'Procedures' }).getByRole('listitem')
    await page.route(/\/api\/v1\/theatres$/, (r) => r.fulfill({ json: p.world.theatres.map((t) => ({ ...t, state: 'in-case' })) }))
    await page.reload()
    await rows.first().getByText('in case').waitFor()
    await rows.first().getByRole('button', { name: /^End the procedure in/ }).click()
    const d = page.getByRole('dialog', { name: /^End the procedure in/ })
    await d.getByText(/A case is in progress in .* call the room first/).waitFor()
    await d.getByText(/was held because of it, and stays held/).waitFor()
    expect(await d.getByRole('button', { name: 'End it' }).getAttribute('aria-disabled')).toBe('true')
    await d.getByLabel('Reason').fill('The patient left the room two hours ago; the device was switched off.')
    await expectAccessible(page)
    await d.getByRole('button', { name: 'End it' }).click()
    await main(page).getByText('Ended by admin').waitFor()
    expect(p.asked.filter((a) => a.what.startsWith('POST /imaging/steps/')).map((a) => a.body)).toEqual([{ reason: 'The patient left the room two hours ago; the device was switched off.' }])
    await close()
  })

  it('stand beside an image that is held because of one, and are ended from there', async () => {
    const { page, expectQuiet, close } = await go('/imaging?tab=quarantine')
    await grid(page, 'Held images').getByText(/of another patient/).click()
    const whose = main(page).getByRole('region', { name: /^Whose case it is in/ })
    await whose.getByText(/in progress for .*, of another patient than this image’s/).waitFor()
    await expectAccessible(page)
    await whose.getByRole('button', { name: 'The procedure is over…' }).click()
    await dialog(page).getByLabel('Reason').fill('It is over.')
    await dialog(page).getByRole('button', { name: /^End it/ }).click()
    await whose.getByText(/No procedure is in progress there any more/).waitFor()
    await main(page).getByRole('button', { name: 'Agree, and release it…' }).waitFor()
    // An image that is held for something else has no such part.
    await grid(page, 'Held images').getByText(/JavaScript/).click()
    await main(page).getByRole('region', { name: 'Its header' }).waitFor()
    expect(await whose.count()).toBe(0)
    expectQuiet()
    await close()
  })

  it('are not ended by who may not decide about what is held', async () => {
    const { page, close } = await go('/imaging', { viewer: true })
    const button = main(page).getByRole('button', { name: /^End the procedure in/ }).first()
    await button.waitFor()
    expect(await button.getAttribute('aria-disabled')).toBe('true')
    await button.focus()
    await page.getByRole('tooltip').getByText(/needs the role Biomedical engineer/).waitFor()
    await close()
  })

  it('that cannot be shown leave the rest of the overview as it is', async () => {
    const { page, p, close } = await go('/imaging', { instead: (_, path) => { if (path === '/imaging/steps') throw down; return undefined } })
    const part = main(page).getByRole('region', { name: 'Procedures in progress' })
    await part.getByRole('alert').getByText('The firewall goes on as before.').waitFor({ timeout: 20_000 })
    await main(page).getByRole('heading', { name: 'The last hour' }).waitFor()
    p.instead = () => undefined
    await part.getByRole('button', { name: 'Try again' }).click()
    await part.getByText('In progress', { exact: true }).first().waitFor()
    p.instead = (_, path) => { if (path === '/imaging/steps') throw down; return undefined }
    await part.getByText(/the gateway did not give a newer one since/).waitFor({ timeout: 30_000 })
    await close()
  })
})

describe('a file in hand', () => {
  /** A DICOM file with this data set. */
  const dicom = (data: string) => `${'\0'.repeat(128)}DICM\x02\0\x10\0UI\x02\x001\0${data}`
  const file = (name: string, text: string) => ({ name, mimeType: 'application/dicom', buffer: Buffer.from(text, 'latin1') })
  const finds = (page: Page) => main(page).getByRole('region', { name: 'Files that were looked for' })

  it('leads to its image and what happened to it; nothing of it is sent', async () => {
    const { page, p, expectQuiet, close } = await go('/imaging?tab=instances')
    await grid(page, 'Studies').waitFor()
    const sent: string[] = []
    page.on('request', (r) => { if (r.postData()) sent.push(r.url()) })
    await dropFiles(page, '.im-drop', [{ name: 'WEBER_ANNA.dcm', text: dicom('image 1 3') }])
    await finds(page).getByText('WEBER_ANNA.dcm').waitFor()
    await finds(page).getByText(/is, bit by bit, CT from CT-1, .* as it came, and as it was sent to XR-PROC-3\./).waitFor()
    await main(page).getByRole('list', { name: 'What happened to it' }).waitFor()
    await grid(page, 'Images').getByText(/1\.2\.3$/).waitFor()
    await expectAccessible(page)
    expect(new URL(page.url()).searchParams.get('sha256')).toBe(sha256('image 1 3'))
    expect(page.url()).not.toContain('WEBER')
    expect(sent).toEqual([])
    expect(posted(p)).toEqual([])
    await finds(page).getByRole('button', { name: 'Close what was found' }).click()
    await finds(page).waitFor({ state: 'detached' })
    expectQuiet()
    await close()
  })

  it('may be one of many, chosen instead of dropped; each is said to be known or not', async () => {
    const { page, close } = await go('/imaging?tab=instances')
    await grid(page, 'Studies').waitFor()
    await page.getByLabel('Files to find; they are not sent').setInputFiles([file('a.dcm', dicom('image 1 3')), file('b.dcm', dicom('image 2 1')), file('changed.dcm', dicom('image 1 3!')), file('notes.txt', 'what I noted')])
    await finds(page).getByText(/2 of 4.files are images of this gateway/).waitFor()
    expect(await finds(page).getByRole('listitem').allInnerTexts()).toEqual([expect.stringMatching(/a\.dcm is, bit by bit, CT from CT-1/), expect.stringMatching(/b\.dcm is, bit by bit,/), expect.stringMatching(/changed\.dcm did not pass this gateway as it is/), expect.stringMatching(/notes\.txt did not pass.*all of it was taken for a data set/s)])
    await expectAccessible(page)
    await finds(page).getByRole('listitem').nth(1).getByRole('link').first().click()
    await main(page).getByRole('list', { name: 'What happened to it' }).waitFor()
    await finds(page).getByText('a.dcm').waitFor()
    await close()
  })

  it('of which only the ledger knows leads to what is recorded; a gateway that does not answer is said', async () => {
    const { page, p, close } = await go('/imaging?tab=instances', { instead: (_, path) => (path === '/imaging/instances' ? { instances: [] } : undefined) })
    await grid(page, 'Studies').waitFor()
    await page.getByLabel('Files to find; they are not sent').setInputFiles([file('old.dcm', dicom('image 1 3'))])
    await finds(page).getByText(/is not kept here any more; what is recorded of it is/).waitFor()
    await finds(page).getByRole('link', { name: 'What is recorded' }).click()
    await main(page).getByRole('heading', { name: /statements about this content/ }).waitFor()
    p.instead = (_, path) => { if (path === '/imaging/instances') throw down; return undefined }
    await page.getByLabel('Files to find; they are not sent').setInputFiles([file('again.dcm', dicom('image 1 3'))])
    await finds(page).getByText('The gateway did not answer within 5 s.').waitFor()
    await finds(page).getByText('See that it runs.').waitFor()
    await expectAccessible(page)
    await close()
  })

  it('is found on a narrow screen too', async () => {
    const { page, close } = await go('/imaging?tab=instances', { size: 'narrow' })
    await settled(page)
    await page.getByLabel('Files to find; they are not sent').setInputFiles([file('a.dcm', dicom('image 1 3'))])
    await main(page).getByRole('list', { name: 'What happened to it' }).waitFor()
    await finds(page).getByText('a.dcm').waitFor()
    await expectNoSidewaysScroll(page)
    await expectAccessible(page)
    await close()
  })
})
