// SPDX-License-Identifier: Apache-2.0
// A field of many lines with their numbers; Tab leaves it, as everywhere.

import { useImperativeHandle, useRef, type Ref } from 'react'
import { cx } from './cx'
import './texteditor.css'

export interface TextEditorHandle {
  /** Puts the cursor into a line, and the line into sight. */
  goTo: (line: number, column?: number) => void
}

interface Props {
  ref?: Ref<TextEditorHandle>
  label: string
  value: string
  onChange: (v: string) => void
  /** Lines that something is wrong with, from 1. */
  wrong: ReadonlySet<number>
  readOnly?: boolean
}

export function TextEditor({ ref, label, value, onChange, wrong, readOnly }: Props) {
  const numbers = useRef<HTMLDivElement>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const lines = value.split('\n').length
  useImperativeHandle(ref, () => ({
    goTo: (line, column = 1) => {
      const el = area.current
      if (!el) return
      const all = el.value.split('\n')
      const at = all.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0) + Math.max(0, Math.min(column - 1, all[line - 1]?.length ?? 0))
      el.focus()
      el.setSelectionRange(at, at)
      el.scrollTop = Math.max(0, (line - 1) * (el.scrollHeight / Math.max(1, lines)) - el.clientHeight / 2)
    },
  }))
  return (
    <div className="re-box">
      <div className="re-numbers" ref={numbers} aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => <span key={i} className={cx(wrong.has(i + 1) && 're-wrong')}>{i + 1}</span>)}
      </div>
      <textarea
        ref={area} className="re-text mono" aria-label={label} value={value} spellCheck={false} autoCapitalize="off" autoComplete="off" wrap="off" aria-invalid={wrong.size > 0 || undefined} readOnly={readOnly}
        onChange={(e) => onChange(e.target.value)}
        onScroll={(e) => {
          if (numbers.current) numbers.current.scrollTop = e.currentTarget.scrollTop
        }}
      />
    </div>
  )
}
