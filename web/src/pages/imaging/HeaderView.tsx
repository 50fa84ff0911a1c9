// SPDX-License-Identifier: Apache-2.0
// What a data set says before its pixels, as text, cut, and without what
// identifies a patient. Who may and says why can see that too: it is recorded,
// shown while this stands, and kept nowhere.

import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { ImagingHeader, ImagingHeaderElement, ImagingHeld, ImagingInstance } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, cx, Dialog, ErrorNote, ErrorState, Icon, Loading, Skeleton, TextArea } from '@/ui'
import { bytes, count, plural } from '@/ui/units'
import { clearHeader, header } from './queries'
import { elementName } from './words'

const FEW = 24
const SHOWN = 5 * 60_000 // ms that what identifies a patient stands on the screen

/** What a rule met, with what stands beside it; the rest when it is asked for. */
export function weigh(list: readonly ImagingHeaderElement[]): ImagingHeaderElement[] {
  if (list.length <= FEW) return [...list]
  const met = new Set(list.flatMap((e, i) => (e.rule ? [i] : [])))
  const room = Math.max(0, FEW - met.size)
  const others = new Set(list.map((_, i) => i).filter((i) => !met.has(i)).slice(0, room))
  return list.filter((_, i) => met.has(i) || others.has(i))
}

export function HeaderView({ gateway, r }: { gateway: string; r: ImagingInstance | ImagingHeld }) {
  const query = useQuery(header(gateway, r.number))
  const refused = useMay()('patient.read')
  const [all, setAll] = useState(false)
  const [asking, setAsking] = useState(false)
  const [clear, setClear] = useState<ImagingHeader | null>(null)
  useEffect(() => {
    if (!clear) return
    const timer = setTimeout(() => setClear(null), SHOWN)
    return () => clearTimeout(timer)
  }, [clear])
  const gone = r.state === 'destroyed' || r.state === 'refused'
  const h = clear ?? query.data
  const list = h ? (all ? h.elements : weigh(h.elements)) : []
  const hidden = query.data?.elements.filter((e) => e.hidden).length ?? 0
  return (
    <section className="lg-section" aria-labelledby="im-header">
      <header>
        <h3 id="im-header">Its header</h3>
        {!gone && h && (clear ? <Button small onClick={() => setClear(null)}>Hide it again</Button> : hidden > 0 && <Button small icon="user" reason={refused} onClick={() => setAsking(true)}>Show what is hidden…</Button>)}
      </header>
      {gone ? (
        <p className="quiet">{r.state === 'destroyed' ? 'Its bytes are destroyed.' : 'It was never taken.'} Only what is recorded of it is left.</p>
      ) : query.isPending ? (
        <Loading what="the header"><Skeleton lines={8} /></Loading>
      ) : !h ? (
        <ErrorState error={query.error} lost="The header cannot be shown." kept="The image is kept." retry={() => void query.refetch()} />
      ) : (
        <>
          {clear ? <p className="im-clear"><Icon name="warning" size={14} /> This identifies a patient. That you read it is recorded. It is hidden again in five minutes.</p> : hidden > 0 && <p className="quiet">{plural(hidden, 'value that identifies', 'values that identify')} a patient {hidden === 1 ? 'is' : 'are'} hidden.</p>}
          <div className="scroll-x im-header" tabIndex={0} role="region" aria-label="Elements of the header">
            <table className="table im-elements">
              <thead><tr><th scope="col">Element</th><th scope="col">VR</th><th scope="col">Name</th><th scope="col">Value</th></tr></thead>
              <tbody>{list.map((e) => <Row key={e.path} e={e} />)}</tbody>
            </table>
          </div>
          {list.length < h.elements.length ? <Button small onClick={() => setAll(true)}>Show all {count(h.elements.length)}</Button> : h.cut && <p className="quiet">It has more elements than are shown here.</p>}
        </>
      )}
      {asking && <ClearDialog gateway={gateway} number={r.number} onShow={setClear} onClose={() => setAsking(false)} />}
    </section>
  )
}

function Row({ e }: { e: ImagingHeaderElement }) {
  const depth = (e.path.match(/\./g) ?? []).length
  return (
    <tr className={cx(e.rule && 'im-el-met')}>
      <th scope="row" className="mono">{depth > 0 && <span className="quiet">{'› '.repeat(Math.min(depth, 6))}</span>}{e.path.slice(e.path.lastIndexOf('.') + 1)}<span className="sr-only">{depth > 0 ? ` in ${e.path}` : ''}</span></th>
      <td className="mono">{e.vr}</td>
      <td>{e.name ? elementName(e.name) : <span className="quiet">private</span>}{e.rule && <p className="im-el-rule"><Icon name="flag" size={12} /> {e.rule}</p>}</td>
      <td className="im-el-value">{e.hidden ? <span className="im-hidden"><Icon name="lock" size={12} /> hidden, {bytes(e.length)}</span> : e.value === undefined || e.value === '' ? <span className="quiet">{e.length === 0 ? 'empty' : bytes(e.length)}</span> : <span className="mono">{e.value}{e.more && <span className="quiet"> … {bytes(e.length)}</span>}</span>}</td>
    </tr>
  )
}

function ClearDialog({ gateway, number, onShow, onClose }: { gateway: string; number: number; onShow: (h: ImagingHeader) => void; onClose: () => void }) {
  const [reason, setReason] = useState('')
  const ask = useMutation({
    mutationFn: () => clearHeader(gateway, number, reason.trim()),
    gcTime: 0, // what identifies a patient is not kept when it is not shown
    onSuccess: (h) => {
      onShow(h)
      onClose()
    },
  })
  const why = reason.trim() === '' ? 'Say why.' : undefined
  return (
    <Dialog
      open onOpenChange={(o) => !o && onClose()} title="Show what identifies the patient?" lead="That you looked, and why, is recorded in the ledger and the audit trail, with your name."
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" type="submit" form="clear" busy={ask.isPending} reason={why}>Show it</Button></>}
    >
      <form id="clear" className="im-form" noValidate onSubmit={(e) => { e.preventDefault(); if (why === undefined) ask.mutate() }}>
        <TextArea label="Reason" value={reason} maxLength={500} onChange={(e) => setReason(e.target.value)} help="Why it has to be known. Nothing of a patient in the reason itself." />
        {ask.isError && <ErrorNote error={ask.error} />}
      </form>
    </Dialog>
  )
}
