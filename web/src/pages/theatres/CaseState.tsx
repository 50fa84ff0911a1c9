// SPDX-License-Identifier: Apache-2.0
// The state of a case, where it comes from, and setting it by hand. It decides
// what may be done in the room, so it is never changed by a slip: a dialog
// says what follows.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '@/api/client'
import type { CaseState as State, Theatre } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Dialog, ErrorNote, Segmented, TextArea, Time, toast } from '@/ui'
import { CaseSign } from './CaseSign'
import { stateName } from './words'

const follows: Record<State, string> = {
  'in-case': 'Findings in this room weigh more, and nothing that could disturb a device is done here.',
  idle: 'Findings weigh as usual. Changes may be made in this room.',
  maintenance: 'Expected silence of devices is not reported. Only use it when no patient is in the room.',
}

export function CaseState({ theatre: t }: { theatre: Theatre }) {
  const may = useMay()
  const [open, setOpen] = useState(false)
  return (
    <>
      <p className={`tile-case tile-case-${t.state}`}>
        <CaseSign state={t.state} />
        <span>
          {stateName[t.state]} for <Time at={t.since} as="since" />
          {t.source && <span className="quiet"> · {t.source}</span>}
        </span>
      </p>
      <Button reason={may('theatre.state')} onClick={() => setOpen(true)}>
        Change
      </Button>
      {open && <Change theatre={t} onClose={() => setOpen(false)} />}
    </>
  )
}

function Change({ theatre: t, onClose }: { theatre: Theatre; onClose: () => void }) {
  const client = useQueryClient()
  const [state, setState] = useState<State>(t.state)
  const [note, setNote] = useState('')
  const save = useMutation({
    mutationFn: () => api.put(`/theatres/${encodeURIComponent(t.id)}/state`, { state, note }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['theatres'] })
      void client.invalidateQueries({ queryKey: ['status'] })
      toast(`${t.name} is now: ${stateName[state].toLowerCase()}.`)
      onClose()
    },
  })
  return (
    <Dialog
      open
      onOpenChange={(o) => !o && onClose()}
      title={`State of ${t.name}`}
      lead={follows[state]}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" busy={save.isPending} onClick={() => save.mutate()} reason={state === t.state ? 'The room is in this state already.' : undefined}>
            Set to {stateName[state].toLowerCase()}
          </Button>
        </>
      }
    >
      <div className="form">
        <Segmented label="State" value={state} onChange={setState} options={(['idle', 'in-case', 'maintenance'] as const).map((s) => ({ value: s, label: stateName[s] }))} />
        <TextArea label="Note" help="Why it is set by hand. Kept in the audit trail; no patient's name, please." value={note} maxLength={500} onChange={(e) => setNote(e.target.value)} />
        {save.isError && <ErrorNote error={save.error} />}
      </div>
    </Dialog>
  )
}
