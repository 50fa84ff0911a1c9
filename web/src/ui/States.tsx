// SPDX-License-Identifier: Apache-2.0
// What a place shows instead of its data: nothing yet, an error, or a skeleton
// of the same size.
import type { ReactNode } from 'react'
import { explain, told } from '@/api/client'
import { Button } from './Button'
import { Icon, type IconName } from './Icon'
import './states.css'

/** Teaches: what would be here, and the one thing to do to get it. */
export function Empty({ icon, title, children, action }: { icon?: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="state">
      {icon && <Icon name={icon} size={24} />}
      <h2 className="state-title">{title}</h2>
      {children && <div className="state-text">{children}</div>}
      {action && <div className="state-action">{action}</div>}
    </div>
  )
}

/** In place of a page's or a panel's data. `lost` says what cannot be shown, `kept` what goes on regardless. */
export function ErrorState({ error, lost, kept, retry }: { error: unknown; lost: string; kept?: string; retry?: () => void }) {
  const e = explain(error)
  return (
    <div className="state" role="alert">
      <Icon name="warning" size={24} />
      <h2 className="state-title">{lost}</h2>
      <div className="state-text">
        <p>{e.title}</p>
        {e.detail && <p className="mono">{e.detail}</p>}
        {e.hint && <p>{e.hint}</p>}
        {kept && <p>{kept}</p>}
      </div>
      {retry && (
        <div className="state-action">
          <Button icon="refresh" onClick={retry}>
            Try again
          </Button>
        </div>
      )}
    </div>
  )
}

/** One line, for a form or a dialog. */
export function ErrorNote({ error }: { error: unknown }) {
  return (
    <p className="error-note" role="alert">
      <Icon name="warning" />
      <span>{told(error)}</span>
    </p>
  )
}

/** Reserves the room of what is loading. Width in characters, or "fill". */
export function Skeleton({ width = 'fill', lines = 1, height }: { width?: number | 'fill'; lines?: number; height?: number }) {
  return (
    <span className="skel" aria-hidden style={{ width: width === 'fill' ? '100%' : `${width}ch`, minHeight: height }}>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} className="skel-line" style={height ? { height } : undefined} />
      ))}
    </span>
  )
}

/** Says that something is loading to those who do not see the skeleton. */
export function Loading({ what, children }: { what: string; children?: ReactNode }) {
  return (
    <div aria-busy="true">
      <span className="sr-only" role="status">
        Loading {what}
      </span>
      {children}
    </div>
  )
}

/** A note above data: stale, partial, demo. */
export function Notice({ kind = 'info', children, action }: { kind?: 'info' | 'attention' | 'stop'; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={`notice notice-${kind}`}>
      <Icon name={kind === 'info' ? 'info' : 'warning'} />
      <div className="notice-text">{children}</div>
      {action}
    </div>
  )
}
