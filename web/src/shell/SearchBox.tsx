// SPDX-License-Identifier: Apache-2.0
// Searches everything from anywhere: rooms and devices by any of their names
// and addresses, findings by their words, and the way to the events.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useId, useRef, useState, type ReactNode, type RefObject } from 'react'
import { search as searchFor } from '../api/queries'
import type { DeviceRow } from '../api/types'
import { cx } from '../ui/cx'
import { Icon } from '../ui/Icon'
import { Kbd } from '../ui/Kbd'
import './search.css'

interface Hit {
  key: string
  group: string
  icon: ReactNode
  title: string
  note: string
  go: () => void
}

export function SearchBox({ input }: { input: RefObject<HTMLInputElement | null> }) {
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(0)
  const [signs, setSigns] = useState<typeof import('./SearchIcons')>()
  const box = useRef<HTMLDivElement>(null)
  const list = useId()
  const navigate = useNavigate()
  const q = useDeferredValue(text.trim())
  const { data, isFetching, isError } = useQuery(searchFor(q))

  useEffect(() => {
    // Without them the results have plainer signs.
    if (open && !signs) import('./SearchIcons').then(setSigns, () => {})
  }, [open, signs])

  const hits: Hit[] = []
  if (data && q) {
    for (const t of data.theatres) {
      hits.push({ key: `t${t.id}`, group: 'Theatres', icon: <Icon name="theatres" />, title: t.name, note: '', go: () => void navigate({ to: '/theatres/$id', params: { id: t.id } }) })
    }
    for (const d of data.devices.slice(0, 10)) {
      hits.push({ key: `d${d.id}`, group: 'Devices', icon: signs?.deviceSign(d.class) ?? <Icon name="devices" />, title: d.name, note: why(d, q), go: () => void navigate({ to: '/devices/$id', params: { id: d.id } }) })
    }
    for (const f of data.findings) {
      hits.push({ key: `f${f.id}`, group: 'Findings', icon: signs?.findingSign(f.severity) ?? <Icon name="flag" />, title: f.title, note: f.severity.charAt(0).toUpperCase() + f.severity.slice(1), go: () => void navigate({ to: '/findings', search: { open: f.id } }) })
    }
    hits.push({ key: 'e', group: 'Events', icon: <Icon name="events" />, title: `Events with “${q}”`, note: '', go: () => void navigate({ href: `/events?${data.events_query}` }) })
  }
  const chosen = Math.min(at, hits.length - 1)
  const close = () => {
    setOpen(false)
    setAt(0)
  }
  const go = (h: Hit | undefined) => {
    if (!h) return
    close()
    setText('')
    input.current?.blur()
    h.go()
  }
  const showing = open && q !== ''

  return (
    <div
      className={cx('search', open && 'search-open')}
      ref={box}
      onBlur={(e) => {
        if (!box.current?.contains(e.relatedTarget)) close()
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        className="search-input"
        type="search"
        placeholder="Search devices, rooms, findings"
        aria-label="Search everything"
        role="combobox"
        aria-expanded={showing}
        aria-controls={list}
        aria-activedescendant={showing && hits[chosen] ? `${list}-${chosen}` : undefined}
        aria-autocomplete="list"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onFocus={() => setOpen(true)}
        onChange={(e) => {
          setText(e.target.value)
          setAt(0)
          setOpen(true)
        }}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            e.preventDefault()
            if (hits.length) setAt((chosen + (e.key === 'ArrowDown' ? 1 : hits.length - 1)) % hits.length)
          } else if (e.key === 'Enter') {
            e.preventDefault()
            go(hits[chosen])
          } else if (e.key === 'Escape') {
            e.preventDefault()
            if (text) setText('')
            else input.current?.blur()
          }
        }}
      />
      <span className="search-key">
        <Kbd>/</Kbd>
      </span>
      {showing && (
        <div className="search-list" onMouseDown={(e) => e.preventDefault()}>
          <ul role="listbox" id={list} aria-label="Found">
            {hits.map((h, i) => (
              <li key={h.key} role="presentation">
                {h.group !== hits[i - 1]?.group && (
                  <div className="search-group" aria-hidden>
                    {h.group}
                  </div>
                )}
                <div id={`${list}-${i}`} role="option" aria-selected={i === chosen} className="search-hit" onClick={() => go(h)} onMouseMove={() => i !== chosen && setAt(i)}>
                  {h.icon}
                  <span className="search-title">{h.title}</span>
                  <span className="search-note">{h.note}</span>
                </div>
              </li>
            ))}
          </ul>
          {!data && <p className="search-wait">{isError ? 'The search did not answer.' : isFetching ? 'Searching…' : ''}</p>}
          <span className="sr-only" role="status">
            {data ? `${hits.length} found` : ''}
          </span>
        </div>
      )}
    </div>
  )
}

/** Which of the names matched, if it is not the one that is shown. */
function why(d: DeviceRow, q: string): string {
  const t = q.toLowerCase()
  const hit = [...d.ips, ...d.macs, ...d.ae_titles, d.serial].find((v) => v.toLowerCase().includes(t))
  return [hit, [d.vendor, d.model].filter(Boolean).join(' ') || d.class_name].filter(Boolean).join(' · ')
}
