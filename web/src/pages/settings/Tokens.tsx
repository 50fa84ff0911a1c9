// SPDX-License-Identifier: Apache-2.0
// Keys for programs: each with what it may do and an end.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import { tokens } from '@/api/queries'
import type { NewToken, Permission, Token } from '@/api/types'
import { useSession } from '@/shell/access'
import { Button, Checkbox, Confirm, Copyable, Dialog, Empty, ErrorNote, ErrorState, Field, Loading, Select, Skeleton, Time, time, toast } from '@/ui'
import { Section } from './Section'

const words: Record<Permission, string> = {
  read: 'See devices, events, theatres and findings',
  'view.edit': 'Save searches',
  'theatre.state': 'Set the state of a case',
  'finding.edit': 'Decide about findings',
  'packet.read': 'Read packets, patient data in clear',
  'device.edit': 'Edit devices',
  'quarantine.decide': 'Release or destroy what the imaging gateway holds',
  'theatre.edit': 'Edit theatres',
  'rule.edit': 'Switch and write rules',
  'record.write': 'Write operation records into the ledger',
  'identity.edit': 'Enrol devices and sign certificates',
  'identity.revoke': 'Revoke certificates',
  'imaging.edit': 'Steer the imaging gateway: destinations, policy, bindings',
  'settings.edit': 'Edit settings',
  'user.edit': 'Manage users',
  'audit.read': 'Read the audit trail',
  'patient.read': 'Read what identifies a patient in image headers, in clear',
}

export function Tokens() {
  const { data, error, isError, refetch } = useQuery(tokens)
  const client = useQueryClient()
  const me = useSession().user.name
  const [making, setMaking] = useState(false)
  const [ending, setEnding] = useState<Token | null>(null)
  const soon = time.now() + 14 * 86_400_000
  return (
    <Section
      title="API tokens"
      lead="For programs that ask the API or the command line of another machine. A token may at most what you may, and always ends."
      actions={
        <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>
          New token
        </Button>
      }
    >
      {!data ? (
        isError ? (
          <ErrorState error={error} lost="The tokens cannot be listed." retry={() => void refetch()} />
        ) : (
          <Loading what="the tokens">
            <Skeleton lines={4} />
          </Loading>
        )
      ) : data.length === 0 ? (
        <Empty icon="key" title="There is no token.">
          <p>A program sends it as a header: Authorization: Bearer asp_…</p>
        </Empty>
      ) : (
        <table className="table table-stack" aria-label="API tokens">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Owner</th>
              <th scope="col">May</th>
              <th scope="col">Last used</th>
              <th scope="col">Ends</th>
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((t) => (
              <tr key={t.id}>
                <th scope="row">{t.name}</th>
                <td data-label="Owner">{t.owner === me ? 'you' : t.owner}</td>
                <td data-label="May">{t.permissions.map((p) => words[p] ?? p).join(', ')}</td>
                <td data-label="Last used">{t.last_used ? <Time at={t.last_used} /> : 'never'}</td>
                <td data-label="Ends">
                  <Time at={t.expires} /> {Date.parse(t.expires) < time.now() ? <span className="badge">has ended</span> : Date.parse(t.expires) < soon && <span className="badge">soon</span>}
                </td>
                <td className="cell-actions">
                  <Button small onClick={() => setEnding(t)}>
                    Revoke
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {making && <Make onClose={() => setMaking(false)} />}
      {ending && (
        <Confirm
          open
          danger
          onOpenChange={(o) => !o && setEnding(null)}
          title={`Revoke ${ending.name}?`}
          action="Revoke"
          run={async () => {
            await api.del(`/tokens/${encodeURIComponent(ending.id)}`)
            await client.invalidateQueries({ queryKey: ['tokens'] })
            toast(`${ending.name} is not accepted any more.`)
          }}
        >
          Whatever uses it is refused from now on.
        </Confirm>
      )}
    </Section>
  )
}

function Make({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const mine = useSession().permissions.filter((p) => p !== 'user.edit')
  const [name, setName] = useState('')
  const [days, setDays] = useState('90')
  const [may, setMay] = useState<Permission[]>(['read'])
  const [tried, setTried] = useState(false)
  const make = useMutation({
    mutationFn: () => api.post<NewToken>('/tokens', { name: name.trim(), permissions: may, expires_in_days: Number(days) }),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['tokens'] }),
  })
  const said = make.error instanceof ApiError ? make.error : undefined
  if (make.data) {
    return (
      <Dialog open onOpenChange={(o) => !o && onClose()} title={`Token ${make.data.name}`} lead="This is the only time that it is shown. Put it where the program reads it, and nowhere else." actions={<Button kind="primary" onClick={onClose}>I have it</Button>}>
        <div className="secret">
          <Copyable value={make.data.secret} what="token" />
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog
      open
      onOpenChange={(o) => !o && onClose()}
      title="New token"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="token-form" busy={make.isPending}>
            Make
          </Button>
        </>
      }
    >
      <form
        id="token-form"
        className="set-form set-form-wide"
        noValidate
        onSubmit={(e) => {
          e.preventDefault()
          setTried(true)
          if (name.trim() && may.length) make.mutate()
        }}
      >
        <Field label="Name" autoFocus help="The program that will use it." value={name} maxLength={80} error={said?.field('name') ?? (tried && !name.trim() ? 'A name is needed.' : undefined)} onChange={(e) => setName(e.target.value)} />
        <Select
          label="Ends after"
          value={days}
          error={said?.field('expires_in_days')}
          onChange={(e) => setDays(e.target.value)}
          options={[
            { value: '7', label: '7 days' },
            { value: '30', label: '30 days' },
            { value: '90', label: '90 days' },
            { value: '365', label: 'A year' },
          ]}
        />
        <fieldset className="perms">
          <legend>It may</legend>
          {mine.map((p) => (
            <Checkbox key={p} label={words[p] ?? p} checked={may.includes(p)} onChange={(e) => setMay((old) => (e.target.checked ? [...old, p] : old.filter((x) => x !== p)))} />
          ))}
          {(said?.field('permissions') ?? (tried && may.length === 0)) && <p className="field-error">{said?.field('permissions') ?? 'It must be allowed something.'}</p>}
        </fieldset>
        {make.isError && !said?.problem.errors?.length && <ErrorNote error={make.error} />}
      </form>
    </Dialog>
  )
}
