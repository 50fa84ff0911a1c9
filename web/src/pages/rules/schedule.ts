// SPDX-License-Identifier: Apache-2.0
// A maintenance window in words.

import type { MaintenanceWindow } from '@/api/types'

export const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
export const nths: { value: number; name: string }[] = [{ value: 1, name: 'first' }, { value: 2, name: 'second' }, { value: 3, name: 'third' }, { value: 4, name: 'fourth' }, { value: -1, name: 'last' }]

type When = Pick<MaintenanceWindow, 'repeat' | 'from' | 'until' | 'at' | 'minutes' | 'weekdays' | 'nth' | 'zone'>

function and(list: string[]): string {
  return list.length < 2 ? list.join('') : `${list.slice(0, -1).join(', ')} and ${list[list.length - 1] ?? ''}`
}

export function lasting(minutes: number): string {
  const h = Math.floor(minutes / 60)
  const m = minutes % 60
  return [h > 0 ? `${h}\u00a0h` : '', m > 0 || h === 0 ? `${m}\u00a0min` : ''].filter(Boolean).join(' ')
}

/** "Every Tuesday and Thursday at 22:30 for 2 h, from 2026-11-22" */
export function scheduleWords(w: When): string {
  const days = [...w.weekdays].sort((a, b) => ((a + 6) % 7) - ((b + 6) % 7)).map((d) => weekdays[d] ?? '')
  const when =
    w.repeat === 'once' ? `On ${w.from}` :
    w.repeat === 'daily' ? 'Every day' :
    w.repeat === 'weekly' ? `Every ${and(days)}` :
    `Every ${nths.find((n) => n.value === w.nth)?.name ?? ''} ${days[0] ?? ''} of the month`
  const span = w.repeat === 'once' ? '' : `, from ${w.from}${w.until !== '' ? ` to ${w.until}` : ''}`
  return `${when} at ${w.at} for ${lasting(w.minutes)}${span}`
}
