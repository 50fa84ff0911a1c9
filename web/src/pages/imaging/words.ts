// SPDX-License-Identifier: Apache-2.0
// The words of the gateway: what its states, verdicts and failures mean to
// somebody who has to do something about them.

import { sentence, statement, statements } from '@/api/said'
import type {
  ImagingAssociation, ImagingDelivery, ImagingDeliveryState, ImagingDependency, ImagingDestination, ImagingDisk, ImagingInstance, ImagingListener, ImagingOverview, ImagingRoute, ImagingState, ImagingVerdict, ImagingWhat, Severity,
} from '@/api/types'
import type { IconName } from '@/ui'
import { relative, span } from '@/ui/time'
import { count, plural } from '@/ui/units'

/** How the gateway stands, the worst first. */
export function truth(o: ImagingOverview): string {
  const failed = o.listeners.find((l) => l.state === 'failed')
  if (o.disk.state === 'full') return 'The disk is full: nothing more is taken. What was taken is kept.'
  if (failed) return `Nothing comes in at ${failed.address}: ${sentence(failed.why ?? 'it cannot be listened on')}`
  const shut = o.routes.find((r) => r.state === 'closed')
  if (shut) return `Nothing passes on ${shut.name}: ${sentence(shut.why ?? 'something that it needs has failed')}`
  const ajar = o.routes.find((r) => r.state === 'open')
  if (ajar) return `Images pass on ${ajar.name} although something failed: ${sentence(ajar.why ?? 'see below')}`
  const parts = [o.dead > 0 && `${plural(o.dead, 'delivery was', 'deliveries were')} given up`, o.held > 0 && `${plural(o.held, 'image is', 'images are')} in quarantine`, o.waiting > 0 && `${plural(o.waiting, 'delivery waits', 'deliveries wait')}`].filter((p) => p !== false)
  const flows = o.received.per_second > 0 ? `${perSecond(o.received.per_second)} in, ${perSecond(o.forwarded.per_second)} out` : 'No image has come in the last minute'
  return `${flows}${parts.length === 0 ? ', and nothing waits' : `; ${parts.join(', ')}`}.`
}

/** "4.2 images/s"; what flows slowly is not said to stand still. */
export function perSecond(n: number): string {
  if (n === 0) return '0\u00a0images/s'
  if (n < 0.1) return `${count(Math.max(1, Math.round(n * 60)))}\u00a0a\u00a0minute`
  return `${n >= 10 ? count(n) : n.toFixed(1)}\u00a0images/s`
}

export const listenerName: Record<ImagingListener['kind'], string> = { 'dicom-tls': 'DICOM over TLS', 'dicom-plain': 'DICOM in clear', dicomweb: 'DICOMweb' }

/** What becomes of images on a route when something that vouches for them fails. */
export const failWords: Record<ImagingRoute['fail'], { name: string; means: string }> = {
  closed: { name: 'Closed', means: 'If the ledger or the firewall fails, nothing passes. Senders are told so and keep their images.' },
  'open-and-alarm': { name: 'Open, with an alarm', means: 'If the ledger or the firewall fails, images pass all the same, and people are told. What was missed is recorded later. Images that a device asks for pass only where it is the ledger that fails.' },
}
export const routeState: Record<ImagingRoute['state'], { word: string; icon: IconName; tone: Tone }> = {
  ok: { word: 'Works', icon: 'check', tone: 'ok' }, open: { word: 'Lets pass although something failed', icon: 'unlock', tone: 'high' }, closed: { word: 'Lets nothing pass', icon: 'lock', tone: 'critical' },
}

export type Tone = 'ok' | 'quiet' | 'low' | 'medium' | 'high' | 'critical'

export function dependency(what: 'ledger' | 'trust' | 'audit', d: ImagingDependency): { word: string; note: string; tone: Tone; icon: IconName } {
  const good = { ledger: 'Records', trust: 'Knows whom to trust', audit: 'Sends its audit messages' }[what]
  const lag = d.lag !== undefined && d.lag > 0 ? `${plural(d.lag, 'statement waits', 'statements wait')}` : ''
  if (d.state === 'off') return { word: 'Off', note: { ledger: 'Nothing is recorded, and no receipt can be given.', trust: 'Nobody is known by a certificate.', audit: 'No audit message is sent.' }[what], tone: what === 'audit' ? 'quiet' : 'medium', icon: 'minus' }
  if (d.state === 'ok') return { word: good, note: lag, tone: 'ok', icon: 'check' }
  const why = statements(d.why, lag, d.hint)
  return d.state === 'degraded' ? { word: 'Works with trouble', note: why, tone: 'high', icon: 'warning' } : { word: 'Does not answer', note: why, tone: 'critical', icon: 'close' }
}
export function diskWords(d: ImagingDisk): { word: string; tone: Tone; icon: IconName } {
  if (d.state === 'full') return { word: 'Full: nothing more is taken', tone: 'critical', icon: 'close' }
  if (d.state === 'low') return { word: 'Almost full', tone: 'high', icon: 'warning' }
  return { word: 'Has room', tone: 'ok', icon: 'check' }
}

/** Short names of what went wrong with a conversation; the whole sentence is the gateway's own. */
const problems: Record<string, string> = {
  'tls-on-plain': 'TLS on a port for clear', 'plain-on-tls': 'No TLS on a port for TLS', 'http-on-dicom': 'HTTP on a DICOM port', 'not-dicom': 'Not DICOM', 'not-tls': 'Not TLS',
  'no-certificate': 'No certificate', 'certificate-untrusted': 'Certificate of somebody else', 'certificate-expired': 'Certificate has ended', 'certificate-not-yet-valid': 'Certificate not valid yet', 'certificate-revoked': 'Certificate was revoked',
  'certificate-without-identity': 'Certificate names no device', 'certificate-profile': 'Certificate is for something else', 'revocation-unknown': 'Revocation cannot be checked', 'gateway-not-trusted': 'The device does not trust the gateway', 'tls-failed': 'Encryption failed',
  'device-not-bound': 'Device is not bound', 'plain-device-not-listed': 'Not allowed in clear', 'address-not-allowed': 'Address not allowed', 'calling-ae-not-bound': 'Unknown calling AE title', 'called-ae-unknown': 'Unknown called AE title', 'called-ae-not-bound': 'Called AE title not allowed',
  'nothing-allowed': 'Nothing of what it asks is allowed', 'too-many-associations': 'Too many at once', 'operation-not-allowed': 'Operation not allowed', 'sop-class-not-bound': 'SOP class not allowed', 'sop-class-mismatch': 'Contradicts its own SOP class',
  'archive-unreachable': 'Archive not reachable', 'archive-refused': 'Archive refused', 'query-refused': 'Query refused', aborted: 'Broken off', timeout: 'No answer in time', 'protocol-violation': 'Does not keep to the protocol', 'connection-lost': 'Connection lost', 'cut-by-revocation': 'Cut: certificate revoked',
  'gateway-stopping': 'Gateway was stopped', 'gateway-fault': 'Fault in the gateway',
}
export const problemName = (code: string): string => problems[code] ?? capital(code.replace(/-/g, ' '))
const capital = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1)

export type Standing = 'open' | 'ended' | 'problem'
export const standing = (a: ImagingAssociation): Standing => (a.problem ? 'problem' : a.ended ? 'ended' : 'open')
export const standingName: Record<Standing, string> = { open: 'Open', ended: 'Ended', problem: 'Problem' }
export const standingIcon: Record<Standing, IconName> = { open: 'play', ended: 'minus', problem: 'warning' }

/** "CT-OR3 sends to ASEPSIS" as one line. */
export function conversation(a: ImagingAssociation): string {
  const peer = a.device_name ?? a.device ?? a.calling_ae ?? a.address
  return a.direction === 'in' ? `${peer} to ${a.called_ae || 'the gateway'}` : `The gateway to ${a.destination ?? a.called_ae ?? a.address}`
}
export const encryption = (tls: string | undefined): string => (tls ? tls.replace(/^TLSv/, 'TLS ') : 'in clear')

export const destinationState: Record<ImagingDestination['state'], { word: string; icon: IconName; tone: Tone }> = {
  idle: { word: 'Idle', icon: 'check', tone: 'ok' }, sending: { word: 'Sending', icon: 'play', tone: 'ok' }, 'backing-off': { word: 'Fails, and is tried again', icon: 'warning', tone: 'high' }, paused: { word: 'Paused by a person', icon: 'pause', tone: 'medium' }, gone: { word: 'Not configured any more', icon: 'warning', tone: 'high' },
}
/** How a destination stands, in one sentence. */
export function destinationSentence(d: ImagingDestination, now: number): string {
  const waits = d.waiting === 0 ? 'nothing waits' : `${plural(d.waiting, 'image waits', 'images wait')}${d.oldest ? `, the oldest for ${span(now - Date.parse(d.oldest))}` : ''}`
  switch (d.state) {
    case 'paused': return `Paused: ${waits}.`
    case 'backing-off': return `${statement(d.why ?? 'It does not take images')} ${capital(waits)}${d.next ? `; next try ${relative(d.next, now)}` : ''}.`
    case 'gone': return `It is in the gateway’s configuration no more, so nothing is sent to it. ${capital(waits)}.`
    case 'sending': return `Sending ${perSecond(d.per_second)}; ${waits}.`
    case 'idle': return `${capital(waits)}${d.success ? `; last success ${relative(d.success, now)}` : '; nothing was sent yet'}.`
  }
}
/** How many deliveries end when a destination's are given up for good: what did not work, and where it is gone, what waits too. */
export const givenUp = (d: ImagingDestination): number => d.dead + (d.state === 'gone' ? d.waiting : 0)
export function commitmentWords(d: ImagingDestination): string {
  if (d.commitment === 'off') return 'not asked for'
  return d.commitment_waiting > 0 ? `waits for ${count(d.commitment_waiting)}` : 'given for all'
}

export const verdictName: Record<ImagingVerdict, string> = { pass: 'Pass', flag: 'Flag', sanitise: 'Sanitise', quarantine: 'Quarantine', refuse: 'Refuse' }
export const verdictMeans: Record<ImagingVerdict, string> = {
  pass: 'It goes on as it is.', flag: 'It goes on as it is, and a person is told.', sanitise: 'A changed copy goes on; the original is kept in quarantine.', quarantine: 'It is kept, and goes on only when two people release it.', refuse: 'It is not taken.',
}
export const verdictRank: Record<ImagingVerdict, number> = { pass: 0, flag: 1, sanitise: 2, quarantine: 3, refuse: 4 }
/** A verdict has the shape of a severity, and its own word. */
export const verdictLevel: Record<ImagingVerdict, Severity> = { pass: 'unknown', flag: 'low', sanitise: 'medium', quarantine: 'high', refuse: 'critical' }

export const stateName: Record<ImagingState, string> = { accepted: 'Accepted', quarantined: 'In quarantine', released: 'Released', destroyed: 'Destroyed', replaced: 'Replaced by a copy', refused: 'Refused' }
export const stateIcon: Record<ImagingState, IconName> = { accepted: 'check', quarantined: 'lock', released: 'unlock', destroyed: 'trash', replaced: 'edit', refused: 'close' }
export const stateTone: Record<ImagingState, Tone> = { accepted: 'ok', quarantined: 'high', released: 'ok', destroyed: 'quiet', replaced: 'medium', refused: 'critical' }

export const deliveryName: Record<ImagingDeliveryState, string> = { waiting: 'Waits', delivered: 'Delivered', committed: 'Committed', dead: 'Given up', dropped: 'Dropped' }
export const deliveryIcon: Record<ImagingDeliveryState, IconName> = { waiting: 'clock', delivered: 'check', committed: 'shield-check', dead: 'close', dropped: 'minus' }
export const deliveryTone: Record<ImagingDeliveryState, Tone> = { waiting: 'medium', delivered: 'ok', committed: 'ok', dead: 'critical', dropped: 'quiet' }

/** Where the deliveries of one instance stand, the worst first. */
export function deliverySum(list: readonly ImagingDelivery[] | undefined): { word: string; state: ImagingDeliveryState } | undefined {
  if (!list || list.length === 0) return undefined
  const order: ImagingDeliveryState[] = ['dead', 'waiting', 'dropped', 'delivered', 'committed']
  const state = order.find((s) => list.some((d) => d.state === s)) ?? 'waiting'
  const n = list.filter((d) => d.state === state).length
  return { state, word: list.length === 1 ? deliveryName[state] : `${deliveryName[state]}: ${count(n)} of ${count(list.length)}` }
}

export type ImagingCustody = NonNullable<ImagingInstance['custody']>
export const custodyName: Record<ImagingCustody, string> = { witnessed: 'Witnessed', published: 'Published', recorded: 'Recorded', none: 'Not recorded' }
export const custodyIcon: Record<ImagingCustody, IconName> = { witnessed: 'shield-check', published: 'lock', recorded: 'database', none: 'shield-slash' }
export const custodyMeans: Record<ImagingCustody, string> = {
  witnessed: 'All that is recorded about it is signed by witnesses: it cannot be changed or left out unnoticed.', published: 'All that is recorded about it is under a checkpoint of the log. Witnesses have not signed that, or none is required.', recorded: 'It is recorded; the newest entry waits for a checkpoint, which comes within seconds.', none: 'The ledger has nothing about it.',
}

export const whatIcon: Record<ImagingWhat, IconName> = { received: 'arrow-down', quarantined: 'lock', sanitised: 'edit', released: 'unlock', destroyed: 'trash', refused: 'close', forwarded: 'arrow-right', committed: 'shield-check', waiting: 'clock', failed: 'warning', dropped: 'minus' }
export const whatName: Record<ImagingWhat, string> = { received: 'Received', quarantined: 'Held', sanitised: 'Sanitised', released: 'Released', destroyed: 'Destroyed', refused: 'Refused', forwarded: 'Forwarded', committed: 'Committed', waiting: 'Waits', failed: 'Failed', dropped: 'Dropped' }

/** The names that people use for the SOP classes that theatres have; a UID that is not among them stays one. */
const classes: Record<string, string> = {
  '1.2.840.10008.5.1.4.1.1.1': 'Computed radiography', '1.2.840.10008.5.1.4.1.1.1.1': 'Digital X-ray', '1.2.840.10008.5.1.4.1.1.2': 'CT', '1.2.840.10008.5.1.4.1.1.2.1': 'Enhanced CT', '1.2.840.10008.5.1.4.1.1.3.1': 'Ultrasound, multi-frame', '1.2.840.10008.5.1.4.1.1.4': 'MR', '1.2.840.10008.5.1.4.1.1.4.1': 'Enhanced MR',
  '1.2.840.10008.5.1.4.1.1.6.1': 'Ultrasound', '1.2.840.10008.5.1.4.1.1.6.2': 'Enhanced US volume', '1.2.840.10008.5.1.4.1.1.7': 'Secondary capture', '1.2.840.10008.5.1.4.1.1.11.1': 'Presentation state', '1.2.840.10008.5.1.4.1.1.12.1': 'X-ray angiography', '1.2.840.10008.5.1.4.1.1.12.2': 'X-ray fluoroscopy',
  '1.2.840.10008.5.1.4.1.1.13.1.1': 'X-ray 3D angiography', '1.2.840.10008.5.1.4.1.1.66.1': 'Spatial registration', '1.2.840.10008.5.1.4.1.1.66.4': 'Segmentation', '1.2.840.10008.5.1.4.1.1.66.5': 'Surface segmentation', '1.2.840.10008.5.1.4.1.1.77.1.1.1': 'Video endoscopy', '1.2.840.10008.5.1.4.1.1.88.11': 'Basic text report',
  '1.2.840.10008.5.1.4.1.1.88.22': 'Enhanced report', '1.2.840.10008.5.1.4.1.1.88.33': 'Comprehensive report', '1.2.840.10008.5.1.4.1.1.104.1': 'Encapsulated PDF', '1.2.840.10008.5.1.4.1.1.104.2': 'Encapsulated CDA', '1.2.840.10008.5.1.4.1.1.104.3': 'Encapsulated STL', '1.2.840.10008.5.1.4.1.1.104.4': 'Encapsulated OBJ', '1.2.840.10008.5.1.4.1.1.104.5': 'Encapsulated MTL', '1.2.840.10008.5.1.4.1.1.481.3': 'RT structure set',
}
export const className = (uid: string): string => classes[uid] ?? uid
const syntaxes: Record<string, string> = {
  '1.2.840.10008.1.2': 'Implicit VR little endian', '1.2.840.10008.1.2.1': 'Explicit VR little endian', '1.2.840.10008.1.2.1.99': 'Deflated', '1.2.840.10008.1.2.2': 'Explicit VR big endian', '1.2.840.10008.1.2.4.50': 'JPEG baseline', '1.2.840.10008.1.2.4.51': 'JPEG extended', '1.2.840.10008.1.2.4.57': 'JPEG lossless', '1.2.840.10008.1.2.4.70': 'JPEG lossless, first order',
  '1.2.840.10008.1.2.4.80': 'JPEG-LS lossless', '1.2.840.10008.1.2.4.90': 'JPEG 2000 lossless', '1.2.840.10008.1.2.4.91': 'JPEG 2000', '1.2.840.10008.1.2.4.102': 'MPEG-4 High', '1.2.840.10008.1.2.4.107': 'HEVC main', '1.2.840.10008.1.2.4.201': 'High-throughput JPEG 2000 lossless', '1.2.840.10008.1.2.5': 'RLE lossless',
}
export const syntaxName = (uid: string): string => syntaxes[uid] ?? uid

/** An element's name as people read it: of a keyword of the dictionary, "SOPClassUID", its words. */
export const elementName = (name: string): string => (name.includes(' ') ? name : name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/([A-Z])([A-Z][a-z])/g, '$1 $2'))

/** "CT from CT-OR3": what an instance is to somebody who is no computer. */
export function titleOf(r: ImagingInstance): string {
  const kind = r.modality || className(r.sop_class)
  const from = r.device_name ?? (r.sender.device || r.sender.calling_ae || r.sender.address)
  return `${kind} from ${from}`
}

/** Why something is held, by its worst rule. */
export function whyHeld(r: Pick<ImagingInstance, 'hits' | 'more_hits'>): string {
  const worst = worstHit(r)
  if (!worst) return 'No rule is named.'
  const others = (r.hits?.length ?? 0) - 1 + (r.more_hits ?? 0)
  return `${statement(worst.why)}${others > 0 ? ` And ${plural(others, 'other rule', 'other rules')}.` : ''}`
}
export const worstHit = (r: Pick<ImagingInstance, 'hits'>) => [...(r.hits ?? [])].sort((a, b) => verdictRank[b.verdict] - verdictRank[a.verdict])[0]
