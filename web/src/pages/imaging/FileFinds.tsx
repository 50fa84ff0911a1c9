// SPDX-License-Identifier: Apache-2.0
// What became of files that somebody holds in hand: which image each is, or that
// the gateway has never seen it.

import { Link } from '@tanstack/react-router'
import { Icon, IconButton, time } from '@/ui'
import { useZone } from '@/ui/time'
import { plural } from '@/ui/units'
import { StateChip } from './Chip'
import { asWhat, MOST, type Found, type Looked } from './lookup'
import { useWhere } from './where'
import { titleOf } from './words'

export interface Looking { of: number; done: Looked[]; busy: boolean }

/** The view of an image that was found by its content. */
export const imageOf = (digest: string, number: number) => ({ tab: 'instances', by: 'instance', sha256: digest, open: String(number) })

export function FileFinds({ l, onClose }: { l: Looking; onClose: () => void }) {
  useZone()
  const known = l.done.filter((d) => 'images' in d && d.images.length > 0).length
  const all = Math.min(l.of, MOST)
  return (
    <section className="im-finds" aria-label="Files that were looked for">
      <header>
        <div>
          <p role="status">{l.busy ? `Hashing ${l.done.length + 1} of ${all} …` : all === 1 ? '' : `${known} of ${plural(all, 'file')} ${known === 1 ? 'is an image' : 'are images'} of this gateway.`}</p>
          <p className="quiet"><Icon name="lock" size={13} /> Hashed in this browser. Nothing was sent but the SHA-256.{l.of > MOST && ` Only the first ${MOST} were looked for.`}</p>
        </div>
        <IconButton small icon="close" label="Close what was found" onClick={onClose} />
      </header>
      <ul>{l.done.map((d, i) => <li key={i}>{'images' in d ? <One f={d} /> : <><Icon name="warning" size={15} /><div><strong className="im-file">{d.file}</strong> <span className="im-bad">{d.why}</span>{d.hint && <p className="im-note">{d.hint}</p>}</div></>}</li>)}</ul>
    </section>
  )
}

function One({ f }: { f: Found }) {
  const g = useWhere()
  const [first, ...more] = f.images
  if (!first) {
    return (
      <>
        <Icon name={f.recorded ? 'database' : 'shield-slash'} size={15} />
        <div>
          <strong className="im-file">{f.file}</strong>{' '}
          {f.recorded ? <>is not kept here any more; what is recorded of it is. <Link to="/imaging" search={{ tab: 'instances', digest: f.digest, ...g }}>What is recorded</Link></> : <span className="im-high">did not pass this gateway as it is: a single changed bit makes it another one.</span>}
          {!f.recorded && f.bare && <p className="im-note">It has no header of a DICOM file, so that all of it was taken for a data set.</p>}
        </div>
      </>
    )
  }
  return (
    <>
      <Icon name="shield-check" size={15} />
      <div>
        <strong className="im-file">{f.file}</strong> is, bit by bit, <Link to="/imaging" search={{ ...imageOf(f.digest, first.number), ...g }}>{titleOf(first)}, {time.short(first.received)}</Link> {asWhat(first, f.digest)}. <StateChip state={first.state} />
        {more.length > 0 && <p className="im-note">The same content came {plural(f.images.length, 'time')}: {more.map((r, i) => <span key={r.number}>{i > 0 && ', '}<Link to="/imaging" search={{ ...imageOf(f.digest, r.number), ...g }}>{time.short(r.received)}</Link></span>)}.</p>}
      </div>
    </>
  )
}
