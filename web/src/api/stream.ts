// SPDX-License-Identifier: Apache-2.0
// A live connection that heals itself. Events carry ids, and a reconnection
// names the last one it has seen, so that nothing is lost in between. Built on
// fetch rather than EventSource: it sees the status of a refusal and notices a
// connection that died silently, because the server's heartbeat stopped.
import { ApiError, query, readURL, sessionEnded, toProblem, type Params } from './client'
import { EventParser } from './sse'

export type StreamState =
  | { state: 'connecting' }
  | { state: 'live'; since: number }
  | { state: 'waiting'; why: string; until: number } // the next attempt, in ms since 1970
  | { state: 'closed'; why: string }

export interface StreamOptions {
  params?: Params | URLSearchParams
  /** Resume after this id; Last-Event-ID is sent when it is known. */
  after?: string
  on: Record<string, (data: never, id: string) => void>
  onState?: (s: StreamState) => void
}

const heartbeat = 15_000 // the server's comment
const silence = heartbeat * 2 + 5_000
const slowest = 30_000

/** Opens the stream; the result closes it. */
export function openStream(path: string, o: StreamOptions): () => void {
  let last = o.after ?? ''
  let tries = 0
  let closed = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let abort = new AbortController()
  const tell = (s: StreamState) => {
    if (!closed) o.onState?.(s)
  }

  async function connect(): Promise<void> {
    tell({ state: 'connecting' })
    abort = new AbortController()
    const { signal } = abort
    let dead: ReturnType<typeof setTimeout> | undefined
    let died = false
    const alive = () => {
      clearTimeout(dead)
      dead = setTimeout(() => {
        died = true
        abort.abort()
      }, silence)
    }
    let retry: number | undefined
    let why = 'The connection ended.'
    try {
      alive()
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (last) headers['Last-Event-ID'] = last
      const params = o.params instanceof URLSearchParams ? new URLSearchParams(o.params) : new URLSearchParams(query(o.params))
      if (last) params.set('after', last)
      const res = await fetch(readURL(path, params), { headers, signal, credentials: 'same-origin', cache: 'no-store' })
      if (!res.ok || !res.body) {
        const p = await toProblem(res)
        if (res.status === 401) {
          tell({ state: 'closed', why: 'The session has ended.' })
          sessionEnded()
          return
        }
        // A refusal that trying again cannot change.
        if (res.status >= 400 && res.status < 500 && res.status !== 408 && res.status !== 429) {
          tell({ state: 'closed', why: p.detail ?? p.title })
          return
        }
        if (p.retry_after) retry = p.retry_after * 1000
        throw new ApiError(p)
      }
      tell({ state: 'live', since: Date.now() })
      const parser = new EventParser()
      const reader = res.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        alive()
        tries = 0
        for (const e of parser.push(value)) {
          if (e.id) last = e.id
          const handler = o.on[e.event]
          if (handler) handler(JSON.parse(e.data) as never, e.id)
        }
        retry = parser.retry
      }
    } catch (e) {
      if (closed) return
      if (died) why = 'The server has not been heard for 35 s.'
      else if (e instanceof ApiError) why = e.message
      else why = 'The server does not answer.'
    } finally {
      clearTimeout(dead)
    }
    if (closed) return
    const base = Math.min(slowest, (retry ?? 1_000) * 2 ** Math.min(tries, 6))
    const wait = Math.max(retry ?? 0, base * (0.5 + Math.random() / 2))
    tries++
    tell({ state: 'waiting', why, until: Date.now() + wait })
    timer = setTimeout(() => void connect(), wait)
  }

  const online = () => {
    if (timer === undefined) return
    clearTimeout(timer)
    timer = undefined
    void connect()
  }
  window.addEventListener('online', online)
  void connect()
  return () => {
    closed = true
    clearTimeout(timer)
    window.removeEventListener('online', online)
    abort.abort()
  }
}
