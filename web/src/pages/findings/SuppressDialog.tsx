// SPDX-License-Identifier: Apache-2.0
// Hiding what needs nobody: how much of it, who answers for it, why, and until
// when. It can only be saved after its backtest has been seen.

import { useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { Suppression, SuppressionRequest } from '@/api/types'
import { Button, Checkbox, Dialog, DialogClose, ErrorNote, Field, Select, TextArea, time, toast } from '@/ui'
import { BacktestResult, useBacktest } from './Backtest'

interface Props {
  draft: Suppression
  deviceName: (id: string) => string
  theatreName: (id: string) => string
  onClose: () => void
}

const spans = [
  { value: '+1d', label: 'A day' },
  { value: '+7d', label: 'A week' },
  { value: '+30d', label: '30 days' },
  { value: '+90d', label: '90 days' },
  { value: '+365d', label: 'A year, the longest there is' },
]
const BACK = '-30d'

export function SuppressDialog({ draft, deviceName, theatreName, onClose }: Props) {
  const client = useQueryClient()
  const [off, setOff] = useState<ReadonlySet<string>>(new Set(draft.id === '' ? Object.keys(draft.entities).map((k) => `e:${k}`) : []))
  const [expression, setExpression] = useState(draft.expression)
  const [owner, setOwner] = useState(draft.owner)
  const [reason, setReason] = useState(draft.reason)
  const [expires, setExpires] = useState(draft.id === '' ? '+30d' : draft.expires)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const run = useBacktest()

  const scope = useMemo<Pick<SuppressionRequest, 'rules' | 'devices' | 'theatres' | 'entities' | 'expression'>>(() => ({
    rules: draft.rules.filter((r) => !off.has(`r:${r}`)),
    devices: draft.devices.filter((d) => !off.has(`d:${d}`)),
    theatres: draft.theatres.filter((t) => !off.has(`t:${t}`)),
    entities: Object.fromEntries(Object.entries(draft.entities).filter(([k]) => !off.has(`e:${k}`))),
    expression: expression.trim(),
  }), [draft, off, expression])
  const asked = JSON.stringify(scope)
  const [tested, setTested] = useState('')
  const empty = (scope.rules?.length ?? 0) + (scope.devices?.length ?? 0) + (scope.theatres?.length ?? 0) + Object.keys(scope.entities ?? {}).length === 0 && scope.expression === ''
  const seen = tested === asked && run.data?.state === 'done'
  const flip = (key: string) => (e: { target: { checked: boolean } }) => setOff((old) => {
    const next = new Set(old)
    if (e.target.checked) next.delete(key)
    else next.add(key)
    return next
  })
  const test = () => {
    setTested(asked)
    run.start({ suppression: { ...scope, owner: owner.trim(), reason: reason.trim() || 'backtest', expires }, from: BACK })
  }
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const body: SuppressionRequest = { ...scope, owner: owner.trim(), reason: reason.trim(), expires, ...(draft.id === '' ? {} : { revision: draft.revision }) }
      if (draft.id === '') await api.post<Suppression>('/suppressions', body)
      else await api.put<Suppression>(`/suppressions/${encodeURIComponent(draft.id)}`, body)
      void client.invalidateQueries({ queryKey: ['findings'] })
      void client.invalidateQueries({ queryKey: ['rules'] })
      toast('Saved. What it hides is still counted, and shown under Hidden.')
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  const field = (name: string) => (error instanceof ApiError ? error.field(name) : undefined)
  const why = empty ? 'Choose at least one thing: otherwise it would hide everything.' : reason.trim() === '' ? 'Say why these need nobody.' : !seen ? 'Run the backtest first, and look at what would be hidden.' : undefined
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={draft.id === '' ? 'Hide findings like this' : 'Change this suppression'}
      lead="Nothing is deleted: what is hidden is counted and can be looked at. All that is chosen must hold."
      actions={
        <>
          <DialogClose><Button>Cancel</Button></DialogClose>
          <Button kind="primary" busy={busy} reason={why} onClick={() => void save()}>Save</Button>
        </>
      }
    >
      <div className="sup">
        <fieldset className="sup-scope">
          <legend>What is hidden</legend>
          {draft.rules.map((r) => <Checkbox key={r} label={<span>Rule <span className="mono">{r}</span></span>} checked={!off.has(`r:${r}`)} onChange={flip(`r:${r}`)} />)}
          {draft.devices.map((d) => <Checkbox key={d} label={`Device ${deviceName(d)}`} checked={!off.has(`d:${d}`)} onChange={flip(`d:${d}`)} />)}
          {draft.theatres.map((t) => <Checkbox key={t} label={`Theatre ${theatreName(t)}`} checked={!off.has(`t:${t}`)} onChange={flip(`t:${t}`)} />)}
          {Object.entries(draft.entities).map(([k, v]) => <Checkbox key={k} label={<span>{k} is <span className="mono">{v}</span></span>} checked={!off.has(`e:${k}`)} onChange={flip(`e:${k}`)} />)}
          <Field label="And this holds (an expression, if needed)" className="mono-input" value={expression} maxLength={1000} onChange={(e) => setExpression(e.target.value)} error={field('expression')} placeholder="src.class == &quot;pacs&quot;" />
          {field('rules') && <p className="field-error">{field('rules')}</p>}
        </fieldset>
        <div className="sup-who">
          <Field label="Who answers for it" value={owner} maxLength={80} onChange={(e) => setOwner(e.target.value)} error={field('owner')} />
          <Select label="Ends after" value={expires} onChange={(e) => setExpires(e.target.value)} options={[...(draft.id === '' ? [] : [{ value: draft.expires, label: `${time.short(draft.expires)}, as now` }]), ...spans]} error={field('expires')} />
        </div>
        <TextArea label="Why these need nobody" value={reason} rows={2} maxLength={1000} onChange={(e) => setReason(e.target.value)} error={field('reason')} />
        <section className="sup-test" aria-label="Backtest">
          <header>
            <h3>What it would have hidden in 30 days</h3>
            <Button small icon="play" reason={empty ? 'Choose at least one thing.' : undefined} busy={run.starting || run.data?.state === 'running'} onClick={test}>{tested === '' ? 'Run the backtest' : 'Run it again'}</Button>
          </header>
          {tested !== '' && tested !== asked && <p className="quiet">The scope has changed since: run it again.</p>}
          <BacktestResult run={run} />
        </section>
        {error !== undefined && !(error instanceof ApiError && error.problem.errors?.length) && <ErrorNote error={error} />}
      </div>
    </Dialog>
  )
}
