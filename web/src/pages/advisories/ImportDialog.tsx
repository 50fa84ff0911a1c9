// SPDX-License-Identifier: Apache-2.0
// Files are dropped, or chosen; each is taken as a whole or not at all, and what
// was not understood is said.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { told } from '@/api/client'
import type { AdvisoryImport } from '@/api/types'
import { Button, Dialog, DialogClose, Field, Icon, Select } from '@/ui'
import { plural } from '@/ui/units'
import { deviceList } from '../devices/queries'
import { importFile, type About } from './queries'

interface Item { file: File; state: 'waiting' | 'busy' | 'done' | 'failed'; result?: AdvisoryImport; why?: string }

const kinds: Record<AdvisoryImport['kind'], string> = { csaf: 'Advisory (CSAF)', cyclonedx: 'Bill of materials (CycloneDX)', spdx: 'Bill of materials (SPDX)', mds2: 'Manufacturer’s form (MDS2)' }

export function ImportDialog({ dropped, device, onClose }: { dropped: File[]; device?: { id: string; name: string }; onClose: () => void }) {
  const client = useQueryClient()
  const picker = useRef<HTMLInputElement>(null)
  const [items, setItems] = useState<Item[]>(() => dropped.map((file) => ({ file, state: 'waiting' })))
  const [about, setAbout] = useState<'none' | 'device' | 'model'>(device ? 'device' : 'none')
  const [dev, setDev] = useState(device?.id ?? '')
  const [vendor, setVendor] = useState('')
  const [model, setModel] = useState('')
  const devices = useQuery({ ...deviceList, enabled: about === 'device' && !device }).data?.devices ?? []
  const running = items.some((i) => i.state === 'busy')
  const waiting = items.filter((i) => i.state === 'waiting').length
  const set = (file: File, part: Partial<Item>) => setItems((old) => old.map((i) => (i.file === file ? { ...i, ...part } : i)))
  const add = (files: File[]) => setItems((old) => [...old, ...files.map((file): Item => ({ file, state: 'waiting' }))])
  const what: About = about === 'device' ? { device: dev } : about === 'model' ? { vendor: vendor.trim(), model: model.trim() } : {}
  const unclear = about === 'device' && dev === '' ? 'Choose the device.' : about === 'model' && (vendor.trim() === '' || model.trim() === '') ? 'Name manufacturer and model.' : waiting === 0 ? 'Choose a file first.' : undefined
  const go = async () => {
    for (const item of items.filter((i) => i.state === 'waiting')) {
      set(item.file, { state: 'busy' })
      try {
        set(item.file, { state: 'done', result: await importFile(item.file, what) })
      } catch (e) {
        set(item.file, { state: 'failed', why: told(e) })
      }
    }
  }
  const done = items.some((i) => i.state === 'done')
  useEffect(() => {
    if (done) void client.invalidateQueries({ queryKey: ['advisories'] })
  }, [done, items, client])
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title="Import" lead="CSAF advisories, bills of materials (CycloneDX, SPDX) and MDS2 forms, at most 16 MiB each. Nothing leaves this server."
      actions={<><DialogClose><Button>{done && waiting === 0 ? 'Done' : 'Cancel'}</Button></DialogClose><Button kind="primary" busy={running} reason={unclear} onClick={() => void go()}>{waiting > 1 ? `Import ${waiting}` : 'Import'}</Button></>}
    >
      <div
        className="im" onDragOver={(e) => e.preventDefault()}
        onDrop={(e) => {
          e.preventDefault()
          add([...e.dataTransfer.files])
        }}
      >
        <div className="im-drop">
          <Icon name="upload" size={20} />
          <span>Drop files here, or</span>
          <Button onClick={() => picker.current?.click()}>Choose files</Button>
          <input ref={picker} type="file" multiple className="sr-only" tabIndex={-1} aria-label="Files to import" accept=".json,.xml,.xlsx,.csv,.spdx,.txt,.yaml,.tag" onChange={(e) => { add([...(e.target.files ?? [])]); e.target.value = '' }} />
        </div>
        {items.length > 0 && (
          <ul className="im-list" aria-live="polite">
            {items.map((i, n) => (
              <li key={n}>
                <Icon name={i.state === 'done' ? 'check' : i.state === 'failed' ? 'warning' : i.state === 'busy' ? 'clock' : 'note'} label={i.state} />
                <span>
                  <strong>{i.file.name}</strong>
                  {i.result && (
                    <span className="im-said">{kinds[i.result.kind]}: {i.result.title || 'no title'}, {i.result.change}. {[i.result.products > 0 && plural(i.result.products, 'product'), i.result.components > 0 && plural(i.result.components, 'component'), i.result.vulnerabilities > 0 && plural(i.result.vulnerabilities, 'vulnerability', 'vulnerabilities'), i.result.answers > 0 && plural(i.result.answers, 'answer')].filter(Boolean).join(', ')}
                      {i.result.not_understood.length > 0 && <> <span className="im-not">Not understood: {i.result.not_understood.slice(0, 5).join('; ')}{i.result.not_understood.length > 5 && ` and ${i.result.not_understood.length - 5} more`}.</span></>}
                    </span>
                  )}
                  {i.why && <span className="im-why" role="alert">{i.why}</span>}
                </span>
              </li>
            ))}
          </ul>
        )}
        {device ? <p className="quiet">Bills of materials and forms are about {device.name}.</p> : (
          <>
            <Select label="Bills of materials and forms are about" value={about} onChange={(e) => setAbout(e.target.value as typeof about)} options={[{ value: 'none', label: 'What the file itself says' }, { value: 'device', label: 'One device' }, { value: 'model', label: 'All of a model' }]} />
            {about === 'device' && <Select label="Device" value={dev} onChange={(e) => setDev(e.target.value)} options={[{ value: '', label: 'Choose…', disabled: true }, ...[...devices].sort((a, b) => a.name.localeCompare(b.name)).map((d) => ({ value: d.id, label: [d.name, d.vendor, d.model].filter(Boolean).join(', ') }))]} />}
            {about === 'model' && <div className="ru-two"><Field label="Manufacturer" value={vendor} onChange={(e) => setVendor(e.target.value)} /><Field label="Model" value={model} onChange={(e) => setModel(e.target.value)} /></div>}
          </>
        )}
      </div>
    </Dialog>
  )
}
