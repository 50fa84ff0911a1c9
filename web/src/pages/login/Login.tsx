// SPDX-License-Identifier: Apache-2.0
// The way in: a name and a password, or the hospital's own login.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useLocation, useRouter } from '@tanstack/react-router'
import { useEffect, useState, type FormEvent } from 'react'
import { api, apiURL, ApiError, setCsrf } from '@/api/client'
import { authInfo, session } from '@/api/queries'
import type { Session } from '@/api/types'
import { safeReturn } from '@/shell/access'
import { Button, ErrorNote, ErrorState, Field, Notice, time } from '@/ui'
import { Door } from './Door'

export function Login() {
  const router = useRouter()
  const client = useQueryClient()
  const params = new URLSearchParams(useLocation({ select: (l) => l.searchStr }))
  // Kept from the first: while it is being returned to, the address is no longer that of the login.
  const [back] = useState(() => safeReturn(params.get('return')))
  const auth = useQuery(authInfo)
  const who = useQuery(session)
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(refused(params))
  const wait = useCountdown(error)
  useEffect(() => {
    document.title = 'Log in · Asepsis'
  }, [])

  const inside = Boolean(who.data)
  useEffect(() => {
    if (inside) void router.navigate({ href: back, replace: true })
  }, [inside, back, router])

  if (auth.data?.setup_needed) return <NeedsSetup site={auth.data.site} />

  const submit = async (e: FormEvent) => {
    e.preventDefault()
    if (busy || wait > 0) return
    setBusy(true)
    setError(undefined)
    try {
      const s = await api.post<Session>('/session', { name, password }, { anonymous: true })
      setCsrf(s.csrf)
      // What somebody else has seen in this tab is forgotten; the session's own watchers stay.
      client.removeQueries({ predicate: (q) => q.queryKey[0] !== session.queryKey[0] && q.queryKey[0] !== authInfo.queryKey[0] })
      client.setQueryData(session.queryKey, s)
    } catch (x) {
      setPassword('')
      setError(x)
      setBusy(false)
      document.getElementById('password')?.focus()
    }
  }

  return (
    <Door site={auth.data?.site} version={auth.data?.version}>
      <h1>Log in</h1>
      {params.get('ended') === '1' && !error && <Notice>Your session has ended. Log in to go back to where you were.</Notice>}
      {auth.data?.demo && <Notice>This is a demo: a recorded theatre day, replayed. Nothing here is real.</Notice>}
      {auth.isError ? (
        <ErrorState error={auth.error} lost="Logging in is not possible now." kept="Recording does not depend on it." retry={() => void auth.refetch()} />
      ) : (
        <>
          {(auth.data?.password ?? true) && (
            <form className="door-form" onSubmit={(e) => void submit(e)} noValidate>
              <Field label="Name" name="username" autoComplete="username" autoCapitalize="none" autoFocus required value={name} onChange={(e) => setName(e.target.value)} />
              <Field id="password" label="Password" name="password" type="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
              {error !== undefined && <ErrorNote error={error} />}
              <Button type="submit" kind="primary" busy={busy} disabled={wait > 0}>
                {wait > 0 ? `Wait ${time.span(wait * 1000)}` : 'Log in'}
              </Button>
            </form>
          )}
          {auth.data?.oidc && (
            <>
              {auth.data.password && <p className="door-or">or</p>}
              <a className="btn btn-plain door-wide" href={apiURL('/auth/oidc', { return: back })}>
                Log in with {auth.data.oidc.name}
              </a>
              {!auth.data.password && error !== undefined && <ErrorNote error={error} />}
            </>
          )}
        </>
      )}
    </Door>
  )
}

/** What the hospital's login answered, when it sent the browser back without a session. */
function refused(params: URLSearchParams): unknown {
  const why = params.get('error')
  return why ? new ApiError({ type: 'about:blank', title: 'Login refused', status: 403, detail: why.slice(0, 300) }) : undefined
}

/** Seconds until the server will listen again. */
function useCountdown(error: unknown): number {
  const after = error instanceof ApiError ? (error.problem.retry_after ?? 0) : 0
  const [left, setLeft] = useState(0)
  useEffect(() => {
    setLeft(after)
    if (after <= 0) return
    const until = Date.now() + after * 1000
    const timer = setInterval(() => {
      const n = Math.ceil((until - Date.now()) / 1000)
      setLeft(Math.max(0, n))
      if (n <= 0) clearInterval(timer)
    }, 250)
    return () => clearInterval(timer)
  }, [error, after])
  return left
}

function NeedsSetup({ site }: { site?: string }) {
  return (
    <Door site={site}>
      <h1>Not set up yet</h1>
      <div className="prose">
        <p>Nobody can log in, because there is no administrator yet.</p>
        <p>When asepsis started, it printed a link that sets up the first one. It is in the terminal, or in the system’s journal:</p>
        <pre className="door-code">journalctl -u asepsis | grep setup</pre>
        <p>The link works once. Starting asepsis again makes a new one.</p>
      </div>
    </Door>
  )
}
