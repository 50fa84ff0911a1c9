// SPDX-License-Identifier: Apache-2.0
import { InfiniteQueryObserver, QueryClient, QueryObserver } from '@tanstack/react-query'
import { describe, expect, it } from 'vitest'
import { refresh } from './refresh'

/** A server that answers when it is told to, with how often it was asked. */
function server() {
  const open: (() => void)[] = []
  const aborted: number[] = []
  let asked = 0
  return {
    ask: ({ signal }: { signal: AbortSignal }) => {
      const n = ++asked
      signal.addEventListener('abort', () => aborted.push(n))
      return new Promise<number>((f) => open.push(() => f(n)))
    },
    answer: async () => {
      const f = open.shift()
      if (!f) throw new Error('nothing was asked')
      f()
      for (let i = 0; i < 20; i++) await Promise.resolve()
      await new Promise((f) => setImmediate(f))
    },
    get asked() { return asked },
    waiting: () => open.length,
    aborted,
  }
}

describe('what changed', () => {
  it('is asked for once, and again for a change that came while it was on its way', async () => {
    const s = server()
    const client = new QueryClient()
    const seen: (number | undefined)[] = []
    const observer = new QueryObserver(client, { queryKey: ['imaging', 'list'], queryFn: s.ask })
    const end = observer.subscribe((r) => seen.push(r.data))
    await s.answer()
    expect(observer.getCurrentResult().data).toBe(1)
    const all = [refresh(client, ['imaging'])] // nothing is on its way
    // Changes come faster than the server answers.
    for (let i = 0; i < 10; i++) all.push(refresh(client, ['imaging']))
    expect(s.asked).toBe(2)
    await s.answer()
    expect(observer.getCurrentResult().data).toBe(2)
    expect(s.asked).toBe(3) // for all that came meanwhile
    await s.answer()
    await Promise.all(all)
    expect(observer.getCurrentResult().data).toBe(3)
    expect(s.aborted).toEqual([])
    expect(s.waiting()).toBe(0)
    end()
  })

  it('does not take away the next page that somebody asked for', async () => {
    const s = server()
    const client = new QueryClient()
    const observer = new InfiniteQueryObserver(client, { queryKey: ['imaging', 'pages'], queryFn: s.ask, initialPageParam: 0, getNextPageParam: (last: number) => last })
    const end = observer.subscribe(() => {})
    await s.answer()
    const next = observer.fetchNextPage()
    const changed = refresh(client, ['imaging'])
    await s.answer()
    expect((await next).data?.pages).toEqual([1, 2])
    await s.answer() // both are asked for again
    await s.answer()
    await changed
    expect(observer.getCurrentResult().data?.pages).toEqual([3, 4])
    end()
  })

  it('is not asked for where nobody looks, nor is what did not change', async () => {
    const s = server()
    const client = new QueryClient()
    const end = new QueryObserver(client, { queryKey: ['devices'], queryFn: s.ask }).subscribe(() => {})
    await s.answer()
    client.setQueryData(['imaging', 'old'], 1)
    await refresh(client, ['imaging'])
    expect(s.asked).toBe(1)
    expect(client.getQueryState(['imaging', 'old'])?.isInvalidated).toBe(true)
    end()
  })
})
