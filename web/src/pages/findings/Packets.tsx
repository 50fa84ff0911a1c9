// SPDX-License-Identifier: Apache-2.0
// The packets behind a finding, where sensors still have them and the person may
// see them: they hold what was sent in clear.

import { useState } from 'react'
import { ApiError, apiURL, toProblem, Unreachable } from '@/api/client'
import type { FindingDetail } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, ErrorNote } from '@/ui'
import { saveFile } from '@/ui/grid/download'
import { findingPath } from './queries'

export function Packets({ f }: { f: FindingDetail }) {
  const refused = useMay()('packet.read')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const res = await fetch(apiURL(`${findingPath(f.id)}/packets.pcap`), { credentials: 'same-origin' }).catch(() => {
        throw new Unreachable()
      })
      if (!res.ok) throw new ApiError(await toProblem(res))
      saveFile(`finding-${f.id}.pcap`, 'application/vnd.tcpdump.pcap', await res.blob())
    } catch (e) {
      setError(e)
    }
    setBusy(false)
  }
  return (
    <div className="fd-packets">
      <Button small icon="download" reason={refused} busy={busy} onClick={() => void save()}>Download as pcap</Button>
      <span className="quiet">They hold patient data in clear. The download is in the audit trail.</span>
      {error !== undefined && <ErrorNote error={error} />}
    </div>
  )
}
