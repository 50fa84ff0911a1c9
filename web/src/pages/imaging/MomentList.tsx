// SPDX-License-Identifier: Apache-2.0
// Moments one below the other, each with how far it is proven and its receipt.

import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { cx, Icon, IconButton, time } from '@/ui'
import { useZone } from '@/ui/time'
import { StateChip } from '../ledger/StateChip'
import { saveReceipt } from './queries'
import type { Moment } from './story'

export function MomentList({ moments, gateway, label }: { moments: readonly Moment[]; gateway: string; label: string }) {
  useZone()
  return (
    <ol className="lg-life" aria-label={label}>
      {moments.map((m, i) => (
        <li key={`${m.at}${i}`}>
          <time dateTime={m.at} title={time.absolute(m.at, { millis: true })} className="lg-life-when">{time.short(m.at)}</time>
          <span className={cx('lg-life-sign', `im-${m.tone}`)}><Icon name={m.icon} size={14} /></span>
          <div className="lg-life-body"><span className="lg-life-what">{m.text}</span>{m.state && <StateChip state={m.state} plain />}</div>
          {m.entry !== undefined && m.state && <span className="im-proof">{m.state !== 'recorded' && <Link className="btn btn-quiet btn-icon btn-s" to="/verify" search={{ gateway, entry: String(m.entry) }} aria-label={`Verify entry ${m.entry}`} title="Verify it"><Icon name="shield-check" /></Link>}<Receipt gateway={gateway} entry={m.entry} waits={m.state === 'recorded'} /></span>}
        </li>
      ))}
    </ol>
  )
}

export function Receipt({ gateway, entry, waits }: { gateway: string; entry: number; waits: boolean }) {
  const [busy, setBusy] = useState(false)
  return (
    <IconButton
      small icon="download" label={waits ? 'No receipt yet: a checkpoint comes within seconds' : `Save the receipt of entry ${entry}`} aria-disabled={waits || busy || undefined}
      onClick={() => {
        if (waits || busy) return
        setBusy(true)
        void saveReceipt(gateway, entry).finally(() => setBusy(false))
      }}
    />
  )
}
