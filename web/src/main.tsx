// SPDX-License-Identifier: Apache-2.0
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { lazy, StrictMode, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { board, client, session } from './api/queries'
import { readSite } from './api/site'
import { router } from './shell/routes'
import './ui/tokens.css'
import './ui/base.css'
import './ui/table.css'

// Nothing is said before the page stands.
const Toaster = lazy(() => import('./ui/Toast').then((m) => ({ default: m.Toaster })))

readSite()
// Asked for before anything is drawn: the route needs the session first of all,
// and most people come for the board.
if (location.pathname !== '/setup') void client.prefetchQuery(session)
if (/^\/(theatres)?$/.test(location.pathname)) void client.prefetchQuery(board)

const root = document.getElementById('app')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
        <Suspense>
          <Toaster />
        </Suspense>
      </QueryClientProvider>
    </StrictMode>,
  )
}
