// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { status } from '../api/queries'
import { Icon } from '../ui/Icon'
import { Tooltip } from '../ui/Tooltip'
import { below, groups, running, type Place } from './places'

export function Rail() {
  const runs = useQuery(status).data?.runs
  return (
    <nav className="rail" aria-label="Pages">
      {groups.map((g) => (
        <div key={g.name} className="rail-group">
          <h2 className="rail-head">{g.name}</h2>
          <ul>
            {g.places.filter((p) => running(p, runs)).map((p) => (
              <Item key={p.to} place={p} />
            ))}
          </ul>
        </div>
      ))}
      <ul className="rail-below">
        {below.map((p) => (
          <Item key={p.to} place={p} />
        ))}
      </ul>
    </nav>
  )
}

function Item({ place }: { place: Place }) {
  return (
    <li>
      <Tooltip text={place.name} keys={`g ${place.key}`} side="right">
        <Link to={place.to} className="rail-link" activeProps={{ 'aria-current': 'page' }}>
          <Icon name={place.icon} />
          <span className="rail-text">{place.name}</span>
        </Link>
      </Tooltip>
    </li>
  )
}
