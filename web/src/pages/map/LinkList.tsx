// SPDX-License-Identifier: Apache-2.0
// The map's conversations as a list: sorted, filtered and exported as any grid.

import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { MapEdge, MapNode } from '@/api/types'
import { ClassIcon, Empty, Time } from '@/ui'
import { Chips, Grid, GridTools, type Choice, type Column } from '@/ui/grid'
import { bytes, count, plural } from '@/ui/units'
import { useGridView } from '../devices/useGridView'
import { zoneOf } from './model'

interface Talk { edge: MapEdge; from: MapNode; to: MapNode }
interface Props { nodes: ReadonlyMap<string, MapNode>; edges: readonly MapEdge[]; zoneName: (z: string) => string }

const fields = ['from', 'to', 'from_zone', 'to_zone', 'protocol', 'new', 'policy'] as const
const fieldName: Record<string, string> = { from: 'From', to: 'To', from_zone: 'From zone', to_zone: 'To zone', protocol: 'Protocol', new: 'New this week', policy: 'In policy' }
const policyText = (e: MapEdge) => (e.in_policy === null ? 'not known' : e.in_policy ? 'yes' : 'no')
function valuesOf(t: Talk, field: string): readonly string[] {
  switch (field) {
    case 'from': return [t.from.id]
    case 'to': return [t.to.id]
    case 'from_zone': return [zoneOf(t.from)]
    case 'to_zone': return [zoneOf(t.to)]
    case 'protocol': return [t.edge.protocol]
    case 'new': return [t.edge.new ? 'yes' : 'no']
    default: return [policyText(t.edge)]
  }
}
const rowId = (t: Talk) => `${t.edge.from} ${t.edge.to} ${t.edge.protocol} ${t.edge.transport} ${t.edge.port}`
const rowName = (t: Talk) => `${t.from.name} to ${t.to.name}, ${t.edge.protocol}`
const startSort = [{ id: 'volume', down: true }]

function Name({ node }: { node: MapNode }) {
  return (
    <>
      <span className="dev-icon"><ClassIcon class={node.class} label={node.class_name} /></span>
      {node.id.startsWith('dev-') ? <Link to="/devices/$id" params={{ id: node.id }} className="grid-cut dev-name" tabIndex={-1}>{node.name}</Link> : <span className="grid-cut mono">{node.name}</span>}
    </>
  )
}

export function LinkList({ nodes, edges, zoneName }: Props) {
  const all = useMemo(() => edges.flatMap((edge): Talk[] => {
    const from = nodes.get(edge.from)
    const to = nodes.get(edge.to)
    return from && to ? [{ edge, from, to }] : []
  }), [nodes, edges])
  const columns = useMemo((): Column<Talk>[] => {
    const c = (field: (typeof fields)[number], value: string, label: string): Choice => ({ field, value, label: `${fieldName[field]}: ${label}` })
    return [
      { id: 'from', label: 'From', width: 180, grow: true, fixed: true, value: (t) => t.from.name, choices: (t) => [c('from', t.from.id, t.from.name)], render: (t) => <Name node={t.from} /> },
      { id: 'from_zone', label: 'From zone', width: 110, value: (t) => zoneName(zoneOf(t.from)), choices: (t) => [c('from_zone', zoneOf(t.from), zoneName(zoneOf(t.from)))] , render: (t) => <span className="grid-cut">{zoneName(zoneOf(t.from))}</span> },
      { id: 'to', label: 'To', width: 180, value: (t) => t.to.name, choices: (t) => [c('to', t.to.id, t.to.name)], render: (t) => <Name node={t.to} /> },
      { id: 'to_zone', label: 'To zone', width: 110, value: (t) => zoneName(zoneOf(t.to)), choices: (t) => [c('to_zone', zoneOf(t.to), zoneName(zoneOf(t.to)))], render: (t) => <span className="grid-cut">{zoneName(zoneOf(t.to))}</span> },
      { id: 'protocol', label: 'Protocol', width: 100, value: (t) => t.edge.protocol, choices: (t) => [c('protocol', t.edge.protocol, t.edge.protocol)], render: (t) => <span className="grid-cut">{t.edge.protocol}</span> },
      { id: 'port', label: 'Port', width: 90, value: (t) => (t.edge.port > 0 ? `${t.edge.port}/${t.edge.transport}` : t.edge.transport), order: (t) => t.edge.port, render: (t) => <span className="mono">{t.edge.port > 0 ? `${t.edge.port}/${t.edge.transport}` : t.edge.transport}</span> },
      { id: 'volume', label: 'Volume', width: 90, align: 'end', downFirst: true, value: (t) => t.edge.bytes_in + t.edge.bytes_out, render: (t) => <span>{bytes(t.edge.bytes_in + t.edge.bytes_out)}</span> },
      { id: 'flows', label: 'Connections', width: 100, align: 'end', downFirst: true, value: (t) => t.edge.flows, render: (t) => <span>{count(t.edge.flows)}</span> },
      { id: 'failed', label: 'Failed', width: 72, align: 'end', downFirst: true, value: (t) => t.edge.failed, render: (t) => <span className={t.edge.failed > 0 ? 'dev-failed' : 'grid-none'}>{count(t.edge.failed)}</span> },
      { id: 'new', label: 'New', width: 90, downFirst: true, about: 'First seen this week', value: (t) => (t.edge.new ? 'this week' : ''), choices: (t) => [c('new', t.edge.new ? 'yes' : 'no', t.edge.new ? 'yes' : 'no')], render: (t) => (t.edge.new ? <span>this week</span> : <span className="grid-none">–</span>) },
      { id: 'policy', label: 'In policy', width: 90, value: (t) => policyText(t.edge), choices: (t) => [c('policy', policyText(t.edge), policyText(t.edge))], render: (t) => <span className={t.edge.in_policy === false ? 'map-out' : t.edge.in_policy === null ? 'grid-none' : undefined}>{policyText(t.edge)}</span> },
      { id: 'last', label: 'Last', width: 105, hidden: true, downFirst: true, value: (t) => t.edge.last, render: (t) => <Time at={t.edge.last} plain /> },
    ]
  }, [zoneName])
  const view = useGridView('l', all, columns, startSort, valuesOf, fields)
  return (
    <div className="map-list">
      <div className="grid-bar">
        <span className="grid-count" role="status">{view.rows.length === all.length ? plural(all.length, 'conversation') : `${count(view.rows.length)} of ${plural(all.length, 'conversation')}`}</span>
        <Chips
          terms={view.terms} fieldName={(f) => fieldName[f] ?? f} onFlip={view.onFlip} onRemove={view.onRemove} onClear={view.onClear}
          valueName={(f, v) => (f === 'from' || f === 'to' ? (nodes.get(v)?.name ?? v) : f.endsWith('zone') ? zoneName(v) : v)}
        />
        <div className="grid-bar-end"><GridTools what="conversations" rows={view.rows} columns={columns} layout={view.layout} state={view.state} onState={view.onState} /></div>
      </div>
      <Grid label="Conversations" rows={view.rows} columns={columns} rowId={rowId} rowName={rowName} state={view.state} onState={view.onState} onFilter={view.onFilter} empty={<Empty icon="map" title="No conversation in this time passes these filters." />} />
    </div>
  )
}
