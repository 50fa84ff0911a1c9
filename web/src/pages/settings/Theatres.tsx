// SPDX-License-Identifier: Apache-2.0
// The rooms: their names, order, networks, and whom to call.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api } from '@/api/client'
import { theatres } from '@/api/queries'
import type { Theatre } from '@/api/types'
import { useMay } from '@/shell/access'
import { useSites } from '@/shell/site'
import { Button, Confirm, Empty, ErrorState, IconButton, Loading, Skeleton, toast, toastError } from '@/ui'
import { Section } from './Section'
import { TheatreDialog } from './TheatreDialog'

export function Theatres() {
  const { data, error, isError, refetch } = useQuery(theatres)
  const client = useQueryClient()
  const why = useMay()('theatre.edit')
  const [editing, setEditing] = useState<Theatre | 'new' | null>(null)
  const [deleting, setDeleting] = useState<Theatre | null>(null)
  const refresh = () => client.invalidateQueries({ queryKey: ['theatres'] })
  const sites = useSites()
  const several = sites.all.length > 1

  const swap = useMutation({
    mutationFn: async ([a, b]: [Theatre, Theatre]) => {
      const put = (t: Theatre, order: number) => api.put(`/theatres/${encodeURIComponent(t.id)}`, { ...t, order })
      await put(a, b.order)
      await put(b, a.order)
    },
    onMutate: ([a, b]) => {
      client.setQueryData(theatres.queryKey, (old) =>
        old?.map((t) => (t.id === a.id ? { ...t, order: b.order } : t.id === b.id ? { ...t, order: a.order } : t)).sort((x, y) => x.order - y.order),
      )
    },
    onError: (e) => toastError('The order was not changed.', e),
    onSettled: () => void refresh(),
  })

  const sorted = [...(data ?? [])].sort((a, b) => a.order - b.order)
  return (
    <Section
      title="Theatres"
      lead="A device belongs to the theatre in whose VLANs or addresses it is seen, unless somebody says otherwise on its page. The order is that of the board."
      actions={
        <Button kind="primary" icon="plus" reason={why} onClick={() => setEditing('new')}>
          New theatre
        </Button>
      }
    >
      {!data ? (
        isError ? (
          <ErrorState error={error} lost="The theatres cannot be listed." retry={() => void refetch()} />
        ) : (
          <Loading what="the theatres">
            <Skeleton lines={8} />
          </Loading>
        )
      ) : sorted.length === 0 ? (
        <Empty icon="theatres" title="No theatre is set up yet.">
          <p>Begin with one room: its name, and the VLAN that its devices are on. The board and the lights follow from that.</p>
        </Empty>
      ) : (
        <table className="table table-stack" aria-label="Theatres">
          <thead>
            <tr>
              <th scope="col">Name</th>
              {several && <th scope="col">Site</th>}
              <th scope="col">Building</th>
              <th scope="col">VLANs</th>
              <th scope="col">Addresses</th>
              <th scope="col">To call</th>
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((t, i) => (
              <tr key={t.id}>
                <th scope="row">
                  <Link to="/theatres/$id" params={{ id: t.id }}>
                    {t.name}
                  </Link>
                </th>
                {several && <td data-label="Site">{sites.all.find((s) => (s.own ? t.site === '' : s.name === t.site))?.title ?? t.site}</td>}
                <td data-label="Building">{t.building || '–'}</td>
                <td data-label="VLANs">{t.vlans.join(', ') || '–'}</td>
                <td data-label="Addresses" className="mono">
                  {t.prefixes.join(', ') || '–'}
                </td>
                <td data-label="To call">{t.contact || '–'}</td>
                <td className="cell-actions">
                  {!why && (
                    <>
                      <IconButton small icon="arrow-up" label={`Move ${t.name} up`} disabled={i === 0 || swap.isPending} onClick={() => swap.mutate([t, sorted[i - 1] as Theatre])} />
                      <IconButton small icon="arrow-down" label={`Move ${t.name} down`} disabled={i === sorted.length - 1 || swap.isPending} onClick={() => swap.mutate([t, sorted[i + 1] as Theatre])} />
                      <IconButton small icon="edit" label={`Edit ${t.name}`} onClick={() => setEditing(t)} />
                      <IconButton small icon="trash" label={`Delete ${t.name}`} onClick={() => setDeleting(t)} />
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {editing && <TheatreDialog theatre={editing === 'new' ? null : editing} order={sorted.length + 1} onClose={() => setEditing(null)} />}
      {deleting && (
        <Confirm
          open
          onOpenChange={(o) => !o && setDeleting(null)}
          danger
          title={`Delete ${deleting.name}?`}
          action="Delete"
          run={async () => {
            await api.del(`/theatres/${encodeURIComponent(deleting.id)}`, { params: { revision: deleting.revision } })
            await refresh()
            toast(`${deleting.name} is deleted.`)
          }}
        >
          Its devices stay known, but belong to no theatre. What was recorded stays as it is.
        </Confirm>
      )}
    </Section>
  )
}
