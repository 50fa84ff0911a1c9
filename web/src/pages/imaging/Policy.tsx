// SPDX-License-Identifier: Apache-2.0
// The policy by which images are judged: its text, checked while one rests; what
// differs from what is in force; what it would have made of what has come. Only
// then is it saved, and only over the one that was read.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useBlocker } from '@tanstack/react-router'
import { useEffect, useMemo, useRef, useState } from 'react'
import { ApiError } from '@/api/client'
import { sentence, statement } from '@/api/said'
import type { ImagingDryRun, ImagingPolicy, ImagingProblem } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Confirm, ErrorNote, ErrorState, Icon, Loading, Notice, Segmented, Skeleton, Time, toast } from '@/ui'
import { TextEditor, type TextEditorHandle } from '@/ui/TextEditor'
import { count, plural } from '@/ui/units'
import { Hash } from '../ledger/Facts'
import { changes, diffLines } from './diff'
import { DiffView } from './DiffView'
import { DryRunView } from './DryRunView'
import { checkPolicy, dryRun, policy as policyQuery, savePolicy } from './queries'
import { useWhere } from './where'

const REST = 600 // ms of rest before the text is checked
const looks = [{ value: '200', label: '200 newest images' }, { value: '1000', label: '1000 newest images' }] as const

export function Policy({ gateway }: { gateway: string }) {
  const query = useQuery(policyQuery(gateway))
  // What one edits stands on what was read when one began: a newer one is offered, not taken.
  const [base, setBase] = useState<ImagingPolicy | null>(null)
  useEffect(() => {
    if (query.data) setBase((old) => old ?? query.data)
  }, [query.data])
  if (!base) return query.isPending || query.data ? <Loading what="the policy"><Skeleton lines={18} /></Loading> : <ErrorState error={query.error} lost="The policy cannot be shown." kept="It stays in force." retry={() => void query.refetch()} />
  return <Editor key={base.sha256} gateway={gateway} base={base} newest={query.data ?? base} onBase={setBase} />
}

function Editor({ gateway, base, newest, onBase }: { gateway: string; base: ImagingPolicy; newest: ImagingPolicy; onBase: (p: ImagingPolicy) => void }) {
  const client = useQueryClient()
  const where = useWhere()
  const refused = useMay()('imaging.edit')
  const [text, setText] = useState(base.yaml)
  const [check, setCheck] = useState<{ of: string; problems: ImagingProblem[] } | null>(null)
  const [checkError, setCheckError] = useState<unknown>()
  const [run, setRun] = useState<{ of: string; result: ImagingDryRun } | null>(null)
  const [runError, setRunError] = useState<unknown>()
  const [running, setRunning] = useState(false)
  const [limit, setLimit] = useState<'200' | '1000'>('200')
  const [view, setView] = useState<'text' | 'diff'>('text')
  const [saving, setSaving] = useState(false)
  const editor = useRef<TextEditorHandle>(null)
  const stopRun = useRef<AbortController | null>(null)
  useEffect(() => () => stopRun.current?.abort(), [])

  const dirty = text !== base.yaml
  const overtaken = newest.sha256 !== base.sha256
  useBlocker({ shouldBlockFn: ({ current, next }) => dirty && (current.pathname !== next.pathname || (next.search as { tab?: string }).tab !== 'policy') && !window.confirm('The policy that you are writing is not saved. Leave it?'), enableBeforeUnload: dirty })

  useEffect(() => {
    if (text === base.yaml) return
    const stop = new AbortController()
    const timer = setTimeout(() => {
      checkPolicy(gateway, text, stop.signal).then(
        (r) => {
          setCheck({ of: text, problems: r.problems })
          setCheckError(undefined)
        },
        (e: unknown) => {
          if (!stop.signal.aborted) setCheckError(e)
        },
      )
    }, REST)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [gateway, text, base.yaml])

  const problems = check?.of === text ? check.problems : dirty ? undefined : []
  const wrong = useMemo(() => new Set((problems ?? []).map((p) => p.line).filter((n) => n > 0)), [problems])
  const lines = useMemo(() => diffLines(newest.yaml, text), [newest.yaml, text])
  const n = changes(lines)
  const current = run?.of === text ? run.result : null
  const bad = problems !== undefined && problems.length > 0
  const why = refused ?? (!dirty ? 'Nothing is changed.' : overtaken ? 'Somebody saved a newer one meanwhile. Look at it first.' : problems === undefined ? 'It is being checked.' : bad ? 'The text is not right yet.' : undefined)
  const whyNoRun = refused ?? (bad ? 'The text is not right yet.' : undefined)

  const tryIt = async () => {
    stopRun.current?.abort()
    const stop = new AbortController()
    stopRun.current = stop
    setRunning(true)
    setRunError(undefined)
    try {
      setRun({ of: text, result: await dryRun(gateway, text, Number(limit), stop.signal) })
    } catch (e) {
      if (!stop.signal.aborted) setRunError(e)
    }
    if (stopRun.current === stop) setRunning(false)
  }
  const save = async () => {
    const saved = await savePolicy(gateway, text, base.sha256).catch((e: unknown) => {
      if (e instanceof ApiError && e.status === 409) void client.invalidateQueries({ queryKey: policyQuery(gateway).queryKey })
      throw e
    })
    client.setQueryData(policyQuery(gateway).queryKey, saved)
    void client.invalidateQueries({ queryKey: ['imaging'] })
    onBase(saved)
    toast('The policy is in force, for what comes from now on.')
  }
  return (
    <div className="im-body">
      {base.state.error && <Notice kind="attention">A newer file is not in force: {statement(base.state.error)} The one that is shown here stays in force.</Notice>}
      {overtaken && <Notice kind="attention" action={<Button small onClick={() => { setText((t) => (dirty ? t : newest.yaml)); if (!dirty) onBase(newest); else setView('diff') }}>{dirty ? 'Show the difference' : 'Show it'}</Button>}>Somebody saved a newer policy while this was open.{dirty && ' What you wrote is kept here. '}{dirty && <button type="button" className="linklike" onClick={() => onBase(newest)}>Throw mine away</button>}</Notice>}
      <p className="im-policy-of">In force: {base.state.file ? <span className="mono im-path">{base.state.file}</span> : 'the policy that comes with Asepsis'}, {plural(base.state.rules, 'rule')}, loaded <Time at={base.state.loaded} />, SHA-256 <Hash value={base.sha256} what="SHA-256 of the policy" /></p>
      <div className="re">
        <div className="re-main">
          <div className="im-policy-bar">
            <Segmented label="What is shown" value={view} onChange={setView} options={[{ value: 'text', label: 'Text' }, { value: 'diff', label: <>Difference{dirty && <span className="tabs-count">+{count(n.added)} −{count(n.removed)}</span>}</> }]} />
            <span className="quiet">{dirty ? 'Not saved yet.' : 'As it is in force.'}</span>
          </div>
          {view === 'text' ? <TextEditor ref={editor} label="The policy as YAML" value={text} onChange={setText} wrong={wrong} readOnly={refused !== undefined} /> : <DiffView lines={lines} before="in force" after="as it is here" />}
          <div className="re-actions">
            <Button kind="primary" reason={why} onClick={() => setSaving(true)}>Put in force…</Button>
            <Button icon="play" busy={running} reason={whyNoRun} onClick={() => void tryIt()}>Dry run</Button>
            <Segmented small label="Over how many" value={limit} onChange={setLimit} options={looks.map((l) => ({ value: l.value, label: l.label }))} />
            {dirty && <Button kind="quiet" icon="undo" onClick={() => { setText(newest.yaml); setCheck(null); if (overtaken) onBase(newest) }}>As in force</Button>}
          </div>
        </div>
        <div className="re-side" aria-live="polite">
          <h2 className="rd-h">Check</h2>
          {!dirty ? <p className="quiet">What you change is checked while you rest.</p> : checkError !== undefined && problems === undefined ? <ErrorNote error={checkError} /> : problems === undefined ? <p className="quiet">Checking …</p> : problems.length === 0 ? <p><Icon name="check" size={14} /> The text is right.</p> : <Problems list={problems} onGo={(p) => { setView('text'); requestAnimationFrame(() => editor.current?.goTo(p.line, p.column)) }} />}
          <h2 className="rd-h">Dry run</h2>
          {runError !== undefined ? <ErrorNote error={runError} /> : running ? <p className="quiet">Looking at stored images again …</p> : run === null ? <p className="quiet">Judges images that are stored once more, and changes nothing. What would come out otherwise is listed.</p> : <>{!current && <p className="quiet">The text has changed since.</p>}<DryRunView run={run.result} where={where} /></>}
          <p className="quiet">What can be said in a policy stands in the handbook under Gateway. On the command line: <code>asepsis gateway policy check FILE</code>. All that was decided stays with <Link to="/imaging" search={{ tab: 'instances', by: 'instance', ...where }}>each image</Link>.</p>
        </div>
      </div>
      {saving && (
        <Confirm open onOpenChange={(o) => !o && setSaving(false)} title="Put this policy in force?" action="Put in force" run={async () => { await save(); setSaving(false) }}>
          <p>It judges what comes from now on. What has come stays as it was judged. {plural(n.added, 'line')} came, {plural(n.removed, 'line')} went.</p>
          {current ? <p>{current.changed.length === 0 ? `Of ${plural(current.examined, 'image')} none would have come out otherwise.` : `Of ${plural(current.examined, 'image')} ${count(current.changed.length + current.more)} would have come out otherwise.`}</p> : <p><Icon name="warning" size={14} /> No dry run was made of this text.</p>}
          <p>The change is recorded with your name.</p>
        </Confirm>
      )}
    </div>
  )
}

function Problems({ list, onGo }: { list: readonly ImagingProblem[]; onGo: (p: ImagingProblem) => void }) {
  return (
    <ul className="re-errors">
      {list.map((p, i) => (
        <li key={i}>
          <Icon name="warning" size={14} />
          <span>{p.line > 0 && <button type="button" className="linklike" onClick={() => onGo(p)}>Line {p.line}</button>}{p.line > 0 && ': '}{p.field && <span className="mono">{p.field}</span>}{p.field && ': '}{sentence(p.what)}{p.hint && <span className="re-why">{statement(p.hint)}</span>}</span>
        </li>
      ))}
    </ul>
  )
}
