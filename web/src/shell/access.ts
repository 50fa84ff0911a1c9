// SPDX-License-Identifier: Apache-2.0
// Who is looking, and what they may do.
import { useQuery } from '@tanstack/react-query'
import { session } from '../api/queries'
import type { Permission, Role, Session } from '../api/types'

/** Only below the routes that need a login. */
export function useSession(): Session {
  const { data } = useQuery(session)
  if (!data) throw new Error('no session on a page that needs one')
  return data
}

const whoMay: Record<Permission, Role[]> = {
  read: ['viewer', 'analyst', 'biomed', 'engineer', 'admin'],
  'view.edit': ['analyst', 'biomed', 'engineer', 'admin'],
  'theatre.state': ['analyst', 'biomed', 'engineer', 'admin'],
  'finding.edit': ['analyst', 'biomed', 'engineer', 'admin'],
  'packet.read': ['analyst', 'biomed', 'engineer', 'admin'],
  'device.edit': ['biomed', 'engineer', 'admin'],
  'quarantine.decide': ['biomed', 'engineer', 'admin'],
  'theatre.edit': ['engineer', 'admin'],
  'rule.edit': ['engineer', 'admin'],
  'record.write': ['engineer', 'admin'],
  'identity.edit': ['engineer', 'admin'],
  'identity.revoke': ['engineer', 'admin'],
  'imaging.edit': ['engineer', 'admin'],
  'settings.edit': ['engineer', 'admin'],
  'user.edit': ['admin'],
  'audit.read': ['admin'],
  'patient.read': ['admin'],
}
export const roleName: Record<Role, string> = {
  viewer: 'Viewer',
  analyst: 'Analyst',
  biomed: 'Biomedical engineer',
  engineer: 'Security engineer',
  admin: 'Administrator',
}

/** undefined: allowed. Otherwise why not, in words for a disabled button. */
export function useMay(): (p: Permission) => string | undefined {
  const s = useSession()
  return (p) => {
    if (s.permissions.includes(p)) return undefined
    const first = whoMay[p][0]
    return first ? `Your role does not allow this. It needs the role ${roleName[first]} or one above it.` : 'Your role does not allow this.'
  }
}

/** Only a path of this console is ever returned to. */
export function safeReturn(path: string | null | undefined): string {
  if (!path || !path.startsWith('/') || path.startsWith('//') || path.includes('\\') || /^\/(login|setup)\b/.test(path)) return '/theatres'
  return path
}
export function returnPath(href: string): { return?: string } {
  const to = safeReturn(href)
  return to === '/theatres' || href === '/' ? {} : { return: to }
}
