// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { EventParser } from './sse'

const all = (chunks: string[]) => {
  const p = new EventParser()
  return chunks.flatMap((c) => p.push(c))
}
const stream = 'retry: 2000\n\nid: 7\nevent: events\ndata: {"a":\ndata: 1}\n\n: heartbeat\n\nid: 8\ndata:x\n\n'

describe('server-sent events', () => {
  it('are the same however the bytes are cut', () => {
    const whole = all([stream])
    expect(whole).toEqual([
      { id: '7', event: 'events', data: '{"a":\n1}' },
      { id: '8', event: 'message', data: 'x' },
    ])
    for (let i = 1; i < stream.length; i++) expect(all([stream.slice(0, i), stream.slice(i)])).toEqual(whole)
    expect(all([...stream])).toEqual(whole)
  })
  it('are the same with every line end that the standard allows, cut anywhere', () => {
    const whole = all([stream])
    for (const end of ['\r\n', '\r']) {
      const s = stream.replaceAll('\n', end)
      // A CR at the very end might be half of a CRLF; the event is complete all the same.
      for (let i = 0; i <= s.length; i++) expect(all([s.slice(0, i), s.slice(i)])).toEqual(whole)
    }
  })
  it('keep the last id for events without one, and drop an event that has no end', () => {
    expect(all(['id: 1\ndata: a\n\ndata: b\n\ndata: lost'])).toEqual([
      { id: '1', event: 'message', data: 'a' },
      { id: '1', event: 'message', data: 'b' },
    ])
  })
  it('take the time to wait from the server, if it is a number', () => {
    const p = new EventParser()
    p.push('retry: soon\n\n')
    expect(p.retry).toBeUndefined()
    p.push('retry: 1500\n\n')
    expect(p.retry).toBe(1500)
  })
})
