// SPDX-License-Identifier: Apache-2.0
import { ToggleGroup as G } from 'radix-ui'
import type { ReactNode } from 'react'
import './segmented.css'

/** One of a few, all seen at once. */
export function Segmented<V extends string>({ value, onChange, options, label, small }: { value: V; onChange: (v: V) => void; options: { value: V; label: ReactNode; name?: string; disabled?: boolean }[]; label: string; small?: boolean }) {
  return (
    <G.Root type="single" className={small ? 'seg seg-s' : 'seg'} value={value} onValueChange={(v) => v && onChange(v as V)} aria-label={label}>
      {options.map((o) => (
        <G.Item key={o.value} value={o.value} className="seg-item" aria-label={o.name} disabled={o.disabled}>
          {o.label}
        </G.Item>
      ))}
    </G.Root>
  )
}
