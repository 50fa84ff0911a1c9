// SPDX-License-Identifier: Apache-2.0
// What people wrote about a device and changed on it, each change with its undo.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { Device, Edit } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, ErrorNote, Loading, Skeleton, TextArea, Time, toast, toastError } from '@/ui'
import { classNames } from './classes'
import { criticalityName } from './fields'
import { addNote, edits as editsQuery, undoEdit } from './queries'

export function NotesCard({ device: d }: { device: Device }) {
  const client = useQueryClient()
  const refused = useMay()('device.edit')
  const [text, setText] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      await addNote(d.id, text.trim())
      setText('')
      await client.invalidateQueries({ queryKey: ['devices'] })
    } catch (e) {
      setError(e)
    }
    setBusy(false)
  }
  return (
    <section className="dev-card" aria-labelledby="dev-notes">
      <h2 id="dev-notes">Notes</h2>
      {d.notes.length === 0 && refused !== undefined && <p className="quiet">No notes.</p>}
      <ul className="dev-notes">
        {d.notes.map((n) => (
          <li key={`${n.at} ${n.text}`}>
            <p className="dev-note">{n.text}</p>
            <p className="quiet">{n.who}, <Time at={n.at} /></p>
          </li>
        ))}
      </ul>
      {refused === undefined && (
        <form
          className="dev-note-form"
          onSubmit={(e) => {
            e.preventDefault()
            if (text.trim() !== '') void save()
          }}
        >
          <TextArea label="New note" hideLabel rows={2} maxLength={2000} placeholder="What the next person should know. No patient names." value={text} onChange={(e) => setText(e.target.value)} />
          {error !== undefined && <ErrorNote error={error} />}
          {(text !== '' || busy) && <Button small kind="primary" type="submit" busy={busy} disabled={text.trim() === ''}>Add note</Button>}
        </form>
      )}
    </section>
  )
}

/** An edit in words. */
export function editSentence(e: Edit, theatre: (id: string) => string): string {
  const value = e.value ?? ''
  switch (e.kind) {
    case 'note': return 'wrote a note'
    case 'merge': return `merged it with ${value || (e.keys ?? []).join(', ')}`
    case 'split': return `split it (${(e.keys ?? []).join(', ')})`
    case 'class': return value === '' ? 'gave the class back to observation' : `set the class to ${classNames[value] ?? value}`
    case 'theatre': return value === '' ? 'gave the theatre back to observation' : `set the theatre to ${theatre(value)}`
    case 'criticality': return value === '' ? 'removed the criticality' : `set the criticality to ${(criticalityName[value] ?? value).toLowerCase()}`
    default: return value === '' ? `gave the ${e.kind} back to observation` : `set the ${e.kind} to “${value}”`
  }
}

export function HistoryCard({ device: d, theatre }: { device: Device; theatre: (id: string) => string }) {
  const client = useQueryClient()
  const refused = useMay()('device.edit')
  const list = useQuery(editsQuery(d.id))
  const [busy, setBusy] = useState<number | null>(null)
  const undo = async (e: Edit) => {
    setBusy(e.seq)
    try {
      await undoEdit(e.seq)
      toast('Undone.')
      await client.invalidateQueries({ queryKey: ['devices'] })
    } catch (problem) {
      toastError('It was not undone.', problem)
    }
    setBusy(null)
  }
  const newest = [...(list.data ?? [])].sort((a, b) => b.seq - a.seq)
  return (
    <section className="dev-card" aria-labelledby="dev-history">
      <h2 id="dev-history">Changes by people</h2>
      {list.isPending ? <Loading what="changes"><Skeleton lines={2} /></Loading> : list.isError ? <ErrorNote error={list.error} /> : newest.length === 0 ? (
        <p className="quiet">Nobody has changed anything here. All of it was observed.</p>
      ) : (
        <ol className="dev-edits">
          {newest.map((e) => (
            <li key={e.seq} className={e.undone_at ? 'dev-edit-undone' : undefined}>
              <div>
                <p>{e.who} {editSentence(e, theatre)}</p>
                <p className="quiet"><Time at={e.at} />{e.undone_at && <>, undone{e.undone_by ? ` by ${e.undone_by}` : ''} <Time at={e.undone_at} /></>}</p>
              </div>
              {!e.undone_at && refused === undefined && <Button small kind="quiet" icon="undo" busy={busy === e.seq} onClick={() => void undo(e)}>Undo</Button>}
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
