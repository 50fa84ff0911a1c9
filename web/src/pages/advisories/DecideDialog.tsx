// SPDX-License-Identifier: Apache-2.0
// A person decides about an advisory: for one device, for its model, or for the
// site. What was found stands beside it and counts again when it is taken back.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { AdvisoryDecisionRequest, AdvisoryMatch, DecisionStatus } from '@/api/types'
import { Button, Dialog, DialogClose, ErrorNote, Field, Segmented, Select, TextArea, time, toast } from '@/ui'
import { device as deviceQuery } from '../devices/queries'
import { justifications, statusName } from './fields'
import { advisoryPath } from './queries'

interface Props { match?: AdvisoryMatch; advisory?: string; title?: string; onClose: () => void }

const statuses: DecisionStatus[] = ['not-affected', 'fixed', 'accepted', 'affected', 'under-investigation']
const teaches: Record<DecisionStatus, string> = {
  'not-affected': 'It does not concern it, and you know why. The export says so to others.',
  fixed: 'An update or a change has removed the weakness.',
  accepted: 'It is affected, and the risk is taken until a day. Then it counts again by itself.',
  affected: 'It is affected, though the comparison could not tell.',
  'under-investigation': 'Somebody is finding out.',
}

export function DecideDialog({ match, advisory, title, onClose }: Props) {
  const client = useQueryClient()
  const dev = useQuery({ ...deviceQuery(match?.device ?? ''), enabled: match !== undefined }).data
  const [scope, setScope] = useState<'device' | 'model' | 'site'>(match ? 'device' : 'site')
  const [status, setStatus] = useState<DecisionStatus>('not-affected')
  const [justification, setJustification] = useState('')
  const [reason, setReason] = useState('')
  const [until, setUntil] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const said = error instanceof ApiError ? error : undefined
  const id = match?.advisory ?? advisory ?? ''
  const missing = reason.trim() === '' ? 'Say why.' : status === 'not-affected' && justification === '' ? 'Choose why it is not affected.' : status === 'accepted' && until === '' ? 'Say until when the risk is taken.' : undefined
  const save = async () => {
    if (missing) return
    setBusy(true)
    setError(undefined)
    try {
      const body: AdvisoryDecisionRequest = {
        status, reason: reason.trim(),
        ...(scope === 'device' && match ? { device: match.device } : scope === 'model' && dev ? { vendor: dev.vendor, model: dev.model } : {}),
        ...(status === 'not-affected' ? { justification: justification as AdvisoryDecisionRequest['justification'] } : {}),
        ...(until !== '' ? { until } : {}),
      }
      await api.post(`${advisoryPath(id)}/decisions`, body)
      void client.invalidateQueries({ queryKey: ['advisories'] })
      toast(`Decided: ${statusName[status].toLowerCase()}.`)
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title="Decide" lead={match ? `${match.device_name}: ${match.title}` : title}
      actions={<><DialogClose><Button>Cancel</Button></DialogClose><Button kind="primary" type="submit" form="decide" busy={busy} reason={missing}>Save</Button></>}
    >
      <form id="decide" className="fx-form" noValidate onSubmit={(e) => { e.preventDefault(); void save() }}>
        {match && (
          <div className="field"><span className="field-label">For</span><Segmented
            label="For" value={scope} onChange={setScope}
            options={[{ value: 'device', label: match.device_name }, { value: 'model', label: dev?.vendor && dev.model ? `All ${dev.vendor} ${dev.model}` : 'All of its model', disabled: !dev?.vendor || !dev.model }, { value: 'site', label: 'All devices here' }]}
          /></div>
        )}
        <Select label="It is" value={status} onChange={(e) => setStatus(e.target.value as DecisionStatus)} options={statuses.map((s) => ({ value: s, label: statusName[s] }))} help={teaches[status]} error={said?.field('status')} />
        {status === 'not-affected' && <Select label="Because" value={justification} onChange={(e) => setJustification(e.target.value)} options={[{ value: '', label: 'Choose…', disabled: true }, ...justifications]} error={said?.field('justification')} />}
        <TextArea label="Reason" value={reason} maxLength={2000} onChange={(e) => setReason(e.target.value)} error={said?.field('reason')} help="What was looked at, by whom, and where it is written." />
        {(status === 'accepted' || status === 'under-investigation' || status === 'not-affected') && <Field label={status === 'accepted' ? 'Until' : 'Until, if it ends'} type="date" value={until} min={time.day(time.now())} onChange={(e) => setUntil(e.target.value)} error={said?.field('until')} />}
        {error !== undefined && !said?.problem.errors?.length && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
