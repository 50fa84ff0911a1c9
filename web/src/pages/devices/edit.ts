// SPDX-License-Identifier: Apache-2.0
// Changing devices: shown at once, taken back with a clear message when the
// server refuses, undone on request.

import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { explain } from '@/api/client'
import type { DeviceList, DeviceRow } from '@/api/types'
import { toast } from '@/ui'
import { plural } from '@/ui/units'
import { classNames } from './classes'
import { deviceList, patchDevice, type Attribute, type DevicePatch } from './queries'

/** What the row will look like; what is given back to observation stays as it is until the server says. */
export function applyPatch(d: DeviceRow, patch: DevicePatch): DeviceRow {
  const next: DeviceRow = { ...d }
  const by = new Set(d.by_person)
  for (const [key, value] of Object.entries(patch) as [Attribute, string | null][]) {
    if (value === null) {
      by.delete(key)
      continue
    }
    by.add(key)
    if (key === 'criticality') next.criticality = value as DeviceRow['criticality']
    else next[key] = value
    if (key === 'class') next.class_name = classNames[value] ?? value
  }
  next.by_person = [...by]
  return next
}

/** The patch that brings a device back to how it was. */
export function reverse(d: DeviceRow, patch: DevicePatch): DevicePatch {
  const back: DevicePatch = {}
  for (const key of Object.keys(patch) as Attribute[]) back[key] = d.by_person.includes(key) ? d[key] : null
  return back
}

export interface BulkResult { done: number; failed: { row: DeviceRow; why: string }[] }

/** At most four requests at a time; one that is refused does not stop the others. */
export async function patchAll(rows: readonly DeviceRow[], patch: (d: DeviceRow) => DevicePatch, onDone: (n: number) => void): Promise<BulkResult> {
  const result: BulkResult = { done: 0, failed: [] }
  const queue = [...rows]
  const worker = async () => {
    for (let row = queue.shift(); row; row = queue.shift()) {
      try {
        await patchDevice(row.id, patch(row))
        result.done++
      } catch (e) {
        result.failed.push({ row, why: explain(e).title })
      }
      onDone(result.done + result.failed.length)
    }
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  return result
}

function setRows(client: QueryClient, change: (d: DeviceRow) => DeviceRow): void {
  client.setQueryData<DeviceList>(deviceList.queryKey, (old) => old && { ...old, devices: old.devices.map(change) })
}

export type BulkEdit = (rows: readonly DeviceRow[], patch: DevicePatch, what: string, onDone?: (n: number) => void) => Promise<BulkResult>

export function useBulkEdit(): BulkEdit {
  const client = useQueryClient()
  return useCallback(
    async (rows, patch, what, onDone = () => {}) => {
      await client.cancelQueries({ queryKey: deviceList.queryKey })
      const before = new Map(rows.map((r) => [r.id, r]))
      setRows(client, (d) => (before.has(d.id) ? applyPatch(d, patch) : d))
      const result = await patchAll(rows, () => patch, onDone)
      if (result.failed.length > 0) {
        const back = new Map(result.failed.map((f) => [f.row.id, f.row]))
        setRows(client, (d) => back.get(d.id) ?? d)
        const first = result.failed[0]
        toast(
          `${what} was not changed for ${plural(result.failed.length, 'device')}, which ${result.failed.length === 1 ? 'is' : 'are'} as before. ${first ? `${first.row.name}: ${first.why}` : ''}`,
          { error: true },
        )
      }
      void client.invalidateQueries({ queryKey: ['devices'] })
      if (result.done > 0) {
        const failed = new Set(result.failed.map((f) => f.row.id))
        const changed = rows.filter((r) => !failed.has(r.id))
        toast(`${what} set for ${plural(result.done, 'device')}.`, {
          action: {
            label: 'Undo',
            run: () =>
              void patchAll(changed, (d) => reverse(before.get(d.id) ?? d, patch), () => {}).then((r) => {
                void client.invalidateQueries({ queryKey: ['devices'] })
                if (r.failed.length > 0) toast(`${plural(r.failed.length, 'device')} could not be changed back: ${r.failed[0]?.why ?? ''}`, { error: true })
                else toast(`${what} is as before for ${plural(r.done, 'device')}.`)
              }),
          },
        })
      }
      return result
    },
    [client],
  )
}
