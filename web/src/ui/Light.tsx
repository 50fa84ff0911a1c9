// SPDX-License-Identifier: Apache-2.0
// One of a room's three lights. Calm has no colour: what needs somebody is
// what stands out from across the room. The word is always there.
import type { ReactNode } from 'react'
import type { Light as Value } from '@/api/types'
import { cx } from './cx'
import './light.css'

export type Level = Value['level']
export const levelName: Record<Level, string> = { calm: 'Calm', attention: 'Attention', stop: 'Stop', unknown: 'Not known' }
export const levelRank: Record<Level, number> = { calm: 0, unknown: 1, attention: 2, stop: 3 }

const shape: Record<Level, ReactNode> = {
  calm: (
    <>
      <circle cx="12" cy="12" r="9" fill="none" stroke="currentColor" strokeWidth="2" />
      <path d="M8 12.300l2.900 2.900L16.200 9.400" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
    </>
  ),
  attention: (
    <>
      <path d="M12 2.800L22 20.600H2z" fill="currentColor" stroke="currentColor" strokeWidth="1.500" strokeLinejoin="round" />
      <path d="M12 9.200v5" className="light-mark" />
      <path d="M12 17.300v.1" className="light-mark" />
    </>
  ),
  stop: (
    <>
      <path d="M8 2h8l6 6v8l-6 6H8l-6-6V8z" fill="currentColor" />
      <path d="M7.500 12h9" className="light-mark" />
    </>
  ),
  unknown: (
    <>
      <circle cx="12" cy="12" r="9" fill="none" stroke="currentColor" strokeWidth="2" strokeDasharray="3.200 3.200" />
      <path d="M9.700 9.600a2.400 2.400 0 1 1 3.400 2.200c-.8.400-1.100.800-1.100 1.700M12 16.400v.1" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </>
  ),
}

export function LightShape({ level, size = 20 }: { level: Level; size?: number }) {
  return (
    <svg className={cx('light-shape', `light-${level}`)} width={size} height={size} viewBox="0 0 24 24" aria-hidden focusable="false">
      {shape[level]}
    </svg>
  )
}

export function Light({ name, light }: { name: string; light: Value }) {
  return (
    <div className={cx('light', `light-is-${light.level}`)}>
      <LightShape level={light.level} />
      <div className="light-text">
        <div className="light-name">
          {name} <span className={cx('light-word', `light-${light.level}`)}>{levelName[light.level].toLowerCase()}</span>
        </div>
        <div className="light-sentence">{light.sentence}</div>
      </div>
    </div>
  )
}
