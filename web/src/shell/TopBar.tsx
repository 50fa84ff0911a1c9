// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query'
import { Link, useLocation, useNavigate } from '@tanstack/react-router'
import type { RefObject } from 'react'
import { board } from '../api/queries'
import type { Status } from '../api/types'
import { IconButton } from '../ui/Button'
import { Icon } from '../ui/Icon'
import { Menu } from '../ui/Menu'
import { count } from '../ui/units'
import { useSession } from './access'
import { Mark } from './Mark'
import { SearchBox } from './SearchBox'
import { useSites } from './site'
import { UserMenu } from './UserMenu'

interface Props {
  search: RefObject<HTMLInputElement | null>
  inCase: Status['theatres_in_case']
  onKeys: () => void
}

export function TopBar({ search, inCase, onKeys }: Props) {
  return (
    <header className="top">
      <Link to="/theatres" className="top-home" aria-label="Asepsis: the theatres">
        <Mark />
        <span className="top-name">Asepsis</span>
      </Link>
      <TheatreSwitch />
      <SearchBox input={search} />
      <CaseStrip inCase={inCase} />
      <div className="top-end">
        <span className="top-help">
          <IconButton icon="keyboard" label="Keys of this page" keys="?" onClick={onKeys} />
        </span>
        <UserMenu />
      </div>
    </header>
  )
}

/** The site, at a hub which of them, and from it to any of its rooms. */
function TheatreSwitch() {
  const { site } = useSession()
  const rooms = useQuery(board).data?.theatres ?? []
  const navigate = useNavigate()
  const path = useLocation({ select: (l) => l.pathname })
  const sites = useSites()
  const several = sites.all.length > 1
  const name = several ? (sites.all.find((s) => s.name === sites.chosen)?.title ?? 'All sites') : site.name
  const here = rooms.find((r) => path === `/theatres/${encodeURIComponent(r.id)}`)
  return (
    <Menu
      label={several ? 'Sites and theatres' : 'Theatres'}
      trigger={
        <button type="button" className="top-site">
          <span className="top-site-text">
            {name || 'Theatres'}
            {here && <span className="top-room"> / {here.name}</span>}
          </span>
          <Icon name="chevron-down" size={14} />
        </button>
      }
      entries={[
        ...(several
          ? [
              { kind: 'label' as const, label: 'Site' },
              { kind: 'radio' as const, value: sites.chosen, onChange: sites.choose, options: [{ value: '', label: 'All sites' }, ...sites.all.map((s) => ({ value: s.name, label: s.title }))] },
              { kind: 'line' as const },
            ]
          : []),
        { label: 'All theatres', icon: 'theatres', run: () => void navigate({ to: '/theatres' }) },
        { kind: 'line' },
        ...rooms.map((r) => ({ label: r.name, icon: r.id === here?.id ? ('check' as const) : undefined, note: [sites.title(r.site), r.state === 'in-case' ? 'In case' : ''].filter(Boolean).join(', ') || undefined, run: () => void navigate({ to: '/theatres/$id', params: { id: r.id } }) })),
      ]}
    />
  )
}

/** Which rooms have a patient in them: always in sight, because it changes what may be done. */
function CaseStrip({ inCase }: { inCase: Status['theatres_in_case'] }) {
  const navigate = useNavigate()
  if (inCase.length === 0) return <p className="case-none">No case in progress</p>
  return (
    <>
      <ul className="case-strip" aria-label="Theatres in case">
        <li className="case-label" aria-hidden>
          In case
        </li>
        {inCase.slice(0, 5).map((t) => (
          <li key={t.id}>
            <Link to="/theatres/$id" params={{ id: t.id }} className="case">
              <span className="case-dot" aria-hidden />
              {t.name}
            </Link>
          </li>
        ))}
        {inCase.length > 5 && <li className="case-more">and {inCase.length - 5} more</li>}
      </ul>
      <span className="case-short">
        <Menu
          label="Theatres in case"
          align="end"
          trigger={
            <button type="button" className="case">
              <span className="case-dot" aria-hidden />
              {count(inCase.length)} in case
            </button>
          }
          entries={inCase.map((t) => ({ label: t.name, run: () => void navigate({ to: '/theatres/$id', params: { id: t.id } }) }))}
        />
      </span>
    </>
  )
}
