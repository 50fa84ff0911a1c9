// SPDX-License-Identifier: Apache-2.0
import { useState } from 'react'
import { Button, Menu, toast, toastError } from '@/ui'
import { saveFile } from '@/ui/grid/download'
import { exportVEX } from './queries'

/** Verdicts and decisions for others, in the two formats that they read. */
export function ExportVEX({ about, small }: { about: { device?: string; advisory?: string }; small?: boolean }) {
  const [busy, setBusy] = useState(false)
  const save = async (format: 'openvex' | 'csaf') => {
    setBusy(true)
    try {
      const f = await exportVEX(format, about)
      saveFile(f.name, 'application/json', f.text)
      toast(`Saved ${f.name}.`)
    } catch (e) {
      toastError('Not exported.', e)
    }
    setBusy(false)
  }
  return (
    <Menu
      align="end" label="Export as VEX" trigger={<Button icon="download" small={small} busy={busy}>Export VEX</Button>}
      entries={[{ kind: 'label', label: 'Verdicts and decisions' }, { label: 'OpenVEX', run: () => void save('openvex') }, { label: 'CSAF, profile VEX', run: () => void save('csaf') }]}
    />
  )
}
