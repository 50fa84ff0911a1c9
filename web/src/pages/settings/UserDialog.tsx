// SPDX-License-Identifier: Apache-2.0
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { Role, User } from '@/api/types'
import { roleName, useSession } from '@/shell/access'
import { Button, Dialog, ErrorNote, Field, Select, toast } from '@/ui'
import { least, suggestion } from '../setup/password'

const may: Record<Role, string> = {
  viewer: 'Sees everything but the users and the audit trail; changes nothing.',
  analyst: 'Also saves searches and sets the state of a case.',
  biomed: 'Also edits devices.',
  engineer: 'Also edits theatres and settings.',
  admin: 'Also manages users and reads the audit trail.',
}
const roles: Role[] = ['viewer', 'analyst', 'biomed', 'engineer', 'admin']
const top = (u: User | null): Role => [...roles].reverse().find((r) => u?.roles.includes(r)) ?? 'viewer'

export function UserDialog({ user, onClose }: { user: User | null; onClose: () => void }) {
  const client = useQueryClient()
  const me = useSession().user.name
  const [name, setName] = useState(user?.name ?? '')
  const [display, setDisplay] = useState(user?.display_name ?? '')
  const [role, setRole] = useState<Role>(top(user))
  const [password, setPassword] = useState('')
  const [tried, setTried] = useState(false)
  const save = useMutation({
    mutationFn: () =>
      user
        ? api.patch<User>(`/users/${encodeURIComponent(user.name)}`, { ...(display !== user.display_name && { display_name: display }), ...(role !== top(user) && { roles: [role] }), revision: user.revision })
        : api.post<User>('/users', { name: name.trim(), display_name: display.trim(), roles: [role], password }),
    onSuccess: (u) => {
      void client.invalidateQueries({ queryKey: ['users'] })
      toast(user ? `${u.name} is saved.` : `${u.name} can log in. Give them the password by another way than mail.`)
      onClose()
    },
  })
  const said = save.error instanceof ApiError ? save.error : undefined
  const self = user?.name === me
  return (
    <Dialog
      open
      onOpenChange={(o) => !o && onClose()}
      title={user ? `Edit ${user.name}` : 'New user'}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="user-form" busy={save.isPending}>
            {user ? 'Save' : 'Add'}
          </Button>
        </>
      }
    >
      <form
        id="user-form"
        className="set-form set-form-wide"
        noValidate
        onSubmit={(e) => {
          e.preventDefault()
          setTried(true)
          if (!user && (name.trim() === '' || suggestion(password))) return
          save.mutate()
        }}
      >
        {!user && <Field label="Name to log in with" autoFocus autoComplete="off" autoCapitalize="none" value={name} error={said?.field('name') ?? (tried && name.trim() === '' ? 'A name is needed.' : undefined)} onChange={(e) => setName(e.target.value)} />}
        <Field label="Person" autoComplete="off" value={display} maxLength={120} error={said?.field('display_name')} onChange={(e) => setDisplay(e.target.value)} />
        <Select label="Role" value={role} disabled={self} help={self ? 'Nobody changes their own role.' : may[role]} error={said?.field('roles')} options={roles.map((r) => ({ value: r, label: roleName[r] }))} onChange={(e) => setRole(e.target.value as Role)} />
        {!user && <Field label="First password" type="password" autoComplete="new-password" help={`At least ${least} characters. They can change it under “Your account”.`} value={password} error={said?.field('password') ?? (tried ? suggestion(password) : undefined)} onChange={(e) => setPassword(e.target.value)} />}
        {save.isError && !said?.problem.errors?.length && <ErrorNote error={save.error} />}
      </form>
    </Dialog>
  )
}
