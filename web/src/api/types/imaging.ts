// SPDX-License-Identifier: Apache-2.0
import type { LedgerEntry } from './prove'

// ---- imaging: the DICOM gateway -------------------------------------------------
//
// Every request takes ?gateway=NAME where the site has several. 404: no gateway runs here.
// POST /imaging/destinations/{name}/pause|resume|retry {confirm_in_case?} (imaging.edit) answers an ImagingDestination.
// POST /imaging/destinations/{name}/drop {reason, confirm_in_case?} (imaging.edit) answers an ImagingDropped: what the destination did not take is given up for good.
// POST /imaging/destinations/{name}/echo (imaging.edit) answers an ImagingEcho.
// POST /imaging/steps/{uid}/end {reason} (quarantine.decide) answers an ImagingProcedureStep.
// POST /imaging/quarantine/{number}/release|destroy|withdraw {reason, revision, confirm_in_case?} (quarantine.decide)
// answers an ImagingHeld: with asked while another person has to agree; 409 for the person who asked, and when
// the record changed meanwhile.
// POST /imaging/instances/{number}/header/clear {reason} (patient.read) answers an ImagingHeader in clear; it is audited.
// PUT /imaging/policy {yaml, sha256: of the one it replaces} and PUT /imaging/bindings {bindings, revision}
// (imaging.edit): 400 names lines and fields, 409 when somebody else changed it.
// GET /imaging/receipts/{artefact}/bundle.zip and GET /imaging/studies/{study}/receipts.zip are for verifying offline.
// The stream of notices says "imaging" when something changed.

export type ImagingVerdict = 'pass' | 'flag' | 'sanitise' | 'quarantine' | 'refuse'
export type ImagingState = 'accepted' | 'quarantined' | 'released' | 'destroyed' | 'replaced' | 'refused'
export type ImagingDeliveryState = 'waiting' | 'delivered' | 'committed' | 'dead' | 'dropped'
export type ImagingWhat = 'received' | 'quarantined' | 'sanitised' | 'released' | 'destroyed' | 'refused' | 'forwarded' | 'committed' | 'waiting' | 'failed' | 'dropped'
/** GET /imaging/gateways. */
export interface ImagingGateways {
  gateways: ImagingGateway[]
}
/** A gateway that this site has or had. */
export interface ImagingGateway {
  name: string
  state: 'live' | 'silent'
  heard: string
  since: string // when it started
}
/** The gateway at a glance. */
export interface ImagingOverview {
  name: string // of this gateway: "gateway-or-3"
  since: string
  listeners: ImagingListener[]
  received: ImagingFlow // Counters since the start, and rates over the last minute. Received and what follows count since the start; rates are those of the last minute.
  forwarded: ImagingFlow
  flagged: number
  sanitised: number
  quarantined: number // since the start
  refused: number
  held: number // Held is how many are in quarantine now, Waiting how many deliveries wait, Dead how many were given up.
  waiting: number
  dead: number
  disk: ImagingDisk // Disk, Ledger, Policy and Trust say how the gateway itself is.
  ledger: ImagingDependency
  trust: ImagingDependency
  audit: ImagingDependency
  policy: ImagingPolicyState
  routes: ImagingRoute[]
  minutes: ImagingMinute[] // Minutes has the last sixty, oldest first.
  advice: ImagingAdvice[] // Advice is what a person should do, worst first; empty when there is nothing.
}
/** Counts instances. */
export interface ImagingFlow {
  instances: number
  bytes: number
  per_second: number // instances, over the last minute
  rate: number // bytes a second, over the last minute
}
/** One minute's counts. */
export interface ImagingMinute {
  at: string
  received: number
  bytes: number
  forwarded: number
  quarantined: number
  refused: number
}
/** A door of the gateway. */
export interface ImagingListener {
  name: string
  kind: 'dicom-tls' | 'dicom-plain' | 'dicomweb'
  address: string
  state: 'open' | 'failed'
  why?: string
  open: number // connections
  plain: number // devices that may come in clear: each is a standing finding
}
/** The journal's room. */
export interface ImagingDisk {
  used: number // bytes of instances
  free: number // bytes of the file system
  warn: number // free bytes below which a person is told
  stop: number // free bytes below which nothing more is taken
  state: 'ok' | 'low' | 'full'
}
/** Something that the gateway needs. */
export interface ImagingDependency {
  state: 'ok' | 'degraded' | 'down' | 'off'
  why?: string
  hint?: string
  since?: string
  lag?: number // what waits for it
}
/** The firewall's policy that is in force. */
export interface ImagingPolicyState {
  sha256: string
  loaded: string
  file?: string // "" when it is the embedded default
  rules: number
  error?: string // why a newer file is not in force
}
/** A route and what happens on it when something fails. */
export interface ImagingRoute {
  name: string
  match: string // in words: "CT and MR from OR-3 to XR"
  destinations: string[]
  fail: 'closed' | 'open-and-alarm'
  state: 'ok' | 'open' | 'closed' // "ok", "open" (something failed, and it lets pass), "closed" (and it does not)
  why?: string
}
/** A sentence for a person. */
export interface ImagingAdvice {
  severity: 'critical' | 'high' | 'medium' | 'low'
  what: string
  why?: string
  hint: string
}
/** GET /imaging/associations. */
export interface ImagingAssociations {
  associations: ImagingAssociation[]
}
/** A conversation with a peer. */
export interface ImagingAssociation {
  id: string
  way: 'dimse' | 'dicomweb'
  direction: 'in' | 'out'
  listener?: string
  destination?: string
  device?: string
  calling_ae?: string
  called_ae?: string
  address: string
  tls?: string
  theatre?: string
  since: string
  ended?: string
  instances: number
  bytes: number
  operations: number
  doing?: string // "C-STORE"
  problem?: string // Problem is empty where all went well; otherwise a code ("tls-on-plain", "unknown-ae" ...) with its words.
  what?: string
  hint?: string
  device_name?: string
}
/** GET /imaging/destinations. */
export interface ImagingDestinations {
  destinations: ImagingDestination[]
}
/** Where instances go to. */
export interface ImagingDestination {
  name: string
  kind: 'dimse' | 'stow' | '' // '': of one that is gone
  address: string // host:port, or URL
  called_ae?: string
  calling_ae?: string
  tls: boolean
  deid?: string // name of the de-identification profile
  theatre?: string
  state: 'idle' | 'sending' | 'backing-off' | 'paused' | 'gone' // "gone": waited for, and not configured any more
  waiting: number
  urgent: number
  bytes: number // that wait
  in_flight: number
  dead: number
  sent: number // since the start
  per_second: number
  oldest?: string // when the oldest that waits was received
  success?: string // last
  failure?: string // last
  why?: string
  hint?: string
  next?: string // when it is tried again
  commitment: 'off' | 'ok' | 'waiting' // Commitment says what storage commitment is awaited: "off", "ok", "waiting" with how many.
  commitment_waiting: number
  in_case: boolean // a case is in progress in its theatre: pausing and giving up have to be confirmed
}
/** What was given up for good. */
export interface ImagingDropped {
  deliveries: number
}
/** GET /imaging/steps. */
export interface ImagingSteps {
  steps: ImagingProcedureStep[]
}
/** A performed procedure step that says whose images a room's devices make now, by pseudonym. */
export interface ImagingProcedureStep {
  uid: string
  device: string // that began it
  theatre: string
  patient: string // pseudonym
  began: string
  ended?: string // completed, discontinued, followed by another, or ended by a person
  until: string // when it counts no more
  how?: 'completed' | 'discontinued' | 'followed' | 'case-ended' | 'person' // how it ended; "followed": its device began another; "case-ended": the theatre board says so
  by?: string // who ended it, where a person did
  held?: number // instances that were held because of it
  device_name?: string
}
/** The answer to "try it". */
export interface ImagingEcho {
  ok: boolean
  milliseconds: number
  steps: ImagingEchoStep[] // "connect", "tls", "associate", "echo", or "request"
  what?: string
  hint?: string
}
/** One step of it. */
export interface ImagingEchoStep {
  name: string
  ok: boolean
  milliseconds: number
  detail?: string // "TLSv1.3, certificate of dev-0123 until 2027-01-31"
}
/** GET /imaging/instances. */
export interface ImagingInstances {
  instances: ImagingInstance[]
  before?: number // pass on for the next page
}
/** An instance that the gateway has or had. */
export interface ImagingInstance {
  number: number // Number is unique in a gateway, and larger for what came later. Never 0.
  state: ImagingState
  received: string // when the last byte had come
  sender: ImagingSender
  sop_class: string
  sop_instance: string
  transfer_syntax: string
  study: string
  series: string
  modality?: string
  study_description?: string // only where the site says that it names nobody
  patient?: string // pseudonym of issuer and patient ID
  accession?: string // pseudonym
  preamble?: ImagingPreamble
  case?: boolean // a case was in progress in the sender's theatre when it came
  data_set: string // SHA-256, hexadecimal
  pixel?: string // SHA-256, hexadecimal
  bytes: number
  verdict: ImagingVerdict
  hits?: ImagingHit[]
  more_hits?: number
  policy: string // SHA-256 of the firewall's policy
  original?: number // Original is the number of the instance that this one was made of, Copy that of the one made of this: sanitising.
  copy?: number
  entries?: ImagingEntry[] // Entries are the indexes of the ledger's entries about it, in their order: received first.
  deliveries?: ImagingDelivery[] // Deliveries has one for each destination that it goes to.
  asked?: ImagingAsked // Asked is what one person wants done with an instance in quarantine; another must agree.
  revision: number // Revision grows with every change.
  device_name?: string
  custody?: 'witnessed' | 'published' | 'recorded' | 'none' // Custody says what the ledger has of it: "witnessed" or "published" when all is under a signature of that kind, "recorded" when the newest waits for one, "none" without an entry, "" when no ledger runs here.
}
/** What is kept of the 128 bytes before the prefix of a file, where they were used. */
export interface ImagingPreamble {
  kind: 'tiff' | 'executable' | 'other'
  sha256: string // of the 128 bytes, hexadecimal
}
/** Who brought an instance, as far as it was proved and as far as it says. */
export interface ImagingSender {
  way: 'dimse' | 'stow' | 'file'
  device: string // device ID: of the certificate, or of the binding of a plain listener
  certificate?: string // SHA-256 of the DER, hexadecimal; "" without TLS
  calling_ae?: string
  called_ae?: string
  address: string // IP address
  tls?: string // "TLSv1.3", "TLSv1.2"; "" in clear
  association: string // an ID of ours: of the association, or of the HTTP request
  binding?: string
  theatre?: string // where the device is
}
/** A rule of the firewall that met. */
export interface ImagingHit {
  rule: string // "preamble.executable"
  verdict: ImagingVerdict
  path?: string // Path names the element, "(0040,A730)[2].(0040,A160)"; "" for the whole.
  why: string // Why is a sentence without any value of the data set.
}
/** An entry of the ledger about an instance. */
export interface ImagingEntry {
  index: number
  kind: string // of the statement: "artefact-received"
  at: string
  destination?: string // Destination is where it went, of an "artefact-forwarded".
}
/** An instance on its way to one destination. */
export interface ImagingDelivery {
  destination: string
  route: string
  state: ImagingDeliveryState
  attempts: number
  next?: string // not before
  at?: string // of the last attempt
  why?: string // Why is why the last attempt failed, in a sentence without any value of the data set.
  forwarded?: string // Forwarded is the SHA-256 of the data set as it went, which is that of Record.DataSet when nothing was changed, with the SOP instance under which it went.
  sop_instance?: string
  transfer_syntax?: string // TransferSyntax and Bytes are those of what went, where they differ from the record's. Status is what the destination answered ("0x0000"), TLS and Certificate how it was known.
  bytes?: number
  status?: string
  tls?: string
  certificate?: string // SHA-256 of the DER, hexadecimal
  urgent?: boolean // Urgent: a case is in progress where it goes to.
}
/** GET /imaging/instances/{number}. */
export interface ImagingInstanceDetail {
  instance: ImagingInstance
  entries: LedgerEntry[]
}
/** A safe view of a data set: text only, cut, without pixel data. */
export interface ImagingHeader {
  number: number
  elements: ImagingHeaderElement[]
  cut: boolean // there are more
}
/** One line of it. */
export interface ImagingHeaderElement {
  path: string // "(0010,0010)", "(0008,1140)[1].(0008,1155)"
  vr: string
  name?: string
  length: number
  value?: string // at most 256 characters; control characters are escaped
  hidden?: boolean
  rule?: string // the rule that met here
  more?: boolean // the value is longer
}
/** GET /imaging/quarantine. */
export interface ImagingQuarantine {
  held: ImagingHeld[]
  before?: number
}
/** An instance in quarantine. */
export interface ImagingHeld extends ImagingInstance {
  own: boolean // who asked is who reads this: another person must agree
  in_case: boolean // a case is in progress in its theatre: deciding has to be confirmed
}
/** The first person's word about an instance in quarantine. */
export interface ImagingAsked {
  action: 'release' | 'destroy'
  by: string // account name
  reason: string
  at: string
}
/** GET /imaging/receipts/{artefact}. */
export interface ImagingReceipts {
  artefact: string // SOP instance UID, or SHA-256 of a data set
  receipts: ImagingReceipt[]
}
/** An entry of the ledger about an instance, and where its receipt is. */
export interface ImagingReceipt {
  entry: number
  kind: string
  at: string
  state: 'recorded' | 'published' | 'witnessed' // of the entry: "recorded" has no receipt yet
  number?: number // of the instance, where it was asked for by its UID
  destination?: string
  data_set?: string // SHA-256 that the statement is about
  sentence: string
  receipt?: string // address of the file
}
/** GET and PUT /imaging/policy. */
export interface ImagingPolicy {
  yaml: string
  sha256: string
  state: ImagingPolicyState
}
/** POST /imaging/policy/check. */
export interface ImagingPolicyCheck {
  problems: ImagingProblem[]
}
/** What is wrong with a text. */
export interface ImagingProblem {
  line: number
  column: number
  field?: string
  what: string
  hint?: string
}
/** POST /imaging/policy/dry-run. */
export interface ImagingDryRun {
  problems: ImagingProblem[] // nothing was examined when there are any
  examined: number
  same: number
  changed: ImagingDryRunChange[]
  more: number // changes beyond those listed
  milliseconds: number
}
/** An instance whose verdict would differ. */
export interface ImagingDryRunChange {
  number: number
  received: string
  device: string
  modality?: string
  was: ImagingVerdict
  would: ImagingVerdict
  hits?: ImagingHit[]
  device_name?: string
}
/** GET and PUT /imaging/bindings. */
export interface ImagingBindings {
  bindings: ImagingBinding[]
  revision: string
}
/** Says what a device may do. */
export interface ImagingBinding {
  device: string
  name?: string
  plain?: boolean // may come in clear, known by address and AE title only
  calling_ae: string[] // its own AE titles: store and query may differ
  called_ae?: string[] // those of the gateway that it may call; empty: all
  addresses?: string[] // addresses or prefixes; empty: any, not for plain
  sop_classes?: string[] // UIDs or names of groups ("storage", "ct"); empty: all known storage classes
  operations: string[] // "echo", "store", "find", "move", "get", "worklist", "mpps", "commitment", "qido", "wado", "stow"
  destinations?: string[] // AE titles that its C-MOVE may name
  theatre?: string
  on_revocation?: 'cut' | 'finish' | 'alarm'
  identification?: string // certificate's state in words, filled by the gateway
  last_seen?: string // RFC 3339
  refused?: number // since the start
  last_problem?: string
  device_name?: string
}
/** GET /imaging/studies. */
export interface ImagingStudies {
  studies: ImagingStudy[]
  before?: number
}
/** Sums up what a gateway has of a study. */
export interface ImagingStudy {
  study: string
  study_description?: string
  modalities: string[]
  patient?: string // pseudonym
  device: string // that sent the newest
  device_name?: string
  theatre?: string
  first: string
  last: string
  instances: number
  bytes: number
  states: Record<string, number> // instances by state
  deliveries: Record<string, number> // deliveries by state
  custody?: 'witnessed' | 'published' | 'recorded' | 'none'
  more: boolean // it has older instances than were looked at
}
/** GET /imaging/studies/{study}/timeline. */
export interface ImagingTimeline {
  study: ImagingStudy
  steps: ImagingStep[] // Steps sum up what happened to the study, in the order of their first moment.
  instances: ImagingLife[] // Instances have each what happened to it; newest instances first.
  before?: number
}
/** One step from the scanner to the processor, for all instances of a study. */
export interface ImagingStep {
  what: ImagingWhat
  sentence: string
  device?: string
  device_name?: string
  destination?: string
  instances: number
  bytes: number
  first: string
  last: string
  custody?: 'witnessed' | 'published' | 'recorded' | 'none' // Custody is the weakest state of the ledger's entries that the step has, "none" where one has none.
  entries: number // of the ledger
}
/** What happened to one instance. */
export interface ImagingLife {
  number: number
  sop_instance: string
  series: string
  modality?: string
  state: ImagingState
  verdict: ImagingVerdict
  events: ImagingEvent[]
}
/** One thing that happened to an instance. */
export interface ImagingEvent {
  at: string
  what: ImagingWhat // as in ImagingStep
  sentence: string
  destination?: string
  other?: number // number of the copy or the original
  entry?: number // of the ledger
  alteration?: number // entry of the ledger about how it was changed for the destination
  custody?: 'witnessed' | 'published' | 'recorded' | 'none'
  receipt?: string // address of the receipt, once there is one
}
