// SPDX-License-Identifier: Apache-2.0
// A menu of actions, from a button or from a right click.
import { ContextMenu as C, DropdownMenu as M } from 'radix-ui'
import type { ReactElement, ReactNode } from 'react'
import { cx } from './cx'
import { Icon, type IconName } from './Icon'
import { Keys } from './Kbd'
import './menu.css'

export type MenuEntry =
  | { kind?: 'item'; label: ReactNode; icon?: IconName; keys?: string; run: () => void; danger?: boolean; disabled?: boolean; note?: string }
  | { kind: 'check'; label: ReactNode; checked: boolean; onChange: (on: boolean) => void; disabled?: boolean }
  | { kind: 'radio'; value: string; onChange: (v: string) => void; options: { value: string; label: ReactNode }[] }
  | { kind: 'label'; label: ReactNode }
  | { kind: 'line' }

interface Props {
  trigger: ReactElement
  entries: MenuEntry[]
  align?: 'start' | 'end'
  side?: 'top' | 'bottom' | 'right'
  label?: string
}

export function Menu({ trigger, entries, align = 'start', side = 'bottom', label }: Props) {
  return (
    <M.Root modal={false}>
      <M.Trigger asChild>{trigger}</M.Trigger>
      <M.Portal>
        <M.Content className="menu" align={align} side={side} sideOffset={4} collisionPadding={8} aria-label={label} loop>
          {entries.map((e, i) => entry(M, e, i))}
        </M.Content>
      </M.Portal>
    </M.Root>
  )
}

/** The same entries on right click or the menu key, around its child. */
export function ContextMenu({ children, entries, label }: { children: ReactElement; entries: MenuEntry[]; label?: string }) {
  return (
    <C.Root modal={false}>
      <C.Trigger asChild>{children}</C.Trigger>
      <C.Portal>
        <C.Content className="menu" collisionPadding={8} aria-label={label} loop>
          {entries.map((e, i) => entry(C, e, i))}
        </C.Content>
      </C.Portal>
    </C.Root>
  )
}

type Parts = Pick<typeof M, 'Item' | 'CheckboxItem' | 'RadioGroup' | 'RadioItem' | 'ItemIndicator' | 'Label' | 'Separator'>

function entry(p: Parts, e: MenuEntry, i: number): ReactNode {
  switch (e.kind) {
    case 'line':
      return <p.Separator key={i} className="menu-line" />
    case 'label':
      return (
        <p.Label key={i} className="menu-label">
          {e.label}
        </p.Label>
      )
    case 'check':
      return (
        <p.CheckboxItem key={i} className="menu-item" checked={e.checked} onCheckedChange={e.onChange} disabled={e.disabled} onSelect={(ev) => ev.preventDefault()}>
          <span className="menu-mark">
            <p.ItemIndicator>
              <Icon name="check" />
            </p.ItemIndicator>
          </span>
          <span className="menu-text">{e.label}</span>
        </p.CheckboxItem>
      )
    case 'radio':
      return (
        <p.RadioGroup key={i} value={e.value} onValueChange={e.onChange}>
          {e.options.map((o) => (
            <p.RadioItem key={o.value} className="menu-item" value={o.value}>
              <span className="menu-mark">
                <p.ItemIndicator>
                  <Icon name="check" />
                </p.ItemIndicator>
              </span>
              <span className="menu-text">{o.label}</span>
            </p.RadioItem>
          ))}
        </p.RadioGroup>
      )
    default:
      return (
        <p.Item key={i} className={cx('menu-item', e.danger && 'menu-danger')} onSelect={e.run} disabled={e.disabled}>
          <span className="menu-mark">{e.icon && <Icon name={e.icon} />}</span>
          <span className="menu-text">
            {e.label}
            {e.note && <span className="menu-note">{e.note}</span>}
          </span>
          {e.keys && <Keys keys={e.keys} />}
        </p.Item>
      )
  }
}
