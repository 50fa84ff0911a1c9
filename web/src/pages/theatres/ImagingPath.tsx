// SPDX-License-Identifier: Apache-2.0
// From the scanner to the surgeon's eyes, as far as it is known: a column for
// each part that a device plays, in the order in which images pass.
import { Link } from '@tanstack/react-router'
import type { PathStep } from '@/api/types'
import { ClassIcon, Custody, Icon, Time, units } from '@/ui'

const roles: PathStep['role'][] = ['scanner', 'archive', 'gateway', 'processor', 'headset']
const roleName: Record<PathStep['role'], [one: string, many: string]> = {
  scanner: ['Scanner', 'Scanners'],
  archive: ['Archive', 'Archives'],
  gateway: ['Gateway', 'Gateways'],
  processor: ['Processor', 'Processors'],
  headset: ['Headset', 'Headsets'],
}

export function ImagingPath({ steps }: { steps: PathStep[] }) {
  if (!steps.some((s) => s.device)) return <p className="quiet">No image has been seen on its way into this room yet. As soon as a scanner or an archive sends one, its way is drawn here.</p>
  return (
    <ol className="path">
      {roles.map((role) => {
        const here = steps.filter((s) => s.role === role && s.device)
        return (
          <li key={role} className={here.length > 0 ? 'path-step' : 'path-step path-none'}>
            <div className="path-role">{roleName[role][here.length > 1 ? 1 : 0]}</div>
            {here.length === 0 ? (
              <div className="path-device">None seen</div>
            ) : (
              <ul className="path-list">
                {here.map((s, i) => (
                  <Step key={s.device?.id ?? i} step={s} />
                ))}
              </ul>
            )}
          </li>
        )
      })}
    </ol>
  )
}

function Step({ step: s }: { step: PathStep }) {
  if (!s.device) return null
  return (
    <li>
      <Link to="/devices/$id" params={{ id: s.device.id }} className="path-device">
        <ClassIcon class={s.device.class} />
        <span>{s.device.name}</span>
      </Link>
      <div className="path-facts">
        <span title="Objects in the last hour">
          {s.objects_last_hour === 0 && s.failed_last_hour === 0 ? 'Nothing in the last hour' : units.plural(s.objects_last_hour, 'object')}
          {s.failed_last_hour > 0 && <strong className="path-failed">, {units.count(s.failed_last_hour)} failed</strong>}
          {s.last && (
            <span className="quiet">
              , last <Time at={s.last} plain />
            </span>
          )}
        </span>
        <span>
          <Icon name={s.encrypted === null ? 'help' : s.encrypted ? 'lock' : 'unlock'} size={13} /> {s.encrypted === null ? 'Encryption not known' : s.encrypted ? 'Encrypted' : 'In clear'}
        </span>
        {s.custody !== 'none' && <Custody state={s.custody} />}
      </div>
    </li>
  )
}
