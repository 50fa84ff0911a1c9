// SPDX-License-Identifier: Apache-2.0
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import type { Theatre } from '@/api/types'
import { useSites } from '@/shell/site'
import { Button, Dialog, ErrorNote, Field, Select, toast } from '@/ui'
import { Conflict, isConflict } from './Conflict'
import { parsePrefixes, parseVLANs } from './networks'

interface Form {
  name: string
  building: string
  contact: string
  vlans: string
  prefixes: string
}
const toForm = (t: Theatre | null): Form => ({ name: t?.name ?? '', building: t?.building ?? '', contact: t?.contact ?? '', vlans: t?.vlans.join(', ') ?? '', prefixes: t?.prefixes.join(', ') ?? '' })
const labels: Record<keyof Form, string> = { name: 'Name', building: 'Building', contact: 'To call', vlans: 'VLANs', prefixes: 'Addresses' }

export function TheatreDialog({ theatre, order, onClose }: { theatre: Theatre | null; order: number; onClose: () => void }) {
  const client = useQueryClient()
  const [base, setBase] = useState(theatre)
  const [form, setForm] = useState(() => toForm(theatre))
  const sites = useSites()
  const several = sites.all.length > 1
  const [at, setAt] = useState(() => sites.all.find((s) => (base ? (s.own ? base.site === '' : s.name === base.site) : s.name === sites.chosen || (sites.chosen === '' && s.own)))?.name ?? '')
  const [theirs, setTheirs] = useState<Theatre | null>(null)
  const [tried, setTried] = useState(false)
  const vlans = parseVLANs(form.vlans)
  const prefixes = parsePrefixes(form.prefixes)
  const set = (k: keyof Form) => (e: { target: { value: string } }) => setForm((f) => ({ ...f, [k]: e.target.value }))

  const save = useMutation({
    mutationFn: async (revision: number | undefined) => {
      const body = { name: form.name.trim(), building: form.building.trim(), contact: form.contact.trim(), vlans: vlans.values, prefixes: prefixes.values, ...(several ? { site: at } : {}) }
      if (!base) return api.post<Theatre>('/theatres', { ...body, order })
      return api.put<Theatre>(`/theatres/${encodeURIComponent(base.id)}`, { ...base, ...body, revision })
    },
    onSuccess: (t) => {
      void client.invalidateQueries({ queryKey: ['theatres'] })
      toast(base ? `${t.name} is saved.` : `${t.name} is on the board.`)
      onClose()
    },
    onError: async (e) => {
      if (base && isConflict(e)) setTheirs(await api.get<Theatre>(`/theatres/${encodeURIComponent(base.id)}`))
    },
  })
  const said = save.error instanceof ApiError ? save.error : undefined
  const problems: Partial<Form> = {
    name: said?.field('name') ?? (tried && form.name.trim() === '' ? 'A name is needed.' : undefined),
    vlans: said?.field('vlans') ?? (form.vlans && vlans.problem) ?? undefined,
    prefixes: said?.field('prefixes') ?? (form.prefixes && prefixes.problem) ?? undefined,
  }
  const submit = () => {
    setTried(true)
    if (form.name.trim() === '' || vlans.problem || prefixes.problem) return
    save.mutate(base?.revision)
  }
  const theirForm = toForm(theirs)
  return (
    <Dialog
      open
      onOpenChange={(o) => !o && onClose()}
      title={base ? `Edit ${base.name}` : 'New theatre'}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="theatre-form" busy={save.isPending}>
            {base ? 'Save' : 'Add'}
          </Button>
        </>
      }
    >
      <form
        id="theatre-form"
        className="set-form set-form-wide"
        noValidate
        onSubmit={(e) => {
          e.preventDefault()
          submit()
        }}
      >
        <Field label="Name" help="As the people who work there say it: OR 3." value={form.name} error={problems.name} onChange={set('name')} maxLength={60} autoFocus />
        {several && <Select label="Site" help="Its devices are those that are seen there." value={at} onChange={(e) => setAt(e.target.value)} options={sites.all.map((s) => ({ value: s.name, label: s.title }))} />}
        <Field label="VLANs" help="Numbers, with commas between: 110, 111." inputMode="numeric" value={form.vlans} error={problems.vlans} onChange={set('vlans')} />
        <Field label="Addresses" help="Ranges, with commas between: 10.20.110.0/24." className="mono-input" value={form.prefixes} error={problems.prefixes} onChange={set('prefixes')} />
        <Field label="Building" value={form.building} onChange={set('building')} maxLength={120} />
        <Field label="To call" help="Shown in the room when something is wrong: who, and the number." value={form.contact} onChange={set('contact')} maxLength={200} />
        {theirs && (
          <Conflict
            busy={save.isPending}
            differences={(Object.keys(labels) as (keyof Form)[]).filter((k) => theirForm[k] !== form[k]).map((k) => ({ label: labels[k], mine: form[k], theirs: theirForm[k] }))}
            onTake={() => {
              setBase(theirs)
              setForm(toForm(theirs))
              setTheirs(null)
              save.reset()
            }}
            onKeep={() => {
              setBase(theirs)
              setTheirs(null)
              save.mutate(theirs.revision)
            }}
          />
        )}
        {save.isError && !theirs && !said?.problem.errors?.length && <ErrorNote error={save.error} />}
      </form>
    </Dialog>
  )
}
