// SPDX-License-Identifier: Apache-2.0
// The production build with 10,000 devices, a map of 2,000 and a million
// events, from the real store. It asserts what must hold on any machine, and
// prints what each action took on this one: from the input to the frame in
// which its result is drawn.
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, describe, expect, it } from 'vitest'
import { open, settled, useBrowser } from '../harness'

useBrowser()

const took: [action: string, ms: number[]][] = []
/** How many processes wanted to run in the last minute: what was measured beside other work says so. */
const load = () => {
  try {
    return readFileSync('/proc/loadavg', 'utf8').split(' ')[0] ?? '?'
  } catch {
    return '?'
  }
}
const before = load()
afterAll(() => {
  const rows = took.map(([action, all]) => {
    const ms = [...all].sort((a, b) => a - b)
    return `${action.padEnd(52)} ${String(Math.round(ms[ms.length >> 1] ?? 0)).padStart(6)} ${String(Math.round(ms.at(-1) ?? 0)).padStart(6)}`
  })
  console.log([`load ${before} before, ${load()} after`, `${''.padEnd(52)} ${'median'.padStart(6)} ${'worst'.padStart(6)}  ms`, ...rows].join('\n'))
})

/** Runs an input, waits in the page until `drawn` holds at the end of a frame, and keeps the time between. */
async function measure(page: Page, action: string, input: () => Promise<unknown>, drawn: string): Promise<void> {
  // Text, not a function: the policy lets the debugger evaluate, but nothing in the page.
  const wait = page.evaluate<number>(`new Promise((done) => {
    let began = 0
    const start = (e) => (began ||= e.timeStamp)
    for (const t of ['keydown', 'pointerdown', 'wheel']) window.addEventListener(t, start, { capture: true, once: true })
    const frame = () => (began && (${drawn}) ? done(performance.now() - began) : requestAnimationFrame(frame))
    requestAnimationFrame(frame)
    window.armed = true
  })`)
  await page.waitForFunction(() => (window as unknown as { armed?: boolean }).armed)
  await input()
  const ms = await wait
  await page.evaluate(() => delete (window as unknown as { armed?: boolean }).armed)
  const row = took.find(([a]) => a === action)
  if (row) row[1].push(ms)
  else took.push([action, [ms]])
}

/** From the start of the navigation until the condition holds. */
async function opening(page: Page, action: string, path: string, drawn: string): Promise<void> {
  await page.goto(path)
  const ms = await page.evaluate<number>(`new Promise((done) => {
    const frame = () => ((${drawn}) ? done(performance.now()) : requestAnimationFrame(frame))
    frame()
  })`)
  took.push([action, [ms]])
}

const rows = (label: string) => `document.querySelectorAll('[aria-label="${label}"] .grid-body [role="row"]').length`
const text = (selector: string) => `(document.querySelector(${JSON.stringify(selector)})?.textContent ?? '')`

describe('10,000 devices', () => {
  it('are opened, scrolled, sorted, filtered and searched, and only what is seen is drawn', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    await opening(page, 'devices: the page, from the address', '/devices?sort=name', `${rows('Devices')} > 5`)
    expect((await page.locator('.grid-bar .grid-count').innerText()).replace(/\D/g, '')).toBe('10000')
    const grid = page.locator('[role="grid"]')
    const drawn = () => page.locator('[aria-label="Devices"] .grid-body [role="row"]').count()
    for (let i = 0; i < 5; i++) {
      await grid.focus()
      await measure(page, 'devices: to the last row', () => page.keyboard.press('End'), `!!document.querySelector('[aria-rowindex="10001"]')`)
      expect(await drawn()).toBeLessThan(120)
      await measure(page, 'devices: back to the first', () => page.keyboard.press('Home'), `!!document.querySelector('.grid-body [aria-rowindex="2"]')`)
    }
    for (let i = 0; i < 20; i++) {
      const at = await grid.getAttribute('aria-activedescendant')
      await measure(page, 'devices: a page further', () => page.keyboard.press('PageDown'), `document.querySelector('[role="grid"]').getAttribute('aria-activedescendant') !== ${JSON.stringify(at)}`)
    }
    await grid.focus()
    await page.keyboard.press('Home')
    for (let i = 0; i < 6; i++) {
      const sorted = await page.getByRole('columnheader', { name: /^Name/ }).getAttribute('aria-sort')
      await measure(page, 'devices: sort by name', () => page.getByRole('columnheader', { name: /^Name/ }).click(), `![...document.querySelectorAll('[role="columnheader"]')].some((h) => h.textContent.startsWith('Name') && h.getAttribute('aria-sort') === ${JSON.stringify(sorted)})`)
    }
    for (const c of 'ct-88') {
      const before = await page.locator('.grid-bar .grid-count').innerText()
      if (c === 'c') await page.keyboard.press('f')
      await measure(page, 'devices: one more letter in the filter', () => page.keyboard.type(c), `new URLSearchParams(location.search).get('q')?.endsWith(${JSON.stringify(c)}) && ${text('.grid-bar .grid-count')} !== ${JSON.stringify(c === '-' ? '' : before)}`)
    }
    expect(await page.locator('.grid-bar .grid-count').innerText()).toMatch(/^\d+ of 10,000/)
    await page.keyboard.press('Escape')
    expectQuiet()
    await close()
  })

  it('scroll without a frame that keeps the hand waiting', async () => {
    const { page, close } = await open('/devices')
    await settled(page)
    const box = await page.locator('[role="grid"]').boundingBox()
    if (!box) throw new Error('no grid')
    await page.mouse.move(box.x + 300, box.y + 300)
    await page.evaluate(() => {
      const w = window as unknown as { frames: number[] }
      w.frames = []
      let last = performance.now()
      const frame = (now: number) => {
        w.frames.push(now - last)
        last = now
        requestAnimationFrame(frame)
      }
      requestAnimationFrame(frame)
    })
    for (let i = 0; i < 60; i++) await page.mouse.wheel(0, 1200)
    await page.waitForFunction(() => (document.querySelector('.grid')?.scrollTop ?? 0) > 60_000)
    took.push(['devices: a frame while the wheel turns', await page.evaluate(() => (window as unknown as { frames: number[] }).frames.slice(2))])
    expect(await page.locator('[aria-label="Devices"] .grid-body [role="row"]').count()).toBeLessThan(120)
    await close()
  })
})

describe('the map of a large site', () => {
  it('is opened folded, unfolds a class, and draws everything when told to', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    await opening(page, 'map: the page, from the address', '/map?from=-24h', `document.querySelectorAll('.map-row').length > 3`)
    await measure(page, 'map: unfold a class', () => page.locator('.map-unfold').first().click(), `document.querySelectorAll('.map-row').length > 40`)
    // More conversations than the page asks for, between every one of 10,000 devices.
    const at = new Date().toISOString()
    const classes = ['ct', 'infusion-pump', 'patient-monitor', 'workstation', 'server']
    const nodes = Array.from({ length: 10_000 }, (_, i) => ({
      id: `dev-m${i}`, name: `DEVICE-${i}`, class: classes[i % 5], class_name: classes[i % 5], theatre: '', zone: ['imaging', 'theatre', 'office', 'data-centre', 'wards', ''][i % 6], medical: true, worst: 'info', outside: false,
    }))
    const edges = Array.from({ length: 20_000 }, (_, i) => ({
      from: `dev-m${(i * 7) % 10_000}`, to: `dev-m${(i * 13 + 1) % 10_000}`, protocol: ['dicom', 'hl7', 'tls'][i % 3], transport: 'tcp', port: 104, flows: 1, failed: 0, bytes_out: i * 1000, bytes_in: 10,
      first: at, last: at, new: i % 50 === 0, in_policy: i % 40 === 0 ? false : null,
    }))
    const body = JSON.stringify({ from: at, to: at, kept: { from: at, to: at }, nodes, edges, more: false })
    await page.route(/\/api\/v1\/map\?/, (r) => r.fulfill({ contentType: 'application/json', body }))
    await opening(page, 'map: all of 10,000 devices, 20,000 conversations', '/map?all=1', `document.querySelectorAll('.map-row').length > 100`)
    expect(await page.locator('.map-row').count()).toBeLessThan(700)
    await page.locator('.map-scroll').hover()
    for (let i = 0; i < 5; i++) {
      const top = await page.locator('.map-scroll').evaluate((e) => e.scrollTop)
      await measure(page, 'map: 3,000 pixels further', () => page.mouse.wheel(0, 3000), `document.querySelector('.map-scroll').scrollTop > ${top + 2900} && [...document.querySelectorAll('.map-row')].filter((e) => e.getBoundingClientRect().top > 250 && e.getBoundingClientRect().top < 750).length > 40`)
    }
    const name = page.locator('.map-row .map-name').nth(60)
    await measure(page, 'map: pin a device', () => name.click(), `document.querySelectorAll('.map-pinned').length === 1`)
    await measure(page, 'map: to the matrix', () => page.getByRole('radio', { name: 'Matrix' }).click(), `!!document.querySelector('[aria-label="Who talks to whom"]')`)
    expectQuiet()
    await close()
  })
})

describe('a million events', () => {
  it('are opened, searched, narrowed and read to the end of a page', async () => {
    const { page, expectQuiet, close } = await open('/theatres')
    await settled(page)
    await opening(page, 'events: a day, list and histogram', '/events?from=-24h', `${rows('Events')} > 5 && /[0-9]/.test(${text('.ev-total strong')})`)
    await opening(page, 'events: the whole week', '/events?from=-7d', `${rows('Events')} > 5 && /[0-9]/.test(${text('.ev-total strong')})`)
    await settled(page)
    await page.locator('[role="treegrid"]').focus()
    await measure(page, 'events: to the last one loaded', () => page.keyboard.press('End'), `document.querySelector('.grid').scrollTop > 1000`)
    await measure(page, 'events: back to the newest', () => page.keyboard.press('Home'), `!!document.querySelector('.grid-body [aria-rowindex="2"]')`)
    await measure(page, 'events: open one', () => page.keyboard.press('Enter'), `document.querySelectorAll('.ev-groups dt').length > 3`)
    await measure(page, 'events: only one protocol', () => page.getByRole('complementary', { name: 'Fields' }).getByRole('button', { name: /^dicom / }).click(), `location.search.includes('is=protocol:dicom') && !document.querySelector('[aria-busy="true"]') && ${rows('Events')} > 5`)
    expect(await page.locator('[aria-label="Events"] .grid-body [role="row"]').count()).toBeLessThan(120)
    expectQuiet()
    await close()
  })
})
