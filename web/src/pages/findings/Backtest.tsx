// SPDX-License-Identifier: Apache-2.0
// What something would have found or hidden in the days that are stored. It
// runs on the server; this shows how far it is, and what came out.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { api } from '@/api/client'
import type { Backtest, BacktestRequest } from '@/api/types'
import { Button, ErrorNote, SeverityShape, severityName, Time, time } from '@/ui'
import { compact, plural } from '@/ui/units'
import { backtest as backtestQuery } from './queries'

export interface Running {
  /** The backtest of what was last asked for; undefined while there is none. */
  data: Backtest | undefined
  error: unknown
  starting: boolean
  start: (q: BacktestRequest) => void
  end: () => void
}

export function useBacktest(): Running {
  const [id, setId] = useState('')
  const [error, setError] = useState<unknown>()
  const [starting, setStarting] = useState(false)
  const client = useQueryClient()
  const query = useQuery(backtestQuery(id))
  const start = useCallback((q: BacktestRequest) => {
    setError(undefined)
    setStarting(true)
    setId('')
    api.post<Backtest>('/backtests', q).then(
      (b) => {
        client.setQueryData(backtestQuery(b.id).queryKey, b)
        setId(b.id)
        setStarting(false)
      },
      (e: unknown) => {
        setError(e)
        setStarting(false)
      },
    )
  }, [client])
  const end = useCallback(() => {
    if (id !== '') void api.del(`/backtests/${encodeURIComponent(id)}`).catch(() => {}) // it ends by itself too
    setId('')
  }, [id])
  // When nobody waits for it any longer, it must not go on reading the store.
  const going = useRef('')
  going.current = query.data?.state === 'running' ? id : ''
  useEffect(() => () => {
    if (going.current !== '') void api.del(`/backtests/${encodeURIComponent(going.current)}`).catch(() => {})
  }, [])
  return { data: id === '' ? undefined : query.data, error: error ?? query.error ?? undefined, starting, start, end }
}

export function BacktestResult({ run }: { run: Running }) {
  const b = run.data
  if (run.error !== undefined) return <ErrorNote error={run.error} />
  if (run.starting || !b) return run.starting ? <p className="quiet" role="status">Starting …</p> : null
  if (b.state === 'running') {
    return (
      <div className="bt" role="status">
        <p>{compact(b.events)} events looked at, {Math.round(b.progress * 100)}{'\u00a0'}% of {plural(daysOf(b), 'day')}.</p>
        <progress className="bt-bar" max={1} value={b.progress} aria-label="How far the backtest is" />
        <Button small onClick={run.end}>Stop</Button>
      </div>
    )
  }
  if (b.state === 'failed') return <p className="error-note" role="alert">The backtest did not work: {b.problem}</p>
  if (b.state === 'cancelled') return <p className="quiet">The backtest was ended.</p>
  return <Done b={b} />
}

export function daysOf(b: Backtest): number {
  return Math.max(1, Math.round((Date.parse(b.complete ? b.to : b.reached) - Date.parse(b.from)) / 86_400_000))
}

function Done({ b }: { b: Backtest }) {
  const hides = b.kind === 'suppression'
  const most = Math.max(1, ...b.by_day.map((d) => d.findings))
  return (
    <div className="bt">
      <p className="bt-sentence" role="status">
        {b.findings === 0
          ? hides ? 'It would have hidden nothing' : 'It would have found nothing'
          : <>It would have {hides ? 'hidden' : 'found'} <strong>{plural(b.findings, 'finding')}</strong>{b.occurrences > b.findings && ` (${plural(b.occurrences, 'occurrence')})`}</>} in {plural(daysOf(b), 'day')}
        {b.findings > 0 && b.examples.length > 0 ? ', among them:' : '.'}
      </p>
      {b.examples.length > 0 && (
        <ul className="bt-examples">
          {b.examples.slice(0, 6).map((f) => (
            <li key={f.id}><span className={`sev-${f.severity}`}><SeverityShape level={f.severity} label /></span> <span>{f.title}</span> <span className="quiet"><Time at={f.last} plain /></span></li>
          ))}
          {b.findings > 6 && <li className="quiet">and {plural(b.findings - Math.min(6, b.examples.length), 'other')}</li>}
        </ul>
      )}
      {hides && b.true_hidden > 0 && <p className="bt-warn"><strong>{plural(b.true_hidden, 'of them was', 'of them were')} closed as true.</strong> Make it narrower, if you can.</p>}
      {hides && b.still_open > 0 && <p>{plural(b.still_open, 'is', 'are')} open now and would disappear from the list.</p>}
      {Object.keys(b.by_severity).length > 0 && <p className="quiet">{(['critical', 'high', 'medium', 'low', 'info'] as const).filter((s) => b.by_severity[s]).map((s) => `${b.by_severity[s] ?? 0} ${severityName[s].toLowerCase()}`).join(', ')}.</p>}
      {b.by_day.length > 1 && b.findings > 0 && (
        <div className="bt-days" role="img" aria-label={`Findings by day, at most ${most}`}>
          {b.by_day.map((d) => <span key={d.day} title={`${d.day.slice(0, 10)}: ${plural(d.findings, 'finding')}`}><i style={{ height: `${d.findings === 0 ? 0 : Math.max(8, (d.findings / most) * 100)}%` }} /></span>)}
        </div>
      )}
      {b.by_device.length > 0 && <p className="quiet">By device: {b.by_device.slice(0, 5).map((d) => `${d.name || d.device} ${d.findings}`).join(', ')}{b.by_device.length > 5 && ` and ${b.by_device.length - 5} more`}.</p>}
      {!b.complete && <p className="quiet">Only the time up to {time.short(b.reached)} was looked at: more would have taken too long.</p>}
      <p className="quiet">{compact(b.events)} events were looked at.</p>
    </div>
  )
}
