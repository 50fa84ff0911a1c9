// SPDX-License-Identifier: Apache-2.0
// What a statement says, in words made here from the statement alone.
import type { Json } from '@/receipt/canonical'
import type { Kind, Statement } from '@/receipt/statement'

const text = (v: Json | undefined): string => (typeof v === 'string' ? v : '')
const object = (v: Json | undefined): { [name: string]: Json } => (typeof v === 'object' && v !== null && !Array.isArray(v) ? v : {})

/** "An image was received from CT_1 by PACS over dicom." */
export function told(s: Statement): string {
  const d = object(s.predicate['detail'])
  const way = [text(d['from']) && `from ${text(d['from'])}`, text(d['to']) && `to ${text(d['to'])}`, text(d['protocol']) && `over ${text(d['protocol'])}`].filter(Boolean).join(' ')
  const names = s.subjects.map((x) => `“${x.name}”`)
  const what = names.length > 3 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(names.length === 2 ? ' and ' : ', ')
  const verb = s.subjects.length === 1 ? 'was' : 'were'
  const said: Record<Kind, string> = {
    'artefact-received': `${what} ${verb} received ${way}`,
    'artefact-altered': `Something was altered: ${text(d['operation']) || 'how is not said'}`,
    'artefact-forwarded': `${what} ${verb} forwarded ${way}`,
    'artefact-displayed': `${what} ${verb} displayed${text(d['display']) && ` on ${text(d['display'])}`}`,
    'operation-record': `${text(d['type']).replace(/-/g, ' ') || 'A device'} recorded: ${text(d['action']).replace(/-/g, ' ') || 'an operation'}`,
    'configuration-change': `${text(d['what']) || 'A setting'} was ${text(d['action']).replace(/-/g, ' ') || 'changed'}`,
    'certificate-event': `A certificate${text(d['spiffe']) && ` of ${text(d['spiffe'])}`}: ${text(d['action']).replace(/-/g, ' ') || 'changed'}`,
    decision: `${text(d['what']) || 'Something'} was ${text(d['outcome']) || 'decided'}`,
    override: `A person went past ${text(d['what']) || 'a guard'}`,
  }
  const out = said[s.kind].replace(/\s+/g, ' ').trim()
  return `${out.charAt(0).toUpperCase()}${out.slice(1)}.`
}

/** Who claims it. */
export function actorOf(s: Statement): string {
  const a = object(s.predicate['actor'])
  return [text(a['user']) && `the user ${text(a['user'])}`, text(a['device']) && `the device ${text(a['device'])}`, text(a['software'])].filter(Boolean).join(', ') || 'nobody named'
}
export const memberOf = (s: Statement, name: string): string => text(s.predicate[name])
export const detailOf = (s: Statement): Json | undefined => s.predicate['detail']
