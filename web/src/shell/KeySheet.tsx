// SPDX-License-Identifier: Apache-2.0
import { Dialog } from '../ui/Dialog'
import { Keys } from '../ui/Kbd'
import { useScopes } from './keys'
import './keysheet.css'

/** What the keys do here and now: it lists what is registered, nothing else. */
export function KeySheet({ open, onOpenChange }: { open: boolean; onOpenChange: (o: boolean) => void }) {
  const scopes = useScopes()
  return (
    <Dialog title="Keys" open={open} onOpenChange={onOpenChange} wide>
      <div className="sheet">
        {[...scopes].reverse().map((s, i) => (
          <section key={i}>
            <h3>{s.title}</h3>
            <dl className="sheet-list">
              {s.bindings
                .filter((b) => !b.hidden)
                .map((b) => (
                  <div key={b.keys + b.does}>
                    <dt>{b.does}</dt>
                    <dd>
                      <Keys keys={b.keys} />
                    </dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  )
}
