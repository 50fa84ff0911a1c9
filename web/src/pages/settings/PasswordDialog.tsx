// SPDX-License-Identifier: Apache-2.0
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import { Button, Dialog, ErrorNote, Field, toast } from '@/ui'
import { least, suggestion } from '../setup/password'

/** A new password for somebody else, who has lost theirs. */
export function PasswordDialog({ user, onClose }: { user: string; onClose: () => void }) {
  const [password, setPassword] = useState('')
  const [tried, setTried] = useState(false)
  const save = useMutation({
    mutationFn: () => api.post(`/users/${encodeURIComponent(user)}/password`, { new: password }),
    onSuccess: () => {
      toast(`${user} has a new password; all their sessions have ended.`)
      onClose()
    },
  })
  const said = save.error instanceof ApiError ? save.error : undefined
  return (
    <Dialog
      open
      onOpenChange={(o) => !o && onClose()}
      title={`New password for ${user}`}
      lead="All their sessions end at once."
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="password-form" busy={save.isPending}>
            Set
          </Button>
        </>
      }
    >
      <form
        id="password-form"
        className="set-form set-form-wide"
        noValidate
        onSubmit={(e) => {
          e.preventDefault()
          setTried(true)
          if (!suggestion(password)) save.mutate()
        }}
      >
        <Field label="New password" type="password" autoFocus autoComplete="new-password" help={`At least ${least} characters.`} value={password} error={said?.field('new') ?? (tried ? suggestion(password) : undefined)} onChange={(e) => setPassword(e.target.value)} />
        {save.isError && !said?.problem.errors?.length && <ErrorNote error={save.error} />}
      </form>
    </Dialog>
  )
}
