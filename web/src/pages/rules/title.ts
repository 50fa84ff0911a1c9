// SPDX-License-Identifier: Apache-2.0
// A rule's title speaks of one finding: "{src} was refused by {dst} {count}
// times in {window}". As a heading over several, or in the list of rules, it says
// the same of any: "A device was refused by another many times in a short time".

/** The title of a rule as a sentence about no finding in particular. */
export function plainTitle(title: string): string {
  const devices: string[] = []
  const words = title
    .replace(/ \([^()]*\{[^()]*\)/g, '') // in brackets are figures
    .replace(/[:;] [^:;]*\{(?:count|rate|usual)\}[^:;]*$/, '') // and after the sentence what they are usually
    .replace(/: \{\w+\}(?:, not \{\w+\})?$/, '')
    .replace(/\b(time server|directory) \{\w+\}/g, '$1') // which one stands in its findings
    .replace(/\b(?:the sensor \{sensor\}|the address \{address\}|all \{what\}|another \{what\})/gi, (said) => fixed[said.toLowerCase()] ?? said)
    .replace(/\b(port|itself) \{(\w+)\}/g, (_, before: string, name: string) => (before === 'port' ? 'a port' : `itself by {${name}}`))
    .replace(/\{(\w+)\}/g, (_, name: string) => {
      if (!isDevice.has(name)) return filled[name] ?? `a certain ${name.replace(/_/g, ' ')}`
      if (!devices.includes(name)) devices.push(name)
      return ['a device', 'another', 'a third'][devices.indexOf(name)] ?? 'a further one'
    })
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** What is filled in with a device, or with an address where no device is known. */
const isDevice: ReadonlySet<string> = new Set(['src', 'dst', 'device', 'peer', 'other', 'target', 'server', 'known', 'hub'])

const fixed: Record<string, string> = { 'the sensor {sensor}': 'a sensor', 'the address {address}': 'one address', 'all {what}': 'everything', 'another {what}': 'another place' }

const filled: Record<string, string> = {
  address: 'an address', application: 'an application', bytes: 'much data', called: 'a name', calling: 'a name', cipher: 'a weak cipher', command: 'a command', content: 'something else', count: 'many',
  destination: 'a destination', domain: 'a domain', duration: 'a long time', from: 'one zone', indicator: 'a listed name or address', key: 'a network', kind: 'data', mac: 'an address', message: 'a message',
  name: 'a service', offset: 'some time', pattern: 'a pattern', pause: 'so often', protocol: 'a protocol', rate: 'many', results: 'many results', role: 'takes a role', sensor: 'a sensor', share: 'a share', silence: 'a while', since: 'some time',
  standard: 'a standard', tells: 'settings', theatre: 'a theatre', tls_version: 'an old version of TLS', to: 'another zone', tool: 'a known tool', unknown: 'what was asked for', usual: 'so often', what: 'something', window: 'a short time',
}
