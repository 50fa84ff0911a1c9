// SPDX-License-Identifier: Apache-2.0
// The first administrator, from the one-time link. The token stands behind the
// '#', so that it reaches no log; it leaves the address as soon as it is read.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { useEffect, useState, type FormEvent } from 'react'
import { api, ApiError, setCsrf } from '@/api/client'
import { authInfo, session } from '@/api/queries'
import type { Session } from '@/api/types'
import { Button, Empty, ErrorNote, Field, Loading, Skeleton } from '@/ui'
import { Door } from '../login/Door'
import { least, suggestion } from './password'

function takeToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? new URLSearchParams(location.search).get('token') ?? ''
  if (token) history.replaceState(history.state, '', location.pathname)
  return token
}
let taken: string | undefined // StrictMode runs initialisers twice

export function Setup() {
  const router = useRouter()
  const client = useQueryClient()
  const auth = useQuery(authInfo)
  const [token] = useState(() => (taken ??= takeToken()))
  const [name, setName] = useState('')
  const [display, setDisplay] = useState('')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const [tried, setTried] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  useEffect(() => {
    document.title = 'Set up · Asepsis'
  }, [])

  const said = error instanceof ApiError ? error : undefined
  const problems = {
    name: said?.field('name') ?? (tried && name.trim() === '' ? 'A name to log in with is needed.' : undefined),
    display: said?.field('display_name'),
    password: said?.field('password') ?? (tried ? suggestion(password) : undefined),
    again: tried && again !== password ? 'The two are not the same.' : undefined,
  }
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setTried(true)
    setError(undefined)
    if (busy || name.trim() === '' || suggestion(password) || again !== password) return
    setBusy(true)
    try {
      const s = await api.post<Session>('/setup', { token, name: name.trim(), display_name: display.trim() || name.trim(), password }, { anonymous: true })
      setCsrf(s.csrf)
      taken = undefined
      client.clear()
      client.setQueryData(session.queryKey, s)
      await router.navigate({ to: '/theatres', replace: true })
    } catch (x) {
      setError(x)
      setBusy(false)
    }
  }

  if (auth.isPending) {
    return (
      <Door>
        <Loading what="the set-up">
          <Skeleton lines={8} />
        </Loading>
      </Door>
    )
  }
  if (auth.data && !auth.data.setup_needed) {
    return (
      <Door site={auth.data.site}>
        <Empty icon="check" title="Already set up" action={<Link to="/login" className="btn btn-primary">Log in</Link>}>
          <p>There is an administrator. The link that you used works only once.</p>
        </Empty>
      </Door>
    )
  }
  if (!token) {
    return (
      <Door site={auth.data?.site}>
        <Empty icon="key" title="The link is not complete">
          <p>Open the whole link that asepsis printed when it started: it ends with #token= and a long word. If it is gone, start asepsis again.</p>
        </Empty>
      </Door>
    )
  }
  return (
    <Door site={auth.data?.site} version={auth.data?.version}>
      <h1>Set up the first administrator</h1>
      <p className="prose">This account can make all others. There is no default password anywhere, so keep this one safe.</p>
      <form className="door-form" onSubmit={(e) => void submit(e)} noValidate>
        <Field label="Name to log in with" name="username" autoComplete="username" autoCapitalize="none" autoFocus value={name} error={problems.name} onChange={(e) => setName(e.target.value)} />
        <Field label="Your name" name="name" autoComplete="name" help="As others see it, in the audit trail for instance." value={display} error={problems.display} onChange={(e) => setDisplay(e.target.value)} />
        <Field label="Password" name="new-password" type="password" autoComplete="new-password" help={`At least ${least} characters. A few words in a row are easier to remember than signs.`} value={password} error={problems.password} onChange={(e) => setPassword(e.target.value)} />
        <Field label="Password again" name="new-password-again" type="password" autoComplete="new-password" value={again} error={problems.again} onChange={(e) => setAgain(e.target.value)} />
        {error !== undefined && !said?.problem.errors?.length && <ErrorNote error={error} />}
        <Button type="submit" kind="primary" busy={busy}>
          Set up and log in
        </Button>
      </form>
    </Door>
  )
}
