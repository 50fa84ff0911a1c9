// SPDX-License-Identifier: Apache-2.0
// What one device may do. Said back in a sentence before it is taken over.

import { useState } from 'react'
import type { ImagingBinding, Theatre } from '@/api/types'
import { Button, Checkbox, Dialog, Field, Icon, Select } from '@/ui'
import { DevicePicker } from '../identity/DevicePicker'
import '../identity/identity.css'
import { check, cutName, groupName, joinList, operationName, operations, splitList } from './bindingRules'

interface Props { binding: ImagingBinding; isNew: boolean; others: readonly ImagingBinding[]; theatres: readonly Theatre[]; onDone: (b: ImagingBinding) => void; onClose: () => void }

/** The binding as one sentence. */
export function inWords(b: ImagingBinding): string {
  const who = b.plain ? `Whoever comes in clear from ${joinList(b.addresses) || 'nowhere yet'}` : 'The device with this certificate'
  const as = b.calling_ae.length > 0 ? ` as ${b.calling_ae.join(' or ')}` : ''
  const from = !b.plain && (b.addresses ?? []).length > 0 ? ` from ${joinList(b.addresses)}` : ''
  const calls = (b.called_ae ?? []).length > 0 ? `, calling ${b.called_ae?.join(' or ')}` : ''
  const what = b.operations.length > 0 ? b.operations.map((o) => operationName(o).toLowerCase()).join(', ') : 'nothing'
  const kinds = (b.sop_classes ?? []).length > 0 ? ` of ${joinList(b.sop_classes)}` : ''
  return `${who}${as}${from}${calls} may: ${what}${kinds}.`
}

export function BindingDialog({ binding, isNew, others, theatres, onDone, onClose }: Props) {
  const [b, setB] = useState(binding)
  // Lists as they are typed: a comma at the end is not an error while one writes.
  const [typed, setTyped] = useState({ calling_ae: joinList(b.calling_ae), called_ae: joinList(b.called_ae), addresses: joinList(b.addresses), sop_classes: joinList(b.sop_classes), destinations: joinList(b.destinations) })
  const [tried, setTried] = useState(false)
  const set = (p: Partial<ImagingBinding>) => setB((o) => ({ ...o, ...p }))
  const list = (k: keyof typeof typed) => ({ value: typed[k], onChange: (e: { target: { value: string } }) => { const v = e.target.value; setTyped((t) => ({ ...t, [k]: v })); set({ [k]: splitList(v) }) } })
  const errors = check(b, others)
  const n = Object.keys(errors).length
  const show = (k: keyof typeof errors) => (tried ? errors[k] : undefined)
  const done = () => {
    setTried(true)
    if (n > 0) return
    onDone(tidy(b))
  }
  return (
    <Dialog
      open wide onOpenChange={(o) => !o && onClose()} title={isNew ? 'Bind a device' : `What ${b.name || b.device_name || b.device} may do`} lead="Everything that is not named here is refused, and said to be."
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" type="submit" form="binding">{isNew ? 'Add it' : 'Take it over'}</Button></>}
    >
      <form id="binding" className="im-form" noValidate onSubmit={(e) => { e.preventDefault(); done() }}>
        {isNew ? <DevicePicker value={b.device} onChange={(device) => set({ device })} error={show('device')} /> : null}
        <Field label="Name" value={b.name ?? ''} maxLength={64} onChange={(e) => set({ name: e.target.value })} help="Only where the device’s own name does not do." />
        <div className="im-form-two">
          <Field label="Its own AE titles" className="im-mono" placeholder="CT_OR3, CT_OR3_QR" {...list('calling_ae')} error={show('calling_ae')} help="As it calls itself. To store and to query it may use two." />
          <Field label="AE titles that it may call" className="im-mono" placeholder="any of the gateway" {...list('called_ae')} error={show('called_ae')} help="Those of the gateway. Empty: any." />
        </div>
        <fieldset className="im-set">
          <legend>It may</legend>
          <div className="im-ops">
            {(['send', 'ask', 'work', 'web'] as const).map((g) => (
              <div key={g} role="group" aria-label={groupName[g]}>
                <p className="quiet">{groupName[g]}</p>
                {operations.filter((o) => o.group === g).map((o) => <Checkbox key={o.id} label={o.name} checked={b.operations.includes(o.id)} onChange={(e) => set({ operations: operations.map((x) => x.id).filter((id) => (id === o.id ? e.target.checked : b.operations.includes(id))) })} />)}
              </div>
            ))}
          </div>
          {show('operations') && <p className="field-error"><Icon name="warning" size={13} />{errors.operations}</p>}
        </fieldset>
        {b.operations.includes('move') && <Field label="AE titles that its C-MOVE may name" className="im-mono" {...list('destinations')} error={show('destinations')} help="Where it may have images sent to." />}
        <div className="im-form-two">
          <Field label="What it may store" className="im-mono" placeholder="all storage classes" {...list('sop_classes')} error={show('sop_classes')} help="UIDs of SOP classes, or names of groups: ct, mr, us, xa, storage." />
          <Field label="Addresses" className="im-mono" placeholder={b.plain ? '10.20.3.17' : 'any'} {...list('addresses')} error={show('addresses')} help={b.plain ? 'Needed: it is known by nothing else.' : 'Addresses or prefixes. Empty: any, because its certificate says who it is.'} />
        </div>
        <Checkbox label="It may come in clear, without TLS" help="Only for a device that cannot do better. Anybody at its address can pretend to be it; each such device stays a finding." checked={b.plain ?? false} onChange={(e) => set({ plain: e.target.checked || undefined })} />
        <div className="im-form-two">
          <Select label="Theatre" value={b.theatre ?? ''} onChange={(e) => set({ theatre: e.target.value || undefined })} options={[{ value: '', label: 'As in the inventory' }, ...theatres.map((t) => ({ value: t.id, label: t.name })), ...(b.theatre && !theatres.some((t) => t.id === b.theatre) ? [{ value: b.theatre, label: b.theatre }] : [])]} />
          {!b.plain && <Select label="When its certificate is ended while it sends" value={b.on_revocation ?? ''} onChange={(e) => set({ on_revocation: (e.target.value || undefined) as ImagingBinding['on_revocation'] })} options={[{ value: '', label: 'As the gateway’s configuration says' }, ...Object.entries(cutName).map(([value, label]) => ({ value, label }))]} />}
        </div>
        <p className="im-quote">{inWords(b)}</p>
        {tried && n > 0 && <p className="field-error" role="alert"><Icon name="warning" size={13} />{n === 1 ? 'One thing is not right yet.' : `${n} things are not right yet.`} {Object.values(errors)[0]}</p>}
      </form>
    </Dialog>
  )
}

/** Empty lists are left out: they mean "any". */
function tidy(b: ImagingBinding): ImagingBinding {
  const out = { ...b }
  for (const k of ['called_ae', 'addresses', 'sop_classes', 'destinations'] as const) if (out[k]?.length === 0) delete out[k]
  for (const k of ['name', 'theatre', 'on_revocation', 'plain'] as const) if (!out[k]) delete out[k]
  if (!out.operations.includes('move')) delete out.destinations
  return out
}
