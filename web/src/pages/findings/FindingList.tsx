// SPDX-License-Identifier: Apache-2.0
// The list of findings: drawn only where seen, worked wholly from the keyboard.
// The focus stays on the list itself and aria-activedescendant names the row,
// because a row that scrolls out of sight is taken out of the document.

import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useId, useImperativeHandle, useLayoutEffect, useRef, useState, type KeyboardEvent, type MouseEvent, type ReactNode, type Ref } from 'react'
import type { Finding } from '@/api/types'
import { useSites } from '@/shell/site'
import { cx, Icon, SeverityShape, severityName, Time } from '@/ui'
import { selectTo, toggleRow, type Selection } from '@/ui/grid/selection'
import { count, plural } from '@/ui/units'
import type { Row } from './rows'

export interface ListHandle {
  focus: () => void
  toTop: () => void
  move: (by: number) => void
}

interface Props {
  ref?: Ref<ListHandle>
  rows: readonly Row[]
  active: string // a row's id
  selection: Selection
  theatre: (id: string) => string
  me: string
  onActive: (row: Row) => void
  onOpen: (row: Row) => void
  onToggleGroup: (key: string) => void
  onSelection: (s: Selection) => void
  empty: ReactNode
}

const HEIGHT = { group: 34, finding: 56 } as const

export function FindingList(p: Props) {
  const base = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const { rows } = p
  const at = rows.findIndex((r) => r.id === p.active)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (i) => HEIGHT[rows[i]?.kind ?? 'finding'],
    getItemKey: (i) => rows[i]?.id ?? i,
    overscan: 8,
  })
  // Rows of two heights: what is measured belongs to the rows as they were.
  const shape = rows.map((r) => (r.kind === 'group' ? 'g' : 'f')).join('')
  const [measured, setMeasured] = useState(shape)
  useLayoutEffect(() => {
    if (measured === shape) return
    virtual.measure()
    setMeasured(shape)
  }, [shape, measured, virtual])

  const go = (index: number) => {
    const row = rows[Math.min(rows.length - 1, Math.max(0, index))]
    if (!row) return
    p.onActive(row)
    virtual.scrollToIndex(Math.min(rows.length - 1, Math.max(0, index)))
  }
  /** The next finding in a direction; headings are passed over. */
  const step = (by: number) => {
    let i = at < 0 && by > 0 ? -1 : at
    do i += by
    while (rows[i]?.kind === 'group')
    if (rows[i]) go(i)
  }
  useImperativeHandle(p.ref, () => ({
    focus: () => scroller.current?.focus({ preventScroll: true }),
    toTop: () => void scroller.current?.scrollTo({ top: 0 }), // some browsers return a promise here
    move: (by) => {
      scroller.current?.focus({ preventScroll: true })
      step(by)
    },
  }))
  // A link opens a finding far down: it comes into sight once.
  const shown = useRef(false)
  useEffect(() => {
    if (shown.current || at < 0) return
    shown.current = true
    virtual.scrollToIndex(at, { align: 'center' })
  }, [at, virtual])

  const order = () => [...new Set(rows.flatMap((r) => (r.kind === 'finding' ? [r.finding.id] : [])))]
  const select = (f: Finding, range: boolean) => p.onSelection(range ? selectTo(p.selection, f.id, order()) : toggleRow(p.selection, f.id))

  const onKey = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const row = rows[at]
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / HEIGHT.finding) - 1)
    switch (e.key) {
      case 'ArrowDown':
        if (e.shiftKey && row?.kind === 'finding') select(row.finding, true)
        step(1)
        break
      case 'ArrowUp':
        step(-1)
        break
      case 'PageDown': go(at + page); break
      case 'PageUp': go(at - page); break
      case 'Home': go(0); break
      case 'End': go(rows.length - 1); break
      case 'Enter':
        if (row) p.onOpen(row)
        break
      case ' ':
        if (row?.kind === 'finding') select(row.finding, e.shiftKey)
        else if (row) p.onToggleGroup(row.group.key)
        break
      case 'ArrowLeft':
      case 'ArrowRight': {
        const key = row?.kind === 'group' ? row.group.key : row?.kind === 'finding' && row.under !== '' ? row.under : null
        if (key === null) return
        const head = rows.findIndex((r) => r.kind === 'group' && r.group.key === key)
        const shut = rows[head]?.kind === 'group' && (rows[head] as Row & { kind: 'group' }).closed
        if (shut === (e.key === 'ArrowRight')) p.onToggleGroup(key)
        if (e.key === 'ArrowLeft' && head >= 0) go(head)
        break
      }
      default:
        return
    }
    e.preventDefault()
    e.stopPropagation()
  }

  const onClick = (e: MouseEvent) => {
    const target = e.target as HTMLElement
    const id = target.closest<HTMLElement>('[data-row]')?.dataset['row']
    const row = rows.find((r) => r.id === id)
    if (!row) return
    if (row.kind === 'group') {
      p.onActive(row)
      p.onToggleGroup(row.group.key)
      return
    }
    if (target.closest('[data-check]') || e.ctrlKey || e.metaKey || e.shiftKey) {
      select(row.finding, e.shiftKey)
      getSelection()?.removeAllRanges()
      p.onActive(row)
      return
    }
    p.onOpen(row)
  }

  return (
    <div className="fl-frame">
      <div
        ref={scroller} className="fl" role="treegrid" tabIndex={0} aria-label="Findings" aria-rowcount={rows.length} aria-multiselectable
        aria-activedescendant={at >= 0 ? `${base}${at}` : undefined} onKeyDown={onKey} onClick={onClick}
        onFocus={(e) => e.target === e.currentTarget && at < 0 && rows.length > 0 && e.currentTarget.matches(':focus-visible') && step(1)}
      >
        <div role="rowgroup" className="fl-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index]
            if (!row) return null
            return (
              <div
                key={item.key} id={`${base}${item.index}`} data-row={row.id} role="row" aria-rowindex={item.index + 1}
                aria-selected={row.kind === 'finding' ? p.selection.ids.has(row.finding.id) : undefined} aria-level={row.kind === 'finding' && row.under !== '' ? 2 : 1} aria-expanded={row.kind === 'group' ? !row.closed : undefined}
                className={cx('fl-row', row.kind === 'group' ? 'fl-group' : 'fl-finding', item.index === at && 'fl-active', row.kind === 'finding' && p.selection.ids.has(row.finding.id) && 'fl-selected', row.kind === 'finding' && row.finding.state !== 'open' && 'fl-worked')}
                style={{ transform: `translateY(${item.start}px)`, height: HEIGHT[row.kind] }}
              >
                {row.kind === 'group' ? <GroupCell row={row} /> : <FindingCell f={row.finding} selected={p.selection.ids.has(row.finding.id)} theatre={p.theatre} me={p.me} />}
              </div>
            )
          })}
        </div>
        {rows.length === 0 && (
          <div role="row" className="fl-empty">
            <div role="gridcell">{p.empty}</div>
          </div>
        )}
      </div>
    </div>
  )
}

function GroupCell({ row }: { row: Row & { kind: 'group' } }) {
  const g = row.group
  return (
    <div role="gridcell" className="fl-group-cell">
      <Icon name={row.closed ? 'chevron-right' : 'chevron-down'} size={14} />
      <span className={`fl-shape sev-${g.worst}`}><SeverityShape level={g.worst} label /></span>
      <span className="grid-cut" title={g.label}>{g.label}</span>
      <span className="fl-count" title={`${plural(g.findings.length, 'finding')}, ${count(g.open)} open`}>{count(g.findings.length)}</span>
    </div>
  )
}

function FindingCell({ f, selected, theatre, me }: { f: Finding; selected: boolean; theatre: (id: string) => string; me: string }) {
  const first = f.devices[0]
  const site = useSites().title(f.site)
  const where = [site, f.theatre === '' ? '' : theatre(f.theatre), first ? (f.devices.length > 1 ? `${first.name} and ${f.devices.length - 1} more` : first.name) : ''].filter(Boolean).join(' · ')
  return (
    <div role="gridcell" className="fl-cell">
      <span className="fl-check" data-check aria-hidden="true"><span className={cx('fl-box', selected && 'fl-box-on')}>{selected && <Icon name="check" size={12} />}</span></span>
      <span className="fl-main">
        <span className="fl-title" title={f.title}>{f.title}</span>
        <span className="fl-meta">
          <span className={`fl-sev sev-${f.severity}`}><SeverityShape level={f.severity} size={11} /> {severityName[f.severity]}</span>
          <span className="grid-cut">{where}</span>
        </span>
      </span>
      <span className="fl-end">
        <Time at={f.last} plain />
        <span className="fl-marks">
          {f.count > 1 && <span title={plural(f.count, 'time')}>{count(f.count)}×</span>}
          {f.snoozed_until && <Icon name="clock" size={12} label="Put off" />}
          {f.suppressed_by !== '' && <Icon name="bookmark" size={12} label="Hidden" />}
          {f.assignee !== '' && <span className="fl-who" title={`Assigned to ${f.assignee}`}><Icon name="user" size={12} />{f.assignee === me ? 'me' : f.assignee}</span>}
          {f.state === 'acknowledged' && <Icon name="check" size={13} label="Acknowledged" />}
          {f.state === 'closed' && <Icon name="lock" size={12} label="Closed" />}
        </span>
      </span>
    </div>
  )
}
