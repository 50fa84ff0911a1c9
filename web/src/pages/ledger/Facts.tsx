// SPDX-License-Identifier: Apache-2.0
// Decoded fields, one below the other; a hash is copied with a click.
import { Copyable, time } from '@/ui'
import { useZone } from '@/ui/time'
import { bytes } from '@/ui/units'
import type { Fact } from './words'

export function Facts({ facts }: { facts: readonly Fact[] }) {
  useZone()
  return (
    <dl className="lg-facts">
      {facts.map((f, i) => (
        <div key={`${f.label}${i}`}>
          <dt>{f.label}</dt>
          <dd>{f.is === 'hash' ? <Hash value={f.text} what={f.label} /> : f.is === 'time' ? time.absolute(f.text) : f.is === 'bytes' ? bytes(Number(f.text)) : f.text}</dd>
        </div>
      ))}
    </dl>
  )
}

/** A hash: its beginning is shown, or all of it; copied is all of it. */
export function Hash({ value, what, whole }: { value: string; what: string; whole?: boolean }) {
  return whole ? <Copyable value={value} what={what} /> : <span className="lg-cut"><Copyable value={value} what={what} cut /></span>
}
