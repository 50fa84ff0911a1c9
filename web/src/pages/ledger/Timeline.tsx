// SPDX-License-Identifier: Apache-2.0
// What happened to one thing, oldest first, each step with its receipt.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { LedgerEntry } from '@/api/types'
import { cx, Icon, IconButton, time } from '@/ui'
import { useZone } from '@/ui/time'
import { ledgerStatus, saveReceipt, stateOf } from './queries'
import { StateChip } from './StateChip'
import { kindOf } from './words'

interface Props {
  entries: readonly LedgerEntry[]
  label: string
  /** The entry that is looked at already. */
  here?: number
  /** Opens an entry on this page; without it a link to the ledger does. */
  onOpen?: (index: number) => void
}

export function Timeline({ entries, label, here, onOpen }: Props) {
  useZone()
  const status = useQuery(ledgerStatus).data
  return (
    <ol className="lg-life" aria-label={label}>
      {entries.map((e) => {
        const kind = kindOf(e.kind)
        const state = stateOf(e, status)
        const text = <span className="lg-life-what">{e.sentence}</span>
        return (
          <li key={e.index} className={cx(e.index === here && 'lg-life-here')} aria-current={e.index === here ? 'step' : undefined}>
            <time dateTime={e.time} title={time.absolute(e.time, { millis: true })} className="lg-life-when">{time.short(e.time)}</time>
            <span className="lg-life-sign"><Icon name={kind.icon} size={14} label={kind.name} /></span>
            <div className="lg-life-body">
              {e.index === here ? text : onOpen ? <button type="button" className="linklike" onClick={() => onOpen(e.index)}>{text}</button> : <Link to="/ledger" search={{ open: String(e.index) }}>{text}</Link>}
              <StateChip state={state} plain />
            </div>
            <ReceiptButton entry={e} state={state} />
          </li>
        )
      })}
    </ol>
  )
}

function ReceiptButton({ entry, state }: { entry: LedgerEntry; state: LedgerEntry['state'] }) {
  const [busy, setBusy] = useState(false)
  const waits = state === 'recorded'
  return (
    <IconButton
      small icon="download" label={waits ? 'No receipt yet: a checkpoint comes within seconds' : `Save the receipt of entry ${entry.index}`} aria-disabled={waits || busy || undefined}
      onClick={() => {
        if (waits || busy) return
        setBusy(true)
        void saveReceipt(entry, state).finally(() => setBusy(false))
      }}
    />
  )
}
