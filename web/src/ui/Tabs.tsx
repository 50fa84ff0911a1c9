// SPDX-License-Identifier: Apache-2.0
import { Tabs as T } from 'radix-ui'
import type { ReactNode } from 'react'
import './tabs.css'

export interface Tab {
  id: string
  label: ReactNode
  count?: number
  content: ReactNode
}

export function Tabs({ tabs, value, onChange, label }: { tabs: Tab[]; value?: string; onChange?: (id: string) => void; label: string }) {
  return (
    <T.Root className="tabs" value={value} onValueChange={onChange} defaultValue={value === undefined ? tabs[0]?.id : undefined}>
      <T.List className="tabs-list" aria-label={label}>
        {tabs.map((t) => (
          <T.Trigger key={t.id} value={t.id} className="tabs-tab">
            {t.label}
            {t.count !== undefined && <span className="tabs-count">{t.count}</span>}
          </T.Trigger>
        ))}
      </T.List>
      {tabs.map((t) => (
        <T.Content key={t.id} value={t.id} className="tabs-panel">
          {t.content}
        </T.Content>
      ))}
    </T.Root>
  )
}
