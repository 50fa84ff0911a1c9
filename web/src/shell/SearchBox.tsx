// SPDX-License-Identifier: Apache-2.0
// Searches everything from anywhere: rooms and devices by any of their names
// and addresses, findings by their words, and the way to the events.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useEffect, useId, useRef, useState, type RefObject } from 'react'
import { search as searchFor } from '../api/queries'
import { cx } from '../ui/cx'
import { Icon } from '../ui/Icon'
import { Kbd } from '../ui/Kbd'
import './search.css'

type Found = typeof import('./SearchHits')
type Hit = ReturnType<Found['hitsOf']>[number]

export function SearchBox({ input }: { input: RefObject<HTMLInputElement | null> }) {
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(0)
  const [found, setFound] = useState<Found>()
  const [lost, setLost] = useState(false) // its code did not come; who comes again asks again
  const box = useRef<HTMLDivElement>(null)
  const list = useId()
  const navigate = useNavigate()
  const q = useDeferredValue(text.trim())
  const { data, isFetching, isError } = useQuery(searchFor(q))

  useEffect(() => {
    if (open && !found) import('./SearchHits').then(setFound, () => setLost(true))
  }, [open, found])

  const hits = found && data && q ? found.hitsOf(data, q, navigate) : []
  const chosen = Math.min(at, hits.length - 1)
  const close = () => {
    setOpen(false)
    setLost(false)
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
  const listed = showing && found !== undefined && data !== undefined

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
        aria-expanded={listed}
        aria-controls={list}
        aria-activedescendant={listed && hits[chosen] ? `${list}-${chosen}` : undefined}
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
          {found && listed ? (
            <found.SearchHits id={list} hits={hits} chosen={chosen} onGo={go} onPoint={setAt} />
          ) : lost || isError ? (
            <p className="error-note" role="alert">
              {lost ? 'The search could not be loaded. Check the network, or load the page again.' : 'The search did not answer.'}
            </p>
          ) : (
            <p className="search-wait">{isFetching || data ? 'Searching…' : ''}</p>
          )}
        </div>
      )}
    </div>
  )
}
