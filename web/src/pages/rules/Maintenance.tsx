// SPDX-License-Identifier: Apache-2.0
// When work is being done on rooms and devices: what is found then counts less,
// or is hidden. Never for the whole site.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '@/api/client'
import type { MaintenanceWindow } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Confirm, Empty, ErrorState, Loading, Skeleton, Time, time, toast } from '@/ui'
import { count } from '@/ui/units'
import { MaintenanceDialog } from './MaintenanceDialog'
import { maintenance } from './queries'
import { scheduleWords } from './schedule'
import { useNames } from './Suppressions'

export function Maintenance() {
  const list = useQuery(maintenance)
  const names = useNames()
  const client = useQueryClient()
  const refused = useMay()('finding.edit')
  const [editing, setEditing] = useState<MaintenanceWindow | 'new' | null>(null)
  const remove = async (w: MaintenanceWindow) => {
    await api.del(`/maintenance/${encodeURIComponent(w.id)}`, { params: { revision: w.revision } })
    void client.invalidateQueries({ queryKey: ['rules'] })
    toast(`${w.name} is deleted.`)
  }
  return (
    <section className="ru-part" aria-label="Maintenance windows">
      <div className="ru-part-bar">
        <p className="quiet">What is found in a window counts less or is hidden, and stays counted.</p>
        <Button icon="plus" reason={refused} onClick={() => setEditing('new')}>New window</Button>
      </div>
      {list.isPending ? (
        <Loading what="maintenance windows"><Skeleton lines={6} /></Loading>
      ) : list.isError ? (
        <ErrorState error={list.error} lost="The maintenance windows cannot be listed." kept="They go on as they are." retry={() => void list.refetch()} />
      ) : list.data.windows.length === 0 ? (
        <Empty icon="clock" title="No maintenance is planned."><p>Enter when a room or device is worked on: an update on Tuesday nights, a scan by the security team. Findings of that time then do not wake anybody.</p></Empty>
      ) : (
        <div className="scroll-x">
          <table className="table ru-table">
            <thead><tr><th scope="col">Name</th><th scope="col">When</th><th scope="col">What</th><th scope="col">Then</th><th scope="col">Next</th><th scope="col" className="num">Hidden</th><th scope="col"><span className="sr-only">Actions</span></th></tr></thead>
            <tbody>
              {list.data.windows.map((w) => (
                <tr key={w.id}>
                  <th scope="row" className="ru-wrap">{w.name}<p className="quiet ru-reason">{w.reason} ({w.owner})</p></th>
                  <td className="ru-wrap">{scheduleWords(w)} <span className="quiet">{w.zone}</span></td>
                  <td className="ru-wrap">{[...w.theatres.map(names.theatre), ...w.devices.map(names.device)].join(', ')}{w.rules.length > 0 && <span className="quiet">, only {w.rules.join(', ')}</span>}</td>
                  <td>{w.effect === 'hide' ? 'Hidden' : 'Counts less'}</td>
                  <td>{w.active ? <strong>Now{w.next_to && <>, until {time.short(w.next_to)}</>}</strong> : w.next_from ? <Time at={w.next_from} /> : <span className="quiet">never again</span>}</td>
                  <td className="num">{count(w.hidden)}×</td>
                  <td className="cell-actions">
                    <Button small reason={refused} onClick={() => setEditing(w)}>Change…</Button>{' '}
                    {refused === undefined && (
                      <Confirm title={`Delete “${w.name}”?`} action="Delete" danger trigger={<Button small kind="quiet" icon="trash" aria-label={`Delete ${w.name}`} />} run={() => remove(w)}>
                        <p>{w.active ? 'What it hides now shows again.' : 'It does not come again.'}</p>
                      </Confirm>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {editing && <MaintenanceDialog window={editing === 'new' ? null : editing} theatres={names.theatres} devices={names.devices} onClose={() => setEditing(null)} />}
    </section>
  )
}
