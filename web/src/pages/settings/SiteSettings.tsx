// SPDX-License-Identifier: Apache-2.0
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, ApiError } from '@/api/client'
import { settings } from '@/api/queries'
import type { Settings } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, ErrorNote, ErrorState, Field, Loading, Skeleton, time, toast } from '@/ui'
import { Conflict, isConflict } from './Conflict'
import { Section } from './Section'
import { Sites } from './Sites'

const zones: string[] = Intl.supportedValuesOf('timeZone')

/** Also the names that are not offered: Etc/UTC, and those that were renamed. No offsets: they know no summer time. */
function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

export function SiteSettings() {
  const { data, error, isError, refetch } = useQuery(settings)
  return (
    <>
      <Section title="Site" lead="The name stands on every page. Times everywhere are in this zone, on a 24 hour clock.">
        {data ? <SiteForm key={data.revision} saved={data} /> : isError ? <ErrorState error={error} lost="The settings cannot be shown." retry={() => void refetch()} /> : <Loading what="the settings"><Skeleton lines={5} /></Loading>}
      </Section>
      <Sites />
    </>
  )
}

function SiteForm({ saved }: { saved: Settings }) {
  const client = useQueryClient()
  const why = useMay()('settings.edit')
  const [name, setName] = useState(saved.site.name)
  const [timezone, setZone] = useState(saved.site.timezone)
  const [silence, setSilence] = useState(String(saved.silence_minutes))
  const [theirs, setTheirs] = useState<Settings | null>(null)
  const minutes = Number(silence)
  const zoneOK = isZone(timezone)
  const save = useMutation({
    mutationFn: (over: Settings) => api.put<Settings>('/settings', { ...over, site: { ...over.site, name: name.trim(), timezone }, silence_minutes: minutes }),
    onSuccess: (s) => {
      client.setQueryData(settings.queryKey, s)
      void client.invalidateQueries({ queryKey: ['session'] })
      toast('The site is saved.')
    },
    onError: async (e) => {
      if (isConflict(e)) setTheirs(await api.get<Settings>('/settings'))
    },
  })
  const said = save.error instanceof ApiError ? save.error : undefined
  const changed = name !== saved.site.name || timezone !== saved.site.timezone || minutes !== saved.silence_minutes
  const valid = name.trim() !== '' && zoneOK && Number.isInteger(minutes) && minutes > 0
  return (
    <form
      className="set-form"
      noValidate
      onSubmit={(e) => {
        e.preventDefault()
        if (valid) save.mutate(saved)
      }}
    >
      <Field label="Name" value={name} readOnly={Boolean(why)} maxLength={80} error={said?.field('site.name') ?? (name.trim() === '' ? 'A name is needed.' : undefined)} onChange={(e) => setName(e.target.value)} />
      <Field
        label="Time zone"
        list="zones"
        value={timezone}
        readOnly={Boolean(why)}
        help={zoneOK ? `It is ${time.clock(time.now(), { seconds: false, tz: timezone })} there now.` : undefined}
        error={said?.field('site.timezone') ?? (zoneOK ? undefined : 'Not a time zone: a name like Europe/Berlin.')}
        onChange={(e) => setZone(e.target.value)}
      />
      <datalist id="zones">
        {zones.map((z) => (
          <option key={z} value={z} />
        ))}
      </datalist>
      <Field
        label="A device is silent after"
        unit="minutes"
        inputMode="numeric"
        value={silence}
        readOnly={Boolean(why)}
        error={said?.field('silence_minutes') ?? (Number.isInteger(minutes) && minutes > 0 ? undefined : 'A whole number of minutes.')}
        help="A room’s Devices light then asks for attention, if the device was there in the last day."
        onChange={(e) => setSilence(e.target.value)}
      />
      {theirs && (
        <Conflict
          busy={save.isPending}
          differences={[
            { label: 'Name', mine: name, theirs: theirs.site.name },
            { label: 'Time zone', mine: timezone, theirs: theirs.site.timezone },
            { label: 'Silent after', mine: `${silence} min`, theirs: `${theirs.silence_minutes} min` },
          ].filter((d) => d.mine !== d.theirs)}
          onTake={() => client.setQueryData(settings.queryKey, theirs)}
          onKeep={() => save.mutate(theirs)}
        />
      )}
      {save.isError && !theirs && !said?.problem.errors?.length && <ErrorNote error={save.error} />}
      <div className="set-actions">
        <Button kind="primary" type="submit" busy={save.isPending} disabled={!changed || !valid} reason={why}>
          Save
        </Button>
      </div>
    </form>
  )
}
