// SPDX-License-Identifier: Apache-2.0
// Each page while it waits, when the server fails, and when there is nothing
// yet: it says so in words, keeps its place, and passes axe in each.
import type { Page, Route } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectAccessible, open, settled, useBrowser } from './harness'
import { until } from './until'

useBrowser()

interface State {
  name: string
  path: string | (() => string)
  /** The request whose answer the page is about. */
  asks: RegExp
  /** What cannot be shown when it fails. */
  lost: RegExp
  /** Its answer when there is nothing, and what the page teaches then. */
  empty?: { answer: unknown; says: RegExp }
}

const ids = { theatre: '', device: '' }
const at = '2026-01-01T08:00:00Z'
const states: State[] = [
  { name: 'Theatres', path: '/theatres', asks: /\/api\/v1\/board$/, lost: /state of the theatres is not known/, empty: { answer: { time: at, theatres: [], unassigned_devices: 0 }, says: /No theatre is set up yet/ } },
  { name: 'a theatre', path: () => `/theatres/${ids.theatre}`, asks: /\/api\/v1\/theatres\/[^/]+\/room$/, lost: /state of this theatre is not known/ },
  { name: 'Devices', path: '/devices', asks: /\/api\/v1\/devices$/, lost: /devices cannot be shown/, empty: { answer: { revision: 1, total: 0, devices: [], next: null }, says: /No device has been seen yet/ } },
  { name: 'a device', path: () => `/devices/${ids.device}`, asks: /\/api\/v1\/devices\/[^/]+$/, lost: /This device cannot be shown/ },
  { name: 'Map', path: '/map', asks: /\/api\/v1\/map\?/, lost: /map cannot be shown/, empty: { answer: { from: at, to: at, kept: { from: at, to: at }, nodes: [], edges: [], more: false }, says: /Nobody talked in this time/ } },
  { name: 'Events', path: '/events?from=-1h', asks: /\/api\/v1\/events\?/, lost: /events cannot be shown/, empty: { answer: { events: [], next: null, complete: true, reached: at, took_ms: 1 }, says: /Nothing happened in this time/ } },
  { name: 'Findings', path: '/findings', asks: /\/api\/v1\/findings\?limit=10000$/, lost: /findings cannot be shown/, empty: { answer: { findings: [], total: 0, next: null, revision: 1, counts: { open: 0, acknowledged: 0, closed: 0, suppressed: 0, snoozed: 0, mine: 0, critical: 0, high: 0 }, facets: [], groups: [] }, says: /Nothing is wrong\.|Nothing was found, but not all is seen/ } },
  { name: 'Rules', path: '/rules', asks: /\/api\/v1\/rules$/, lost: /rules cannot be shown/, empty: { answer: { rules: [], families: [], engines: [] }, says: /There is no rule/ } },
  { name: 'a rule', path: '/rules/dicom.query-sweep', asks: /\/api\/v1\/rules\/dicom/, lost: /This rule cannot be shown/ },
  { name: 'Suppressions', path: '/rules?tab=suppressions', asks: /\/api\/v1\/suppressions\?/, lost: /suppressions cannot be listed/, empty: { answer: { suppressions: [] }, says: /Nothing is hidden/ } },
  { name: 'Maintenance', path: '/rules?tab=maintenance', asks: /\/api\/v1\/maintenance$/, lost: /maintenance windows cannot be listed/, empty: { answer: { windows: [] }, says: /No maintenance is planned/ } },
  { name: 'Baselines', path: '/rules?tab=baselines', asks: /\/api\/v1\/baselines\?/, lost: /What was learned cannot be shown/, empty: { answer: { baselines: [], more: false }, says: /Nothing has been learned yet/ } },
  { name: 'Alert budget', path: '/rules?tab=budget', asks: /\/api\/v1\/alert-budget\/status$/, lost: /alert budget cannot be shown/ },
  { name: 'Advisories', path: '/advisories', asks: /\/api\/v1\/advisories\?/, lost: /advisories cannot be shown/ },
  { name: 'Sensor', path: '/sensor', asks: /\/api\/v1\/sensors$/, lost: /not known what the sensors see/, empty: { answer: { sentence: 'No sensor has reported.', sensors: [] }, says: /No sensor has reported yet/ } },
  { name: 'Imaging', path: '/imaging', asks: /\/api\/v1\/imaging\/gateways$/, lost: /gateway cannot be shown/, empty: { answer: { gateways: [] }, says: /No DICOM gateway runs here/ } },
  { name: 'Imaging: overview', path: '/imaging', asks: /\/api\/v1\/imaging\/overview/, lost: /cannot be shown/ },
  { name: 'Imaging: procedures', path: '/imaging', asks: /\/api\/v1\/imaging\/steps/, lost: /procedures are in progress cannot be shown/, empty: { answer: { steps: [] }, says: /No device says that one is in progress/ } },
  { name: 'Imaging: associations', path: '/imaging?tab=associations', asks: /\/api\/v1\/imaging\/associations/, lost: /associations cannot be listed/, empty: { answer: { associations: [] }, says: /Nobody has talked to the gateway yet/ } },
  { name: 'Imaging: destinations', path: '/imaging?tab=destinations', asks: /\/api\/v1\/imaging\/destinations/, lost: /destinations cannot be listed/, empty: { answer: { destinations: [] }, says: /No destination is set/ } },
  { name: 'Imaging: quarantine', path: '/imaging?tab=quarantine', asks: /\/api\/v1\/imaging\/quarantine/, lost: /quarantine cannot be listed/, empty: { answer: { held: [] }, says: /Nothing is held/ } },
  { name: 'Imaging: studies', path: '/imaging?tab=instances', asks: /\/api\/v1\/imaging\/studies/, lost: /studies cannot be listed/, empty: { answer: { studies: [] }, says: /No image has come yet/ } },
  { name: 'Imaging: policy', path: '/imaging?tab=policy', asks: /\/api\/v1\/imaging\/policy/, lost: /policy cannot be shown/ },
  { name: 'Imaging: bindings', path: '/imaging?tab=bindings', asks: /\/api\/v1\/imaging\/bindings/, lost: /bindings cannot be listed/, empty: { answer: { bindings: [], revision: 'r1' }, says: /No device is bound/ } },
  { name: 'Settings: theatres', path: '/settings/theatres', asks: /\/api\/v1\/theatres$/, lost: /theatres cannot be listed/, empty: { answer: [], says: /No theatre is set up yet/ } },
  { name: 'Settings: site', path: '/settings/site', asks: /\/api\/v1\/settings$/, lost: /settings cannot be shown/ },
  { name: 'Settings: storage', path: '/settings/storage', asks: /\/api\/v1\/storage$/, lost: /storage cannot be measured/ },
  { name: 'Settings: users', path: '/settings/users', asks: /\/api\/v1\/users$/, lost: /users cannot be listed/ },
  { name: 'Settings: account', path: '/settings/account', asks: /\/api\/v1\/sessions$/, lost: /sessions cannot be listed/ },
  { name: 'Settings: tokens', path: '/settings/tokens', asks: /\/api\/v1\/tokens$/, lost: /tokens cannot be listed/, empty: { answer: [], says: /There is no token/ } },
  { name: 'Settings: audit trail', path: '/settings/audit', asks: /\/api\/v1\/audit\?/, lost: /audit trail cannot be read/, empty: { answer: { entries: [], next: null }, says: /Nothing has been recorded yet/ } },
]

beforeAll(async () => {
  const { page, close } = await open('/theatres')
  await settled(page)
  const first = () => page.evaluate(async () => ((await (await fetch('/api/v1/devices')).json()) as { devices: { id: string }[] }).devices[0]?.id ?? '')
  await until(async () => (await first()) !== '')
  ids.device = await first()
  ids.theatre = await page.evaluate(async () => ((await (await fetch('/api/v1/theatres')).json()) as { id: string }[])[0]?.id ?? '')
  await close()
})

const problem = (r: Route) => r.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: 'Internal error', status: 500, detail: 'The store did not answer.', hint: 'Look at its log.' }) })
const get = (page: Page, url: RegExp, answer: (r: Route) => Promise<void>) => page.route(url, (r) => (r.request().method() === 'GET' ? answer(r) : r.continue()))

for (const s of states) {
  describe(s.name, () => {
    const path = () => (typeof s.path === 'string' ? s.path : s.path())

    it('holds its place while it waits, says what failed and what to do, and shows it when asked again', async () => {
      const { page, close } = await open('about:blank', { reducedMotion: true })
      let release = () => {}
      const held = new Promise<void>((f) => (release = f))
      let fails = true
      await get(page, s.asks, async (r) => {
        await held
        if (fails) await problem(r)
        else await r.continue()
      })
      await page.goto(path())
      await page.locator('#main [aria-busy="true"]').first().waitFor()
      expect(await page.locator('#main .skel, #main .grid-skeleton').count()).toBeGreaterThan(0)
      await expectAccessible(page)

      release()
      const alert = page.locator('#main').getByRole('alert').filter({ hasText: s.lost })
      await alert.waitFor({ timeout: 20_000 })
      expect(await alert.innerText()).toContain('The store did not answer.')
      expect(await alert.innerText()).toContain('Look at its log.')
      await expectAccessible(page)

      fails = false
      // What the page asks for by itself at times may be quicker than the hand.
      const gone = alert.waitFor({ state: 'detached' })
      await Promise.race([gone, alert.getByRole('button', { name: 'Try again' }).click().catch(() => gone)])
      await gone
      await settled(page)
      await close()
    })

    it.runIf(s.empty)('teaches what would be here when there is nothing', async () => {
      const { page, expectQuiet, close } = await open('about:blank', { reducedMotion: true })
      await get(page, s.asks, (r) => r.fulfill({ json: s.empty?.answer }))
      await page.goto(path())
      await page.locator('#main').getByText(s.empty?.says ?? '').waitFor()
      await expectAccessible(page)
      expectQuiet()
      await close()
    })
  })
}
