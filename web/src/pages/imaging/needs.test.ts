// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ImagingDestination } from '@/api/types'
import { setZone } from '@/ui/time'
import { needsOf } from './needs'

setZone('UTC')
const at = '2026-03-16T08:30:00Z'
const d = (name: string, o: Partial<ImagingDestination> = {}): ImagingDestination => ({
  name, kind: 'dimse', address: '', tls: true, state: 'idle', waiting: 0, urgent: 0, bytes: 0, in_flight: 0, dead: 0, sent: 0, per_second: 0, commitment: 'off', commitment_waiting: 0, in_case: false, ...o,
})

describe('destinations that need a person', () => {
  it('are none where all is well, or where what fails holds nobody up', () => {
    expect(needsOf([])).toBeUndefined()
    expect(needsOf([d('a'), d('b', { state: 'sending', waiting: 40 }), d('c', { state: 'backing-off' })])).toBeUndefined()
  })
  it('fail, and since when is said', () => expect(needsOf([d('PACS', { state: 'backing-off', waiting: 36, success: at })])).toEqual({ words: '1 fails', tone: 'high', why: [expect.stringMatching(/^PACS has taken no image since .*08:30.*, and 36.images wait\.$/)] }))
  it('fail, and never took any', () => expect(needsOf([d('a', { state: 'backing-off', waiting: 1 }), d('b', { state: 'backing-off', waiting: 2 })])).toMatchObject({ words: '2 fail', why: ['a has taken no image since the gateway started, and 1\u00a0image waits.', expect.any(String)] }))
  it('fail, and are worse while somebody is operated on where they lead', () => expect(needsOf([d('a', { state: 'backing-off', waiting: 5, urgent: 3 })])).toEqual({ words: '1 fails', tone: 'critical', why: ['a has taken no image since the gateway started, and 5\u00a0images wait, 3 of them for a case in progress.'] }))
  it('are gone', () => expect(needsOf([d('old', { state: 'gone', waiting: 2, dead: 1 })])).toEqual({ words: '1 gone', tone: 'high', why: ['old is not configured any more, and 2\u00a0images wait; 1\u00a0delivery was given up.'] }))
  it('did not take what was given up, which is counted', () => expect(needsOf([d('a', { dead: 1200 }), d('b', { dead: 34, state: 'paused' })])).toEqual({ words: '1234 given up', tone: 'high', why: ['For a 1200\u00a0deliveries were given up.', 'For b 34\u00a0deliveries were given up; it is paused.'] }))
  it('are paused, which is less', () => expect(needsOf([d('a', { state: 'paused', waiting: 3 })])).toEqual({ words: '1 paused', tone: 'medium', why: ['a is paused by a person, and 3\u00a0images wait.'] }))
  it('of several kinds are counted together, the worst first', () => {
    const n = needsOf([d('held', { state: 'paused' }), d('dead', { dead: 4 }), d('late', { state: 'backing-off', waiting: 1, urgent: 1 }), d('fine'), d('gone', { state: 'gone', waiting: 1 })])
    expect(n).toMatchObject({ words: '4 need you', tone: 'critical' })
    expect(n?.why.map((w) => w.split(' ')[0])).toEqual(['late', 'gone', 'For', 'held'])
  })
})
