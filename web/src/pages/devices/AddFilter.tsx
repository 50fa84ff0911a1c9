// SPDX-License-Identifier: Apache-2.0
// Filters of the devices: by any of their fields, with the values that occur.

import { useCallback, useMemo } from 'react'
import type { DeviceRow } from '@/api/types'
import { FilterButton, type Choice } from '@/ui/grid'
import { choice, countValues, deviceFields, fieldName, valueName, type DeviceField, type Names } from './fields'

interface Props { rows: readonly DeviceRow[]; names: Names; now: () => number; onFilter: (c: Choice, not: boolean) => void }

export function AddFilter({ rows, names, now, onFilter }: Props) {
  const fields = useMemo(() => deviceFields.filter((f) => f !== 'site' || names.site('') !== ''), [names])
  const values = useCallback((f: DeviceField) => countValues(rows, f, now()), [rows, now])
  return (
    <FilterButton
      what="devices" fields={fields} fieldName={fieldName} values={values} valueName={(f, v) => valueName(f, v, names)}
      onFilter={(f, v, not) => onFilter(choice(f, v, names), not)}
    />
  )
}
