// SPDX-License-Identifier: Apache-2.0
// Rules: what is looked for and how well that works, what is hidden and by
// whom, when work is being done, what was learned as usual, and how many
// findings a room can stand.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { statement } from '@/api/said'
import { useMay } from '@/shell/access'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Icon, Tooltip } from '@/ui'
import '@/ui/tabs.css'
import { count, plural } from '@/ui/units'
import { Baselines } from './Baselines'
import { Budget } from './Budget'
import { Maintenance } from './Maintenance'
import { maintenance, ruleList, suppressions } from './queries'
import { RuleGrid } from './RuleGrid'
import './rules.css'
import { Suppressions } from './Suppressions'

const tabs = ['rules', 'suppressions', 'maintenance', 'baselines', 'budget'] as const
type Tab = (typeof tabs)[number]
const tabName: Record<Tab, string> = { rules: 'Rules', suppressions: 'Suppressions', maintenance: 'Maintenance', baselines: 'Baselines', budget: 'Alert budget' }

export function RulesPage() {
  const [params] = useURLState()
  const tab = tabs.find((t) => t === params.get('tab')) ?? 'rules'
  const rules = useQuery(ruleList)
  const hidden = useQuery(suppressions('active'))
  const windows = useQuery(maintenance)
  const may = useMay()
  const refused = may('rule.edit')
  const all = rules.data?.rules
  const on = all?.filter((r) => r.state === 'on').length ?? 0
  const failing = all?.filter((r) => r.state === 'failing').length ?? 0
  const behind = Math.max(0, ...(rules.data?.engines ?? []).map((e) => e.behind_seconds))
  const trouble = rules.data?.engines.find((e) => e.problem !== '')?.problem
  const sentence = all && (
    rules.data?.engines.length === 0
      ? `${plural(all.length, 'rule')}, but no process detects: nothing is found now.`
      : `${plural(on, 'rule is', 'rules are')} on${failing > 0 ? `, ${count(failing)} ${failing === 1 ? 'fails' : 'fail'}` : ''}${all.length - on - failing > 0 ? `, ${count(all.length - on - failing)} off` : ''}. ${trouble ? statement(trouble) : behind > 5 ? `Detection is ${Math.round(behind)} s behind.` : 'Detection is up to date.'}`
  )
  const countOf: Partial<Record<Tab, number>> = { rules: all?.length, suppressions: hidden.data?.suppressions.length, maintenance: windows.data?.windows.length }
  const shown: Record<Tab, () => ReactNode> = { rules: () => <RuleGrid />, suppressions: () => <Suppressions />, maintenance: () => <Maintenance />, baselines: () => <Baselines />, budget: () => <Budget /> }
  return (
    <Page
      title="Rules" full={tab === 'rules'} sentence={sentence || '\u00a0'}
      actions={refused === undefined ? <Link to="/rules/$id" params={{ id: 'new' }} className="btn btn-plain"><Icon name="plus" /><span className="btn-t">New rule</span></Link> : <Tooltip text={refused}><span className="btn btn-plain" aria-disabled="true" role="link"><Icon name="plus" /><span className="btn-t">New rule</span></span></Tooltip>}
    >
      <div className={tab === 'rules' ? 'ru-full' : 'ru-page'}>
        <nav className="tabs-list ru-tabs" aria-label="Parts of Rules">
          {tabs.map((t) => (
            <Link key={t} to="/rules" search={t === 'rules' ? {} : { tab: t }} className="tabs-tab" activeOptions={{ exact: true }} aria-current={t === tab ? 'page' : undefined} data-state={t === tab ? 'active' : undefined}>
              {tabName[t]}{countOf[t] !== undefined && <span className="tabs-count">{countOf[t]}</span>}
            </Link>
          ))}
        </nav>
        {shown[tab]()}
      </div>
    </Page>
  )
}
