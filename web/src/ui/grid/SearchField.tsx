// SPDX-License-Identifier: Apache-2.0
// The text filter above a grid. What is typed shows at once; who listens hears
// of it when the fingers rest.

import { useEffect, useRef, useState, type Ref } from 'react'
import { IconButton } from '../Button'
import { Icon } from '../Icon'

interface Props {
  ref?: Ref<HTMLInputElement>
  label: string
  placeholder: string
  value: string
  onChange: (text: string) => void
  wait?: number // milliseconds of rest
  onDown?: () => void // arrow down or Enter: into the grid
  help?: React.ReactNode
}

export function SearchField({ ref, label, placeholder, value, onChange, wait = 120, onDown, help }: Props) {
  const [text, setText] = useState(value)
  const sent = useRef(value)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  // The address changed for another reason: the back button, a saved search.
  useEffect(() => {
    if (value !== sent.current) {
      clearTimeout(timer.current)
      sent.current = value
      setText(value)
    }
  }, [value])
  useEffect(() => () => clearTimeout(timer.current), [])
  const send = (next: string) => {
    clearTimeout(timer.current)
    sent.current = next
    onChange(next)
  }
  return (
    <div className="grid-search" role="search">
      <Icon name="search" size={14} />
      <input
        ref={ref} type="search" className="input" aria-label={label} placeholder={placeholder} value={text} spellCheck={false} autoComplete="off"
        onChange={(e) => {
          const next = e.target.value
          setText(next)
          clearTimeout(timer.current)
          timer.current = setTimeout(() => send(next), wait)
        }}
        onKeyDown={(e) => {
          if (e.key === 'Enter' || e.key === 'ArrowDown') {
            e.preventDefault()
            send(text)
            onDown?.()
          } else if (e.key === 'Escape' && text !== '') {
            e.stopPropagation()
            setText('')
            send('')
          }
        }}
      />
      <span className="grid-search-end">
        {text !== '' && (
          <IconButton
            small icon="close" label="Clear the search"
            onClick={() => {
              setText('')
              send('')
            }}
          />
        )}
        {help}
      </span>
    </div>
  )
}
