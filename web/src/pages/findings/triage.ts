// SPDX-License-Identifier: Apache-2.0
// Decisions about findings: shown at once, taken back with a clear message when
// the server refuses, and undone on request. What somebody else decided
// meanwhile is shown, never overwritten.

import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { api, ApiError, explain } from '@/api/client'
import type { Finding, FindingAction, FindingBulkResult, FindingDecision, FindingDetail, FindingList } from '@/api/types'
import { useSession } from '@/shell/access'
import { toast } from '@/ui'
import { plural } from '@/ui/units'
import { outcomeShort } from './fields'
import { finding, findingPath, shelves } from './queries'

export interface Decision extends Omit<FindingDecision, 'revision'> { action: FindingAction }

const HOUR = 3_600_000

/** "+4h" from now, or a time. */
export function untilTime(until: string | undefined, now: number): string | null {
  if (!until) return null
  const m = /^\+(\d+)([mhd])$/.exec(until)
  if (!m) return until
  return new Date(now + Number(m[1]) * (m[2] === 'd' ? 24 * HOUR : m[2] === 'h' ? HOUR : 60_000)).toISOString()
}

/** What the finding will look like. */
export function decided(f: Finding, d: Decision, me: string, now: number): Finding {
  switch (d.action) {
    case 'acknowledge': return { ...f, state: 'acknowledged', assignee: f.assignee || me }
    case 'assign': return { ...f, assignee: d.assignee ?? '' }
    case 'close': return { ...f, state: 'closed', outcome: d.outcome ?? '', snoozed_until: null }
    case 'reopen': return { ...f, state: 'open', outcome: '' }
    case 'snooze': return { ...f, snoozed_until: untilTime(d.until, now) }
    case 'note': return f
  }
}

/** Whether a decision can be made about a finding as it is; else why not. */
export function cannot(f: Finding, action: FindingAction): string | undefined {
  if (action === 'acknowledge' && f.state !== 'open') return `It is ${f.state} already.`
  if (action === 'reopen' && f.state === 'open') return 'It is open.'
  if (f.state === 'closed' && (action === 'close' || action === 'assign' || action === 'snooze')) return 'It is closed. Reopen it first.'
  return undefined
}

/** The decisions that bring a finding back to how it was, in order. */
export function backwards(was: Finding, d: Decision): Decision[] {
  switch (d.action) {
    case 'acknowledge': return [{ action: 'reopen' }, ...(was.assignee === '' ? [{ action: 'assign', assignee: '' } as const] : [])]
    case 'assign': return [{ action: 'assign', assignee: was.assignee }]
    case 'close': return [{ action: 'reopen' }, ...(was.state === 'acknowledged' ? [{ action: 'acknowledge' } as const] : []), ...(was.snoozed_until ? [{ action: 'snooze', until: was.snoozed_until } as const] : [])]
    case 'reopen': return was.state === 'closed' ? [] : [{ action: 'acknowledge' }]
    case 'snooze': return [{ action: 'snooze', ...(was.snoozed_until ? { until: was.snoozed_until } : {}) }]
    case 'note': return []
  }
}

/** What is different now from what a person saw, in words. */
export function whatChanged(saw: Finding, is: Finding): string {
  const parts: string[] = []
  if (saw.state !== is.state) parts.push(is.state === 'closed' ? `it is closed as ${(outcomeShort[is.outcome] ?? is.outcome).toLowerCase()}` : `it is ${is.state}`)
  if (saw.assignee !== is.assignee) parts.push(is.assignee === '' ? 'it is assigned to nobody' : `it is assigned to ${is.assignee}`)
  if ((saw.snoozed_until ?? '') !== (is.snoozed_until ?? '')) parts.push(is.snoozed_until ? 'it was put off' : 'it is no longer put off')
  return parts.length > 0 ? `Meanwhile ${parts.join(', and ')}.` : 'Meanwhile somebody wrote something about it.'
}

const done: Record<FindingAction, string> = { acknowledge: 'Acknowledged', assign: 'Assigned', close: 'Closed', reopen: 'Reopened', note: 'Noted', snooze: 'Put off' }
export function said(d: Decision): string {
  if (d.action === 'assign') return d.assignee ? `Assigned to ${d.assignee}` : 'Assigned to nobody'
  if (d.action === 'close') return `Closed as ${(outcomeShort[d.outcome ?? ''] ?? '').toLowerCase()}`
  if (d.action === 'snooze' && !d.until) return 'No longer put off'
  return done[d.action]
}

function setEverywhere(client: QueryClient, change: (f: Finding) => Finding): void {
  for (const shelf of shelves) {
    client.setQueryData<FindingList>(['findings', 'list', shelf], (old) => old && { ...old, findings: old.findings.map(change) })
  }
  for (const [key] of client.getQueriesData<FindingDetail>({ queryKey: ['findings', 'one'] })) {
    client.setQueryData<FindingDetail>(key, (old) => {
      if (!old) return old
      const next = change(old)
      return next === old ? old : { ...old, ...next }
    })
  }
}

const CHUNK = 2000 // what one request may hold

export type Decide = (list: readonly Finding[], d: Decision) => Promise<boolean>

/** Resolves to whether all was done. What was not is said, and shown as it is. */
export function useDecide(): Decide {
  const client = useQueryClient()
  const { user } = useSession()
  return useCallback(
    async (list, d) => {
      const able = list.filter((f) => !cannot(f, d.action))
      if (able.length === 0) {
        const first = list[0]
        if (first) toast(`Nothing to do: ${(cannot(first, d.action) ?? '').toLowerCase()}`)
        return false
      }
      const ok = able.length === 1 && able[0] ? await decideOne(client, able[0], d, user.name) : await decideMany(client, able, d, user.name)
      void client.invalidateQueries({ queryKey: ['findings'] })
      void client.invalidateQueries({ queryKey: ['theatres'] })
      return ok
    },
    [client, user.name],
  )
}

async function decideOne(client: QueryClient, f: Finding, d: Decision, me: string): Promise<boolean> {
  await client.cancelQueries({ queryKey: ['findings'] })
  const will = decided(f, d, me, Date.now())
  setEverywhere(client, (x) => (x.id === f.id ? { ...x, ...will } : x))
  const { action, ...body } = d
  try {
    const is = await api.post<FindingDetail>(`${findingPath(f.id)}/${action}`, action === 'note' ? body : { ...body, revision: f.revision })
    client.setQueryData(finding(f.id).queryKey, is)
    setEverywhere(client, (x) => (x.id === f.id ? { ...x, ...listed(is) } : x))
    const back = backwards(f, d)
    toast(`${said(d)}: ${f.title}`, back.length > 0 ? { action: { label: 'Undo', run: () => void undo(client, f, back) } } : {})
    return true
  } catch (e) {
    setEverywhere(client, (x) => (x.id === f.id ? { ...x, ...f } : x))
    const x = explain(e)
    let more = x.hint ?? ''
    if (e instanceof ApiError && e.status === 409) {
      try {
        const is = await api.get<FindingDetail>(findingPath(f.id))
        client.setQueryData(finding(f.id).queryKey, is)
        setEverywhere(client, (y) => (y.id === f.id ? { ...y, ...listed(is) } : y))
        if (is.revision !== f.revision) more = whatChanged(f, is)
      } catch {
        // The message of the refusal says enough.
      }
    }
    toast(`Not done. ${x.title} ${more}`.trim(), { error: true })
    return false
  }
}

/** A finding of a list out of one in full. */
function listed(d: FindingDetail): Partial<Finding> {
  const { state, assignee, outcome, snoozed_until, suppressed_by, revision, count, last, severity } = d
  return { state, assignee, outcome, snoozed_until, suppressed_by, revision, count, last, severity }
}

async function undo(client: QueryClient, was: Finding, steps: Decision[]): Promise<void> {
  try {
    let at = await api.get<FindingDetail>(findingPath(was.id))
    for (const { action, ...body } of steps) at = await api.post<FindingDetail>(`${findingPath(was.id)}/${action}`, { ...body, revision: at.revision })
    setEverywhere(client, (x) => (x.id === was.id ? { ...x, ...listed(at) } : x))
    toast(`As before: ${was.title}`)
  } catch (e) {
    toast(`It could not be undone. ${explain(e).title}`, { error: true })
  }
  void client.invalidateQueries({ queryKey: ['findings'] })
}

async function decideMany(client: QueryClient, list: readonly Finding[], d: Decision, me: string): Promise<boolean> {
  await client.cancelQueries({ queryKey: ['findings'] })
  const before = new Map(list.map((f) => [f.id, f]))
  setEverywhere(client, (x) => (before.has(x.id) ? { ...x, ...decided(x, d, me, Date.now()) } : x))
  const refused = new Map<string, string>()
  for (let i = 0; i < list.length; i += CHUNK) {
    const ids = list.slice(i, i + CHUNK).map((f) => f.id)
    try {
      const r = await api.post<FindingBulkResult>('/findings/bulk', { ...d, ids })
      for (const one of r.results) if (!one.ok) refused.set(one.id, one.message)
    } catch (e) {
      for (const id of ids) refused.set(id, explain(e).title)
    }
  }
  if (refused.size > 0) {
    setEverywhere(client, (x) => (refused.has(x.id) ? { ...x, ...before.get(x.id) } : x))
    const [id, why] = [...refused][0] ?? ['', '']
    toast(`Not done for ${plural(refused.size, 'finding')}, which ${refused.size === 1 ? 'is' : 'are'} as before. ${before.get(id)?.title ?? ''}: ${why}`, { error: true })
  }
  const n = list.length - refused.size
  const changed = list.filter((f) => !refused.has(f.id))
  if (n > 0) toast(`${said(d)}: ${plural(n, 'finding')}.`, d.action === 'note' ? {} : { action: { label: 'Undo', run: () => void undoMany(client, changed, d) } })
  return refused.size === 0
}

/** Findings that go the same way back go together. */
async function undoMany(client: QueryClient, list: readonly Finding[], d: Decision): Promise<void> {
  const ways = new Map<string, { steps: Decision[]; ids: string[] }>()
  for (const f of list) {
    const steps = backwards(f, d)
    const key = JSON.stringify(steps)
    const way = ways.get(key)
    if (way) way.ids.push(f.id)
    else ways.set(key, { steps, ids: [f.id] })
  }
  let failed = 0
  for (const { steps, ids } of ways.values()) {
    for (let i = 0; i < ids.length; i += CHUNK) {
      const part = ids.slice(i, i + CHUNK)
      for (const step of steps) {
        try {
          failed += (await api.post<FindingBulkResult>('/findings/bulk', { ...step, ids: part })).failed
        } catch {
          failed += part.length
        }
      }
    }
  }
  void client.invalidateQueries({ queryKey: ['findings'] })
  if (failed > 0) toast(`${plural(failed, 'finding')} could not be changed back.`, { error: true })
  else toast(`${plural(list.length, 'finding')} ${list.length === 1 ? 'is' : 'are'} as before.`)
}
