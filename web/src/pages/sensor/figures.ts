// SPDX-License-Identifier: Apache-2.0
// Each figure of a sensor in plain words: what it counts, and what to do when
// it is not what it should be.
import type { Sensor } from '@/api/types'
import { bytes, count, percent } from '@/ui/units'

export interface Figure {
  name: string
  value: string
  /** "attention": somebody can improve this. */
  level: 'plain' | 'attention'
  means: string
}

export function figures(s: Sensor): { group: string; list: Figure[] }[] {
  const f = (name: string, value: string, means: string, bad = false, act = ''): Figure => ({ name, value, means: bad && act ? act : means, level: bad ? 'attention' : 'plain' })
  const share = (n: number, of: number) => (of > 0 ? ` (${percent(n / of)})` : '')
  return [
    {
      group: 'Taken in',
      list: [
        f('Packets', count(s.packets), 'since the sensor started'),
        f('Bytes', bytes(s.bytes), 'of these packets, as they were on the wire'),
        f('Lost', count(s.dropped) + share(s.dropped, s.packets + s.dropped), 'no packet came faster than it could be read', s.dropped > 0, 'came faster than they could be read: mirror less to this interface, or give the sensor a core of its own'),
        f('Not decoded', count(s.undecoded) + share(s.undecoded, s.packets), 'packets with a damaged or unknown header', s.packets > 0 && s.undecoded / s.packets > 0.01, 'more than one in a hundred has a damaged or unknown header: the mirror may cut packets short'),
      ],
    },
    {
      group: 'Put together',
      list: [
        f('Connections', count(s.flows), 'followed since the start'),
        f('Open now', count(s.active_flows), 'being followed at this moment'),
        f('Gaps', `${count(s.gaps)} · ${bytes(s.gap_bytes)}`, 'no piece of a stream was missing', s.gaps > 0, 'pieces of streams never arrived; what was inside them is not in any event'),
        f('One direction only', count(s.one_sided), 'every connection was seen from both sides', s.one_sided > 0, 'the mirror carries only one side of these: mirror both directions'),
        f('Began before', count(s.mid_stream), 'connections that were open already when the sensor began to look'),
        f('Not recognised', `${count(s.unrecognised)} · ${bytes(s.unrecognised_bytes)}`, 'connections in a protocol that Asepsis does not speak'),
      ],
    },
    {
      group: 'Held back to stay within its memory',
      list: [
        f('Connections let go', count(s.flows_evicted), 'none had to be forgotten early', s.flows_evicted > 0, 'forgotten before they ended: give the sensor more memory, or mirror less'),
        f('Analyses let go', count(s.analyses_evicted), 'none was ended early', s.analyses_evicted > 0, 'the inside of these connections was no longer read; the connections themselves were still followed'),
        f('Over their budget', count(s.over_budget), 'no connection took more than its share', s.over_budget > 0, 'took more than one connection may, and were only counted from there on'),
        f('Parser failures', count(s.panics), 'none', s.panics > 0, 'a parser failed on these and lost that one connection: please report it with the log line'),
      ],
    },
    {
      group: 'Told',
      list: [
        f('Events', count(s.events), 'sent on to the store'),
        f('Events waiting', count(s.queued_events), 'to be taken by the bus'),
        f('Events lost', count(s.events_lost), 'none', s.events_lost > 0, 'could not be handed on while the bus was full or gone; the connections in them are not in the store'),
      ],
    },
  ]
}

export const stateWord: Record<Sensor['state'], string> = { watching: 'Watching', silent: 'Silent', lossy: 'Losing packets', gone: 'Gone', finished: 'Finished' }
export const stateLevel: Record<Sensor['state'], 'calm' | 'attention' | 'stop' | 'unknown'> = { watching: 'calm', silent: 'attention', lossy: 'attention', gone: 'stop', finished: 'unknown' }
