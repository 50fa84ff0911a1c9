// SPDX-License-Identifier: Apache-2.0
// What the Rules page asks for. Keys begin with "rules", so that a change told
// by the stream asks again.

import { queryOptions } from '@tanstack/react-query'
import { api } from '@/api/client'
import type { AlertBudget, AlertBudgetStatus, BaselineList, FindingList, MaintenanceList, RuleDetail, RuleList, SuppressionList } from '@/api/types'

export const ruleList = queryOptions({
  queryKey: ['rules', 'list'],
  queryFn: ({ signal }) => api.get<RuleList>('/rules', undefined, signal),
  refetchInterval: 30_000, // what each costs moves all the time
})

export const rulePath = (id: string) => `/rules/${encodeURIComponent(id)}`
export const rule = (id: string) => queryOptions({ queryKey: ['rules', 'one', id], queryFn: ({ signal }) => api.get<RuleDetail>(rulePath(id), undefined, signal) })

/** The findings of a rule, whatever became of them, over which its noise is counted. */
export const ruleFindings = (id: string) =>
  queryOptions({
    queryKey: ['findings', 'rule', id],
    queryFn: ({ signal }) => api.get<FindingList>('/findings', { rule: id, state: 'all', suppressed: 'all', snoozed: 'all', sort: 'last', limit: 200 }, signal),
  })

export const suppressions = (state: 'active' | 'expired' | 'all') =>
  queryOptions({ queryKey: ['rules', 'suppressions', state], queryFn: ({ signal }) => api.get<SuppressionList>('/suppressions', { state }, signal) })

export const maintenance = queryOptions({ queryKey: ['rules', 'maintenance'], queryFn: ({ signal }) => api.get<MaintenanceList>('/maintenance', undefined, signal) })

export interface BaselineFilter { rule: string; q: string; state: string }
export const baselines = (f: BaselineFilter) =>
  queryOptions({
    queryKey: ['rules', 'baselines', f],
    queryFn: ({ signal }) => api.get<BaselineList>('/baselines', { ...f, limit: 200 }, signal),
    placeholderData: (old) => old,
  })

export const budget = queryOptions({ queryKey: ['rules', 'budget'], queryFn: ({ signal }) => api.get<AlertBudget>('/alert-budget', undefined, signal) })
export const budgetStatus = queryOptions({
  queryKey: ['findings', 'budget'], // what is used of it changes with the findings
  queryFn: ({ signal }) => api.get<AlertBudgetStatus>('/alert-budget/status', undefined, signal),
  refetchInterval: 30_000,
})
