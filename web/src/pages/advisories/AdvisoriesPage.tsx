// SPDX-License-Identifier: Apache-2.0
// Advisories: what manufacturers and authorities have published, and which
// devices here it concerns, by advisory and by device.

import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useMay } from '@/shell/access'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, Segmented, Skeleton, Time } from '@/ui'
import { count, plural } from '@/ui/units'
import './advisories.css'
import { AdvisoryGrid } from './AdvisoryGrid'
import { ExportVEX } from './Export'
import { ImportDialog } from './ImportDialog'
import { MatchGrid } from './MatchGrid'
import { advisoryList } from './queries'

export function AdvisoriesPage() {
  const [params, setParams] = useURLState()
  const by = params.get('by') === 'device' ? 'device' : 'advisory'
  const list = useQuery(advisoryList)
  const refused = useMay()('device.edit')
  const [files, setFiles] = useState<File[] | null>(null)
  const [over, setOver] = useState(false)
  const c = list.data?.counts
  const k = list.data?.knowledge
  const sentence = c && k && (
    <>
      {c.affected === 0 ? 'No advisory is known to affect a device here' : <>{plural(c.affected, 'advisory affects', 'advisories affect')} {plural(c.devices_affected, 'device')}</>}
      {c.exploited > 0 && <>, {count(c.exploited)} known to be exploited</>}
      {c.unknown > 0 && <>; of {count(c.unknown)} it is not known</>}. <span className="quiet">{plural(k.advisories, 'advisory', 'advisories')} as of {k.date.slice(0, 10)}{k.imported > 0 && <>, {count(k.imported)} imported here</>}{k.matched && <>, compared <Time at={k.matched} /></>}.</span>
    </>
  )
  return (
    <Page
      title="Advisories" full sentence={sentence ?? <Skeleton width={46} />}
      actions={
        <>
          <Button icon="upload" reason={refused} onClick={() => setFiles([])}>Import…</Button>
          <ExportVEX about={{}} />
        </>
      }
    >
      <div
        className={`grid-page ad${over ? ' ad-over' : ''}`}
        onDragOver={(e) => { if (refused === undefined && e.dataTransfer.types.includes('Files')) { e.preventDefault(); setOver(true) } }}
        onDragLeave={(e) => { if (!e.currentTarget.contains(e.relatedTarget as Node | null)) setOver(false) }}
        onDrop={(e) => { if (refused === undefined) { e.preventDefault(); setOver(false); setFiles([...e.dataTransfer.files]) } }}
      >
        <div className="ad-top">
          <Segmented
            label="How it is listed" value={by} onChange={(v) => setParams((p) => { for (const key of [...p.keys()]) p.delete(key); if (v === 'device') p.set('by', 'device') })}
            options={[{ value: 'advisory', label: 'By advisory' }, { value: 'device', label: 'By device' }]}
          />
          {k && <p className="quiet ad-known">{k.source}, index {k.origin === 'shipped' ? 'as shipped' : 'updated'}; exploited ones as of {k.kev}.{k.not_understood > 0 && ` ${plural(k.not_understood, 'product is', 'products are')} described so that no program can compare them.`}</p>}
        </div>
        {by === 'device' ? <MatchGrid /> : <AdvisoryGrid />}
        {over && <div className="ad-drop" aria-hidden="true">Drop CSAF, CycloneDX, SPDX or MDS2 files</div>}
      </div>
      {files && <ImportDialog dropped={files} onClose={() => setFiles(null)} />}
    </Page>
  )
}
