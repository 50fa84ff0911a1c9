// SPDX-License-Identifier: Apache-2.0
// Each page in both themes and both sizes: it draws, complains about nothing,
// passes axe, and does not scroll sideways. With SCREENSHOTS=1 it is kept in
// docs/screenshots instead.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, it } from 'vitest'
import { STUDY } from '../dev/fixtures/gateway'
import { expectAccessible, expectNoSidewaysScroll, open, settled, useBrowser, type Size, type Theme } from './harness'
import { imaged } from './imaged'

const shots = process.env.SCREENSHOTS ? fileURLToPath(new URL('../../docs/screenshots/', import.meta.url)) : ''

interface Screen {
  name: string
  path: string | ((ids: Ids) => string)
  anonymous?: boolean
  /** Before an invented gateway; what of it is tested, imaging.spec tests. */
  imaged?: boolean
  /** Scrolls sideways by design, inside its own region. */
  sideways?: boolean
}
interface Ids {
  theatre: string
  device: string
  finding: string
  advisory: string
}
const screens: Screen[] = [
  { name: 'login', path: '/login', anonymous: true },
  { name: 'theatres', path: '/theatres' },
  { name: 'wall', path: '/theatres?wall=1' },
  { name: 'theatre', path: (i) => `/theatres/${i.theatre}` },
  { name: 'devices', path: '/devices', sideways: true },
  { name: 'device', path: (i) => `/devices/${i.device}` },
  { name: 'map', path: '/map', sideways: true },
  { name: 'events', path: '/events?from=-24h', sideways: true },
  { name: 'findings', path: (i) => `/findings?open=${i.finding}`, sideways: true },
  { name: 'rules', path: '/rules', sideways: true },
  { name: 'rule', path: '/rules/dicom.query-sweep' },
  { name: 'rules-baselines', path: '/rules?tab=baselines' },
  { name: 'rules-budget', path: '/rules?tab=budget' },
  { name: 'rule-new', path: '/rules/new' },
  { name: 'advisories', path: '/advisories', sideways: true },
  { name: 'advisories-by-device', path: '/advisories?by=device', sideways: true },
  { name: 'advisory', path: (i) => `/advisories/${i.advisory}` },
  { name: 'sensor', path: '/sensor' },
  { name: 'imaging', path: '/imaging', imaged: true },
  { name: 'imaging-associations', path: '/imaging?tab=associations&open=as-bad-2', imaged: true },
  { name: 'imaging-destinations', path: '/imaging?tab=destinations', imaged: true },
  { name: 'imaging-quarantine', path: '/imaging?tab=quarantine&open=72', imaged: true },
  { name: 'imaging-study', path: `/imaging?tab=instances&study=${STUDY}`, imaged: true },
  { name: 'imaging-policy', path: '/imaging?tab=policy', imaged: true },
  { name: 'imaging-bindings', path: '/imaging?tab=bindings', imaged: true },
  { name: 'ledger', path: '/ledger', sideways: true },
  { name: 'identity', path: '/identity', sideways: true },
  { name: 'verify', path: '/verify' },
  { name: 'settings-theatres', path: '/settings/theatres' },
  { name: 'settings-site', path: '/settings/site' },
  { name: 'settings-storage', path: '/settings/storage' },
  { name: 'settings-users', path: '/settings/users' },
  { name: 'settings-account', path: '/settings/account' },
  { name: 'settings-tokens', path: '/settings/tokens' },
  { name: 'settings-audit', path: '/settings/audit' },
]
const only = process.env.SCREENS?.split(',')

useBrowser()
const ids: Ids = { theatre: '', device: '', finding: '', advisory: '' }
beforeAll(async () => {
  if (shots) mkdirSync(shots, { recursive: true })
  const { page, close } = await open('/theatres')
  await settled(page)
  // The demo replays a day: wait for its first image devices before looking.
  const found = await page.evaluate(async () => {
    interface Row {
      id: string
      theatre: string
      medical: boolean
      speaks: string[]
    }
    for (let i = 0; i < 120; i++) {
      const { devices } = (await (await fetch('/api/v1/devices')).json()) as { devices: Row[] }
      const d = devices.find((x) => x.speaks.includes('dicom') && x.theatre !== '')
      const { findings } = (await (await fetch('/api/v1/findings?limit=1')).json()) as { findings: { id: string }[] }
      const { advisories } = (await (await fetch('/api/v1/advisories?limit=1')).json()) as { advisories: { id: string }[] }
      if (d && findings[0] && advisories[0]) return { device: d.id, theatre: d.theatre, finding: findings[0].id, advisory: advisories[0].id }
      await new Promise((f) => setTimeout(f, 500))
    }
    return null
  })
  await close()
  if (!found) throw new Error('the demo shows no imaging device in a theatre and no finding within a minute')
  Object.assign(ids, found)
}, 90_000)

for (const size of ['wide', 'narrow'] as Size[]) {
  describe(`${size}, light and dark`, () => {
    for (const s of screens.filter((x) => (!only || only.includes(x.name)) && (!x.imaged || shots !== ''))) {
      it(`${s.name} draws, passes axe and complains about nothing`, async () => {
        const path = typeof s.path === 'string' ? s.path : s.path(ids)
        const { page, expectQuiet, close } = await open(s.imaged ? 'about:blank' : path, { size, anonymous: s.anonymous, reducedMotion: true })
        if (s.imaged) {
          await imaged(page)
          await page.goto(path)
        }
        await settled(page)
        for (const theme of ['light', 'dark'] as Theme[]) {
          await page.emulateMedia({ colorScheme: theme })
          await page.waitForFunction((t) => matchMedia(`(prefers-color-scheme: ${t})`).matches, theme)
          if (shots) await page.screenshot({ path: `${shots}${s.name}-${theme}${size === 'narrow' ? '-narrow' : ''}.png`, animations: 'disabled' })
          else await expectAccessible(page)
        }
        if (!shots && size === 'narrow' && !s.sideways) await expectNoSidewaysScroll(page)
        if (!s.anonymous) expectQuiet()
        await close()
      })
    }
  })
}
