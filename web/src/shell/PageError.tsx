// SPDX-License-Identifier: Apache-2.0
// A page that failed takes down itself only.
import { Link, useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { Unreachable } from '../api/client'
import { Button } from '../ui/Button'
import { Empty, ErrorState } from '../ui/States'

/** A chunk that is gone means that the server was updated under an open page. */
function outdated(e: unknown): boolean {
  return e instanceof TypeError && /dynamically imported module|module script|Importing a module/i.test(e.message)
}
const reloaded = 'asepsis.reloaded'

export function PageError({ error, reset }: { error: unknown; reset?: () => void }) {
  const router = useRouter()
  const old = outdated(error)
  useEffect(() => {
    if (!old) return
    // Once: if the chunk is still not there, say so instead of turning in circles.
    const last = Number(sessionStorage.getItem(reloaded) ?? 0)
    if (Date.now() - last < 30_000) return
    sessionStorage.setItem(reloaded, String(Date.now()))
    location.reload()
  }, [old])
  return (
    <main className="page">
      <ErrorState
        error={old ? new Unreachable() : error}
        lost={old ? 'This page could not be loaded.' : 'This page cannot be shown.'}
        kept="Nothing that was recorded is lost; the other pages work."
        retry={() => {
          reset?.()
          void router.invalidate()
        }}
      />
    </main>
  )
}

export function NotFound() {
  return (
    <main className="page">
      <Empty
        icon="help"
        title="There is no page at this address."
        action={
          <Button>
            <Link to="/theatres">Go to the theatres</Link>
          </Button>
        }
      >
        <p>The link may be from a newer version, or a character was lost on the way.</p>
      </Empty>
    </main>
  )
}
