// SPDX-License-Identifier: Apache-2.0
// "Try it": the gateway goes the whole way to a destination, step by step, and
// says where it ended. Nothing of a patient is sent.

import { useEffect, useState } from 'react'
import { statement } from '@/api/said'
import type { ImagingDestination, ImagingEcho } from '@/api/types'
import { Button, cx, Dialog, ErrorNote, Icon, Loading, Skeleton } from '@/ui'
import { count } from '@/ui/units'
import { echo } from './queries'

const steps: Record<string, { name: string; means: string }> = {
  connect: { name: 'Connect', means: 'The address answers on its port.' }, tls: { name: 'Encrypt', means: 'Both sides prove who they are by certificates.' }, associate: { name: 'Agree', means: 'It knows these AE titles, and speaks DICOM.' },
  echo: { name: 'Echo', means: 'It answers a C-ECHO.' }, request: { name: 'Ask', means: 'It answers a request.' },
}
const expected = (d: ImagingDestination): string[] => ['connect', ...(d.tls ? ['tls'] : []), ...(d.kind === 'dimse' ? ['associate', 'echo'] : ['request'])]

export function EchoDialog({ gateway, d, onClose }: { gateway: string; d: ImagingDestination; onClose: () => void }) {
  const [result, setResult] = useState<ImagingEcho | null>(null)
  const [error, setError] = useState<unknown>()
  const [round, setRound] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    setResult(null)
    setError(undefined)
    echo(gateway, d.name, stop.signal).then(setResult, (e: unknown) => {
      if (!stop.signal.aborted) setError(e)
    })
    return () => stop.abort()
  }, [gateway, d.name, round])
  const busy = result === null && error === undefined
  // Steps that it did not come to are said too.
  const shown = result && [...result.steps, ...expected(d).filter((n) => !result.steps.some((s) => s.name === n)).map((name) => ({ name, ok: undefined, milliseconds: 0, detail: undefined }))]
  return (
    <Dialog open onOpenChange={(o) => !o && onClose()} title={`The way to ${d.name}`} lead="The gateway tries it now. No image and nothing of a patient is sent." actions={<><Button icon="refresh" busy={busy} onClick={() => setRound((n) => n + 1)}>Try again</Button><Button kind="primary" onClick={onClose}>Close</Button></>}>
      <div className="im-form" aria-live="polite">
        {busy && <Loading what="the answer"><Skeleton lines={4} /></Loading>}
        {error !== undefined && <ErrorNote error={error} />}
        {result && shown && (
          <>
            <p className={cx('im-verdict-line', result.ok ? 'im-ok' : 'im-bad')}><Icon name={result.ok ? 'check' : 'warning'} size={18} /> {result.ok ? `It works: ${count(result.milliseconds)} ms.` : statement(result.what ?? 'It does not work')}</p>
            {result.hint && <p className="im-do"><Icon name="arrow-right" size={14} /> {statement(result.hint)}</p>}
            <ol className="im-steps">
              {shown.map((s) => (
                <li key={s.name} className={s.ok === undefined ? 'im-step-not' : s.ok ? undefined : 'im-step-bad'}>
                  <Icon name={s.ok === undefined ? 'minus' : s.ok ? 'check' : 'close'} size={15} label={s.ok === undefined ? 'Not reached' : s.ok ? 'Works' : 'Failed'} />
                  <div><strong>{steps[s.name]?.name ?? s.name}</strong> <span className="quiet">{steps[s.name]?.means}</span>{s.detail && <p className="im-detail">{s.detail}</p>}</div>
                  <span className="quiet num">{s.ok === undefined ? 'not reached' : `${count(s.milliseconds)} ms`}</span>
                </li>
              ))}
            </ol>
          </>
        )}
      </div>
    </Dialog>
  )
}
