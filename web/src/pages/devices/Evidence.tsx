// SPDX-License-Identifier: Apache-2.0
// Why we think so: everything that was observed, with source and confidence.

import { useMemo } from 'react'
import type { Device, Evidence } from '@/api/types'
import { Empty, Time } from '@/ui'
import { Chips, Grid, GridTools, type Column } from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { useGridView } from './useGridView'

const fields = ['attribute', 'source'] as const
const fieldName: Record<string, string> = { attribute: 'Attribute', source: 'Source' }
const startSort = [{ id: 'confidence', down: true }]
const rowId = (e: Evidence) => `${e.attribute} ${e.value} ${e.source}`
const rowName = (e: Evidence) => `${words(e.attribute)} ${e.value}`
const valuesOf = (e: Evidence, field: string) => [field === 'attribute' ? e.attribute : e.source]

export const words = (name: string) => name.replaceAll('_', ' ').replaceAll('.', ' ')

/** What a figure of confidence means, as docs/devices.md has it. */
export function confidenceWord(n: number): string {
  return n >= 100 ? 'set by a person' : n >= 90 ? 'verified' : n >= 75 ? 'structured' : n >= 60 ? 'claimed' : n >= 40 ? 'a hint' : 'a guess'
}

export function Confidence({ n }: { n: number }) {
  return (
    <span className="conf" title={`${n} %: ${confidenceWord(n)}`}>
      <span className="conf-bar" aria-hidden="true"><span style={{ width: `${n}%` }} /></span>
      <span className="conf-n">{n}{'\u00a0'}%</span>
    </span>
  )
}

const columns: Column<Evidence>[] = [
  { id: 'attribute', label: 'Attribute', width: 130, value: (e) => words(e.attribute), choices: (e) => [{ field: 'attribute', value: e.attribute, label: words(e.attribute) }], render: (e) => <span className="grid-cut">{words(e.attribute)}</span> },
  { id: 'value', label: 'Value', width: 190, grow: true, fixed: true, value: (e) => e.value, render: (e) => <span className="grid-cut mono" title={e.value}>{e.value}</span> },
  { id: 'source', label: 'Source', width: 160, value: (e) => e.source, choices: (e) => [{ field: 'source', value: e.source, label: e.source }], render: (e) => <span className="grid-cut" title={e.source}>{e.source}</span> },
  { id: 'confidence', label: 'Confidence', width: 118, downFirst: true, about: '20 a guess, 40 a hint, 60 claimed, 75 structured, 90 verified, 100 set by a person', value: (e) => e.confidence, render: (e) => <Confidence n={e.confidence} /> },
  { id: 'count', label: 'Seen', width: 76, align: 'end', downFirst: true, about: 'How often', value: (e) => e.count, render: (e) => <span>{count(e.count)}×</span> },
  { id: 'first', label: 'First', hidden: true, width: 96, downFirst: true, value: (e) => e.first, render: (e) => <Time at={e.first} plain /> },
  { id: 'last', label: 'Last', width: 96, downFirst: true, value: (e) => e.last, render: (e) => <Time at={e.last} plain /> },
]

export function EvidencePanel({ device }: { device: Device }) {
  const all = useMemo(() => device.evidence ?? [], [device.evidence])
  const view = useGridView('e', all, columns, startSort, valuesOf, fields)
  return (
    <section className="dev-section" aria-labelledby="dev-evidence">
      <header className="dev-section-head">
        <h2 id="dev-evidence">Evidence</h2>
        <span className="quiet">{plural(view.rows.length, 'observation')}</span>
        <span className="grid-spacer" />
        <GridTools what="evidence" rows={view.rows} columns={columns} layout={view.layout} state={view.state} onState={view.onState} />
      </header>
      <Chips terms={view.terms} fieldName={(f) => fieldName[f] ?? f} valueName={(_, v) => words(v)} onFlip={view.onFlip} onRemove={view.onRemove} onClear={view.onClear} />
      <div className="dev-box" style={{ height: Math.min(520, Math.max(140, view.rows.length * 28 + 52)) }}>
        <Grid
          label={`Evidence about ${device.name}`} rows={view.rows} columns={columns} rowId={rowId} rowName={rowName} state={view.state} onState={view.onState} onFilter={view.onFilter}
          empty={<Empty title={all.length === 0 ? 'Nothing has been observed yet.' : 'No observation passes these filters.'} />}
        />
      </div>
    </section>
  )
}
