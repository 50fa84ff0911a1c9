// SPDX-License-Identifier: Apache-2.0
// Why an advisory concerns a device, or what fact would decide it.

import { Link } from '@tanstack/react-router'
import type { AdvisoryMatch } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Copyable, Dialog, Severity } from '@/ui'
import { statusName, verdictName } from './fields'
import { Exploited, Verdict } from './Verdict'

export function MatchDialog({ match: m, theatre, onDecide, onClose }: { match: AdvisoryMatch; theatre: (id: string) => string; onDecide: () => void; onClose: () => void }) {
  const refused = useMay()('device.edit')
  return (
    <Dialog
      open side onOpenChange={(o) => !o && onClose()} title={m.device_name} lead={m.title}
      actions={<><Link to="/advisories/$id" params={{ id: m.advisory }} className="btn btn-plain"><span className="btn-t">Open the advisory</span></Link><Button kind="primary" reason={refused} onClick={onDecide}>Decide…</Button></>}
    >
      <MatchBody m={m} />
      <p className="ad-line">
        <Link to="/devices/$id" params={{ id: m.device }}>Open the device</Link>{m.theatre !== '' && <>, in {theatre(m.theatre)}</>}
      </p>
    </Dialog>
  )
}

export function MatchBody({ m }: { m: AdvisoryMatch }) {
  return (
    <div className="ad-match">
      <p className="ad-line"><Verdict is={m.verdict} /> <span className="quiet">{m.confidence}{'\u00a0'}% sure</span> <Severity level={m.severity} />{m.cvss > 0 && <span className="quiet">CVSS {m.cvss.toFixed(1)}</span>}{m.exploited && <Exploited due={m.due} />}</p>
      {m.decision && m.found !== m.verdict && <p className="quiet">Without the decision: {verdictName[m.found].toLowerCase()}.</p>}
      <p className="quiet">{m.product}</p>
      {m.evidence.length > 0 && <><h3>Why</h3><ul className="fd-bullets">{m.evidence.map((e) => <li key={e}>{e}</li>)}</ul></>}
      {m.missing.length > 0 && <><h3>What would decide it</h3><ul className="fd-bullets ad-missing">{m.missing.map((e) => <li key={e}>{e}</li>)}</ul></>}
      {m.cves.length > 0 && <p className="ad-cves">{m.cves.map((c) => <Copyable key={c} value={c} what="CVE" />)}</p>}
      {m.decision && <p className="ad-decision"><strong>{statusName[m.decision.status]}</strong>: {m.decision.reason} <span className="quiet">{m.decision.who}, {m.decision.at.slice(0, 10)}{m.decision.until && <>, until {m.decision.until.slice(0, 10)}</>}</span></p>}
    </div>
  )
}
