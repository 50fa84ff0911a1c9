// SPDX-License-Identifier: Apache-2.0
// One's own password, and every place where one is logged in.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import { session as own, sessions } from '@/api/queries'
import type { SessionInfo } from '@/api/types'
import { useMay, useSession } from '@/shell/access'
import { Button, Checkbox, ErrorNote, ErrorState, Field, Loading, Skeleton, Time, Tooltip, toast, toastError } from '@/ui'
import { least, suggestion } from '../setup/password'
import { agent } from './agent'
import { Section } from './Section'

export function Account() {
  const { user } = useSession()
  return (
    <>
      {user.local ? (
        <Section title="Password" lead="Changing it ends every other session of yours.">
          <Password />
        </Section>
      ) : (
        <Section title="Password" lead="You log in with the hospital’s login; your password is kept there." />
      )}
      <Sessions />
    </>
  )
}

function Password() {
  const client = useQueryClient()
  const { user } = useSession()
  const [old, setOld] = useState('')
  const [next, setNext] = useState('')
  const [again, setAgain] = useState('')
  const [tried, setTried] = useState(false)
  const save = useMutation({
    mutationFn: () => api.put('/account/password', { old, new: next }),
    onSuccess: () => {
      setOld('')
      setNext('')
      setAgain('')
      setTried(false)
      toast('Your password is changed.')
      // The server gives this browser a new session with a new CSRF token.
      void client.invalidateQueries({ queryKey: own.queryKey })
      void client.invalidateQueries({ queryKey: ['sessions'] })
    },
  })
  const said = save.error instanceof ApiError ? save.error : undefined
  return (
    <form
      className="set-form"
      noValidate
      onSubmit={(e) => {
        e.preventDefault()
        setTried(true)
        if (old && !suggestion(next) && next === again) save.mutate()
      }}
    >
      <input type="text" name="username" autoComplete="username" value={user.name} readOnly hidden />
      <Field label="Password now" type="password" autoComplete="current-password" value={old} error={said?.field('old') ?? (tried && !old ? 'Your present password is needed.' : undefined)} onChange={(e) => setOld(e.target.value)} />
      <Field label="New password" type="password" autoComplete="new-password" help={`At least ${least} characters.`} value={next} error={said?.field('new') ?? (tried ? suggestion(next) : undefined)} onChange={(e) => setNext(e.target.value)} />
      <Field label="New password again" type="password" autoComplete="new-password" value={again} error={tried && next !== again ? 'The two are not the same.' : undefined} onChange={(e) => setAgain(e.target.value)} />
      {save.isError && !said?.problem.errors?.length && <ErrorNote error={save.error} />}
      <div className="set-actions">
        <Button kind="primary" type="submit" busy={save.isPending}>
          Change the password
        </Button>
      </div>
    </form>
  )
}

function Sessions() {
  const may = useMay()
  const [all, setAll] = useState(false)
  const { data, error, isError, refetch } = useQuery(sessions(all))
  const client = useQueryClient()
  const end = useMutation({
    mutationFn: (s: SessionInfo) => api.del(`/sessions/${encodeURIComponent(s.id)}`),
    onSuccess: () => toast('That session has ended.'),
    onError: (e) => toastError('The session was not ended.', e),
    onSettled: () => void client.invalidateQueries({ queryKey: ['sessions'] }),
  })
  return (
    <Section title="Sessions" lead="Where you are logged in. End what you do not know, and change your password." actions={!may('user.edit') && <Checkbox label="Of everybody" checked={all} onChange={(e) => setAll(e.target.checked)} />}>
      {!data ? (
        isError ? (
          <ErrorState error={error} lost="The sessions cannot be listed." retry={() => void refetch()} />
        ) : (
          <Loading what="the sessions">
            <Skeleton lines={4} />
          </Loading>
        )
      ) : (
        <table className="table table-stack" aria-label="Sessions">
          <thead>
            <tr>
              {all && <th scope="col">User</th>}
              <th scope="col">Browser</th>
              <th scope="col">From</th>
              <th scope="col">Since</th>
              <th scope="col">Last seen</th>
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((s) => (
              <tr key={s.id}>
                {all && <td data-label="User">{s.user}</td>}
                <td data-label="Browser">
                  <Tooltip text={s.agent || 'The browser did not say what it is.'}>
                    <span tabIndex={0}>{agent(s.agent)}</span>
                  </Tooltip>{' '}
                  {s.current && <span className="badge">this one</span>}
                </td>
                <td data-label="From" className="mono">
                  {s.from}
                </td>
                <td data-label="Since">
                  <Time at={s.created} />
                </td>
                <td data-label="Last seen">
                  <Time at={s.last_seen} />
                </td>
                <td className="cell-actions">
                  {!s.current && (
                    <Button small busy={end.isPending && end.variables.id === s.id} onClick={() => end.mutate(s)}>
                      End
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  )
}
