// SPDX-License-Identifier: Apache-2.0
import { DropdownMenu as M } from 'radix-ui'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { cx } from '../cx'
import { Icon } from '../Icon'
import { landmark } from '../place'
import { Keys } from '../Kbd'
import type { MenuEntry, MenuProps } from '../Menu'
import '../menu.css'

/** Mounted open, by its first use. `byKey`: then the first entry has the focus. */
export function MenuOverlay({ trigger, entries, align = 'start', side = 'bottom', label, byKey }: MenuProps & { byKey: boolean }) {
  const content = useRef<HTMLDivElement>(null)
  const [at] = useState(() => landmark(document.activeElement)) // who opened it has the focus
  useEffect(() => {
    if (!byKey) return
    // Radix knows only of keys that were pressed after it was there.
    const frame = requestAnimationFrame(() => content.current?.querySelector<HTMLElement>('[role^="menuitem"]:not([data-disabled])')?.focus())
    return () => cancelAnimationFrame(frame)
  }, [byKey])
  return (
    <M.Root modal={false} defaultOpen>
      <M.Trigger asChild>{trigger}</M.Trigger>
      <M.Portal container={at}>
        <M.Content ref={content} className="menu" align={align} side={side} sideOffset={4} collisionPadding={8} aria-label={label} loop>
          {entries.map(entry)}
        </M.Content>
      </M.Portal>
    </M.Root>
  )
}

function entry(e: MenuEntry, i: number): ReactNode {
  switch (e.kind) {
    case 'line':
      return <M.Separator key={i} className="menu-line" />
    case 'label':
      return (
        <M.Label key={i} className="menu-label">
          {e.label}
        </M.Label>
      )
    case 'check':
      return (
        <M.CheckboxItem key={i} className="menu-item" checked={e.checked} onCheckedChange={e.onChange} disabled={e.disabled} onSelect={(ev) => ev.preventDefault()}>
          <Mark />
          <span className="menu-text">{e.label}</span>
        </M.CheckboxItem>
      )
    case 'radio':
      return (
        <M.RadioGroup key={i} value={e.value} onValueChange={e.onChange}>
          {e.options.map((o) => (
            <M.RadioItem key={o.value} className="menu-item" value={o.value}>
              <Mark />
              <span className="menu-text">{o.label}</span>
            </M.RadioItem>
          ))}
        </M.RadioGroup>
      )
    default:
      return (
        <M.Item key={i} className={cx('menu-item', e.danger && 'menu-danger')} onSelect={e.run} disabled={e.disabled}>
          <span className="menu-mark">{e.icon && <Icon name={e.icon} />}</span>
          <span className="menu-text">
            {e.label}
            {e.note && <span className="menu-note">{e.note}</span>}
          </span>
          {e.keys && <Keys keys={e.keys} />}
        </M.Item>
      )
  }
}

/** Says which one is chosen. */
function Mark() {
  return (
    <span className="menu-mark">
      <M.ItemIndicator>
        <Icon name="check" />
      </M.ItemIndicator>
    </span>
  )
}
