// SPDX-License-Identifier: Apache-2.0
// What a new rule starts from, and which line a message is about.

export const template = `id: own.telnet-in-theatre
version: 1
title: "{src} opened a Telnet connection to {dst}"
analyst: >-
  Telnet carries names and passwords in clear text. Say here what it means when
  this happens, and what else could be the cause.
room: >-
  {dst} was reached over an unsafe connection. The case can go on. Tell medical IT.
severity:
  base: medium
confidence: 80
attack: [T0886]
playbook:
  - "Ask who works on {dst} now."
false_positives:
  - "A service engineer who announced it"
match:
  trigger:
    class: [network_activity]
    when: dst.port == 23
group:
  by: [src.ip, dst.ip]
  devices: [dst, src]
samples:
  - name: A connection to the Telnet port
    events:
      - {class: network_activity, protocol: telnet, activity: Open, src: "10.20.0.9:40000", dst: "10.20.0.5:23"}
    fires: {severity: medium}
  - name: A connection to another port
    events:
      - {class: network_activity, protocol: tls, activity: Open, src: "10.20.0.9:40000", dst: "10.20.0.5:443"}
    quiet: true
`

/** The line that a message names ("line 12: …", "rule.yaml:12:3: …"); 0 for none. */
export function lineOf(message: string): number {
  const m = /\bline (\d+)\b/.exec(message) ?? /(?:^|\s|\.ya?ml:)(\d+):\d+:/.exec(message) ?? /(?:^|\s|\.ya?ml:)(\d+):/.exec(message)
  return m ? Number(m[1]) : 0
}
