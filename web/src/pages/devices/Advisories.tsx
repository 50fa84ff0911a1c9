// SPDX-License-Identifier: Apache-2.0
// What is known about the weaknesses of a device: advisories that concern it,
// bills of materials, and what its manufacturer says of it.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { AdvisoryMatch, DeviceAdvisories } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Notice, Severity, Skeleton } from '@/ui'
import { plural } from '@/ui/units'
import '../advisories/advisories.css'
import { DecideDialog } from '../advisories/DecideDialog'
import { ExportVEX } from '../advisories/Export'
import { statusName } from '../advisories/fields'
import { ImportDialog } from '../advisories/ImportDialog'
import { deviceAdvisories } from '../advisories/queries'
import { Exploited, Verdict } from '../advisories/Verdict'

export function AdvisoriesPanel({ id, name }: { id: string; name: string }) {
  const query = useQuery(deviceAdvisories(id))
  const refused = useMay()('device.edit')
  const [deciding, setDeciding] = useState<AdvisoryMatch | null>(null)
  const [importing, setImporting] = useState(false)
  const [all, setAll] = useState(false)
  const d = query.data
  const shown = d ? (all ? d.matches : d.matches.slice(0, 6)) : []
  return (
    <section className="dev-section" aria-labelledby="dev-advisories">
      <header className="dev-section-head">
        <h2 id="dev-advisories">Advisories</h2>
        {d && <span className="quiet">{summary(d)}</span>}
        <span className="grid-spacer" />
        <Button small icon="upload" reason={refused} onClick={() => setImporting(true)}>Import…</Button>
        {d && d.matches.length > 0 && <ExportVEX small about={{ device: id }} />}
      </header>
      {query.isPending ? <Skeleton lines={3} /> : query.isError ? <Notice kind="attention" action={<Button small onClick={() => void query.refetch()}>Try again</Button>}>The advisories of this device cannot be shown now.</Notice> : d && (
        <>
          {d.matches.length === 0 && <p className="quiet">{d.facts.length === 0 ? 'Neither manufacturer nor model is known, so that nothing can be compared.' : `No advisory names it, by ${d.facts.map((f) => `${f.attribute} ${f.value}`).join(', ')}.`}</p>}
          <ul className="dev-findings">
            {shown.map((m) => (
              <li key={`${m.advisory} ${m.product}`} className="dev-finding">
                <Severity level={m.severity} />
                <div>
                  <p className="ad-line"><Link to="/advisories/$id" params={{ id: m.advisory }}>{m.title}</Link></p>
                  <p className="ad-line"><Verdict is={m.verdict} /><span className="quiet">{m.confidence}{'\u00a0'}% sure</span>{m.exploited && <Exploited due={m.due} />}{m.decision && <span className="quiet">decided: {statusName[m.decision.status].toLowerCase()}, {m.decision.reason}</span>}<span className="grid-spacer" /><Button small kind="quiet" reason={refused} onClick={() => setDeciding(m)}>Decide…</Button></p>
                  {m.missing.length > 0 && <p className="ad-missing">Missing: {m.missing.join('; ')}</p>}
                </div>
              </li>
            ))}
          </ul>
          {d.matches.length > shown.length && <Button small kind="quiet" onClick={() => setAll(true)}>Show all {d.matches.length}</Button>}
          {d.sboms.length > 0 && <p className="quiet">Bills of materials: {d.sboms.map((s) => `${s.name || s.file} (${plural(s.components, 'component')}, ${plural(s.vulnerabilities, 'vulnerability', 'vulnerabilities')})`).join(', ')}.</p>}
          {d.statements.length > 0 && (
            <details className="dev-statements">
              <summary>{plural(d.statements.length, 'answer')} of the manufacturer (MDS2)</summary>
              <dl className="pairs">{d.statements.map((s) => <div key={s.question}><dt>{s.question}</dt><dd>{s.topic}: {s.answer}{s.note && <span className="quiet"> {s.note}</span>}</dd></div>)}</dl>
            </details>
          )}
        </>
      )}
      {deciding && <DecideDialog match={deciding} onClose={() => setDeciding(null)} />}
      {importing && <ImportDialog dropped={[]} device={{ id, name }} onClose={() => setImporting(false)} />}
    </section>
  )
}

function summary(d: DeviceAdvisories): string {
  const n = (v: AdvisoryMatch['verdict']) => d.matches.filter((m) => m.verdict === v).length
  return d.matches.length === 0 ? '' : [n('affected') > 0 && `${n('affected')} affected`, n('unknown') > 0 && `${n('unknown')} not known`, n('not-affected') > 0 && `${n('not-affected')} not affected`].filter(Boolean).join(', ')
}
