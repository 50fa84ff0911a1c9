// SPDX-License-Identifier: Apache-2.0
// The identity card: what a device is, how sure that is and who says so. What a
// person may set is edited here, in its place; what a person set is marked.

import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { ApiError, explain } from '@/api/client'
import type { Device, Theatre } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Copyable, ErrorNote, Icon, IconButton, Select, Time, toast, Tooltip } from '@/ui'
import { classOptions } from './classes'
import { applyPatch } from './edit'
import { Confidence, words } from './Evidence'
import { criticalities, criticalityName } from './fields'
import { device as deviceQuery, patchDevice, type Attribute } from './queries'

interface Props { device: Device; theatres: readonly Theatre[] }

export function IdentityCard({ device: d, theatres }: Props) {
  const theatre = theatres.find((t) => t.id === d.theatre)
  return (
    <section className="dev-card" aria-labelledby="dev-identity">
      <h2 id="dev-identity">Identity</h2>
      <dl className="dev-facts">
        <Editable d={d} attribute="name" label="Name" shown={d.name} />
        <Editable d={d} attribute="class" label="Class" shown={d.class_name} options={classOptions} extra={<Confidence n={d.confidence} />} />
        <Editable d={d} attribute="vendor" label="Vendor" shown={d.vendor} />
        <Editable d={d} attribute="model" label="Model" shown={d.model} />
        <Editable d={d} attribute="theatre" label="Theatre" shown={theatre?.name ?? d.theatre} options={theatres.map((t) => ({ value: t.id, label: t.name }))} />
        <Editable d={d} attribute="criticality" label="Criticality" shown={d.criticality === '' ? '' : (criticalityName[d.criticality] ?? d.criticality)} options={criticalities.filter((c) => c !== '').map((c) => ({ value: c, label: criticalityName[c] ?? c }))} />
        <Plain label="Zone" value={d.zone} />
        <Plain d={d} attribute="serial" label="Serial number" value={d.serial} mono />
        <Plain d={d} attribute="firmware" label="Firmware" value={d.firmware} mono />
        <Plain d={d} attribute="os" label="Operating system" value={d.os} />
        {d.udi !== '' && <Plain d={d} attribute="udi" label="UDI" value={d.udi} mono />}
        {d.ae_titles.length > 0 && <Row label={d.ae_titles.length === 1 ? 'AE title' : 'AE titles'}><List values={d.ae_titles} what="AE title" /></Row>}
        {d.services.length > 0 && <Row label="Offers"><span>{d.services.join(', ')}</span></Row>}
        {d.uses.length > 0 && <Row label="Uses"><span>{d.uses.join(', ')}</span></Row>}
        {d.via !== '' && <Row label="Stands behind"><a href={`/devices/${encodeURIComponent(d.via)}`}>{d.via}</a></Row>}
        <Row label="First seen"><Time at={d.first} /></Row>
        <Row label="Last seen"><Time at={d.last} /></Row>
        <Row label="Device ID"><Copyable value={d.id} what="device ID" /></Row>
        {d.aliases.length > 0 && <Row label={d.aliases.length === 1 ? 'Former ID' : 'Former IDs'}><List values={d.aliases} what="former ID" /></Row>}
      </dl>
    </section>
  )
}

const List = ({ values, what }: { values: readonly string[]; what: string }) => (
  <ul className="dev-list">{values.map((v) => <li key={v}><Copyable value={v} what={what} /></li>)}</ul>
)

function Row({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="dev-fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Why({ d, attribute }: { d: Device; attribute: string }) {
  const fact = d.facts[attribute]
  if (!fact || fact.by_person) return null
  const said = fact.stated && fact.stated !== fact.value ? `It says “${fact.stated}”. ` : ''
  return (
    <Tooltip text={`${said}${fact.confidence} % sure, from ${fact.sources.map(words).join(', ')}.`}>
      <button type="button" className="dev-why" aria-label={`Why: ${said}${fact.confidence} % sure, from ${fact.sources.map(words).join(', ')}`}>{fact.confidence}{'\u00a0'}%</button>
    </Tooltip>
  )
}

function Plain({ d, attribute, label, value, mono }: { d?: Device; attribute?: string; label: string; value: string; mono?: boolean }) {
  return (
    <Row label={label}>
      {value === '' ? <span className="quiet">not known</span> : mono ? <Copyable value={value} what={label.toLowerCase()} /> : <span>{value}</span>}
      {d && attribute && value !== '' && <Why d={d} attribute={attribute} />}
    </Row>
  )
}

interface EditableProps { d: Device; attribute: Attribute; label: string; shown: string; options?: readonly { value: string; label: string }[]; extra?: ReactNode }

function Editable({ d, attribute, label, shown, options, extra }: EditableProps) {
  const may = useMay()
  const client = useQueryClient()
  const refused = may('device.edit')
  const [editing, setEditing] = useState(false)
  const [value, setValue] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<{ error: unknown; theirs?: string }>()
  const pencil = useRef<HTMLButtonElement>(null)
  const input = useRef<HTMLInputElement>(null)
  const set = d.by_person.includes(attribute)

  useEffect(() => {
    if (editing) input.current?.select()
  }, [editing])

  const close = () => {
    setEditing(false)
    setError(undefined)
    // The pencil is drawn again first.
    requestAnimationFrame(() => pencil.current?.focus())
  }

  const save = async (next: string | null) => {
    if (next !== null && next.trim() === d[attribute] && set) return close()
    const key = deviceQuery(d.id).queryKey
    const before = client.getQueryData<Device>(key)
    const patch = { [attribute]: next === null ? null : next.trim() }
    setBusy(true)
    setError(undefined)
    await client.cancelQueries({ queryKey: key })
    if (before) client.setQueryData<Device>(key, { ...before, ...applyPatch(before, patch) })
    try {
      const after = await patchDevice(d.id, patch)
      if (after) client.setQueryData<Device>(key, after)
      void client.invalidateQueries({ queryKey: ['devices'] })
      setBusy(false)
      close()
      toast(next === null ? `${label} is as observed again.` : `${label} set to “${options?.find((o) => o.value === next)?.label ?? next.trim()}”.`)
    } catch (e) {
      if (before) client.setQueryData<Device>(key, before)
      setBusy(false)
      if (e instanceof ApiError && e.status === 409) {
        const now = await client.fetchQuery({ ...deviceQuery(d.id), staleTime: 0 }).catch(() => undefined)
        setError({ error: e, theirs: now?.[attribute] })
      } else setError({ error: e })
      if (!editing) toast(`${label} was not changed. ${explain(e).title}`, { error: true })
    }
  }

  if (editing) {
    return (
      <div className="dev-fact dev-fact-editing">
        <dt><label htmlFor={`edit-${attribute}`}>{label}</label></dt>
        <dd>
          <form
            className="dev-edit"
            onSubmit={(e) => {
              e.preventDefault()
              if (value.trim() !== '') void save(value)
            }}
            onKeyDown={(e) => {
              if (e.key !== 'Escape') return
              e.stopPropagation()
              close()
            }}
          >
            {options ? (
              <Select id={`edit-${attribute}`} label={label} hideLabel autoFocus value={value} onChange={(e) => setValue(e.target.value)} options={[...(value === '' || options.some((o) => o.value === value) ? [] : [{ value, label: shown }]), ...(value === '' ? [{ value: '', label: 'Choose…', disabled: true }] : []), ...options]} />
            ) : (
              <input ref={input} id={`edit-${attribute}`} className="input" value={value} maxLength={200} autoFocus spellCheck={false} onChange={(e) => setValue(e.target.value)} />
            )}
            <div className="dev-edit-actions">
              <Button small kind="primary" type="submit" busy={busy} disabled={value.trim() === ''}>Save</Button>
              <Button small onClick={close} disabled={busy}>Cancel</Button>
              {set && <Button small kind="quiet" icon="undo" busy={busy} onClick={() => void save(null)}>As observed</Button>}
            </div>
            {error && (
              <>
                <ErrorNote error={error.error} />
                {error.theirs !== undefined && <p className="dev-conflict">It is now “{error.theirs}”; you wrote “{value}”. Saving again replaces it.</p>}
              </>
            )}
          </form>
        </dd>
      </div>
    )
  }
  return (
    <Row label={label}>
      <span className={shown === '' ? 'quiet' : attribute === 'name' ? 'dev-fact-name' : undefined}>{shown === '' ? (attribute === 'criticality' || attribute === 'theatre' ? 'not set' : 'not known') : shown}</span>
      {set ? (
        <Tooltip text="Set by a person. It counts more than what is observed."><span className="dev-person dev-person-tag" tabIndex={0} role="note"><Icon name="user" size={12} label="Set by a person" /></span></Tooltip>
      ) : extra ? shown !== '' && extra : shown !== '' && <Why d={d} attribute={attribute} />}
      {refused === undefined ? (
        <IconButton
          ref={pencil} small icon="edit" className="dev-pencil" label={`Edit ${label.toLowerCase()}`}
          onClick={() => {
            setValue(d[attribute])
            setEditing(true)
          }}
        />
      ) : null}
    </Row>
  )
}
