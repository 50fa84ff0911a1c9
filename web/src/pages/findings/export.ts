// SPDX-License-Identifier: Apache-2.0
// The list as a file: what is shown, in its order.

import type { Finding } from '@/api/types'
import { time, toast } from '@/ui'
import type { Column } from '@/ui/grid'
import { fileName, saveFile, toCSV, toJSON } from '@/ui/grid/download'
import { plural } from '@/ui/units'
import { caseName, familyName, outcomeShort, stateName, type Names } from './fields'

const BOM = '\ufeff' // or Excel takes UTF-8 for something else

export function findingColumns(names: Names): Column<Finding>[] {
  const col = (id: string, label: string, value: Column<Finding>['value']): Column<Finding> => ({ id, label, width: 0, value })
  return [
    col('id', 'ID', (f) => f.id), col('severity', 'Severity', (f) => f.severity), col('title', 'Finding', (f) => f.title), col('rule', 'Rule', (f) => f.rule),
    col('family', 'Family', (f) => familyName[f.family] ?? f.family), col('devices', 'Devices', (f) => f.devices.map((d) => d.name)), col('theatre', 'Theatre', (f) => (f.theatre === '' ? '' : names.theatre(f.theatre))),
    col('case', 'Case then', (f) => caseName[f.case_state] ?? f.case_state), col('count', 'Times', (f) => f.count), col('first', 'First', (f) => f.first), col('last', 'Last', (f) => f.last), col('state', 'State', (f) => stateName[f.state]),
    col('assignee', 'Assigned to', (f) => f.assignee), col('outcome', 'Closed as', (f) => (f.outcome === '' ? '' : (outcomeShort[f.outcome] ?? f.outcome))), col('attack', 'ATT&CK', (f) => f.attack),
  ]
}

export function exportFindings(kind: 'csv' | 'json', list: readonly Finding[], names: Names): void {
  const columns = findingColumns(names)
  const name = fileName('findings', kind, new Date(time.now()))
  if (kind === 'csv') saveFile(name, 'text/csv;charset=utf-8', BOM + toCSV(list, columns))
  else saveFile(name, 'application/json', toJSON(list, columns))
  toast(`Saved ${plural(list.length, 'row')} to ${name}.`)
}
