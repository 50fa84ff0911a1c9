// SPDX-License-Identifier: Apache-2.0
// The frame around every page: where one can go, what is being looked for,
// which rooms are in case, and the truth about the system itself.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Outlet, useNavigate, useRouter } from '@tanstack/react-router'
import { Fragment, lazy, Suspense, useEffect, useRef, useState } from 'react'
import { onUnauthorised, setCsrf } from '../api/client'
import { session, status } from '../api/queries'
import { cx } from '../ui/cx'
import { loadOverlaysWhenIdle } from '../ui/overlay/load'
import { Loading } from '../ui/States'
import { serverTime, setZone } from '../ui/time'
import { returnPath } from './access'
import { BottomBar } from './BottomBar'
import { listen, useKeys } from './keys'
import { useLive } from './live'
import { places, running } from './places'
import { Rail } from './Rail'
import './shell.css'
import { useSiteThatIs } from './site'
import { StatusLine } from './StatusLine'
import { TopBar } from './TopBar'
import { useURLValue } from './urlstate'

const KeySheet = lazy(() => import('./KeySheet').then((m) => ({ default: m.KeySheet })))

export function Frame() {
  const who = useQuery(session).data
  if (!who) return <Loading what="the session" />
  setZone(who.site.timezone)
  return <Inside />
}

function Inside() {
  const live = useLive()
  const now = useQuery(status)
  const search = useRef<HTMLInputElement>(null)
  const main = useRef<HTMLElement>(null)
  const [sheet, setSheet] = useState(false)
  const [asked, setAsked] = useState(false)
  if (sheet && !asked) setAsked(true)
  const [wall, setWall] = useURLValue('wall')
  const navigate = useNavigate()
  useReturnToLogin()
  useEffect(listen, [])
  useEffect(loadOverlaysWhenIdle, [])
  useEffect(() => {
    if (now.data) serverTime(now.data.time)
  }, [now.data])
  useFocusOnPage(main)
  const site = useSiteThatIs(now.data?.sites)
  // Another site is another page: what was chosen, loaded or selected on it is of the one before.
  const page = (
    <Fragment key={site}>
      <Outlet />
    </Fragment>
  )

  useKeys('Everywhere', [
    { keys: '/', does: 'Search devices, rooms, findings and events', run: () => search.current?.focus() },
    { keys: 'mod+k', does: 'Search', run: () => search.current?.focus(), inFields: true, hidden: true },
    { keys: '?', does: 'Show the keys of this page', run: () => setSheet(true) },
    ...places.filter((p) => running(p, now.data?.runs)).map((p) => ({ keys: `g ${p.key}`, does: `Go to ${p.name}`, run: () => void navigate({ to: p.to }) })),
  ])
  useKeys('Wall mode', [{ keys: 'escape', does: 'Leave wall mode', run: () => setWall('') }], wall === '1')

  if (wall === '1') {
    return (
      <div className="shell shell-wall">
        <main className="shell-main" id="main" ref={main} tabIndex={-1}>
          {page}
        </main>
        <StatusLine status={now} live={live} wall />
      </div>
    )
  }
  return (
    <div className={cx('shell')}>
      <a className="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to the page
      </a>
      <TopBar search={search} inCase={now.data?.theatres_in_case ?? []} onKeys={() => setSheet(true)} />
      <StatusLine status={now} live={live} />
      <Rail />
      <main className="shell-main" id="main" ref={main} tabIndex={-1}>
        {page}
      </main>
      <BottomBar />
      {asked && (
        <Suspense>
          <KeySheet open={sheet} onOpenChange={setSheet} />
        </Suspense>
      )}
    </div>
  )
}

/** When the session ends in the middle of work: to the login, and back to this very view afterwards. */
function useReturnToLogin(): void {
  const client = useQueryClient()
  const router = useRouter()
  useEffect(
    () =>
      onUnauthorised(() => {
        if (client.getQueryData(session.queryKey) === null) return
        setCsrf('')
        client.setQueryData(session.queryKey, null)
        void router.navigate({ to: '/login', search: { ...returnPath(router.latestLocation.href), ended: '1' }, replace: true })
      }),
    [client, router],
  )
}

/** A new page is announced by its title and starts the tab order at its beginning. */
function useFocusOnPage(main: React.RefObject<HTMLElement | null>): void {
  const router = useRouter()
  useEffect(() => {
    let last = router.latestLocation.pathname
    return router.subscribe('onResolved', (e) => {
      const path = e.toLocation.pathname
      if (path === last) return
      last = path
      const f = document.activeElement
      // A page that took the focus itself keeps it.
      if (!f || f === document.body || !main.current?.contains(f)) main.current?.focus({ preventScroll: true })
    })
  }, [router, main])
}
