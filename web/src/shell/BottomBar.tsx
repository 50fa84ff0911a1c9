// SPDX-License-Identifier: Apache-2.0
// The rail of a narrow screen: what is needed standing up, the rest behind "More".
import { useQuery } from '@tanstack/react-query'
import { Link, useLocation, useNavigate } from '@tanstack/react-router'
import { status } from '../api/queries'
import { Icon } from '../ui/Icon'
import { Menu } from '../ui/Menu'
import { places, running } from './places'

const standing = ['/theatres', '/findings', '/devices', '/events']
const shown = standing.flatMap((to) => places.filter((p) => p.to === to))
const others = places.filter((p) => !standing.includes(p.to))

export function BottomBar() {
  const navigate = useNavigate()
  const path = useLocation({ select: (l) => l.pathname })
  const runs = useQuery(status).data?.runs
  const rest = others.filter((p) => running(p, runs))
  const elsewhere = rest.some((p) => path.startsWith(p.to))
  return (
    <nav className="bottom" aria-label="Pages">
      {shown.map((p) => (
        <Link key={p.to} to={p.to} className="bottom-link" activeProps={{ 'aria-current': 'page' }}>
          <Icon name={p.icon} size={20} />
          {p.name}
        </Link>
      ))}
      <Menu
        align="end"
        side="top"
        label="More pages"
        trigger={
          <button type="button" className="bottom-link" aria-current={elsewhere ? 'page' : undefined}>
            <Icon name="more" size={20} />
            More
          </button>
        }
        entries={rest.map((p) => ({ label: p.name, icon: p.icon, run: () => void navigate({ to: p.to }) }))}
      />
    </nav>
  )
}
