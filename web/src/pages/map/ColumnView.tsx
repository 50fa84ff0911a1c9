// SPDX-License-Identifier: Apache-2.0
// One column of the drawn map. Of its rows only those near the window are
// elements: a map of ten thousand devices has no more of them than one of fifty.

import { memo } from 'react'
import { ClassIcon, Icon, SeverityShape } from '@/ui'
import { COLUMN, HEAD, MARGIN, ROW, type Column } from './layout'
import type { Row } from './model'

interface Props {
  column: Column
  /** The rows that are drawn, by place: the first, and the first that is not. */
  from: number
  to: number
  zoneName: (z: string) => string
  theatreName: (t: string) => string
  pinned: ReadonlySet<string>
  silent: ReadonlySet<string>
  /** The row that has the tab stop, when it is in this column: drawn wherever it is, so that the focus is never lost. */
  active: string | null
  onUnfold: (row: Row) => void
}

export const ColumnView = memo(function ColumnView({ column, from, to, zoneName, theatreName, pinned, silent, active, onUnfold }: Props) {
  const shown = column.rows.slice(from, to)
  const away = active !== null && !shown.some((r) => r.row.id === active) ? column.rows.find((r) => r.row.id === active) : undefined
  const [top, bottom] = [shown[0]?.y ?? 0, shown.at(-1)?.y ?? 0]
  return (
    <section className="map-column" style={{ marginInlineStart: column.x, width: COLUMN, height: column.bottom, top: `min(0px, calc(var(--view) - ${column.bottom + MARGIN}px))` }} aria-label={zoneName(column.zone)}>
      <h2 className="map-zone" style={{ height: HEAD - 6 }}>
        <span className="grid-cut">{zoneName(column.zone)}</span> <span className="quiet">{column.devices}</span>
      </h2>
      {column.groups.map((g) => g.y < top - 2 * ROW || g.y > bottom ? null : <h3 key={g.theatre} className="map-theatre" style={{ top: g.y }}>{g.theatre === '' ? 'No theatre' : theatreName(g.theatre)}</h3>)}
      {(away ? [...shown, away] : shown).map(({ row, y, first }) => (
        <div
          key={row.id} data-row={row.id} style={{ top: y - ROW / 2, height: ROW }}
          className={`map-row${first ? ' map-first' : ''}${pinned.has(row.id) ? ' map-pinned' : ''}${silent.has(row.id) ? ' map-silent' : ''}${row.folded ? ' map-folded' : ''}`}
        >
          <button type="button" className="map-name" tabIndex={row.id === active ? 0 : -1} aria-pressed={pinned.has(row.id)} title={`${row.name} (${row.className})`}>
            <ClassIcon class={row.class} size={14} label={row.className} />
            <span className="grid-cut">{row.name}</span>
            {(row.worst === 'critical' || row.worst === 'high' || row.worst === 'medium') && <SeverityShape level={row.worst} size={10} label />}
          </button>
          {row.folded && (
            <button type="button" className="map-unfold" data-unfold="" tabIndex={-1} aria-label={`Unfold ${row.name}`} title="Show each device" onClick={() => onUnfold(row)}>
              <Icon name="plus" size={12} />
            </button>
          )}
        </div>
      ))}
    </section>
  )
})
