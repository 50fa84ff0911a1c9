// SPDX-License-Identifier: Apache-2.0
import { Link, useParams } from '@tanstack/react-router'
import type { ComponentType } from 'react'
import type { Permission } from '@/api/types'
import { useMay } from '@/shell/access'
import { Page } from '@/shell/Page'
import { Empty } from '@/ui'
import { Account } from './Account'
import { Audit } from './Audit'
import './settings.css'
import { SiteSettings } from './SiteSettings'
import { StoragePanel } from './StoragePanel'
import { Theatres } from './Theatres'
import { Tokens } from './Tokens'
import { Users } from './Users'

interface Section {
  id: string
  name: string
  needs?: Permission
  view: ComponentType
}
const sections: Section[] = [
  { id: 'theatres', name: 'Theatres', view: Theatres },
  { id: 'site', name: 'Site and hub', view: SiteSettings },
  { id: 'storage', name: 'Storage and retention', view: StoragePanel },
  { id: 'users', name: 'Users', needs: 'user.edit', view: Users },
  { id: 'account', name: 'Your account', view: Account },
  { id: 'tokens', name: 'API tokens', view: Tokens },
  { id: 'audit', name: 'Audit trail', needs: 'audit.read', view: Audit },
]

export function SettingsPage() {
  const { section } = useParams({ strict: false })
  const may = useMay()
  const here = sections.find((s) => s.id === section)
  const why = here?.needs && may(here.needs)
  const View = here?.view
  return (
    <Page title={here ? `Settings: ${here.name}` : 'Settings'} heading="Settings">
      <div className="set">
        <nav className="set-nav" aria-label="Settings">
          <ul>
            {sections
              .filter((s) => !s.needs || !may(s.needs))
              .map((s) => (
                <li key={s.id}>
                  <Link to="/settings/$section" params={{ section: s.id }} className="set-link" activeProps={{ 'aria-current': 'page' }}>
                    {s.name}
                  </Link>
                </li>
              ))}
          </ul>
        </nav>
        <div className="set-body">
          {why ? (
            <Empty icon="lock" title="Not for your role">
              <p>{why}</p>
            </Empty>
          ) : View ? (
            <View />
          ) : (
            <Empty icon="help" title="There are no such settings." />
          )}
        </div>
      </div>
    </Page>
  )
}
