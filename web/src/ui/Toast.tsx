// SPDX-License-Identifier: Apache-2.0
// Short words about what was just done. A toast never carries the only copy of
// anything: errors of a form stay in the form.
import { useSyncExternalStore } from 'react'
import { told } from '@/api/client'
import { Button, IconButton } from './Button'
import { Icon } from './Icon'
import './toast.css'

interface Toast {
  id: number
  text: string
  error: boolean
  action?: { label: string; run: () => void }
}

let list: Toast[] = []
let next = 1
const listeners = new Set<() => void>()
function set(to: Toast[]): void {
  list = to
  for (const f of listeners) f()
}
function dismiss(id: number): void {
  set(list.filter((t) => t.id !== id))
}

/** Says it for 6 s; with an action (undo) for 12 s. An error stays until it is closed. */
export function toast(text: string, o: { error?: boolean; action?: Toast['action'] } = {}): void {
  const t: Toast = { id: next++, text, error: o.error ?? false, action: o.action }
  set([...list.slice(-3), t])
  if (!t.error) setTimeout(() => dismiss(t.id), t.action ? 12_000 : 6_000)
}
/** What did not happen, and why. */
export function toastError(what: string, e: unknown): void {
  toast(`${what} ${told(e)}`, { error: true })
}

export function Toaster() {
  const toasts = useSyncExternalStore(
    (f) => {
      listeners.add(f)
      return () => listeners.delete(f)
    },
    () => list,
  )
  return (
    <div className="toasts" role="region" aria-label="Messages" aria-live="polite">
      {toasts.map((t) => (
        <div key={t.id} className={t.error ? 'toast toast-error' : 'toast'} role={t.error ? 'alert' : undefined}>
          <Icon name={t.error ? 'warning' : 'check'} />
          <span className="toast-text">{t.text}</span>
          {t.action && (
            <Button
              small
              onClick={() => {
                dismiss(t.id)
                t.action?.run()
              }}
            >
              {t.action.label}
            </Button>
          )}
          <IconButton icon="close" label="Dismiss" small onClick={() => dismiss(t.id)} />
        </div>
      ))}
    </div>
  )
}
