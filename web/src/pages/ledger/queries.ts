// SPDX-License-Identifier: Apache-2.0
// What the pages about the ledger ask for. Entries never change but for how far
// they are proven, and that follows from the status: see stateOf.

import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, ApiError, apiURL, sessionEnded, toProblem, Unreachable, type Params } from '@/api/client'
import type { LedgerArtefact, LedgerCheck, LedgerEntries, LedgerEntry, LedgerStatus } from '@/api/types'
import { toast, toastError } from '@/ui'
import { saveFile } from '@/ui/grid/download'

export const ledgerStatus = queryOptions({
  queryKey: ['ledger', 'status'],
  queryFn: ({ signal }) => api.get<LedgerStatus>('/ledger', undefined, signal),
  refetchInterval: 5_000,
})

export interface EntryFilter {
  hash: string // of a file, an image, or an entry itself
  kind: string
  theatre: string
  device: string
  case: string
  from: string
  to: string
}
const PAGE = 100
/** seen: how many entries the ledger had when the page was asked for. */
export interface EntryPage extends LedgerEntries { seen: number }

export const ledgerEntries = (f: EntryFilter) =>
  infiniteQueryOptions({
    queryKey: ['ledger', 'entries', f],
    queryFn: async ({ pageParam, signal, client }): Promise<EntryPage> => {
      const { hash, ...rest } = f
      const seen = client.getQueryData(ledgerStatus.queryKey)?.size ?? 0
      const ask = (by: Params) => api.get<LedgerEntries>('/ledger/entries', { ...rest, ...by, before: pageParam, limit: PAGE }, signal)
      if (hash === '') return { ...(await ask({})), seen }
      // Whoever has a hash need not know of what it is.
      const [about, itself] = await Promise.all([ask({ digest: hash }), pageParam === undefined ? ask({ hash }) : { entries: [] }])
      const have = new Set(about.entries.map((e) => e.index))
      return { entries: [...itself.entries.filter((e) => !have.has(e.index)), ...about.entries], before: about.before, seen }
    },
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (last) => last.before,
    staleTime: Infinity, // what is new waits until it is asked for
    refetchOnWindowFocus: false,
  })

export const ledgerEntry = (index: string) =>
  queryOptions({ queryKey: ['ledger', 'entry', index], queryFn: ({ signal }) => api.get<LedgerEntry>(`/ledger/entries/${encodeURIComponent(index)}`, undefined, signal), enabled: index !== '' })

export const artefact = (sha256: string) =>
  queryOptions({ queryKey: ['ledger', 'artefact', sha256], queryFn: ({ signal }) => api.get<LedgerArtefact>(`/ledger/artefacts/${encodeURIComponent(sha256)}`, undefined, signal), enabled: sha256 !== '', staleTime: 30_000 })

/** The newest that is recorded about a device. */
export const deviceEntries = (device: string) =>
  queryOptions({ queryKey: ['ledger', 'device', device], queryFn: ({ signal }) => api.get<LedgerEntries>('/ledger/entries', { device, limit: 5 }, signal), staleTime: 30_000 })

export const checkLedger = () => api.post<LedgerCheck>('/ledger/check')

const rank: Record<LedgerEntry['state'], number> = { recorded: 0, published: 1, witnessed: 2 }

/** How far an entry is proven by now: it may have come further since it was loaded. */
export function stateOf(e: LedgerEntry, s: LedgerStatus | undefined): LedgerEntry['state'] {
  const now = !s ? 'recorded' : e.index < s.witnessed.size && s.required > 0 ? 'witnessed' : e.index < s.published.size ? 'published' : 'recorded'
  return rank[now] > rank[e.state] ? now : e.state
}

/** A file of the API as it is, every byte of it. */
export async function fileOf(path: string, params?: Params, signal?: AbortSignal): Promise<{ name: string; bytes: Uint8Array<ArrayBuffer> }> {
  let res: Response
  try {
    res = await fetch(apiURL(path, params), { credentials: 'same-origin', signal })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new Unreachable()
  }
  if (!res.ok) {
    if (res.status === 401) sessionEnded()
    throw new ApiError(await toProblem(res))
  }
  const named = /filename="?([\w.-]+)"?/.exec(res.headers.get('content-disposition') ?? '')?.[1]
  return { name: named ?? path.slice(path.lastIndexOf('/') + 1), bytes: new Uint8Array(await res.arrayBuffer()) }
}

export const receiptOf = (index: number | string, state: LedgerEntry['state'], signal?: AbortSignal) =>
  fileOf(`/ledger/entries/${index}/receipt`, { state: state === 'witnessed' ? undefined : 'published' }, signal)

/** Saves a file of the API, or says why there is none. */
export async function save(what: string, load: () => Promise<{ name: string; bytes: Uint8Array<ArrayBuffer> }>, as?: string): Promise<void> {
  try {
    const f = await load()
    saveFile(as ?? f.name, 'application/octet-stream', new Blob([f.bytes]))
    toast(`Saved ${as ?? f.name}.`)
  } catch (e) {
    toastError(`${what} was not saved.`, e)
  }
}

export const saveReceipt = (e: LedgerEntry, state: LedgerEntry['state']) => save('The receipt', () => receiptOf(e.index, state), `asepsis-${e.index}.receipt.json`)
