// SPDX-License-Identifier: Apache-2.0
// A menu of actions, from a button.
import { useState, type ReactElement, type ReactNode } from 'react'
import type { IconName } from './Icon'
import { useOverlays } from './overlay/load'
import { trigger as plain } from './overlay/trigger'

export type MenuEntry =
  | { kind?: 'item'; label: ReactNode; icon?: IconName; keys?: string; run: () => void; danger?: boolean; disabled?: boolean; note?: string }
  | { kind: 'check'; label: ReactNode; checked: boolean; onChange: (on: boolean) => void; disabled?: boolean }
  | { kind: 'radio'; value: string; onChange: (v: string) => void; options: { value: string; label: ReactNode }[] }
  | { kind: 'label'; label: ReactNode }
  | { kind: 'line' }

export interface MenuProps {
  trigger: ReactElement
  entries: MenuEntry[]
  align?: 'start' | 'end'
  side?: 'top' | 'bottom' | 'right'
  label?: string
}

export function Menu(p: MenuProps) {
  const [used, setUsed] = useState<'' | 'key' | 'pointer'>('')
  const above = useOverlays(used !== '')
  if (used === '' || !above) return plain(p.trigger, 'menu', (byKey) => setUsed(byKey ? 'key' : 'pointer'))
  return <above.MenuOverlay {...p} byKey={used === 'key'} />
}
