// SPDX-License-Identifier: Apache-2.0

export type Severity = 'unknown' | 'info' | 'low' | 'medium' | 'high' | 'critical'
export type Role = 'viewer' | 'analyst' | 'biomed' | 'engineer' | 'admin'
export type Permission =
  | 'read' // everything but users, tokens of others and the audit trail
  | 'view.edit' // own and shared saved searches
  | 'theatre.state' // set the state of a case by hand
  | 'finding.edit' // decide about findings, suppress, run backtests
  | 'packet.read' // packets as they were seen, patient data in clear
  | 'device.edit'
  | 'quarantine.decide' // release or destroy what the gateway holds; two people
  | 'theatre.edit'
  | 'rule.edit' // switch rules, write own ones
  | 'settings.edit'
  | 'record.write' // operation records into the ledger
  | 'identity.edit' // enrolment codes, certificates from requests
  | 'identity.revoke'
  | 'imaging.edit' // destinations, policy and bindings of the gateway
  | 'user.edit'
  | 'audit.read'
  | 'patient.read' // what identifies a patient in a header, in clear; each reading is recorded

/** application/problem+json, RFC 9457. */
export interface Problem {
  type: string // "about:blank" or a path of the documentation
  title: string
  status: number
  code?: string // stable, where a program decides by it: "case-in-progress"
  detail?: string
  hint?: string // what to do
  errors?: { field: string; message: string; hint?: string }[]
  retry_after?: number // seconds
}

// ---- session ------------------------------------------------------------

/** GET /auth: what a person who is not logged in may know. */
export interface AuthInfo {
  setup_needed: boolean
  password: boolean
  oidc: { name: string } | null // log in by GET /api/v1/auth/oidc?return=/path
  demo: boolean
  site: string
  version: string
}

/** GET /session, and the answer of POST /session {name, password} and POST /setup {token, name, display_name, password}. */
export interface Session {
  user: { name: string; display_name: string; roles: Role[]; local: boolean }
  permissions: Permission[]
  csrf: string // send as X-CSRF-Token with every request that is not GET
  expires: string
  demo: boolean
  site: Site
  version: string
}
export interface Site { id: string; name: string; timezone: string }

/** GET /sessions (own; all with user.edit and ?all=true), DELETE /sessions/{id}, DELETE /session. */
export interface SessionInfo { id: string; user: string; current: boolean; created: string; last_seen: string; from: string; agent: string; expires: string }

/** GET/POST /users, PATCH/DELETE /users/{name}; POST takes password too; PUT /account/password {old, new}; POST /users/{name}/password {new}. */
export interface User { name: string; display_name: string; roles: Role[]; local: boolean; disabled: boolean; created: string; last_login?: string; revision: number }

/** GET/POST /tokens, DELETE /tokens/{id}. POST {name, permissions, expires_in_days} answers with the secret once. */
export interface Token { id: string; name: string; owner: string; permissions: Permission[]; created: string; expires: string; last_used?: string }
export interface NewToken extends Token { secret: string }

/** GET /audit?before=&who=&action=&object=&limit= */
export interface AuditEntry { id: number; time: string; who: string; from?: string; action: string; object?: string; before?: unknown; after?: unknown; result: 'done' | 'refused' | 'failed'; note?: string }
export interface AuditPage { entries: AuditEntry[]; next: number | null }
