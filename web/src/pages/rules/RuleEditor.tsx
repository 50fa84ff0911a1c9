// SPDX-License-Identifier: Apache-2.0
// The text of a rule of one's own: checked while one rests, its samples run,
// backtested, saved. A line that is wrong is marked beside its number.

import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'
import { api } from '@/api/client'
import type { RuleDetail, RuleTest } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, cx, ErrorNote, Icon, toast } from '@/ui'
import { TextEditor } from '@/ui/TextEditor'
import { plural } from '@/ui/units'
import { BacktestResult, useBacktest } from '../findings/Backtest'
import { lineOf, template } from './editor'
import { rule as ruleQuery, rulePath } from './queries'

const REST = 600 // ms of rest before the text is checked

export function RuleEditor({ rule: was, onDone }: { rule: RuleDetail | null; onDone?: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const refused = useMay()('rule.edit')
  const [text, setText] = useState(was?.text ?? template)
  const [test, setTest] = useState<{ of: string; result: RuleTest } | null>(null)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const run = useBacktest()
  const [tested, setTested] = useState('')

  useEffect(() => {
    const stop = new AbortController()
    const timer = setTimeout(() => {
      api.post<RuleTest>('/rules/test', { text }, { signal: stop.signal }).then(
        (result) => {
          setTest({ of: text, result })
          setError(undefined)
        },
        (e: unknown) => {
          if (!stop.signal.aborted) setError(e)
        },
      )
    }, REST)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [text])

  const current = test?.of === text ? test.result : null
  const errors = current?.errors ?? []
  const wrong = useMemo(() => new Set(errors.map(lineOf).filter((n) => n > 0)), [errors])
  const failed = current?.samples.filter((s) => !s.ok) ?? []
  const why = refused ?? (!current ? 'It is being checked.' : errors.length > 0 ? 'The text has an error.' : failed.length > 0 ? 'A sample does not do what it should.' : undefined)
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const is = was ? await api.put<RuleDetail>(rulePath(was.id), { text, revision: was.revision }) : await api.post<RuleDetail>('/rules', { text })
      client.setQueryData(ruleQuery(is.id).queryKey, is)
      void client.invalidateQueries({ queryKey: ['rules'] })
      toast(`${is.id} is saved, and on.`)
      onDone?.()
      if (!was) void navigate({ to: '/rules/$id', params: { id: is.id }, replace: true })
    } catch (e) {
      setError(e)
    }
    setBusy(false)
  }
  return (
    <div className="re">
      <div className="re-main">
        <TextEditor label="The rule as YAML" value={text} onChange={setText} wrong={wrong} />
        <div className="re-actions">
          <Button kind="primary" busy={busy} reason={why} onClick={() => void save()}>Save</Button>
          <Button icon="play" reason={errors.length > 0 ? 'The text has an error.' : undefined} busy={run.starting || run.data?.state === 'running'} onClick={() => { setTested(text); run.start({ text, from: '-7d' }) }}>Backtest over 7 days</Button>
          {onDone && <Button onClick={onDone}>Cancel</Button>}
        </div>
        {error !== undefined && <ErrorNote error={error} />}
      </div>
      <div className="re-side" aria-live="polite">
        <h2 className="rd-h">Check</h2>
        {!current ? (
          <p className="quiet">Checking …</p>
        ) : errors.length > 0 ? (
          <ul className="re-errors">{errors.map((e) => <li key={e}><Icon name="warning" size={14} /><span>{e}</span></li>)}</ul>
        ) : (
          <p><Icon name="check" size={14} /> The text is right.</p>
        )}
        {current && errors.length === 0 && (
          <>
            <h2 className="rd-h">{plural(current.samples.length, 'sample')}</h2>
            <ul className="re-samples">
              {current.samples.map((s) => (
                <li key={s.name} className={cx(!s.ok && 're-bad')}>
                  <Icon name={s.ok ? 'check' : 'close'} size={14} label={s.ok ? 'As expected' : 'Not as expected'} />
                  <span>{s.name}{!s.ok && <span className="re-why">expected {s.expected || 'nothing'}; found {s.found || 'nothing'}</span>}</span>
                </li>
              ))}
            </ul>
            {current.samples.length === 0 && <p className="quiet">Add at least one that fires and one that does not.</p>}
          </>
        )}
        {tested !== '' && (
          <>
            <h2 className="rd-h">Backtest</h2>
            {tested !== text && <p className="quiet">The text has changed since.</p>}
            <BacktestResult run={run} />
          </>
        )}
        <p className="quiet">What can be said in a rule stands in the handbook under Rules; <code>asepsis rules explain</code> says what each rule made of an event.</p>
      </div>
    </div>
  )
}
