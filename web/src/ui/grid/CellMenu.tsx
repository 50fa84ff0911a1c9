// SPDX-License-Identifier: Apache-2.0
// What can be done with the value of a cell: only these, not these, copy. It
// opens over the cell, and gives the focus back to the grid.

import { DropdownMenu as M } from 'radix-ui'
import { copy } from '../Copyable'
import { Icon } from '../Icon'
import '../menu.css'
import type { Choice } from './column'

export interface CellMenuAt { left: number; top: number; width: number; height: number; choices: readonly Choice[]; text: string; column: string }

interface Props {
  at: CellMenuAt | null
  onClose: () => void
  onFilter?: (choice: Choice, not: boolean) => void
  onReturn: () => void // takes the focus back
}

export function CellMenu({ at, onClose, onFilter, onReturn }: Props) {
  if (!at) return null
  const { left, top, width, height } = at
  return (
    <M.Root open onOpenChange={(open) => !open && onClose()} modal={false}>
      <M.Trigger asChild>
        <span className="grid-menu-anchor" tabIndex={-1} role="presentation" style={{ left, top, width, height }} />
      </M.Trigger>
      <M.Portal>
        <M.Content
          className="menu grid-menu" align="start" sideOffset={2} collisionPadding={8} aria-label={at.column} loop
          onCloseAutoFocus={(e) => {
            e.preventDefault()
            onReturn()
          }}
        >
          {onFilter &&
            at.choices.map((c, i) => (
              <M.Group key={`${c.field} ${c.value}`}>
                {i > 0 && <M.Separator className="menu-line" />}
                <M.Label className="menu-label grid-menu-label">{c.label}</M.Label>
                <Entry icon="plus" keys={i === 0 ? 'i' : ''} run={() => onFilter(c, false)}>Show only these</Entry>
                <Entry icon="minus" keys={i === 0 ? 'o' : ''} run={() => onFilter(c, true)}>Leave these out</Entry>
              </M.Group>
            ))}
          {at.text !== '' && (
            <>
              {onFilter && at.choices.length > 0 && <M.Separator className="menu-line" />}
              <Entry icon="copy" keys="" run={() => void copy(at.text)}>Copy the value</Entry>
            </>
          )}
        </M.Content>
      </M.Portal>
    </M.Root>
  )
}

function Entry({ icon, keys, run, children }: { icon: 'plus' | 'minus' | 'copy'; keys: string; run: () => void; children: string }) {
  return (
    <M.Item className="menu-item" onSelect={run}>
      <span className="menu-mark"><Icon name={icon} size={14} /></span>
      <span className="menu-text">{children}</span>
      {keys !== '' && <kbd className="kbd" aria-hidden="true">{keys}</kbd>}
    </M.Item>
  )
}
