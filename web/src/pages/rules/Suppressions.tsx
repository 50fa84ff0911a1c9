// SPDX-License-Identifier: Apache-2.0
// What is hidden, by whom, why, until when, and how much it hides. A suppression
// never works unseen.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api } from '@/api/client'
import { theatres as theatresQuery } from '@/api/queries'
import type { Suppression } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Confirm, Empty, ErrorState, Icon, Loading, Segmented, Skeleton, Time, toast } from '@/ui'
import { count, plural } from '@/ui/units'
import { deviceList } from '../devices/queries'
import { SuppressDialog } from '../findings/SuppressDialog'
import '../findings/findings.css'
import { suppressions } from './queries'

const blank: Suppression = { id: '', rules: [], devices: [], theatres: [], entities: {}, expression: '', owner: '', reason: '', expires: '', state: 'draft', problem: '', created: '', created_by: '', hidden: 0, last_hidden: null, findings: 0, revision: 0 }

export function useNames() {
  const rooms = useQuery(theatresQuery)
  const devices = useQuery(deviceList)
  return {
    theatre: (id: string) => rooms.data?.find((t) => t.id === id)?.name ?? id,
    device: (id: string) => devices.data?.devices.find((d) => d.id === id)?.name ?? id,
    theatres: rooms.data ?? [],
    devices: devices.data?.devices ?? [],
  }
}

export function scopeWords(s: Pick<Suppression, 'rules' | 'devices' | 'theatres' | 'entities' | 'expression'>, names: { theatre: (id: string) => string; device: (id: string) => string }): string {
  const parts = [
    s.rules.length > 0 ? s.rules.join(' or ') : 'any rule',
    s.devices.length > 0 ? `on ${s.devices.map(names.device).join(' or ')}` : '',
    s.theatres.length > 0 ? `in ${s.theatres.map(names.theatre).join(' or ')}` : '',
    ...Object.entries(s.entities).map(([k, v]) => `${k} is ${v}`),
    s.expression !== '' ? `where ${s.expression}` : '',
  ]
  return parts.filter(Boolean).join(', ')
}

export function Suppressions() {
  const [state, setState] = useState<'active' | 'expired' | 'all'>('active')
  const list = useQuery(suppressions(state))
  const names = useNames()
  const client = useQueryClient()
  const refused = useMay()('finding.edit')
  const [editing, setEditing] = useState<Suppression | null>(null)
  const end = async (s: Suppression) => {
    await api.del(`/suppressions/${encodeURIComponent(s.id)}`, { params: { revision: s.revision } })
    void client.invalidateQueries({ queryKey: ['rules'] })
    void client.invalidateQueries({ queryKey: ['findings'] })
    toast('Ended. What it hid shows again.')
  }
  return (
    <section className="ru-part" aria-label="Suppressions">
      <div className="ru-part-bar">
        <Segmented label="Which suppressions" value={state} onChange={setState} options={[{ value: 'active', label: 'Active' }, { value: 'expired', label: 'Over' }, { value: 'all', label: 'All' }]} />
        <p className="quiet">Made from a finding with “Hide findings like this”, after its backtest.</p>
      </div>
      {list.isPending ? (
        <Loading what="suppressions"><Skeleton lines={6} /></Loading>
      ) : list.isError ? (
        <ErrorState error={list.error} lost="The suppressions cannot be listed." kept="What is hidden stays hidden and counted." retry={() => void list.refetch()} />
      ) : list.data.suppressions.length === 0 ? (
        <Empty icon="bookmark" title={state === 'active' ? 'Nothing is hidden.' : 'There is none.'}><p>When a finding needs nobody and will come again, hide it from its page: with an owner, a reason and an end.</p></Empty>
      ) : (
        <div className="scroll-x">
          <table className="table ru-table">
            <thead><tr><th scope="col">Hides</th><th scope="col">Why</th><th scope="col">Owner</th><th scope="col">Ends</th><th scope="col" className="num">Hidden</th><th scope="col"><span className="sr-only">Actions</span></th></tr></thead>
            <tbody>
              {list.data.suppressions.map((s) => (
                <tr key={s.id}>
                  <th scope="row" className="ru-wrap">{scopeWords(s, names)}{s.state === 'broken' && <p className="ru-broken"><Icon name="warning" size={13} /> It hides nothing: {s.problem}</p>}</th>
                  <td className="ru-wrap">{s.reason}</td>
                  <td>{s.owner}{s.created_by !== s.owner && <span className="quiet"> by {s.created_by}</span>}</td>
                  <td>{s.state === 'expired' ? <span className="quiet">over <Time at={s.expires} /></span> : <Time at={s.expires} />}</td>
                  <td className="num" title={`${plural(s.hidden, 'occurrence')}${s.last_hidden ? '' : ', none yet'}`}>{s.findings > 0 ? <Link to="/findings" search={{ shelf: 'suppressed' }}>{plural(s.findings, 'finding')}</Link> : <span className="quiet">no finding</span>}, {count(s.hidden)}×</td>
                  <td className="cell-actions">
                    <Button small reason={refused} onClick={() => setEditing(s)}>Change…</Button>{' '}
                    {s.state !== 'expired' && (refused !== undefined ? <Button small kind="quiet" reason={refused}>End</Button> : (
                      <Confirm title="End this suppression?" action="End" danger trigger={<Button small kind="quiet">End</Button>} run={() => end(s)}>
                        <p>What it hides now stands in the list again. It is not deleted from the audit trail.</p>
                      </Confirm>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {editing && <SuppressDialog draft={{ ...blank, ...editing }} deviceName={names.device} theatreName={names.theatre} onClose={() => setEditing(null)} />}
    </section>
  )
}
