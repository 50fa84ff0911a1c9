// SPDX-License-Identifier: Apache-2.0
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { api, setCsrf } from '../api/client'
import { session } from '../api/queries'
import { Icon } from '../ui/Icon'
import { Menu } from '../ui/Menu'
import { roleName, useSession } from './access'
import { setTheme, useTheme, type Theme } from './theme'

export function UserMenu() {
  const { user } = useSession()
  const chosen = useTheme()
  const client = useQueryClient()
  const navigate = useNavigate()
  const logout = async () => {
    try {
      await api.del('/session')
    } catch (e) {
      void import('../ui/Toast').then((m) => m.toastError('You are still logged in.', e))
      return
    }
    setCsrf('')
    await navigate({ to: '/login' })
    client.clear()
    client.setQueryData(session.queryKey, null)
  }
  return (
    <Menu
      label="Your account"
      align="end"
      trigger={
        <button type="button" className="top-user" aria-label={`${user.display_name || user.name}: account`}>
          <Icon name="user" />
          <span className="top-user-name">{user.display_name || user.name}</span>
          <Icon name="chevron-down" size={14} />
        </button>
      }
      entries={[
        { kind: 'label', label: `${user.name} · ${user.roles.map((r) => roleName[r]).join(', ')}` },
        { label: 'Your account and sessions', icon: 'key', run: () => void navigate({ to: '/settings/$section', params: { section: 'account' } }) },
        { kind: 'line' },
        { kind: 'label', label: 'Colours' },
        {
          kind: 'radio',
          value: chosen,
          onChange: (v) => setTheme(v as Theme),
          options: [
            { value: 'system', label: 'As the system' },
            { value: 'light', label: 'Light' },
            { value: 'dark', label: 'Dark' },
          ],
        },
        { kind: 'line' },
        { label: 'Log out', icon: 'logout', run: () => void logout() },
      ]}
    />
  )
}
