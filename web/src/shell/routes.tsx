// SPDX-License-Identifier: Apache-2.0
// The tree of routes. Each page is its own chunk; its parameters are plain
// query strings (see urlstate.ts), so that a link is readable and restores the
// view exactly.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type RouteComponent } from '@tanstack/react-router'
import { client, session } from '../api/queries'
import { returnPath } from './access'
import { Frame } from './Frame'
import { NotFound, PageError } from './PageError'
import { PageSkeleton } from './PageSkeleton'
import { parseSearch, stringifySearch } from './urlstate'

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: PageError })

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  component: lazyRouteComponent(() => import('../pages/login/Login'), 'Login'),
})
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('../pages/setup/Setup'), 'Setup'),
})

/** Everything behind the login. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  beforeLoad: async ({ location }) => {
    const s = await client.ensureQueryData(session)
    if (!s) throw redirect({ to: '/login', search: returnPath(location.href) })
  },
  component: Frame,
  errorComponent: PageError,
})

function page<P extends string>(path: P, component: RouteComponent) {
  return createRoute({ getParentRoute: () => inside, path, component, errorComponent: PageError, pendingComponent: PageSkeleton })
}

const home = createRoute({
  getParentRoute: () => inside,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/theatres', replace: true })
  },
})
const settingsHome = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  beforeLoad: () => {
    throw redirect({ to: '/settings/$section', params: { section: 'theatres' }, replace: true })
  },
})

const tree = root.addChildren([
  login,
  setup,
  inside.addChildren([
    home,
    page('/theatres', lazyRouteComponent(() => import('../pages/theatres/Board'), 'Board')),
    page('/theatres/$id', lazyRouteComponent(() => import('../pages/theatres/RoomPage'), 'RoomPage')),
    page('/devices', lazyRouteComponent(() => import('../pages/devices/DevicesPage'), 'DevicesPage')),
    page('/devices/$id', lazyRouteComponent(() => import('../pages/devices/DevicePage'), 'DevicePage')),
    page('/map', lazyRouteComponent(() => import('../pages/map/MapPage'), 'MapPage')),
    page('/events', lazyRouteComponent(() => import('../pages/events/EventsPage'), 'EventsPage')),
    page('/findings', lazyRouteComponent(() => import('../pages/findings/FindingsPage'), 'FindingsPage')),
    page('/rules', lazyRouteComponent(() => import('../pages/rules/RulesPage'), 'RulesPage')),
    page('/rules/$id', lazyRouteComponent(() => import('../pages/rules/RulePage'), 'RulePage')),
    page('/advisories', lazyRouteComponent(() => import('../pages/advisories/AdvisoriesPage'), 'AdvisoriesPage')),
    page('/advisories/$id', lazyRouteComponent(() => import('../pages/advisories/AdvisoryPage'), 'AdvisoryPage')),
    page('/sensor', lazyRouteComponent(() => import('../pages/sensor/SensorPage'), 'SensorPage')),
    page('/imaging', lazyRouteComponent(() => import('../pages/imaging/ImagingPage'), 'ImagingPage')),
    page('/ledger', lazyRouteComponent(() => import('../pages/ledger/LedgerPage'), 'LedgerPage')),
    page('/identity', lazyRouteComponent(() => import('../pages/identity/IdentityPage'), 'IdentityPage')),
    page('/verify', lazyRouteComponent(() => import('../pages/verify/VerifyPage'), 'VerifyPage')),
    settingsHome,
    page('/settings/$section', lazyRouteComponent(() => import('../pages/settings/SettingsPage'), 'SettingsPage')),
  ]),
])

export const router = createRouter({
  routeTree: tree,
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  defaultPendingMs: 200,
  defaultPendingMinMs: 0,
  scrollRestoration: true,
  scrollToTopSelectors: ['#main'],
  notFoundMode: 'root',
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
