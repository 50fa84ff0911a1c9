// SPDX-License-Identifier: Apache-2.0
// What a new certificate will say: for whom, for what, under which names. The
// form of enrolling and of signing a request.

import type { ApiError } from '@/api/client'
import type { IdentityProfile } from '@/api/types'
import { Checkbox, Field, Segmented, Select } from '@/ui'
import { DevicePicker } from './DevicePicker'
import type { About } from './queries'
import { lifetime, profileOf, purposeOf, splitNames } from './words'

export interface Draft { whose: 'device' | 'service'; device: string; service: string; profile: string; names: string; long: boolean; why: string }
export const emptyDraft = (device = ''): Draft => ({ whose: 'device', device, service: '', profile: '', names: '', long: false, why: '' })

const NAME = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/

/** Why it cannot be sent yet, for the button. */
export function missing(d: Draft): string | undefined {
  if (d.whose === 'device' && d.device === '') return 'Choose the device.'
  if (d.whose === 'service' && d.service.trim() === '') return 'Name the service.'
  if (d.whose === 'service' && !NAME.test(d.service.trim())) return 'A service’s name has small letters, digits, dots and hyphens.'
  if (d.profile === '') return 'Choose what the certificate is for.'
  const { wrong } = splitNames(d.names)
  if (wrong.length > 0) return `“${wrong[0] ?? ''}” is no name and no address.`
  if (d.long && d.why.trim() === '') return 'Say why it cannot renew by itself.'
  return undefined
}

export function aboutOf(d: Draft, profiles: readonly IdentityProfile[]): About {
  const { dns, ips } = splitNames(d.names)
  const long = d.long && profiles.find((p) => p.name === d.profile)?.long_life_hours !== undefined
  return {
    ...(d.whose === 'device' ? { device: d.device } : { service: d.service.trim() }), profile: d.profile,
    ...(dns.length > 0 ? { dns } : {}), ...(ips.length > 0 ? { ips } : {}), ...(long ? { long_life: d.why.trim() } : {}),
  }
}

interface Props { draft: Draft; set: (part: Partial<Draft>) => void; profiles: readonly IdentityProfile[]; said: ApiError | undefined }

export function AboutForm({ draft: d, set, profiles, said }: Props) {
  const p = profiles.find((x) => x.name === d.profile)
  const roles = p && [p.client && 'client', p.server && 'server'].filter(Boolean).join(' and ')
  return (
    <>
      <div className="field">
        <span className="field-label">For</span>
        <Segmented label="For" value={d.whose} onChange={(whose) => set({ whose })} options={[{ value: 'device', label: 'A device' }, { value: 'service', label: 'A service that is no device' }]} />
      </div>
      {d.whose === 'device' ? (
        <DevicePicker value={d.device} onChange={(device) => set({ device })} error={said?.field('device')} />
      ) : (
        <Field label="Service" value={d.service} maxLength={63} placeholder="dicom-gateway" onChange={(e) => set({ service: e.target.value })} help="A short name of your own: small letters, digits, dots and hyphens." error={said?.field('service')} />
      )}
      <Select
        label="What the certificate is for" value={d.profile} onChange={(e) => set({ profile: e.target.value, long: false })} error={said?.field('profile')}
        options={[{ value: '', label: 'Choose…', disabled: true }, ...profiles.map((x) => ({ value: x.name, label: profileOf(x.name) }))]}
        help={p && `${purposeOf(p)} As ${roles}; each certificate lasts ${lifetime(p.lifetime_hours)} and is renewed by the device.`}
      />
      <Field
        label="Names and addresses in it" value={d.names} onChange={(e) => set({ names: e.target.value })} placeholder="pacs.hospital.example 10.20.0.5"
        help={p?.server === false ? 'Not needed: as a client it is known by its identity.' : 'By which others reach it. Separate several with a blank.'} error={said?.field('dns') ?? said?.field('ips')}
      />
      {p?.long_life_hours !== undefined && (
        <Checkbox label={`It cannot renew by itself: let it last ${lifetime(p.long_life_hours)}`} help="Somebody has to replace it by hand then, and a lost key is good for longer." checked={d.long} onChange={(e) => set({ long: e.target.checked })} />
      )}
      {d.long && p?.long_life_hours !== undefined && <Field label="Why it cannot" value={d.why} maxLength={500} onChange={(e) => set({ why: e.target.value })} help="Kept with the certificate and in the ledger." error={said?.field('long_life')} />}
    </>
  )
}
