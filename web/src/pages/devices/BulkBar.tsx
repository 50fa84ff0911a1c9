// SPDX-License-Identifier: Apache-2.0
// What can be done with the selected devices. It takes the place of the count,
// so that nothing moves when it appears.

import { useState } from 'react'
import type { DeviceRow, Theatre } from '@/api/types'
import { Button, Dialog, DialogClose, Select } from '@/ui'
import { plural } from '@/ui/units'
import { classOptions } from './classes'
import { useBulkEdit } from './edit'
import { criticalities, criticalityName } from './fields'
import type { Attribute } from './queries'

interface Props { rows: readonly DeviceRow[]; theatres: readonly Theatre[]; refused: string | undefined; onClear: () => void }

const kinds: { attribute: Attribute; label: string }[] = [
  { attribute: 'theatre', label: 'Theatre' },
  { attribute: 'criticality', label: 'Criticality' },
  { attribute: 'class', label: 'Class' },
]
const BACK = '\u0000back' // give the attribute back to observation

export function BulkBar({ rows, theatres, refused, onClear }: Props) {
  const [open, setOpen] = useState<(typeof kinds)[number] | null>(null)
  return (
    <div className="dev-bulk" role="group" aria-label="Selected devices">
      <strong aria-live="polite">{plural(rows.length, 'device')} selected</strong>
      {kinds.map((k) => (
        <Button key={k.attribute} small reason={refused} onClick={() => setOpen(k)}>Set {k.label.toLowerCase()}…</Button>
      ))}
      <Button small kind="quiet" icon="close" onClick={onClear}>Clear selection</Button>
      {open && <BulkDialog key={open.attribute} kind={open} rows={rows} theatres={theatres} onClose={() => setOpen(null)} />}
    </div>
  )
}

function BulkDialog({ kind, rows, theatres, onClose }: { kind: (typeof kinds)[number]; rows: readonly DeviceRow[]; theatres: readonly Theatre[]; onClose: () => void }) {
  const edit = useBulkEdit()
  const [value, setValue] = useState<string | null>(null)
  const [done, setDone] = useState<number | null>(null)
  const options =
    kind.attribute === 'theatre'
      ? theatres.map((t) => ({ value: t.id, label: t.name }))
      : kind.attribute === 'criticality'
        ? criticalities.filter((c) => c !== '').map((c) => ({ value: c, label: criticalityName[c] ?? c }))
        : classOptions.filter((c) => c.value !== 'unknown')
  const already = rows.filter((r) => r.by_person.includes(kind.attribute)).length
  return (
    <Dialog
      open onOpenChange={(o) => !o && done === null && onClose()} title={`Set the ${kind.label.toLowerCase()} of ${plural(rows.length, 'device')}`}
      lead={already > 0 ? `A person has set it for ${plural(already, 'of them', 'of them')} before; that is replaced.` : 'What a person sets is kept beside what was observed, and counts.'}
      actions={
        <>
          <DialogClose><Button disabled={done !== null}>Cancel</Button></DialogClose>
          <Button
            kind="primary" busy={done !== null} disabled={value === null}
            onClick={() => {
              if (value === null) return
              setDone(0)
              void edit(rows, { [kind.attribute]: value === BACK ? null : value }, kind.label, setDone).then(onClose)
            }}
          >
            {done === null ? 'Set' : `${done} of ${rows.length}`}
          </Button>
        </>
      }
    >
      <Select
        label={kind.label} value={value ?? ''} onChange={(e) => setValue(e.target.value)}
        options={[{ value: '', label: 'Choose…', disabled: true }, ...options, { value: BACK, label: 'As observed (forget what a person set)' }]}
      />
    </Dialog>
  )
}
