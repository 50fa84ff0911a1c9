// SPDX-License-Identifier: Apache-2.0
// Who a device talks to: in and out, by protocol, with volume and since when.

import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { Conversation } from '@/api/types'
import { useURLValue } from '@/shell/urlstate'
import { ClassIcon, Empty, ErrorState, Icon, Loading, Segmented, Time } from '@/ui'
import { Chips, Grid, GridSkeleton, GridTools, type Column } from '@/ui/grid'
import { bytes, count, plural } from '@/ui/units'
import { conversations } from './queries'
import { useGridView } from './useGridView'

const fields = ['direction', 'peer', 'peer_class', 'protocol', 'transport'] as const
const fieldName: Record<string, string> = { direction: 'Direction', peer: 'Peer', peer_class: 'Peer class', protocol: 'Protocol', transport: 'Transport' }
const startSort = [{ id: 'volume', down: true }]
export const periods = [{ value: '-1h', label: '1 h' }, { value: '-24h', label: '24 h' }, { value: '-7d', label: '7 d' }, { value: '-30d', label: '30 d' }]

const isDevice = (id: string) => id.startsWith('dev-')
const rowId = (c: Conversation) => `${c.peer} ${c.outgoing ? 'o' : 'i'} ${c.protocol} ${c.transport} ${c.port}`
const rowName = (c: Conversation) => `${c.outgoing ? 'to' : 'from'} ${c.peer_name || c.peer}, ${c.protocol}`

function valuesOf(c: Conversation, field: string): readonly string[] {
  switch (field) {
    case 'direction': return [c.outgoing ? 'out' : 'in']
    case 'peer': return [c.peer]
    case 'peer_class': return [c.peer_class]
    case 'protocol': return [c.protocol]
    default: return [c.transport]
  }
}

const columns: Column<Conversation>[] = [
  {
    id: 'direction', label: 'Direction', width: 78, value: (c) => (c.outgoing ? 'out' : 'in'), choices: (c) => [{ field: 'direction', value: c.outgoing ? 'out' : 'in', label: c.outgoing ? 'Outgoing' : 'Incoming' }],
    render: (c) => <span className="dev-direction"><Icon name={c.outgoing ? 'arrow-right' : 'arrow-left'} size={13} />{c.outgoing ? 'to' : 'from'}</span>,
  },
  {
    id: 'peer', label: 'Peer', width: 160, grow: true, fixed: true, value: (c) => c.peer_name || c.peer, choices: (c) => [{ field: 'peer', value: c.peer, label: c.peer_name || c.peer }],
    render: (c) => (
      <>
        <span className="dev-icon"><ClassIcon class={c.peer_class} /></span>
        {isDevice(c.peer) ? <Link to="/devices/$id" params={{ id: c.peer }} className="grid-cut dev-name" tabIndex={-1}>{c.peer_name || c.peer}</Link> : <span className="grid-cut mono" title="Not a device of the inventory">{c.peer_name || c.peer}</span>}
      </>
    ),
  },
  { id: 'protocol', label: 'Protocol', width: 92, value: (c) => c.protocol, choices: (c) => [{ field: 'protocol', value: c.protocol, label: c.protocol }], render: (c) => <span className="grid-cut">{c.protocol}</span> },
  { id: 'port', label: 'Port', width: 86, value: (c) => `${c.port}/${c.transport}`, order: (c) => c.port, choices: (c) => [{ field: 'transport', value: c.transport, label: c.transport }], render: (c) => <span className="mono">{c.port > 0 ? `${c.port}/${c.transport}` : c.transport}</span> },
  { id: 'volume', label: 'Volume', width: 84, align: 'end', downFirst: true, about: 'Bytes in both directions', value: (c) => c.bytes_in + c.bytes_out, render: (c) => <span title={`${bytes(c.bytes_out)} out, ${bytes(c.bytes_in)} in`}>{bytes(c.bytes_in + c.bytes_out)}</span> },
  { id: 'out', label: 'Sent', width: 90, align: 'end', downFirst: true, hidden: true, value: (c) => c.bytes_out, render: (c) => <span>{bytes(c.bytes_out)}</span> },
  { id: 'in', label: 'Received', width: 90, align: 'end', downFirst: true, hidden: true, value: (c) => c.bytes_in, render: (c) => <span>{bytes(c.bytes_in)}</span> },
  { id: 'flows', label: 'Connections', width: 98, align: 'end', downFirst: true, value: (c) => c.flows, render: (c) => <span>{count(c.flows)}</span> },
  { id: 'failed', label: 'Failed', width: 64, align: 'end', downFirst: true, value: (c) => c.failed, render: (c) => (c.failed > 0 ? <span className="dev-failed">{count(c.failed)}</span> : <span className="grid-none">0</span>) },
  { id: 'since', label: 'First seen', width: 92, downFirst: true, about: 'The first time in all that is kept', value: (c) => c.since, render: (c) => <Time at={c.since} plain /> },
  { id: 'last', label: 'Last', width: 92, hidden: true, downFirst: true, value: (c) => c.last, render: (c) => <Time at={c.last} plain /> },
]

export function ConversationsPanel({ id, name }: { id: string; name: string }) {
  const [from, setFrom] = useURLValue('talks', '-24h')
  const talks = useQuery({ ...conversations(id, from), placeholderData: keepPreviousData })
  const all = useMemo(() => talks.data?.conversations ?? [], [talks.data])
  const view = useGridView('c', all, columns, startSort, valuesOf, fields)
  return (
    <section className="dev-section" aria-labelledby="dev-talks">
      <header className="dev-section-head">
        <h2 id="dev-talks">Conversations</h2>
        <span className="quiet">{talks.data ? plural(view.rows.length, 'conversation') : ''}{talks.data?.more ? ', the largest' : ''}</span>
        <span className="grid-spacer" />
        <Segmented small label="Period" value={from} onChange={(v) => setFrom(v, { replace: true })} options={periods} />
        <GridTools what={`conversations-of-${name.replace(/[^\w.-]+/g, '-').toLowerCase()}`} rows={view.rows} columns={columns} layout={view.layout} state={view.state} onState={view.onState} />
      </header>
      <Chips
        terms={view.terms} fieldName={(f) => fieldName[f] ?? f} onFlip={view.onFlip} onRemove={view.onRemove} onClear={view.onClear}
        valueName={(f, v) => (f === 'direction' ? (v === 'out' ? 'outgoing' : 'incoming') : f === 'peer' ? (all.find((c) => c.peer === v)?.peer_name ?? v) : v)}
      />
      {talks.isPending ? (
        <Loading what="conversations"><div className="dev-box" style={{ height: 280 }}><GridSkeleton columns={8} rows={8} /></div></Loading>
      ) : talks.isError && !talks.data ? (
        <ErrorState error={talks.error} lost="The conversations cannot be shown." retry={() => void talks.refetch()} />
      ) : (
        <div className="dev-box" style={{ height: Math.min(520, Math.max(140, view.rows.length * 28 + 52)) }}>
          <Grid
            label={`Conversations of ${name}`} rows={view.rows} columns={columns} rowId={rowId} rowName={rowName} state={view.state} onState={view.onState} onFilter={view.onFilter} busy={talks.isPlaceholderData}
            empty={all.length === 0 ? <Empty title="It talked to nobody in this time." >{from !== '-30d' && <p>A longer period may show more.</p>}</Empty> : <Empty title="No conversation passes these filters." />}
          />
        </div>
      )}
    </section>
  )
}
