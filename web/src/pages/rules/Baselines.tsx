// SPDX-License-Identifier: Apache-2.0
// What was learned as usual: to look at, to accept, to take out, to learn anew.
// What was learned while a finding was open is not trusted until somebody
// accepts it.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '@/api/client'
import type { Baseline, BaselineChange, BaselineValue } from '@/api/types'
import { useMay } from '@/shell/access'
import { useURLState } from '@/shell/urlstate'
import { Button, Confirm, cx, Empty, ErrorState, Icon, Loading, Menu, IconButton, Notice, Select, Skeleton, Time, toast, toastError } from '@/ui'
import { SearchField } from '@/ui/grid'
import { count, plural } from '@/ui/units'
import { baselines, ruleList } from './queries'
import { plainTitle } from './title'

const stateName: Record<Baseline['state'], string> = { learning: 'Learning', ready: 'Ready', frozen: 'Held' }

export function Baselines({ rule: only }: { rule?: string }) {
  const [params, setParams] = useURLState()
  const rule = only ?? params.get('rule') ?? ''
  const q = params.get('bq') ?? ''
  const state = params.get('state') ?? ''
  const list = useQuery(baselines({ rule, q, state }))
  const rules = useQuery(ruleList)
  const set = (name: string, value: string) => setParams((p) => (value === '' ? p.delete(name) : p.set(name, value)), { replace: true })
  const learners = (rules.data?.rules ?? []).filter((r) => r.baseline !== 'none')
  return (
    <section className="ru-part" aria-label="Baselines">
      <div className="ru-part-bar">
        {only === undefined && <Select small label="Rule" hideLabel value={rule} onChange={(e) => set('rule', e.target.value)} options={[{ value: '', label: 'All rules that learn' }, ...learners.map((r) => ({ value: r.id, label: plainTitle(r.title) }))]} />}
        <Select small label="State" hideLabel value={state} onChange={(e) => set('state', e.target.value)} options={[{ value: '', label: 'Any state' }, { value: 'learning', label: 'Learning' }, { value: 'ready', label: 'Ready' }, { value: 'frozen', label: 'Held' }, { value: 'distrusted', label: 'With what is not trusted' }]} />
        <SearchField label="Search baselines" placeholder="Devices, values …" value={q} wait={300} onChange={(text) => set('bq', text)} />
      </div>
      {list.isPending ? (
        <Loading what="baselines"><Skeleton lines={8} /></Loading>
      ) : list.isError ? (
        <ErrorState error={list.error} lost="What was learned cannot be shown." kept="It is kept, and detection goes on using it." retry={() => void list.refetch()} />
      ) : list.data.baselines.length === 0 ? (
        <Empty icon="database" title={rule !== '' || q !== '' || state !== '' ? 'No baseline matches.' : 'Nothing has been learned yet.'}><p>Rules that know what is usual learn it for each device or pair, and fire on what is new only when they are ready.</p></Empty>
      ) : (
        <>
          {list.data.more && <Notice>Only the first {count(list.data.baselines.length)} are shown. Search to find others.</Notice>}
          <ul className={cx('ru-baselines', list.isPlaceholderData && 'is-stale')}>{list.data.baselines.map((b) => <Item key={`${b.rule} ${b.key}`} b={b} />)}</ul>
        </>
      )}
    </section>
  )
}

function Item({ b }: { b: Baseline }) {
  const client = useQueryClient()
  const refused = useMay()('finding.edit')
  const [open, setOpen] = useState(b.distrusted > 0)
  const [resetting, setResetting] = useState(false)
  const change = async (c: Omit<BaselineChange, 'rule' | 'key'>, done: string) => {
    try {
      await api.post('/baselines', { rule: b.rule, key: b.key, ...c })
      toast(done)
    } catch (e) {
      toastError('Not done.', e)
    }
    void client.invalidateQueries({ queryKey: ['rules', 'baselines'] })
  }
  return (
    <li className="ru-baseline">
      <div className="ru-baseline-head">
        <button type="button" className="ru-baseline-open" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name={open ? 'chevron-down' : 'chevron-right'} size={14} />
          <span className="ru-baseline-name">{b.label || b.key}</span>
        </button>
        <span className="mono quiet ru-baseline-rule">{b.rule}</span>
        <span>{stateName[b.state]} {b.state === 'ready' && b.ready_since ? <>since <Time at={b.ready_since} /></> : <>since <Time at={b.since} /></>}</span>
        <span className="quiet">{plural(b.values.length, 'value')}, {plural(b.samples, 'sample')}</span>
        {b.distrusted > 0 && <span className="ru-distrust">{count(b.distrusted)} not trusted</span>}
        {refused === undefined && (
          <Menu
            align="end" label={`Change ${b.label}`} trigger={<IconButton small icon="more" label={`Change ${b.label || b.key}`} />}
            entries={[
              b.state === 'frozen' ? { label: 'Go on learning', icon: 'play', run: () => void change({ action: 'thaw' }, 'It goes on learning.') } : { label: 'Hold: learn nothing new', icon: 'pause', run: () => void change({ action: 'freeze' }, 'It is held as it is.') },
              { label: 'Learn anew…', icon: 'refresh', danger: true, run: () => setResetting(true) },
            ]}
          />
        )}
      </div>
      {open && (
        <div className="scroll-x">
          <table className="table ru-values">
            <thead><tr><th scope="col">Value</th><th scope="col">First</th><th scope="col">Last</th><th scope="col" className="num">Times</th><th scope="col"><span className="sr-only">Actions</span></th></tr></thead>
            <tbody>{b.values.map((v) => <Value key={v.value} v={v} refused={refused} change={change} />)}</tbody>
          </table>
          {b.values.length === 0 && <p className="quiet">No value yet.</p>}
        </div>
      )}
      {resetting && (
        <Confirm open onOpenChange={setResetting} title={`Learn ${b.label || b.key} anew?`} action="Learn anew" danger run={() => change({ action: 'reset' }, 'It learns anew.')}>
          <p>What was learned is forgotten. Until it is ready again, the rule does not fire for it.</p>
        </Confirm>
      )}
    </li>
  )
}

function Value({ v, refused, change }: { v: BaselineValue; refused: string | undefined; change: (c: Omit<BaselineChange, 'rule' | 'key'>, done: string) => Promise<void> }) {
  return (
    <tr className={cx(!v.trusted && 'ru-value-doubt')}>
      <th scope="row" className="mono ru-wrap">{v.value}{!v.trusted && <span className="ru-distrust"> learned while a finding was open</span>}{v.by !== '' && <span className="quiet"> accepted by {v.by}</span>}</th>
      <td><Time at={v.first} plain /></td>
      <td><Time at={v.last} plain /></td>
      <td className="num">{count(v.count)}</td>
      <td className="cell-actions">
        {!v.trusted && <Button small reason={refused} onClick={() => void change({ action: 'accept', value: v.value }, `${v.value} counts as usual now.`)}>Accept</Button>}{' '}
        <Button small kind="quiet" reason={refused} onClick={() => void change({ action: 'remove', value: v.value }, `${v.value} is no longer usual: the next time, the rule fires.`)}>Remove</Button>
      </td>
    </tr>
  )
}
