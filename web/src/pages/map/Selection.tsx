// SPDX-License-Identifier: Apache-2.0
// What is pinned on the map, in words.

import { Link as RouterLink } from '@tanstack/react-router'
import type { MapNode } from '@/api/types'
import { Button, ClassIcon, Icon, Severity, Time } from '@/ui'
import { bytes, plural } from '@/ui/units'
import type { Link, Row } from './model'

interface Props {
  rows: readonly Row[]
  links: readonly Link[] // those that are isolated
  names: ReadonlyMap<string, Row>
  zoneName: (z: string) => string
  theatreName: (t: string) => string
  onPin: (ids: string[], add: boolean) => void
  onUnfold: (row: Row) => void
}

const MOST = 60

export function Selection({ rows, links, names, zoneName, theatreName, onPin, onUnfold }: Props) {
  const ordered = [...links].sort((a, b) => Number(b.policy === 'out') - Number(a.policy === 'out') || b.bytes - a.bytes)
  const ids = new Set(rows.map((r) => r.id))
  return (
    <div className="map-selection">
      {rows.map((r) => (
        <header key={r.id} className="map-selected">
          <h3><ClassIcon class={r.class} label={r.className} /> {r.name}</h3>
          <p className="quiet">{[r.folded ? plural(r.members.length, 'device') : r.className, zoneName(r.zone), r.theatre && theatreName(r.theatre)].filter(Boolean).join(' · ')}</p>
          {r.worst !== 'unknown' && r.worst !== 'info' && <p><Severity level={r.worst} /></p>}
          <p className="map-actions">
            {!r.folded && r.id.startsWith('dev-') && <RouterLink className="btn btn-plain btn-s" to="/devices/$id" params={{ id: r.id }}>Open the device</RouterLink>}
            {!r.folded && r.id.startsWith('dev-') && <RouterLink className="btn btn-plain btn-s" to="/events" search={{ from: '-24h', is: `device:${r.id}` }}>Events</RouterLink>}
            {r.folded && <Button small icon="plus" onClick={() => onUnfold(r)}>Show each</Button>}
          </p>
          {r.folded && <Members members={r.members} />}
        </header>
      ))}
      <h3 className="map-links-title">{plural(links.length, 'conversation')}</h3>
      <ul className="map-links">
        {ordered.slice(0, MOST).map((l) => {
          const outgoing = ids.has(l.from)
          const peer = names.get(outgoing ? l.to : l.from)
          const both = rows.length === 0 || (ids.has(l.from) && ids.has(l.to))
          return (
            <li key={l.id}>
              <button type="button" className="map-link" onClick={() => onPin([outgoing ? l.to : l.from], true)} title="Pin this one too">
                {both ? <span className="map-link-peer">{names.get(l.from)?.name} → {names.get(l.to)?.name}</span> : <span className="map-link-peer"><Icon name={outgoing ? 'arrow-right' : 'arrow-left'} size={12} label={outgoing ? 'to' : 'from'} />{peer?.name}</span>}
                <span className="map-link-what">
                  {l.protocol}, {bytes(l.bytes)}
                  {l.failed > 0 && <>, {l.failed} failed</>}
                  {l.isNew && <span className="map-tag map-tag-new">new</span>}
                  {l.policy === 'out' && <span className="map-tag map-tag-out">not in policy</span>}
                </span>
                {l.edges[0] && <span className="quiet">{ports(l)}last <Time at={l.edges.reduce((m, e) => (e.last > m ? e.last : m), '')} plain /></span>}
              </button>
            </li>
          )
        })}
      </ul>
      {links.length > MOST && <p className="quiet">And {links.length - MOST} more: see the list.</p>}
      {links.length === 0 && <p className="quiet">Nothing in this time.</p>}
    </div>
  )
}

function ports(l: Link): string {
  const all = [...new Set(l.edges.map((e) => (e.port > 0 ? `${e.port}/${e.transport}` : e.transport)).filter(Boolean))]
  return all.length === 0 ? '' : `${all.slice(0, 3).join(', ')}${all.length > 3 ? ' …' : ''} · `
}

function Members({ members }: { members: readonly MapNode[] }) {
  return (
    <p className="map-members">
      {members.slice(0, 12).map((m) => <RouterLink key={m.id} to="/devices/$id" params={{ id: m.id }}>{m.name}</RouterLink>)}
      {members.length > 12 && <span className="quiet">and {members.length - 12} more</span>}
    </p>
  )
}
