// SPDX-License-Identifier: Apache-2.0
// Finds a device on the map: brings it into sight and shows what it talks to.

import { useId, useMemo, useState, type Ref } from 'react'
import type { MapNode } from '@/api/types'
import { ClassIcon, Icon } from '@/ui'
import { matches, parseText } from '@/ui/grid'

const MOST = 8

export function FindDevice({ ref, nodes, onFind }: { ref?: Ref<HTMLInputElement>; nodes: readonly MapNode[]; onFind: (id: string) => void }) {
  const id = useId()
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(0)
  const found = useMemo(() => {
    const words = parseText(text)
    return words.length === 0 ? [] : nodes.filter((n) => matches(words, `${n.name} ${n.class_name} ${n.id}`.toLowerCase())).slice(0, MOST)
  }, [nodes, text])
  const pick = (n: MapNode | undefined) => {
    if (!n) return
    onFind(n.id)
    setText('')
    setOpen(false)
  }
  const shown = open && text.trim() !== ''
  return (
    <div className="grid-search map-find">
      <Icon name="search" size={14} />
      <input
        ref={ref} className="input" role="combobox" aria-label="Find a device on the map" aria-expanded={shown} aria-controls={`${id}l`} aria-autocomplete="list" aria-activedescendant={shown && found[at] ? `${id}${at}` : undefined}
        placeholder="Find a device" value={text} autoComplete="off" spellCheck={false} onFocus={() => setOpen(true)} onBlur={() => setOpen(false)}
        onChange={(e) => {
          setText(e.target.value)
          setAt(0)
          setOpen(true)
        }}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown') setAt(Math.min(found.length - 1, at + 1))
          else if (e.key === 'ArrowUp') setAt(Math.max(0, at - 1))
          else if (e.key === 'Enter') pick(found[at])
          else if (e.key === 'Escape' && text !== '') setText('')
          else return
          e.preventDefault()
          e.stopPropagation()
        }}
      />
      <ul id={`${id}l`} role="listbox" aria-label="Devices found" className="map-found" hidden={!shown}>
        {found.map((n, i) => (
          <li key={n.id} id={`${id}${i}`} role="option" aria-selected={i === at} className={i === at ? 'map-found-at' : undefined} onMouseDown={(e) => { e.preventDefault(); pick(n) }}>
            <ClassIcon class={n.class} /> <span className="grid-cut">{n.name}</span> <span className="quiet">{n.class_name}</span>
          </li>
        ))}
        {found.length === 0 && <li className="quiet" role="option" aria-selected={false} aria-disabled="true">No device on the map has that.</li>}
      </ul>
    </div>
  )
}
