// SPDX-License-Identifier: Apache-2.0
// Counts over time, stacked by severity, and the brush over them: drag to
// select, or with the keyboard: arrows move, Shift extends, Enter zooms in.

import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react'
import { severityName, time } from '@/ui'
import { useZone } from '@/ui/time'
import { compact, plural } from '@/ui/units'
import { brushed, niceMax, ticks, type Bar } from './histogram'
import type { Span } from './query'
import './timebars.css'

interface Props {
  label: string
  span: Span
  stepMs: number
  bars: readonly Bar[]
  height?: number
  busy?: boolean
  reached?: number // counted back to here only
  onSelect?: (span: Span) => void
  onZoomOut?: () => void
}

const AXIS = 18
const LEFT = 44

/** Milliseconds that a zone is ahead of UTC at a time. */
export function zoneOffset(at: number, zone: string): number {
  const parts: Record<string, number> = {}
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' })
  for (const p of format.formatToParts(at)) parts[p.type] = Number(p.value)
  const local = Date.UTC(parts['year'] ?? 1970, (parts['month'] ?? 1) - 1, parts['day'], parts['hour'], parts['minute'], parts['second'])
  return local - Math.floor(at / 1000) * 1000
}

export function useWidth<E extends HTMLElement>(start = 800): [React.RefObject<E | null>, number] {
  const ref = useRef<E>(null)
  const [width, setWidth] = useState(start)
  useLayoutEffect(() => {
    const el = ref.current
    if (!el) return
    setWidth(el.clientWidth)
    const watch = new ResizeObserver(() => setWidth(el.clientWidth))
    watch.observe(el)
    return () => watch.disconnect()
  }, [])
  return [ref, width]
}

export function TimeBars({ label, span, stepMs, bars, height = 76, busy, reached, onSelect, onZoomOut }: Props) {
  const zone = useZone()
  const hatch = useId()
  const [ref, width] = useWidth<HTMLDivElement>()
  const [drag, setDrag] = useState<{ a: number; b: number } | null>(null)
  const [hover, setHover] = useState<number | null>(null) // index of a bar
  const [mark, setMark] = useState<{ from: number; to: number } | null>(null) // by keyboard
  const inner = Math.max(10, width - LEFT)
  const max = niceMax(bars.reduce((m, b) => Math.max(m, b.total), 0))
  const length = Math.max(1, span.to - span.from)
  const x = (t: number) => LEFT + ((t - span.from) / length) * inner
  const h = height - AXIS
  const y = (n: number) => h - (n / max) * (h - 6)
  const offset = useMemo(() => zoneOffset(span.from, zone), [span.from, zone])
  const marks = ticks(span, Math.max(2, Math.floor(inner / 92)), offset)

  useEffect(() => setMark(null), [span.from, span.to])

  const share = (e: PointerEvent) => {
    const box = ref.current?.getBoundingClientRect()
    return box ? (e.clientX - box.left - LEFT) / inner : 0
  }
  const barAt = (s: number) => {
    const t = span.from + s * length
    const i = bars.findIndex((b) => t >= b.start && t < b.end)
    return i < 0 ? null : i
  }
  const onKey = (e: KeyboardEvent) => {
    if (!onSelect || bars.length === 0) return
    const last = bars.length - 1
    const at = mark ?? { from: last + 1, to: last + 1 }
    const move = (by: number) => {
      const to = Math.min(last, Math.max(0, at.to + by))
      setMark({ from: e.shiftKey ? Math.min(last, at.from) : to, to })
      setHover(to)
    }
    if (e.key === 'ArrowLeft') move(-1)
    else if (e.key === 'ArrowRight') move(1)
    else if (e.key === 'Home') move(-last - 1)
    else if (e.key === 'End') move(last + 1)
    else if (e.key === 'Enter' && mark) {
      const from = bars[Math.min(mark.from, mark.to)]
      const to = bars[Math.max(mark.from, mark.to)]
      if (from && to) onSelect({ from: from.start, to: Math.min(span.to, to.end) })
    } else if (e.key === 'Escape' && mark) setMark(null)
    else if ((e.key === '-' || e.key === 'Backspace') && onZoomOut) onZoomOut()
    else return
    e.preventDefault()
    e.stopPropagation()
  }

  const shown = hover === null ? undefined : bars[hover]
  const between = (a: number, b: number) => `${time.short(a)}–${time.clock(b, { seconds: stepMs < 60_000 })}`
  const described = shown
    ? `${between(shown.start, shown.end)}: ${plural(shown.total, 'event')}${shown.parts.length > 0 ? ` (${shown.parts.map((p) => `${compact(p.to - p.from)} ${severityName[p.severity].toLowerCase()}`).join(', ')})` : ''}`
    : ''
  const selection = drag ? [Math.min(drag.a, drag.b), Math.max(drag.a, drag.b)] : null
  const marked = mark ? [bars[Math.min(mark.from, mark.to)], bars[Math.max(mark.from, mark.to)]] : null

  return (
    <div
      ref={ref} className={`bars${onSelect ? ' bars-brush' : ''}${busy ? ' bars-busy' : ''}`} style={{ height }} tabIndex={onSelect ? 0 : undefined}
      role={onSelect ? 'application' : 'img'} aria-roledescription={onSelect ? 'time brush' : undefined}
      aria-label={onSelect ? `${label}. Arrow keys move, Shift extends, Enter zooms in${onZoomOut ? ', minus zooms out' : ''}.` : label}
      onKeyDown={onKey} onBlur={() => setHover(null)}
      onPointerDown={(e) => {
        if (!onSelect || e.button !== 0) return
        e.currentTarget.setPointerCapture(e.pointerId)
        const s = Math.min(1, Math.max(0, share(e)))
        setDrag({ a: s, b: s })
      }}
      onPointerMove={(e) => {
        const s = share(e)
        setHover(barAt(s))
        if (drag) setDrag({ a: drag.a, b: Math.min(1, Math.max(0, s)) })
      }}
      onPointerUp={() => {
        if (!drag) return
        setDrag(null)
        const picked = brushed(span, stepMs, drag.a, drag.b)
        if (picked) onSelect?.(picked)
      }}
      onPointerCancel={() => setDrag(null)}
      onPointerLeave={() => !drag && setHover(null)}
      onDoubleClick={onZoomOut}
    >
      <svg width={width} height={height} aria-hidden="true" focusable="false">
        <defs>
          <pattern id={hatch} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0v6" className="bars-hatch" /></pattern>
        </defs>
        <line className="bars-grid" x1={LEFT} x2={width} y1={y(max) + 0.5} y2={y(max) + 0.5} />
        <line className="bars-base" x1={LEFT} x2={width} y1={h + 0.5} y2={h + 0.5} />
        <text className="bars-text" x={LEFT - 6} y={y(max) + 4} textAnchor="end">{compact(max)}</text>
        <text className="bars-text" x={LEFT - 6} y={h + 2} textAnchor="end">0</text>
        {marks.map((t) => (
          <g key={t.at}>
            <line className="bars-tick" x1={Math.round(x(t.at)) + 0.5} x2={Math.round(x(t.at)) + 0.5} y1={h} y2={h + 4} />
            {x(t.at) < width - 28 && <text className="bars-text" x={x(t.at)} y={height - 3} textAnchor={x(t.at) < LEFT + 20 ? 'start' : 'middle'}>{tickText(t.at, t.step)}</text>}
          </g>
        ))}
        {reached !== undefined && reached > span.from && <rect x={LEFT} y={0} width={Math.max(0, x(reached) - LEFT)} height={h} fill={`url(#${hatch})`} />}
        {bars.map((b, i) => {
          const left = Math.max(LEFT, x(b.start))
          const w = Math.max(1, Math.min(width, x(b.end)) - left - (inner / bars.length > 4 ? 1 : 0))
          return (
            <g key={b.start} className={hover === i ? 'bars-on' : undefined}>
              {b.parts.map((p) => {
                const top = y(p.to)
                return <rect key={p.severity} className={`bars-${p.severity}`} x={left} width={w} y={p.from === 0 ? Math.min(h - 2, top) : top} height={p.from === 0 ? Math.max(2, y(p.from) - top) : y(p.from) - top} />
              })}
            </g>
          )
        })}
        {selection && <rect className="bars-selection" x={LEFT + (selection[0] ?? 0) * inner} width={((selection[1] ?? 0) - (selection[0] ?? 0)) * inner} y={0} height={h} />}
        {marked?.[0] && marked[1] && <rect className="bars-selection" x={x(marked[0].start)} width={Math.max(2, x(marked[1].end) - x(marked[0].start))} y={0} height={h} />}
      </svg>
      {shown && (
        <div className="bars-tip" style={x(shown.start) > width / 2 ? { right: width - x(shown.start) + 8 } : { left: x(shown.end) + 8 }}>
          <strong>{between(shown.start, shown.end)}</strong>
          <span>{plural(shown.total, 'event')}</span>
          {shown.parts.map((p) => <span key={p.severity}><i className={`bars-key bars-key-${p.severity}`} />{severityName[p.severity]} {compact(p.to - p.from)}</span>)}
        </div>
      )}
      <span className="sr-only" role="status">{mark ? described : ''}</span>
    </div>
  )
}

function tickText(at: number, step: number): string {
  const clock = time.clock(at, { seconds: step < 60_000 })
  return step >= 86_400_000 || clock === '00:00' ? time.short(at, 0).replace(/ \d\d:\d\d$/, '') : clock
}
