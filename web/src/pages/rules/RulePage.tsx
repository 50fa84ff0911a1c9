// SPDX-License-Identifier: Apache-2.0
// One rule: what it looks for, in the words of both readers, how well it works,
// and its text. One's own can be changed; all can be switched and backtested.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { RuleDetail } from '@/api/types'
import { useMay } from '@/shell/access'
import { Page } from '@/shell/Page'
import { Button, Confirm, Copyable, cx, Dialog, DialogClose, Empty, ErrorNote, ErrorState, Icon, Loading, Notice, Severity, SeverityShape, severityName, Skeleton, TextArea, Time, toast } from '@/ui'
import { CopyLink } from '@/ui/grid'
import { compact, count, plural } from '@/ui/units'
import { BacktestResult, useBacktest } from '../findings/Backtest'
import { outcomeShort, stateName as findingState } from '../findings/fields'
import '../findings/findings.css'
import { Baselines } from './Baselines'
import { baselineName, kindName, nanoseconds, originName, valueName } from './fields'
import { plainTitle } from './title'
import { rule as ruleQuery, ruleFindings, rulePath } from './queries'
import { RuleEditor } from './RuleEditor'
import './rules.css'

export function RulePage() {
  const { id = '' } = useParams({ strict: false })
  if (id === 'new') return <NewRule />
  return <OneRule key={id} id={id} />
}

function NewRule() {
  return (
    <Page title="New rule" sentence="A rule of your own: tested on its samples, and on the days that are stored, before it counts.">
      <RuleEditor rule={null} />
    </Page>
  )
}

function OneRule({ id }: { id: string }) {
  const query = useQuery(ruleQuery(id))
  const r = query.data
  if (!r) {
    const gone = query.error instanceof ApiError && query.error.status === 404
    return (
      <Page title="Rule" heading={query.isPending ? <><span className="sr-only">Rule</span><Skeleton width={30} height={22} /></> : undefined}>
        {query.isPending ? (
          <Loading what="the rule"><Skeleton lines={12} /></Loading>
        ) : gone ? (
          <Empty icon="filter" title="No rule has this ID." action={<Link to="/rules" className="btn btn-plain">All rules</Link>}><p><span className="mono">{id}</span> may have been removed, or renamed by an update.</p></Empty>
        ) : (
          <ErrorState error={query.error} lost="This rule cannot be shown." kept="Detection goes on with it." retry={() => void query.refetch()} />
        )}
      </Page>
    )
  }
  return <Detail r={r} />
}

function Detail({ r }: { r: RuleDetail }) {
  const may = useMay()
  const refused = may('rule.edit')
  const [switching, setSwitching] = useState(false)
  const [editing, setEditing] = useState(false)
  const client = useQueryClient()
  const navigate = useNavigate()
  const own = r.origin === 'own' || r.origin === 'sigma' || r.origin === 'suricata'
  const internal = r.origin === 'internal'
  return (
    <Page
      title={plainTitle(r.title)}
      sentence={<><span className="mono">{r.id}</span> · {valueName('family', r.family)} · {originName[r.origin]}, version {r.version}{r.changed_at && <> · changed by {r.changed_by} <Time at={r.changed_at} /></>}</>}
      actions={
        <>
          {!internal && <Button icon={r.state === 'off' ? 'play' : 'pause'} reason={refused} onClick={() => setSwitching(true)}>{r.state === 'off' ? 'Switch on…' : 'Switch off…'}</Button>}
          {own && <Button icon="edit" reason={refused} onClick={() => setEditing(!editing)} aria-pressed={editing}>Edit</Button>}
          {own && refused === undefined && (
            <Confirm
              title={`Delete ${r.id}?`} action="Delete" danger trigger={<Button icon="trash" kind="quiet" aria-label="Delete the rule" />}
              run={async () => {
                await api.del(rulePath(r.id), { params: { revision: r.revision } })
                void client.invalidateQueries({ queryKey: ['rules'] })
                void navigate({ to: '/rules' })
              }}
            >
              <p>Its findings stay. What it learned is forgotten.</p>
            </Confirm>
          )}
          <CopyLink />
        </>
      }
    >
      {r.state === 'failing' && <Notice kind="stop">It fails: {r.why}</Notice>}
      {r.state === 'off' && <Notice kind="attention">It is off{r.why !== '' && <>: {r.why}</>}. Nothing is found with it.</Notice>}
      {editing ? (
        <RuleEditor rule={r} onDone={() => setEditing(false)} />
      ) : (
        <div className="rd-cols">
          <div className="rd-main">
            <section className="fd-section" aria-labelledby="rd-analyst"><header><h2 id="rd-analyst">For the analyst</h2></header><p className="fd-prose">{r.description || 'It says nothing more than its title.'}</p></section>
            {r.room !== '' && <section className="fd-section" aria-labelledby="rd-room"><header><h2 id="rd-room">For the room</h2></header><p className="fd-prose">{r.room}</p></section>}
            {r.playbook.length > 0 && <section className="fd-section" aria-labelledby="rd-do"><header><h2 id="rd-do">What to do</h2></header><ol className="rd-steps">{r.playbook.map((x) => <li key={x}>{x}</li>)}</ol></section>}
            {r.false_positives.length > 0 && <section className="fd-section" aria-labelledby="rd-benign"><header><h2 id="rd-benign">What else looks like it</h2></header><ul className="fd-bullets">{r.false_positives.map((x) => <li key={x}>{x}</li>)}</ul></section>}
            <FiredSection r={r} />
            {r.baseline !== 'none' && <section className="fd-section" aria-labelledby="rd-base"><header><h2 id="rd-base">What it has learned</h2></header><Baselines rule={r.id} /></section>}
            <section className="fd-section" aria-labelledby="rd-text">
              <header><h2 id="rd-text">Its text</h2></header>
              {r.text === '' ? <p className="quiet">It is part of the program and has no text.</p> : <pre className="code rd-text" tabIndex={0} aria-label="The rule as YAML">{r.text}</pre>}
            </section>
            {r.references.length > 0 && <section className="fd-section" aria-labelledby="rd-refs"><header><h2 id="rd-refs">Where to read more</h2></header><ul className="fd-bullets">{r.references.map((x) => <li key={x}>{x}</li>)}</ul></section>}
          </div>
          <Facts r={r} />
        </div>
      )}
      {switching && <SwitchDialog r={r} onClose={() => setSwitching(false)} />}
    </Page>
  )
}

function Facts({ r }: { r: RuleDetail }) {
  return (
    <aside className="rd-side" aria-label="How it works and how well">
      <dl className="pairs">
        <div><dt>Severity</dt><dd><Severity level={r.severity} />{r.in_case !== 'unknown' && r.in_case !== r.severity && <> in a case <Severity level={r.in_case} /></>}</dd></div>
        <div><dt>Sure</dt><dd>{r.confidence}{'\u00a0'}%</dd></div>
        <div><dt>Kind</dt><dd>{kindName[r.kind] ?? r.kind}</dd></div>
        {r.needs.length > 0 && <div><dt>Needs</dt><dd>{r.needs.join(', ')}</dd></div>}
        <div><dt>ATT&CK</dt><dd>{r.attack.length === 0 ? '–' : r.attack.map((a) => <Copyable key={a} value={a} what="technique" />)}</dd></div>
        <div><dt>Baseline</dt><dd>{baselineName[r.baseline]}{r.baseline !== 'none' && `: ${count(r.ready)} ready, ${count(r.learning)} learning`}</dd></div>
        <div><dt>Noise</dt><dd>{r.noise < 0 ? 'none of its findings was closed yet' : `${r.noise}\u00a0% of its closed findings were false or benign`}</dd></div>
        <div><dt>A day</dt><dd>{r.per_day === 0 ? 'none in 7 days' : `${r.per_day.toFixed(1)} findings`}</dd></div>
        <div><dt>Last fired</dt><dd>{r.last_fired ? <Time at={r.last_fired} /> : 'never'}</dd></div>
        <div><dt>Evaluated</dt><dd>{compact(r.evaluations)} times, {nanoseconds(r.nanoseconds)} each{r.errors > 0 && <span className="ru-broken">, {plural(r.errors, 'error')}</span>}</dd></div>
        <div><dt>State kept</dt><dd>{compact(r.keys)} keys{r.evicted > 0 && `, ${compact(r.evicted)} dropped for want of room`}</dd></div>
      </dl>
      <h2 className="rd-h">Samples</h2>
      {r.samples.length === 0 ? <p className="quiet">None.</p> : <ul className="rd-samples">{r.samples.map((s) => <li key={s.name}><Icon name={s.fires ? 'flag' : 'minus'} size={13} label={s.fires ? 'Fires' : 'Stays quiet'} /><span>{s.name}</span></li>)}</ul>}
      <BacktestPart r={r} />
    </aside>
  )
}

function BacktestPart({ r }: { r: RuleDetail }) {
  const run = useBacktest()
  const refused = useMay()('finding.edit')
  if (r.origin === 'internal') return null
  return (
    <>
      <h2 className="rd-h">Backtest</h2>
      <p className="quiet">What it would have found in the last 7 days, as it is now.</p>
      <Button small icon="play" reason={refused} busy={run.starting || run.data?.state === 'running'} onClick={() => run.start({ rule: r.id, from: '-7d' })}>Run</Button>
      <BacktestResult run={run} />
    </>
  )
}

function FiredSection({ r }: { r: RuleDetail }) {
  const list = useQuery(ruleFindings(r.id))
  const all = list.data?.findings ?? []
  return (
    <section className="fd-section" aria-labelledby="rd-found">
      <header><h2 id="rd-found">What it has found</h2>{all.length > 0 && <Link to="/findings" search={{ is: `rule:${r.id}` }}>All of it</Link>}</header>
      {list.isPending ? <Skeleton lines={3} /> : list.isError ? <ErrorNote error={list.error} /> : all.length === 0 ? <p className="quiet">Nothing yet.</p> : (
        <>
          <ul className="fd-related">
            {all.slice(0, 12).map((f) => (
              <li key={f.id}>
                <Link className="fd-related-row rd-found" to="/findings" search={{ open: f.id, ...(f.state === 'closed' ? { shelf: 'closed' } : f.suppressed_by !== '' ? { shelf: 'suppressed' } : {}) }}>
                  <span className={`sev-${f.severity}`}><SeverityShape level={f.severity} label /></span>
                  <span className="fd-related-title">{f.title}</span>
                  <span className="quiet">{f.state === 'closed' ? `closed: ${(outcomeShort[f.outcome] ?? '').toLowerCase()}` : f.suppressed_by !== '' ? 'hidden' : findingState[f.state].toLowerCase()} · <Time at={f.last} plain /></span>
                </Link>
              </li>
            ))}
          </ul>
          {(list.data?.total ?? 0) > 12 && <p className="quiet">and {count((list.data?.total ?? 0) - 12)} more.</p>}
        </>
      )}
    </section>
  )
}

function SwitchDialog({ r, onClose }: { r: RuleDetail; onClose: () => void }) {
  const client = useQueryClient()
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const off = r.state !== 'off'
  const ready = !off || reason.trim() !== ''
  const go = async () => {
    if (!ready) return
    setBusy(true)
    setError(undefined)
    try {
      const is = await api.post<RuleDetail>(`${rulePath(r.id)}/${off ? 'disable' : 'enable'}`, { reason: reason.trim(), ...(r.revision > 0 ? { revision: r.revision } : {}) })
      client.setQueryData(ruleQuery(r.id).queryKey, is)
      void client.invalidateQueries({ queryKey: ['rules'] })
      toast(off ? `${r.id} is off.` : `${r.id} is on.`)
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      open onOpenChange={(o) => !o && onClose()} title={off ? 'Switch this rule off?' : 'Switch this rule on?'} lead={off ? 'Nothing is found with it any longer, anywhere. To hide single findings, suppress them instead.' : `Rated ${severityName[r.severity].toLowerCase()}. It starts at once.`}
      actions={<><DialogClose><Button>Cancel</Button></DialogClose><Button kind={off ? 'danger' : 'primary'} type="submit" form="switch-rule" busy={busy} disabled={!ready}>{off ? 'Switch off' : 'Switch on'}</Button></>}
    >
      <form id="switch-rule" className={cx('ru-form')} onSubmit={(e) => { e.preventDefault(); void go() }}>
        <TextArea label={off ? 'Why nobody needs what it finds' : 'Why, if there is something to say'} value={reason} maxLength={1900} autoFocus onChange={(e) => setReason(e.target.value)} error={error instanceof ApiError ? error.field('reason') : undefined} />
        {error !== undefined && !(error instanceof ApiError && error.field('reason')) && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}
