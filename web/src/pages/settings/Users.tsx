// SPDX-License-Identifier: Apache-2.0
// Who may come in, and as what.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '@/api/client'
import { users } from '@/api/queries'
import type { Role, User } from '@/api/types'
import { roleName, useSession } from '@/shell/access'
import { Button, Confirm, ErrorState, IconButton, Loading, Menu, Skeleton, Time, toast, toastError, type MenuEntry } from '@/ui'
import { PasswordDialog } from './PasswordDialog'
import { Section } from './Section'
import { UserDialog } from './UserDialog'

export function Users() {
  const { data, error, isError, refetch } = useQuery(users)
  const me = useSession().user.name
  const client = useQueryClient()
  const [editing, setEditing] = useState<User | 'new' | null>(null)
  const [password, setPassword] = useState<User | null>(null)
  const [deleting, setDeleting] = useState<User | null>(null)
  const refresh = () => client.invalidateQueries({ queryKey: ['users'] })
  const disable = useMutation({
    mutationFn: (u: User) => api.patch<User>(`/users/${encodeURIComponent(u.name)}`, { disabled: !u.disabled, revision: u.revision }),
    onSuccess: (u) => toast(u.disabled ? `${u.name} cannot log in any more; open sessions have ended.` : `${u.name} can log in again.`),
    onError: (e) => toastError('Nothing was changed.', e),
    onSettled: () => void refresh(),
  })
  const entries = (u: User): MenuEntry[] => [
    { label: 'Edit', icon: 'edit', run: () => setEditing(u) },
    { label: 'Set a new password', icon: 'key', run: () => setPassword(u), disabled: !u.local, note: u.local ? undefined : 'Logs in with the hospital’s login' },
    { label: u.disabled ? 'Allow to log in' : 'Refuse to log in', icon: u.disabled ? 'unlock' : 'lock', run: () => disable.mutate(u), disabled: u.name === me, note: u.name === me ? 'Not yourself' : undefined },
    { kind: 'line' },
    { label: 'Delete', icon: 'trash', danger: true, run: () => setDeleting(u), disabled: u.name === me, note: u.name === me ? 'Not yourself' : undefined },
  ]
  return (
    <Section
      title="Users"
      lead="Each person has an account of their own, so that the audit trail says who did what."
      actions={
        <Button kind="primary" icon="plus" onClick={() => setEditing('new')}>
          New user
        </Button>
      }
    >
      {!data ? (
        isError ? (
          <ErrorState error={error} lost="The users cannot be listed." retry={() => void refetch()} />
        ) : (
          <Loading what="the users">
            <Skeleton lines={6} />
          </Loading>
        )
      ) : (
        <table className="table table-stack" aria-label="Users">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Person</th>
              <th scope="col">Role</th>
              <th scope="col">Logs in with</th>
              <th scope="col">Last login</th>
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((u) => (
              <tr key={u.name}>
                <th scope="row">
                  {u.name} {u.name === me && <span className="quiet">(you)</span>} {u.disabled && <span className="badge">may not log in</span>}
                </th>
                <td data-label="Person">{u.display_name || '–'}</td>
                <td data-label="Role">{u.roles.map((r: Role) => roleName[r]).join(', ') || 'none'}</td>
                <td data-label="Logs in with">{u.local ? 'a password' : 'the hospital’s login'}</td>
                <td data-label="Last login">{u.last_login ? <Time at={u.last_login} /> : 'never'}</td>
                <td className="cell-actions">
                  <Menu align="end" label={`${u.name}`} trigger={<IconButton small icon="more" label={`What can be done with ${u.name}`} />} entries={entries(u)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {editing && <UserDialog user={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      {password && <PasswordDialog user={password.name} onClose={() => setPassword(null)} />}
      {deleting && (
        <Confirm
          open
          danger
          onOpenChange={(o) => !o && setDeleting(null)}
          title={`Delete ${deleting.name}?`}
          action="Delete"
          run={async () => {
            await api.del(`/users/${encodeURIComponent(deleting.name)}`)
            await refresh()
            toast(`${deleting.name} is deleted.`)
          }}
        >
          Their sessions and tokens end at once. What they did stays in the audit trail. To keep the account for later, refuse the login instead.
        </Confirm>
      )}
    </Section>
  )
}
