// SPDX-License-Identifier: Apache-2.0
// Severity is a shape, a colour and a word, so that none of them has to be
// seen alone: filled octagon, filled triangle, diamond, ring, dot.
import type { ReactNode } from 'react'
import type { Severity as Level } from '@/api/types'
import { cx } from './cx'
import './severity.css'

export const severities: Level[] = ['critical', 'high', 'medium', 'low', 'info', 'unknown']
export const severityName: Record<Level, string> = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
  info: 'Info',
  unknown: 'Not rated',
}
/** Greater is worse. */
export const severityRank: Record<Level, number> = { unknown: 0, info: 1, low: 2, medium: 3, high: 4, critical: 5 }

const shape: Record<Level, ReactNode> = {
  critical: <path d="M4.100 1h5.800L14 5.100v4.800L9.900 14H4.100L0 9.900V5.100z" transform="translate(.5 .5) scale(.93)" fill="currentColor" />,
  high: <path d="M7.500 1.200L14.300 13.200H.7z" fill="currentColor" stroke="currentColor" strokeWidth="1" strokeLinejoin="round" />,
  medium: <path d="M7.500 1.500l6 6-6 6-6-6z" fill="none" stroke="currentColor" strokeWidth="2" strokeLinejoin="round" />,
  low: <circle cx="7.500" cy="7.500" r="4.900" fill="none" stroke="currentColor" strokeWidth="2" />,
  info: <circle cx="7.500" cy="7.500" r="2.600" fill="currentColor" />,
  unknown: <path d="M4 7.500h7" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />,
}

/** The shape alone, for a place whose word stands beside it; give label when it does not. */
export function SeverityShape({ level, size = 12, label }: { level: Level; size?: number; label?: boolean }) {
  return (
    <svg
      className={cx('sev-shape', `sev-${level}`)}
      width={size}
      height={size}
      viewBox="0 0 15 15"
      role={label ? 'img' : undefined}
      aria-label={label ? severityName[level] : undefined}
      aria-hidden={label ? undefined : true}
      focusable="false"
    >
      {label && <title>{severityName[level]}</title>}
      {shape[level]}
    </svg>
  )
}

export function Severity({ level }: { level: Level }) {
  return (
    <span className={cx('sev', `sev-${level}`)}>
      <SeverityShape level={level} />
      {severityName[level]}
    </span>
  )
}
