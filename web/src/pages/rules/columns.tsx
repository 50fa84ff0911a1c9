// SPDX-License-Identifier: Apache-2.0
// The columns of the rules grid.

import { Link } from '@tanstack/react-router'
import type { RuleRow } from '@/api/types'
import { cx, Icon, SeverityShape, severityName, severityRank, Time } from '@/ui'
import type { Choice, Column } from '@/ui/grid'
import { compact, count } from '@/ui/units'
import { familyName } from '../findings/fields'
import { baselineName, fieldName, kindName, nanoseconds, noiseBucket, originName, stateName, valueName, type RuleField } from './fields'
import { plainTitle } from './title'

const none = <span className="grid-none">–</span>
const choice = (field: RuleField, value: string): Choice => ({ field, value, label: `${fieldName[field]}: ${valueName(field, value)}` })

export const ruleColumns: Column<RuleRow>[] = [
  {
    id: 'title', label: 'Rule', width: 320, grow: true, fixed: true, value: (r) => plainTitle(r.title),
    render: (r) => <Link to="/rules/$id" params={{ id: r.id }} className="grid-cut ru-title" title={`${plainTitle(r.title)}\n${r.id}`} tabIndex={-1}>{plainTitle(r.title)}</Link>,
  },
  { id: 'id', label: 'ID', width: 190, hidden: true, value: (r) => r.id, render: (r) => <span className="grid-cut mono" title={r.id}>{r.id}</span> },
  { id: 'family', label: 'Family', width: 120, value: (r) => familyName[r.family] ?? r.family, choices: (r) => [choice('family', r.family)], render: (r) => <span className="grid-cut">{familyName[r.family] ?? r.family}</span> },
  {
    id: 'severity', label: 'Severity', width: 104, downFirst: true, value: (r) => severityName[r.severity], order: (r) => severityRank[r.severity] * 10 + severityRank[r.in_case], choices: (r) => [choice('severity', r.severity)],
    about: 'As the rule rates it; in a case it may be worse.',
    render: (r) => <span className={`ru-sev sev-${r.severity}`} title={r.in_case !== 'unknown' && r.in_case !== r.severity ? `${severityName[r.in_case]} during a case` : undefined}><SeverityShape level={r.severity} /> {severityName[r.severity]}{r.in_case !== 'unknown' && r.in_case !== r.severity && <span className="ru-incase" aria-label={`, ${severityName[r.in_case].toLowerCase()} during a case`}><SeverityShape level={r.in_case} size={10} /></span>}</span>,
  },
  {
    id: 'state', label: 'State', width: 84, value: (r) => stateName[r.state], choices: (r) => [choice('state', r.state)],
    render: (r) => <span className={cx('ru-state', `ru-${r.state}`)} title={r.why || undefined}><Icon name={r.state === 'on' ? 'check' : r.state === 'off' ? 'minus' : 'warning'} size={13} />{stateName[r.state]}</span>,
  },
  { id: 'open', label: 'Open', width: 62, align: 'end', downFirst: true, value: (r) => r.open, render: (r) => (r.open === 0 ? none : <Link to="/findings" search={{ is: `rule:${r.id}` }} tabIndex={-1}>{count(r.open)}</Link>) },
  { id: 'perday', label: 'A day', width: 62, align: 'end', downFirst: true, about: 'Findings a day over the last 7 days', value: (r) => r.per_day, render: (r) => (r.per_day === 0 ? none : <span>{r.per_day < 10 ? r.per_day.toFixed(1) : count(r.per_day)}</span>) },
  {
    id: 'noise', label: 'Noise', width: 82, align: 'end', downFirst: true, about: 'Percent of its closed findings that were false or benign', value: (r) => (r.noise < 0 ? '' : r.noise), order: (r) => r.noise, choices: (r) => [choice('noise', noiseBucket(r.noise))],
    render: (r) => (r.noise < 0 ? none : <span className={cx(r.noise > 60 && 'ru-noisy')}>{r.noise}{'\u00a0'}%</span>),
  },
  { id: 'last', label: 'Last fired', width: 96, downFirst: true, value: (r) => r.last_fired ?? '', order: (r) => (r.last_fired ? Date.parse(r.last_fired) : null), render: (r) => (r.last_fired ? <Time at={r.last_fired} plain /> : <span className="grid-none">never</span>) },
  {
    id: 'baseline', label: 'Baseline', width: 104, about: 'What it has learned as usual', value: (r) => baselineName[r.baseline], choices: (r) => [choice('baseline', r.baseline)],
    render: (r) => (r.baseline === 'none' ? none : <span title={`${count(r.ready)} ready, ${count(r.learning)} learning${r.distrusted > 0 ? `, ${count(r.distrusted)} values not trusted` : ''}`}>{baselineName[r.baseline]}{r.distrusted > 0 && <span className="ru-distrust"> {count(r.distrusted)}!</span>}</span>),
  },
  { id: 'cost', label: 'Cost', width: 78, align: 'end', downFirst: true, about: 'Of one evaluation, on average', value: (r) => r.nanoseconds, render: (r) => <span>{nanoseconds(r.nanoseconds)}</span> },
  { id: 'evaluations', label: 'Evaluated', width: 88, align: 'end', downFirst: true, hidden: true, value: (r) => r.evaluations, render: (r) => <span>{compact(r.evaluations)}</span> },
  { id: 'errors', label: 'Errors', width: 70, align: 'end', downFirst: true, hidden: true, value: (r) => r.errors },
  { id: 'keys', label: 'Keys', width: 76, align: 'end', downFirst: true, hidden: true, about: 'What it keeps apart; evicted ones were too many', value: (r) => r.keys, render: (r) => <span title={r.evicted > 0 ? `${count(r.evicted)} were dropped for want of room` : undefined}>{compact(r.keys)}</span> },
  { id: 'alerts', label: 'Findings', width: 78, align: 'end', downFirst: true, hidden: true, value: (r) => r.alerts },
  { id: 'kind', label: 'Kind', width: 140, hidden: true, value: (r) => kindName[r.kind] ?? r.kind, choices: (r) => [choice('kind', r.kind)] },
  { id: 'origin', label: 'From', width: 90, hidden: true, value: (r) => originName[r.origin] ?? r.origin, choices: (r) => [choice('origin', r.origin)] },
  { id: 'attack', label: 'ATT&CK', width: 120, hidden: true, value: (r) => r.attack, choices: (r) => (r.attack.length === 0 ? [choice('attack', '')] : r.attack.map((a) => choice('attack', a))) },
]
