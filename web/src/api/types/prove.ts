// SPDX-License-Identifier: Apache-2.0
import type { Kind } from '../../receipt/statement'

// ---- the ledger: what happened, provable to anybody ---------------------------

/** GET /ledger. 404: no ledger runs here. POST /ledger/check reads the log again and answers a LedgerCheck. */
export interface LedgerStatus {
  origin: string // the log's name, as checkpoints have it
  size: number // entries that are recorded durably
  integrated: number // of them, in the tree
  required: number // witnesses that have to sign
  published: LedgerCheckpoint // the newest that the log signed
  witnessed: LedgerCheckpoint // the newest that enough witnesses signed
  witnesses: LedgerWitness[]
  unwitnessed: number // entries that wait for witnesses
  unwitnessed_since?: string
  alarm: boolean // they have waited longer than is allowed
  per_minute: number
  audit: LedgerAudit
}
export interface LedgerCheckpoint { size: number; root: string; time?: string }
export interface LedgerWitness { name: string; url?: string; size: number; last?: string; error?: string; failed?: string }
export interface LedgerAudit { checked: number; last?: string; problem?: string }
export interface LedgerCheck { checked: number; problem?: string }

/** GET /ledger/entries?digest=&hash=&device=&case=&theatre=&kind=&from=&to=&before=&limit= (newest first; pass before for the next page) */
export interface LedgerEntries { entries: LedgerEntry[]; before?: number }
/** GET /ledger/entries/{index}; GET /ledger/entries/{index}/receipt?state=witnessed|published is the receipt file, 409 while no checkpoint covers it; GET /ledger/trust is the trust file. */
export interface LedgerEntry {
  index: number
  state: 'recorded' | 'published' | 'witnessed'
  leaf: string
  hash: string // SHA-256 of the canonical statement
  recorded: string // by the ledger's clock
  kind: Kind
  time: string // by the clock of who says so
  sentence: string // what happened, in words
  theatre?: string
  device?: string
  device_name?: string
  actor: LedgerActor
  case?: LedgerCase
  reason?: string
  subjects: LedgerSubject[]
  detail?: Record<string, unknown>
  statement: unknown // the in-toto statement as it is in the log
}
export interface LedgerActor { software?: string; device?: string; device_name?: string; certificate?: string; user?: string }
/** case is a commitment: who knows the case and its salt can tell that it is that case, nobody else. */
export interface LedgerCase { case: string; sequence: number; previous?: string }
export interface LedgerSubject { name: string; digest: Record<string, string> }
/** GET /ledger/artefacts/{sha256}: its life, oldest first, 500 entries at most. */
export interface LedgerArtefact { sha256: string; entries: LedgerEntry[]; custody: 'verified' | 'unverified' | 'broken'; why: string }
/** POST /ledger/cases/find {case}: the commitment by which a case's entries are found. POST /ledger/cases/erase {case}: what identifies people in it can never be told again. */
export interface LedgerFoundCase { case: string }
/** POST /records {id, type, device, time?, theatre?, case?, patient?, operator?, reason?, data} */
export interface RecordAnswer { entry: LedgerEntry; receipt?: string }

// ---- identity: one certificate per device -------------------------------------

/** GET /identity; GET /identity/bundle.pem is what others have to trust. */
export interface IdentityStatus {
  trust_domain: string
  authorities: IdentityAuthority[]
  counts: IdentityCounts
  est?: string // address where devices enrol
  ocsp?: string
  profiles: IdentityProfile[]
}
export interface IdentityAuthority { id: string; subject: string; not_before: string; not_after: string; active: boolean; root: boolean; crl_number?: number; crl_next?: string; sha256: string }
export interface IdentityCounts { good: number; due: number; expiring: number; expired: number; revoked: number; long_life: number; codes: number }
export interface IdentityProfile { name: string; client: boolean; server: boolean; lifetime_hours: number; long_life_hours?: number; what: string }

/** GET /identity/certificates?device=&profile=&status=&due=true&after=&limit= */
export interface IdentityCertificates { certificates: IdentityCertificate[]; after?: string }
export interface IdentityCertificate {
  serial: string
  device: string // "" for a service that is no device
  device_name?: string
  theatre?: string
  spiffe: string
  profile: string
  subject: string
  issuer: string
  not_before: string
  not_after: string
  renew_from: string
  sha256: string
  status: 'good' | 'revoked' | 'expired' | 'superseded'
  revoked?: string
  reason?: string // as in RFC 5280
  note?: string
  via?: string
  long_life?: boolean
  due: boolean // renew_from is past
}
/** GET /identity/certificates/{serial} */
export interface IdentityCertificateDetail { certificate: IdentityCertificate; pem: string; history: LedgerEntry[] }
/** POST /identity/certificates {device?, service?, profile, csr, dns?, ips?, long_life?} */
export interface IdentityIssued { certificate: IdentityCertificate; pem: string; chain: string }
/** GET /identity/certificates/{serial}/impact: what revoking it would cut now. POST .../revoke {reason, note, confirm_in_case?} */
export interface IdentityImpact { live: IdentityLive[]; theatre?: string; in_case: boolean; sentence: string }
export interface IdentityLive { consumer: string; peer: string; since: string; policy: 'cut' | 'finish' | 'alarm' }

/** GET /identity/codes, DELETE /identity/codes/{id} */
export interface IdentityCodes { codes: IdentityCode[] }
export interface IdentityCode { id: string; device: string; device_name?: string; service?: string; profile: string; made: string; by: string; expires: string; used?: string; serial?: string; long_life?: string }
/** POST /identity/codes {device?, service?, profile, hours, dns?, ips?, long_life?}: the only time that the code can be read. */
export interface IdentityNewCode { code: IdentityCode; text: string; uri: string }
