// SPDX-License-Identifier: Apache-2.0
// An identifier: monospace, copied with one click, and where it is cut to fit,
// the whole of it is in the tooltip and in what is copied.
import { useEffect, useRef, useState } from 'react'
import './copyable.css'
import { cx } from './cx'
import { Icon } from './Icon'
import { Tooltip } from './Tooltip'

/** Writes to the clipboard, also where the page is served without TLS. */
export async function copy(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text)
      return true
    }
  } catch {
    // Refused: the old way may still work.
  }
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'sr-only'
  const focus = document.activeElement
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (focus instanceof HTMLElement) focus.focus()
  return done
}

interface Props {
  value: string
  /** What is copied, when it differs from what is shown. */
  of?: string
  /** "MAC address": spoken with the button. */
  what?: string
  /** Cut with an ellipsis when the place is too narrow, instead of wrapping. */
  cut?: boolean
}

export function Copyable({ value, of = value, what, cut }: Props) {
  const [state, setState] = useState<'' | 'done' | 'failed'>('')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  if (value === '') return <span className="quiet">–</span>
  return (
    <Tooltip text={state === 'done' ? 'Copied' : state === 'failed' ? 'Copying was refused by the browser' : `${of} · click to copy`}>
      <button
        type="button"
        className={cx('copyable', cut && 'copyable-cut')}
        aria-label={`Copy ${what ? `${what} ` : ''}${of}`}
        onClick={(e) => {
          e.stopPropagation()
          e.preventDefault()
          void copy(of).then((ok) => {
            setState(ok ? 'done' : 'failed')
            clearTimeout(timer.current)
            timer.current = setTimeout(() => setState(''), 1500)
          })
        }}
      >
        <span className="copyable-v">{value}</span>
        <Icon name={state === 'done' ? 'check' : 'copy'} size={12} />
        <span className="sr-only" role="status">
          {state === 'done' ? 'Copied' : ''}
        </span>
      </button>
    </Tooltip>
  )
}
