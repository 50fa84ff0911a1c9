// SPDX-License-Identifier: Apache-2.0
// Everything that matches, not only what is loaded: the server streams it.

import { readURL } from '@/api/client'
import { IconButton, Menu } from '@/ui'

const formats = [
  { id: 'csv', label: 'CSV, for a spreadsheet' },
  { id: 'ndjson', label: 'NDJSON, for a program' },
  { id: 'ocsf', label: 'OCSF, for a SIEM' },
] as const

export function ExportMenu({ params }: { params: string }) {
  const save = (format: string) => {
    const p = new URLSearchParams(params)
    p.set('format', format)
    const a = document.createElement('a')
    a.href = readURL('/events/export', p)
    a.download = ''
    a.click()
  }
  return (
    <Menu
      label="Export all that matches" align="end" trigger={<IconButton icon="download" label="Export all that matches" />}
      entries={[{ kind: 'label', label: 'All that matches in this time' }, ...formats.map((f) => ({ label: f.label, run: () => save(f.id) }))]}
    />
  )
}
