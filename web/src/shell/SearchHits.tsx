// SPDX-License-Identifier: Apache-2.0
// What was found, and where each leads. Loaded when somebody goes to the search.
import type { ReactNode } from 'react'
import type { useNavigate } from '@tanstack/react-router'
import type { DeviceRow, SearchResult } from '../api/types'
import { ClassIcon } from '../ui/ClassIcon'
import { Icon } from '../ui/Icon'
import { SeverityShape } from '../ui/Severity'
import './searchhits.css'

export interface Hit {
  key: string
  group: string
  icon: ReactNode
  title: string
  note: string
  go: () => void
}

export function hitsOf(data: SearchResult, q: string, navigate: ReturnType<typeof useNavigate>): Hit[] {
  const hits: Hit[] = []
  for (const t of data.theatres) {
    hits.push({ key: `t${t.id}`, group: 'Theatres', icon: <Icon name="theatres" />, title: t.name, note: '', go: () => void navigate({ to: '/theatres/$id', params: { id: t.id } }) })
  }
  for (const d of data.devices.slice(0, 10)) {
    hits.push({ key: `d${d.id}`, group: 'Devices', icon: <ClassIcon class={d.class} />, title: d.name, note: why(d, q), go: () => void navigate({ to: '/devices/$id', params: { id: d.id } }) })
  }
  for (const f of data.findings) {
    const sign = (
      <span className={`sev-${f.severity}`}>
        <SeverityShape level={f.severity} />
      </span>
    )
    hits.push({ key: `f${f.id}`, group: 'Findings', icon: sign, title: f.title, note: f.severity.charAt(0).toUpperCase() + f.severity.slice(1), go: () => void navigate({ to: '/findings', search: { open: f.id } }) })
  }
  hits.push({ key: 'e', group: 'Events', icon: <Icon name="events" />, title: `Events with “${q}”`, note: '', go: () => void navigate({ href: `/events?${data.events_query}` }) })
  return hits
}

/** Which of the names matched, if it is not the one that is shown. */
function why(d: DeviceRow, q: string): string {
  const t = q.toLowerCase()
  const hit = [...d.ips, ...d.macs, ...d.ae_titles, d.serial].find((v) => v.toLowerCase().includes(t))
  return [hit, [d.vendor, d.model].filter(Boolean).join(' ') || d.class_name].filter(Boolean).join(' · ')
}

export function SearchHits({ id, hits, chosen, onGo, onPoint }: { id: string; hits: readonly Hit[]; chosen: number; onGo: (h: Hit) => void; onPoint: (i: number) => void }) {
  return (
    <>
      <ul role="listbox" id={id} aria-label="Found">
        {hits.map((h, i) => (
          <li key={h.key} role="presentation">
            {h.group !== hits[i - 1]?.group && (
              <div className="search-group" aria-hidden>
                {h.group}
              </div>
            )}
            <div id={`${id}-${i}`} role="option" aria-selected={i === chosen} className="search-hit" onClick={() => onGo(h)} onMouseMove={() => i !== chosen && onPoint(i)}>
              {h.icon}
              <span className="search-title">{h.title}</span>
              <span className="search-note">{h.note}</span>
            </div>
          </li>
        ))}
      </ul>
      <span className="sr-only" role="status">
        {hits.length} found
      </span>
    </>
  )
}
