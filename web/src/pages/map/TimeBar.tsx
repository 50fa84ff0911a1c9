// SPDX-License-Identifier: Apache-2.0
// Which time the map shows, and replaying it. Who asked for less motion steps
// by hand instead.

import { useEffect, useState } from 'react'
import { Button, IconButton, Segmented, time } from '@/ui'
import { lengths, positions, positionOf, windowOf, type Kept } from './replay'

interface Props {
  kept: Kept | null
  length: number
  end: number | null // null: the newest
  busy: boolean
  onLength: (ms: number) => void
  onEnd: (end: number | null) => void
}

const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches

export function TimeBar({ kept, length, end, busy, onLength, onEnd }: Props) {
  const [playing, setPlaying] = useState(false)
  const count = kept ? positions(length, kept) : 1
  const position = kept && end !== null ? positionOf(end, length, kept) : count - 1
  const [dragged, setDragged] = useState<number | null>(null)
  const shown = dragged ?? position
  const window = kept ? windowOf(shown, length, kept) : null

  const go = (p: number) => {
    if (!kept) return
    const at = Math.min(count - 1, Math.max(0, p))
    onEnd(at === count - 1 ? null : windowOf(at, length, kept).to)
  }
  // The slider at rest is what is asked for.
  useEffect(() => {
    if (dragged === null) return
    const timer = setTimeout(() => {
      go(dragged)
      setDragged(null)
    }, 180)
    return () => clearTimeout(timer)
  }, [dragged])
  // The next step waits for the last one to be drawn.
  useEffect(() => {
    if (!playing || busy) return
    if (position >= count - 1) {
      setPlaying(false)
      return
    }
    const timer = setTimeout(() => go(position + 1), 1100)
    return () => clearTimeout(timer)
  }, [playing, busy, position, count])

  const said = window ? `${time.short(window.from, 0)} to ${time.day(window.from) === time.day(window.to) ? time.clock(window.to, { seconds: false }) : time.short(window.to, 0)}` : ''
  return (
    <div className="map-time" role="group" aria-label="Time">
      <Segmented small label="Length of time" value={String(length)} onChange={(v) => onLength(Number(v))} options={lengths.map((l) => ({ value: String(l.ms), label: l.name }))} />
      <IconButton small icon="chevron-left" label="One step back" disabled={position === 0} onClick={() => go(position - 1)} />
      {!calm() && (
        <IconButton
          small icon={playing ? 'pause' : 'play'} label={playing ? 'Pause' : 'Replay from here'} disabled={count < 2}
          onClick={() => {
            if (!playing && position >= count - 1) go(0)
            setPlaying(!playing)
          }}
        />
      )}
      <IconButton small icon="chevron-right" label="One step on" disabled={position >= count - 1} onClick={() => go(position + 1)} />
      <input
        type="range" className="map-slider" min={0} max={Math.max(1, count - 1)} step={1} value={count < 2 ? 1 : shown} disabled={count < 2} aria-label="Time" aria-valuetext={said}
        onChange={(e) => {
          setPlaying(false)
          setDragged(Number(e.target.value))
        }}
      />
      <span className="map-said">{said}</span>
      <Button small kind="quiet" disabled={end === null} onClick={() => { setPlaying(false); onEnd(null) }}>Now</Button>
    </div>
  )
}
