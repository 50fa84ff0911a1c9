// SPDX-License-Identifier: Apache-2.0
// The one way to the API: same origin, JSON both ways, the CSRF token with
// every request that changes something, and every refusal as an ApiError that
// carries the server's own words (RFC 9457).
import { ofField, sentence, statement, statements } from './said'
import { siteQuery } from './site'
import type { Problem } from './types'

export const API = '/api/v1'

export class ApiError extends Error {
  override name = 'ApiError'
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title)
  }
  get status(): number {
    return this.problem.status
  }
  get hint(): string | undefined {
    return this.problem.hint
  }
  /** What a program decides by: "case-in-progress", and "" where there is none. */
  get code(): string {
    return this.problem.code ?? ''
  }
  /** The message for one field of a form, if the server named it. */
  field(name: string): string | undefined {
    const e = this.problem.errors?.find((f) => f.field === name)
    return e && statements(ofField(e.message), e.hint)
  }
}

/** The server could not be reached at all: nothing is known about what it did. */
export class Unreachable extends Error {
  override name = 'Unreachable'
  constructor() {
    super('The server does not answer.')
  }
}

export type Params = Record<string, string | number | boolean | readonly string[] | undefined | null>

let csrf = ''
/** Called with each session; the token lives in memory only. */
export function setCsrf(token: string): void {
  csrf = token
}

type Listener = () => void
let unauthorised: Listener = () => {}
/** What to do when a session has ended in the middle of work. Returns what undoes it. */
export function onUnauthorised(f: Listener): () => void {
  unauthorised = f
  return () => {
    unauthorised = () => {}
  }
}
export function sessionEnded(): void {
  unauthorised()
}

export function query(params: Params | URLSearchParams | undefined): string {
  if (!params) return ''
  const q = params instanceof URLSearchParams ? params : new URLSearchParams()
  if (!(params instanceof URLSearchParams)) {
    for (const [k, v] of Object.entries(params)) {
      if (v === undefined || v === null || v === '') continue
      if (typeof v === 'object') for (const one of v) q.append(k, one)
      else q.append(k, String(v))
    }
  }
  const s = q.toString()
  return s && `?${s}`
}

export function apiURL(path: string, params?: Params | URLSearchParams): string {
  return API + path + query(params)
}

/** The address of what is read: about the chosen site. */
export function readURL(path: string, params?: Params | URLSearchParams): string {
  return API + path + siteQuery(path, params)
}

export async function toProblem(res: Response): Promise<Problem> {
  const type = res.headers.get('content-type') ?? ''
  if (type.startsWith('application/problem+json')) {
    try {
      const p = (await res.json()) as Partial<Problem>
      if (typeof p.title === 'string') return { type: 'about:blank', status: res.status, ...p } as Problem
    } catch {
      // fall through: the body was cut
    }
  }
  const retry = Number(res.headers.get('retry-after'))
  return {
    type: 'about:blank',
    title: res.statusText || `Status ${res.status}`,
    status: res.status,
    detail: res.status >= 500 ? 'The server could not answer this request.' : undefined,
    retry_after: retry > 0 ? retry : undefined,
  }
}

interface Options {
  signal?: AbortSignal
  params?: Params | URLSearchParams
  /** Login and setup answer 401 and 403 themselves. */
  anonymous?: boolean
  /** The body is a file, sent as it is. */
  file?: Blob
}

async function request<T>(method: string, path: string, body: unknown, o: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (o.file) headers['Content-Type'] = 'application/octet-stream'
  else if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf
  let res: Response
  try {
    res = await fetch(method === 'GET' ? readURL(path, o.params) : apiURL(path, o.params), {
      method,
      headers,
      body: o.file ?? (body === undefined ? undefined : JSON.stringify(body)),
      credentials: 'same-origin',
      redirect: 'follow',
      signal: o.signal,
    })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new Unreachable()
  }
  if (!res.ok) {
    if (res.status === 401 && !o.anonymous) sessionEnded()
    throw new ApiError(await toProblem(res))
  }
  if (res.status === 204 || res.headers.get('content-length') === '0') return undefined as T
  try {
    return (await res.json()) as T
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new ApiError({ type: 'about:blank', title: 'The answer was cut short.', status: 502 })
  }
}

export const api = {
  get: <T>(path: string, params?: Params | URLSearchParams, signal?: AbortSignal) =>
    request<T>('GET', path, undefined, { params, signal }),
  post: <T>(path: string, body?: unknown, o?: Options) => request<T>('POST', path, body ?? {}, o),
  put: <T>(path: string, body: unknown, o?: Options) => request<T>('PUT', path, body, o),
  patch: <T>(path: string, body: unknown, o?: Options) => request<T>('PATCH', path, body, o),
  upload: <T>(path: string, file: Blob, params?: Params) => request<T>('POST', path, undefined, { params, file }),
  del: <T = void>(path: string, o?: Options) => request<T>('DELETE', path, undefined, o),
}

/** Plain words for any error: what is wrong, and what to do; each a sentence. */
export function explain(e: unknown): { title: string; detail?: string; hint?: string } {
  if (e instanceof ApiError) {
    const { title, detail, hint, retry_after } = e.problem
    return {
      title: statement(detail ?? title),
      hint: hint ? statement(hint) : retry_after ? `Try again in ${retry_after} s.` : undefined,
    }
  }
  if (e instanceof Unreachable) {
    return { title: e.message, hint: 'Check the network and that asepsis is running. Recording does not depend on this page.' }
  }
  return { title: 'The console made an error.', detail: e instanceof Error ? e.message : String(e) }
}

/** The same in one line. */
export function told(e: unknown): string {
  const { title, detail, hint } = explain(e)
  return [title, detail && sentence(detail), hint].filter(Boolean).join(' ')
}
