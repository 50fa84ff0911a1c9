// SPDX-License-Identifier: Apache-2.0
import { useId, type ReactNode } from 'react'

export function Section({ title, lead, actions, children }: { title: string; lead?: ReactNode; actions?: ReactNode; children?: ReactNode }) {
  const id = useId()
  return (
    <section className="set-sec" aria-labelledby={id}>
      <header className="set-head">
        <div>
          <h2 id={id}>{title}</h2>
          {lead && <p>{lead}</p>}
        </div>
        {actions}
      </header>
      {children}
    </section>
  )
}
