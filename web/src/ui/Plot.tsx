// SPDX-License-Identifier: Apache-2.0
// A line over time, with uPlot: thin, no fill, gaps where nothing is known.
// Beside the canvas stands one sentence for those who do not see it, and the
// values under the cursor are text.
import { useEffect, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { token, useDark } from '../shell/theme'
import './plot.css'
import { clock, short, useZone } from './time'

export interface Line {
  label: string
  values: (number | null)[]
  colour?: `--plot-${1 | 2 | 3 | 4 | 5 | 6}` | '--critical'
  /** Bars instead of a line: for counts that are mostly zero. */
  bars?: boolean
}
interface Props {
  title: string
  times: number[] // ms since 1970
  lines: Line[]
  format: (n: number) => string
  height?: number
  /** Plots with the same key share their cursor. */
  sync?: string
  /** The least top of the scale, so that noise does not fill the plot. */
  least?: number
  onSelect?: (from: number, to: number) => void
}

export function Plot({ title, times, lines, format, height = 120, sync, least = 1, onSelect }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const dark = useDark()
  const zone = useZone()
  const [at, setAt] = useState<number | null>(null)
  const data = useMemo(() => [times.map((t) => t / 1000), ...lines.map((l) => l.values)] as uPlot.AlignedData, [times, lines])
  const latest = useRef({ data, format, onSelect })
  latest.current = { data, format, onSelect }
  // What the plot is made of; its data may change without making it anew.
  const shape = lines.map((l) => `${l.label} ${l.colour ?? ''} ${l.bars ?? ''}`).join('|')

  useEffect(() => {
    const el = box.current
    if (!el) return
    const axis = { stroke: token('--text-3'), grid: { stroke: token('--line'), width: 1 }, ticks: { show: false }, font: '11px "Plex Sans", sans-serif' }
    const p = new uPlot(
      {
        width: Math.max(160, el.clientWidth),
        height,
        legend: { show: false },
        cursor: { sync: sync ? { key: sync } : undefined, points: { size: 5 }, drag: { x: Boolean(latest.current.onSelect), y: false, setScale: false }, y: false },
        scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, Math.max(least, max * 1.1)] } },
        axes: [
          { ...axis, size: 22, space: 70, values: (_u, splits) => splits.map((s) => short(s * 1000, times[times.length - 1])) },
          { ...axis, size: 64, space: 34, values: (_u, splits) => splits.map((s) => latest.current.format(s)) },
        ],
        series: [
          {},
          ...lines.map((l, i) => ({
            label: l.label,
            stroke: token(l.colour ?? (`--plot-${(i % 6) + 1}` as '--plot-1')),
            fill: l.bars ? token(l.colour ?? '--plot-1') : undefined,
            width: l.bars ? 0 : 1.5,
            points: { show: false },
            spanGaps: false,
            paths: l.bars ? uPlot.paths.bars?.({ size: [0.8, 6] }) : undefined,
          })),
        ],
        hooks: {
          setCursor: [(u) => setAt(u.cursor.idx ?? null)],
          setSelect: [
            (u) => {
              if (u.select.width < 4) return
              latest.current.onSelect?.(u.posToVal(u.select.left, 'x') * 1000, u.posToVal(u.select.left + u.select.width, 'x') * 1000)
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            },
          ],
        },
      },
      latest.current.data,
      el,
    )
    plot.current = p
    const watch = new ResizeObserver(() => p.setSize({ width: Math.max(160, el.clientWidth), height }))
    watch.observe(el)
    return () => {
      watch.disconnect()
      p.destroy()
      plot.current = null
    }
    // The formats and data are read through `latest`.
  }, [shape, dark, zone, height, sync, least])

  useEffect(() => {
    plot.current?.setData(data)
  }, [data])

  // The newest step is often not complete yet: what is known last is "now".
  let last = times.length - 1
  while (last > 0 && lines.every((l) => l.values[last] === null)) last--
  const shown = at !== null && at <= last ? at : last
  return (
    <figure className="plot">
      <figcaption className="plot-head">
        <span className="plot-title">{title}</span>
        <span className="plot-values">
          {lines.map((l, i) => {
            const v = l.values[shown]
            return (
              <span key={l.label} className="plot-value">
                {lines.length > 1 && <span className="plot-key" style={{ background: `var(${l.colour ?? `--plot-${(i % 6) + 1}`})` }} aria-hidden />}
                {lines.length > 1 && `${l.label} `}
                {v === null || v === undefined ? 'not known' : format(v)}
              </span>
            )
          })}
          <span className="quiet">{clock(times[shown] ?? 0, { seconds: false })}</span>
        </span>
      </figcaption>
      <div ref={box} className="plot-box" style={{ height }} role="img" aria-label={`${title}. ${lines.map((l) => summary(l, format)).join(' ')}`} />
    </figure>
  )
}

function summary(l: Line, format: (n: number) => string): string {
  const known = l.values.filter((v): v is number => v !== null)
  if (known.length === 0) return `${l.label}: not known.`
  const gaps = l.values.length - known.length
  return `${l.label}: ${format(known[known.length - 1] ?? 0)} at last, between ${format(Math.min(...known))} and ${format(Math.max(...known))}${gaps > 0 ? `, not known for ${gaps} steps` : ''}.`
}
