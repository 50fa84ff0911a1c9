// SPDX-License-Identifier: Apache-2.0
// The decisions that need words: close, assign, note, put off. Each for one
// finding or for many.

import { useState, type ReactNode } from 'react'
import type { Finding, FindingOutcome } from '@/api/types'
import { Button, Dialog, DialogClose, Field, Segmented, Select, TextArea } from '@/ui'
import { plural } from '@/ui/units'
import { outcomeName, outcomeShort } from './fields'
import type { Decide, Decision } from './triage'

export type Asking = 'close' | 'assign' | 'note' | 'snooze'

interface Props {
  what: Asking
  list: readonly Finding[]
  me: string
  people: readonly string[]
  decide: Decide
  onClose: () => void
}

export function DecisionDialog(p: Props) {
  switch (p.what) {
    case 'close': return <CloseDialog {...p} />
    case 'assign': return <AssignDialog {...p} />
    case 'note': return <NoteDialog {...p} />
    case 'snooze': return <SnoozeDialog {...p} />
  }
}

function about(list: readonly Finding[]): string {
  return list.length === 1 ? (list[0]?.title ?? '') : plural(list.length, 'finding')
}

function Frame({ title, verb, ready, d, p, children, danger }: { title: string; verb: string; ready: boolean; d: Decision; p: Props; children: ReactNode; danger?: boolean }) {
  const submit = () => {
    if (!ready) return
    p.onClose() // shown at once; what is refused is said and taken back
    void p.decide(p.list, d)
  }
  return (
    <Dialog
      open onOpenChange={(o) => !o && p.onClose()} title={title} lead={about(p.list)}
      actions={
        <>
          <DialogClose><Button>Cancel</Button></DialogClose>
          <Button kind={danger ? 'danger' : 'primary'} type="submit" form="decision" disabled={!ready}>{verb}</Button>
        </>
      }
    >
      <form
        id="decision" className="fx-form"
        onSubmit={(e) => {
          e.preventDefault()
          submit()
        }}
        onKeyDown={(e) => {
          if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) submit()
        }}
      >
        {children}
      </form>
    </Dialog>
  )
}

const outcomes: FindingOutcome[] = ['true', 'false', 'benign', 'wont-fix']
const teaches: Record<FindingOutcome, string> = {
  true: 'It was what it says, and is dealt with. A reason helps who sees it next.',
  false: 'It was not what it says: a mistake of the rule. Counts as noise of the rule.',
  benign: 'It was what it says, and is allowed. If it will happen again, hide it with a suppression.',
  'wont-fix': 'It is what it says, and the risk is taken. Say who takes it, and why.',
}

function CloseDialog(p: Props) {
  const [outcome, setOutcome] = useState<FindingOutcome>('true')
  const [reason, setReason] = useState('')
  const needed = outcome !== 'true'
  const ready = !needed || reason.trim() !== ''
  return (
    <Frame title="Close" verb={p.list.length > 1 ? `Close ${p.list.length}` : 'Close'} ready={ready} d={{ action: 'close', outcome, ...(reason.trim() ? { reason: reason.trim() } : {}) }} p={p}>
      <Segmented label="Closed as" value={outcome} onChange={setOutcome} options={outcomes.map((o) => ({ value: o, label: outcomeShort[o] ?? o, name: outcomeName[o] }))} />
      <p className="field-help">{teaches[outcome]}</p>
      <TextArea label={needed ? 'Reason' : 'Reason, if there is something to say'} value={reason} maxLength={2000} required={needed} onChange={(e) => setReason(e.target.value)} help="No names of patients. Ctrl and Enter closes." />
    </Frame>
  )
}

function AssignDialog(p: Props) {
  const [to, setTo] = useState(p.me)
  const everybody = [...new Set([p.me, ...p.people])].filter((x) => x !== '')
  return (
    <Frame title="Assign" verb="Assign" ready d={{ action: 'assign', assignee: to.trim() }} p={p}>
      <Field label="To" value={to} maxLength={80} list="fx-people" autoFocus onFocus={(e) => e.target.select()} onChange={(e) => setTo(e.target.value)} help="The name somebody logs in with. Empty takes the assignment back." />
      <datalist id="fx-people">{everybody.map((x) => <option key={x} value={x} />)}</datalist>
      <div className="fx-people">{everybody.slice(0, 8).map((x) => <Button key={x} small onClick={() => setTo(x)} aria-pressed={to === x}>{x === p.me ? `${x} (me)` : x}</Button>)}<Button small kind="quiet" onClick={() => setTo('')}>Nobody</Button></div>
    </Frame>
  )
}

function NoteDialog(p: Props) {
  const [note, setNote] = useState('')
  return (
    <Frame title="Note" verb="Add" ready={note.trim() !== ''} d={{ action: 'note', note: note.trim() }} p={p}>
      <TextArea label="What others should know" value={note} rows={5} maxLength={2000} autoFocus onChange={(e) => setNote(e.target.value)} help="Stands in the history for good. No names of patients." />
    </Frame>
  )
}

const times = [
  { value: '+1h', label: 'An hour' },
  { value: '+4h', label: 'Four hours' },
  { value: '+1d', label: 'A day' },
  { value: '+3d', label: 'Three days' },
  { value: '+7d', label: 'A week' },
  { value: '+30d', label: '30 days' },
]

function SnoozeDialog(p: Props) {
  const off = p.list.length > 0 && p.list.every((f) => f.snoozed_until !== null)
  const [until, setUntil] = useState(off ? '' : '+4h')
  const [note, setNote] = useState('')
  return (
    <Frame title="Put off" verb={until === '' ? 'Show it again' : 'Put off'} ready d={{ action: 'snooze', ...(until ? { until } : {}), ...(note.trim() ? { note: note.trim() } : {}) }} p={p}>
      <Select label="For" value={until} onChange={(e) => setUntil(e.target.value)} options={[...(off ? [{ value: '', label: 'Not any longer' }] : []), ...times]} help="It comes back by itself. Whatever happens meanwhile is counted." />
      <Field label="Why" value={note} maxLength={2000} onChange={(e) => setNote(e.target.value)} />
    </Frame>
  )
}
