// SPDX-License-Identifier: Apache-2.0
// Saved views of a page: own ones, and those that others share. A view is the
// query of the address and nothing else, so it shows what a link would.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { api } from '@/api/client'
import { views as viewsQuery } from '@/api/queries'
import type { View } from '@/api/types'
import { useMay, useSession } from '@/shell/access'
import { useURLState } from '@/shell/urlstate'
import { Button, Checkbox, Confirm, Dialog, DialogClose, ErrorNote, Field, Menu, toast, type MenuEntry } from '@/ui'
import './savedviews.css'

const words: Record<View['page'], string> = { devices: 'Saved views', events: 'Saved searches', findings: 'Saved searches', map: 'Saved views' }

export function SavedViews({ page }: { page: View['page'] }) {
  const { user } = useSession()
  const may = useMay()
  const [params, setParams] = useURLState()
  const views = useQuery(viewsQuery(page))
  const [saving, setSaving] = useState(false)
  const [managing, setManaging] = useState(false)
  const query = params.toString()
  const all = useMemo(() => [...(views.data ?? [])].sort((a, b) => a.name.localeCompare(b.name)), [views.data])
  const current = all.find((v) => normal(v.query) === normal(query))
  const open = (v: View) => setParams(new URLSearchParams(v.query))
  const refused = may('view.edit')
  const item = (v: View): MenuEntry => ({ label: v.name, icon: v === current ? 'check' : undefined, note: v.owner === user.name ? (v.shared ? 'shared with all' : undefined) : `by ${v.owner}`, run: () => open(v) })
  const own = all.filter((v) => v.owner === user.name)
  const others = all.filter((v) => v.owner !== user.name)
  const entries: MenuEntry[] = [
    ...(views.isError ? [{ kind: 'label' as const, label: 'The saved ones could not be loaded.' }] : []),
    ...(all.length === 0 && !views.isError ? [{ kind: 'label' as const, label: views.isPending ? 'Loading …' : 'None yet. Save what you see under a name.' }] : []),
    ...own.map(item),
    ...(others.length > 0 ? [{ kind: 'label' as const, label: 'Shared by others' }, ...others.map(item)] : []),
    { kind: 'line' },
    { label: 'Save this view…', icon: 'plus', run: () => setSaving(true), disabled: refused !== undefined, note: refused },
    ...(own.length > 0 && refused === undefined ? [{ label: 'Rename, share, delete…', icon: 'edit' as const, run: () => setManaging(true) }] : []),
  ]
  return (
    <>
      <Menu align="end" label={words[page]} entries={entries} trigger={<Button icon="bookmark">{current ? current.name : words[page]}</Button>} />
      {saving && <SaveDialog page={page} query={query} taken={own} onClose={() => setSaving(false)} />}
      {managing && <ManageDialog page={page} own={own} query={query} onClose={() => setManaging(false)} />}
    </>
  )
}

const normal = (q: string) => {
  const p = new URLSearchParams(q)
  p.sort()
  return p.toString()
}

function SaveDialog({ page, query, taken, onClose }: { page: View['page']; query: string; taken: View[]; onClose: () => void }) {
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [shared, setShared] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const same = taken.find((v) => v.name.toLowerCase() === name.trim().toLowerCase())
  const save = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const body = { page, name: name.trim(), query, shared }
      if (same) await api.put(`/views/${encodeURIComponent(same.id)}`, { ...body, revision: same.revision })
      else await api.post('/views', body)
      await client.invalidateQueries({ queryKey: ['views'] })
      toast(`Saved as “${name.trim()}”.`)
      onClose()
    } catch (e) {
      setError(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      open onOpenChange={(o) => !o && onClose()} title="Save this view" lead="Keeps the search, filters, columns and order as they are now."
      actions={
        <>
          <DialogClose><Button>Cancel</Button></DialogClose>
          <Button kind="primary" type="submit" form="save-view" busy={busy} disabled={name.trim() === ''}>{same ? 'Replace' : 'Save'}</Button>
        </>
      }
    >
      <form
        id="save-view" className="view-form"
        onSubmit={(e) => {
          e.preventDefault()
          if (name.trim() !== '') void save()
        }}
      >
        <Field label="Name" value={name} maxLength={80} autoFocus onChange={(e) => setName(e.target.value)} help={same ? 'You have one of this name. Saving replaces it.' : undefined} />
        <Checkbox label="Share with everybody" help="Others can open it. Only you can change it." checked={shared} onChange={(e) => setShared(e.target.checked)} />
        {error !== undefined && <ErrorNote error={error} />}
      </form>
    </Dialog>
  )
}

function ManageDialog({ page, own, query, onClose }: { page: View['page']; own: View[]; query: string; onClose: () => void }) {
  return (
    <Dialog open onOpenChange={(o) => !o && onClose()} title={words[page]} lead="Yours. What others share is theirs to change." actions={<DialogClose><Button>Done</Button></DialogClose>}>
      <ul className="view-list">
        {own.map((v) => <ManageRow key={v.id} view={v} query={query} />)}
      </ul>
    </Dialog>
  )
}

function ManageRow({ view, query }: { view: View; query: string }) {
  const client = useQueryClient()
  const [name, setName] = useState(view.name)
  const [error, setError] = useState<unknown>()
  const put = async (change: Partial<View>) => {
    setError(undefined)
    try {
      await api.put(`/views/${encodeURIComponent(view.id)}`, { page: view.page, name: view.name, query: view.query, shared: view.shared, revision: view.revision, ...change })
    } catch (e) {
      setError(e)
      setName(view.name)
    }
    await client.invalidateQueries({ queryKey: ['views'] })
  }
  return (
    <li className="view-row">
      <Field label={`Name of ${view.name}`} hideLabel value={name} maxLength={80} onChange={(e) => setName(e.target.value)} onBlur={() => name.trim() !== '' && name.trim() !== view.name && void put({ name: name.trim() })} />
      <Checkbox label="Shared" checked={view.shared} onChange={(e) => void put({ shared: e.target.checked })} />
      <Button small disabled={normal(view.query) === normal(query)} onClick={() => void put({ query }).then(() => toast(`“${view.name}” now shows what you see.`))}>Update</Button>
      <Confirm
        title={`Delete “${view.name}”?`} action="Delete" danger trigger={<Button small icon="trash" kind="quiet" aria-label={`Delete ${view.name}`} />}
        run={async () => {
          await api.del(`/views/${encodeURIComponent(view.id)}`)
          await client.invalidateQueries({ queryKey: ['views'] })
        }}
      >
        <p>{view.shared ? 'Others can no longer open it from their list. Links that were copied still work.' : 'Links that were copied still work.'}</p>
      </Confirm>
      {error !== undefined && <ErrorNote error={error} />}
    </li>
  )
}
