// SPDX-License-Identifier: Apache-2.0
// One advisory: which devices here it concerns and why, what to do, what people
// decided, and what it says.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { Advisory, AdvisoryDecision, AdvisoryMatch } from '@/api/types'
import { useMay } from '@/shell/access'
import { Page } from '@/shell/Page'
import { Button, ClassIcon, Confirm, Copyable, Empty, ErrorState, Icon, Loading, Severity, Skeleton } from '@/ui'
import { CopyLink } from '@/ui/grid'
import { plural } from '@/ui/units'
import { useNames } from '../rules/Suppressions'
import '../findings/findings.css'
import '../rules/rules.css'
import './advisories.css'
import { DecideDialog } from './DecideDialog'
import { ExportVEX } from './Export'
import { remedyName, statusName } from './fields'
import { MatchBody } from './MatchDialog'
import { advisory as advisoryQuery, advisoryPath } from './queries'
import { Exploited, Verdict } from './Verdict'

export function AdvisoryPage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(advisoryQuery(id))
  if (query.data) return <Detail key={id} a={query.data} />
  const gone = query.error instanceof ApiError && query.error.status === 404
  return (
    <Page title="Advisory" heading={query.isPending ? <><span className="sr-only">Advisory</span><Skeleton width={36} height={22} /></> : undefined}>
      {query.isPending ? (
        <Loading what="the advisory"><Skeleton lines={12} /></Loading>
      ) : gone ? (
        <Empty icon="certificate" title="No advisory has this ID." action={<Link to="/advisories" className="btn btn-plain">All advisories</Link>}><p><span className="mono">{id}</span> is not in the index.</p></Empty>
      ) : (
        <ErrorState error={query.error} lost="This advisory cannot be shown." kept="It is part of the index, and what was decided is kept." retry={() => void query.refetch()} />
      )}
    </Page>
  )
}

function Detail({ a }: { a: Advisory }) {
  const refused = useMay()('device.edit')
  const names = useNames()
  const [deciding, setDeciding] = useState<AdvisoryMatch | 'all' | null>(null)
  const row = a.advisory
  return (
    <Page
      title={row.title}
      sentence={<><span className="mono">{row.id}</span> · {a.publisher}, {row.published.slice(0, 10)}{row.updated.slice(0, 10) !== row.published.slice(0, 10) && `, updated ${row.updated.slice(0, 10)}`}{row.imported && ' · imported here'}</>}
      actions={<><Button reason={refused} onClick={() => setDeciding('all')}>Decide for all…</Button><ExportVEX about={{ advisory: row.id }} /><CopyLink /></>}
    >
      <ul className="ad-tags">
        <li><Severity level={row.severity} />{row.cvss > 0 && <> CVSS {row.cvss.toFixed(1)}</>}</li>
        {row.exploited && <li><Exploited due={row.due} />{row.due && <span className="quiet"> to be fixed by {row.due.slice(0, 10)}</span>}</li>}
        <li>{row.affected + row.unknown + row.not_affected === 0 ? 'Concerns no device here' : `${plural(row.affected, 'device')} affected, ${row.unknown} not known, ${row.not_affected} not affected`}</li>
      </ul>
      <div className="rd-cols">
        <div className="rd-main">
          <section className="fd-section" aria-labelledby="ad-here">
            <header><h2 id="ad-here">Devices here</h2></header>
            {a.matches.length === 0 ? <p className="quiet">No device here is of a product that it names.</p> : (
              <ul className="ad-matches">
                {a.matches.map((m) => (
                  <li key={`${m.device} ${m.product}`}>
                    <p className="ad-line ad-line-head"><ClassIcon class={m.device_class} /> <Link to="/devices/$id" params={{ id: m.device }}>{m.device_name}</Link>{m.theatre !== '' && <span className="quiet">{names.theatre(m.theatre)}</span>}<span className="grid-spacer" /><Button small reason={refused} onClick={() => setDeciding(m)}>Decide…</Button></p>
                    <MatchBody m={m} />
                  </li>
                ))}
              </ul>
            )}
          </section>
          {a.remediations.length > 0 && (
            <section className="fd-section" aria-labelledby="ad-do">
              <header><h2 id="ad-do">What to do</h2></header>
              <ul className="ad-remedies">{a.remediations.map((r, i) => <li key={i}><strong>{remedyName[r.kind] ?? r.kind}</strong><p className="fd-prose">{r.text}</p>{r.url && <Copyable value={r.url} what="address" />}</li>)}</ul>
            </section>
          )}
          {a.decisions.length > 0 && (
            <section className="fd-section" aria-labelledby="ad-decided">
              <header><h2 id="ad-decided">What people decided</h2></header>
              <ul className="ad-decisions">{a.decisions.map((d) => <Decision key={d.id} d={d} refused={refused} device={names.device} />)}</ul>
            </section>
          )}
          <section className="fd-section" aria-labelledby="ad-says">
            <header><h2 id="ad-says">What it says</h2></header>
            {a.summary !== '' && <p className="fd-prose">{a.summary}</p>}
            <ul className="ad-vulns">
              {a.vulnerabilities.map((v) => (
                <li key={v.cve || v.title}>
                  <p className="ad-line"><Copyable value={v.cve} what="CVE" /><Severity level={v.severity} />{v.cvss > 0 && <span className="quiet">CVSS {v.cvss.toFixed(1)}</span>}{v.exploited && <Exploited due={v.due} />}{v.ransomware && <span className="av-kev"><Icon name="lock" size={12} />Used by ransomware</span>}</p>
                  {(v.title !== '' || v.cwe !== '') && <p>{[v.title, v.cwe !== '' ? `${v.cwe_name} (${v.cwe})` : ''].filter(Boolean).join(': ')}</p>}
                  {v.summary !== '' && <p className="fd-prose">{v.summary}</p>}
                </li>
              ))}
            </ul>
          </section>
        </div>
        <aside className="rd-side" aria-label="Products">
          <h2 className="rd-h">Products that it names</h2>
          <ul className="ad-products">
            {a.products.map((p) => (
              <li key={p.id}>
                <p><strong>{[p.vendor, p.model].filter(Boolean).join(' ') || p.text}</strong></p>
                <p className="ad-line"><Verdict is={p.status} /> {p.versions}</p>
                {p.conditions.length > 0 && <p className="quiet">If {p.conditions.join(', and ')}</p>}
                {!p.understood && <p className="ad-missing"><Icon name="help" size={13} /> Not compared: {p.why ?? 'it is not understood'}. It says “{p.text}”.</p>}
              </li>
            ))}
          </ul>
          <h2 className="rd-h">Where it is published</h2>
          <Copyable value={a.url} what="address" />
          <p className="quiet">Revision {a.revision}. The console opens no address outside.</p>
        </aside>
      </div>
      {deciding && (deciding === 'all' ? <DecideDialog advisory={row.id} title={row.title} onClose={() => setDeciding(null)} /> : <DecideDialog match={deciding} onClose={() => setDeciding(null)} />)}
    </Page>
  )
}

function Decision({ d, refused, device }: { d: AdvisoryDecision; refused: string | undefined; device: (id: string) => string }) {
  const client = useQueryClient()
  return (
    <li>
      <p><strong>{statusName[d.status]}</strong> for {d.device ? device(d.device) : d.model ? `all ${[d.vendor, d.model].filter(Boolean).join(' ')}` : 'all devices here'}{d.expired && <span className="quiet"> (over)</span>}: {d.reason}</p>
      <p className="ad-line quiet">{d.who}, {d.at.slice(0, 10)}{d.until && <>, until {d.until.slice(0, 10)}</>}{d.justification && <>, {d.justification.replace(/_/g, ' ')}</>}
        {refused === undefined && (
          <Confirm title="Take this decision back?" action="Take back" trigger={<Button small kind="quiet">Take back</Button>} run={async () => {
            await api.del(`${advisoryPath(d.advisory)}/decisions/${encodeURIComponent(d.id)}`, { params: { revision: d.revision } })
            await client.invalidateQueries({ queryKey: ['advisories'] })
          }}>
            <p>What was found by comparing counts again.</p>
          </Confirm>
        )}
      </p>
    </li>
  )
}
