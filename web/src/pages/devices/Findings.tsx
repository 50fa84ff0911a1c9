// SPDX-License-Identifier: Apache-2.0
// What is wrong with a device: open findings, and evidence that disagrees.

import { Link } from '@tanstack/react-router'
import type { Device } from '@/api/types'
import { Icon, Severity, Time } from '@/ui'
import { plural } from '@/ui/units'
import { words } from './Evidence'

export function FindingsPanel({ device: d }: { device: Device }) {
  if (d.finding_list.length === 0 && d.conflict_list.length === 0) return null
  return (
    <section className="dev-section" aria-labelledby="dev-findings">
      <header className="dev-section-head"><h2 id="dev-findings">Findings</h2>{d.finding_list.length > 0 && <Link to="/findings" search={{ is: `device:${d.id}` }}>Work on them</Link>}</header>
      <ul className="dev-findings">
        {d.finding_list.map((f) => (
          <li key={f.id} className="dev-finding">
            <Severity level={f.severity} />
            <div>
              <p className="dev-finding-title"><Link to="/findings" search={{ open: f.id }}>{f.title}</Link></p>
              {f.room !== '' && <p>{f.room}</p>}
              {f.evidence.some((e) => e !== '') && <ul className="dev-finding-evidence">{[...new Set(f.evidence)].filter((e) => e !== '').map((e) => <li key={e}>{e}</li>)}</ul>}
              <p className="quiet">{f.state === 'acknowledged' ? 'Acknowledged, ' : ''}{f.assignee !== '' ? `assigned to ${f.assignee}, ` : ''}{f.count > 1 ? `${plural(f.count, 'time')}, ` : ''}since <Time at={f.first} />, last <Time at={f.last} /></p>
            </div>
          </li>
        ))}
        {d.conflict_list.map((c) => (
          <li key={c.attribute} className="dev-finding">
            <span className="dev-finding-kind"><Icon name="warning" size={14} />Conflict</span>
            <div>
              <p className="dev-finding-title">The evidence disagrees about the {words(c.attribute)}: {c.values.map((v) => `“${v}”`).join(' or ')}.</p>
              <p>{c.why}</p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  )
}
