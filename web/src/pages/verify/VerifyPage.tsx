// SPDX-License-Identifier: Apache-2.0
// Verify: a file and its receipt are dropped, and the browser itself says
// whether they are right. It needs a trust file and no server.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useCallback, useEffect, useRef, useState } from 'react'
import { ApiError, told } from '@/api/client'
import type { Bytes } from '@/receipt/bytes'
import type { Trust } from '@/receipt/trust'
import { Page } from '@/shell/Page'
import { useURLValue } from '@/shell/urlstate'
import { Button, Checkbox, cx, Icon, Loading, Notice, Skeleton } from '@/ui'
import { plural } from '@/ui/units'
import { fileOf, receiptOf } from '../ledger/queries'
import { canHash } from './hash'
import { judge, readTrust, sortOut, type Dropped, type Judgement } from './judge'
import { Result } from './Result'
import { TrustCard, type Given } from './TrustCard'
import './verify.css'

const none: Dropped = { receipts: [], files: [], trusts: [] }

/** Of this server's ledger, or of a gateway's own. */
const trustOf = (gateway: string) => ({
  queryKey: ['ledger', 'trust', gateway],
  queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Bytes | null> => {
    try {
      return (await (gateway === '' ? fileOf('/ledger/trust', undefined, signal) : fileOf('/imaging/trust', { gateway }, signal))).bytes
    } catch (e) {
      if (e instanceof ApiError && e.status === 404) return null // no ledger runs here
      throw e
    }
  },
  staleTime: Infinity, // nothing is asked for while one verifies
  refetchOnWindowFocus: false,
  refetchOnReconnect: false,
})

export function VerifyPage() {
  const [entry, setEntry] = useURLValue('entry')
  const [gateway] = useURLValue('gateway')
  const server = useQuery(trustOf(gateway))
  const [own, setOwn] = useState<{ name: string; bytes: Bytes } | null>(null)
  const [given, setGiven] = useState<Given | undefined>()
  const [dropped, setDropped] = useState<Dropped>(none)
  const [accept, setAccept] = useState(false)
  const [judged, setJudged] = useState<Judgement[] | null>(null)
  const [busy, setBusy] = useState(false)
  const [over, setOver] = useState(false)
  const picker = useRef<HTMLInputElement>(null)
  const verdict = useRef<HTMLHeadingElement>(null)

  // A receipt of this server's own ledger or of a gateway's, by the address.
  const asked = useQuery({
    queryKey: ['ledger', 'receipt', gateway, entry], enabled: /^\d+$/.test(entry), staleTime: Infinity, refetchOnWindowFocus: false, refetchOnReconnect: false,
    queryFn: async ({ signal }) => {
      if (gateway !== '') return (await fileOf(`/imaging/entries/${entry}/receipt`, { gateway }, signal)).bytes
      try {
        return (await receiptOf(entry, 'witnessed', signal)).bytes
      } catch (e) {
        if (!(e instanceof ApiError) || e.status !== 409) throw e
        return (await receiptOf(entry, 'published', signal)).bytes // witnesses have not signed yet: the verdict says so
      }
    },
  })
  useEffect(() => {
    if (asked.data) setDropped((old) => ({ ...old, receipts: [{ name: `asepsis-${entry}.receipt.json`, bytes: asked.data }] }))
  }, [asked.data, entry])

  const source = own ?? (server.data ? { name: '', bytes: server.data } : null)
  useEffect(() => {
    let on = true
    if (!source) setGiven(undefined)
    else {
      void readTrust(source.bytes).then((r) => {
        if (on) setGiven({ name: source.name, ...r })
      })
    }
    return () => {
      on = false
    }
  }, [source?.bytes, source?.name])

  const trust: Trust | undefined = given && 'trust' in given ? given.trust : undefined
  const anything = dropped.receipts.length + dropped.files.length > 0
  const focus = useRef(false)
  useEffect(() => {
    if (!trust || !anything) {
      setJudged(null)
      return
    }
    let on = true
    setBusy(true)
    void judge(dropped, trust, accept).then((j) => {
      if (!on) return
      setJudged(j)
      setBusy(false)
    })
    return () => {
      on = false
    }
  }, [dropped, trust, accept, anything])
  useEffect(() => {
    if (!judged || !focus.current) return
    focus.current = false
    verdict.current?.focus()
  }, [judged])

  const take = useCallback(async (files: readonly File[]) => {
    if (files.length === 0) return
    setBusy(true)
    const got = await sortOut(files)
    setBusy(false)
    const t = got.trusts.at(-1)
    if (t) setOwn(t)
    if (got.receipts.length + got.files.length === 0) return
    focus.current = true
    // What comes one after the other belongs together: a receipt, then its file.
    setDropped((old) => ({ receipts: [...old.receipts, ...got.receipts], files: [...old.files, ...got.files], trusts: [] }))
  }, [])
  const clear = () => {
    setDropped(none)
    setJudged(null)
    setEntry('', { replace: true })
  }
  const refused = judged?.filter((j) => j.is === 'refused').length ?? 0
  const weak = judged?.filter((j) => j.is === 'unwitnessed').length ?? 0
  const unwitnessable = accept || judged?.some((j) => j.because?.code === 'not-witnessed')

  return (
    <Page
      title="Verify" sentence="Drop a file and its receipt. Your browser itself checks them, offline: nothing is sent anywhere."
      actions={<Link to="/ledger" className="btn btn-plain"><Icon name="ledger" /><span className="btn-t">Ledger</span></Link>}
    >
      <div
        className="vf"
        onDragOver={(e) => { if (e.dataTransfer.types.includes('Files')) { e.preventDefault(); setOver(true) } }}
        onDragLeave={(e) => { if (!e.currentTarget.contains(e.relatedTarget as Node | null)) setOver(false) }}
        onDrop={(e) => { e.preventDefault(); setOver(false); void take([...e.dataTransfer.files]) }}
      >
        {!canHash() && <Notice kind="stop">This browser computes no hashes on a page without https. Open the console by https, or use <code>asepsis verify</code>.</Notice>}
        <section className={cx('vf-drop', over && 'vf-over', anything && 'vf-drop-small')} aria-label="Files to verify">
          <Icon name="upload" size={24} />
          <p><strong>Drop files here</strong>, many at once if you like: artefacts, their receipts (.receipt.json), a trust file.</p>
          <Button kind={anything ? 'plain' : 'primary'} onClick={() => picker.current?.click()}>Choose files</Button>
          <input ref={picker} type="file" multiple className="sr-only" tabIndex={-1} aria-label="Files to verify; they are not sent" onChange={(e) => { const files = [...(e.target.files ?? [])]; e.target.value = ''; void take(files) }} />
        </section>
        {asked.isError && <Notice kind="attention">The receipt of entry {entry} did not come: {told(asked.error)}</Notice>}
        {anything && !trust && !server.isPending && <Notice kind="attention">Drop a trust file too: without one nobody can tell whose signatures count.</Notice>}
        <section className="vf-results" aria-label="What came of it" aria-busy={busy || undefined}>
          {busy && !judged && <Loading what="the result"><p className="quiet">Computing …</p><Skeleton lines={4} /></Loading>}
          {judged && (
            <>
              <header className="vf-sum">
                <h2 ref={verdict} tabIndex={-1} className={refused > 0 ? 'vf-red' : weak > 0 ? 'vf-amber' : 'vf-green'}>
                  <Icon name={refused > 0 ? 'shield-x' : weak > 0 ? 'warning' : 'shield-check'} size={26} />
                  {summary(judged.length, refused, weak)}
                </h2>
                <Button icon="close" kind="quiet" onClick={clear}>Start again</Button>
              </header>
              {own && <p className="vf-from">By the trust file <strong>{own.name}</strong> that you dropped: rely on it as far as you rely on whoever gave you that.</p>}
              <p className="sr-only" role="status">{busy ? '' : summary(judged.length, refused, weak)}</p>
              {unwitnessable && (
                <Checkbox label="Accept receipts that too few witnesses have signed" help="Then the ledger alone vouches for them, and nobody else would notice if it were rewritten." checked={accept} onChange={(e) => setAccept(e.target.checked)} />
              )}
              {judged.map((j) => <Result key={j.key} j={j} required={trust?.required ?? 0} of={trust?.witnesses.length ?? 0} alone={judged.length === 1} />)}
            </>
          )}
          {!anything && !busy && <Teach />}
        </section>
        <TrustCard given={given} pending={server.isPending} error={server.isError ? server.error : undefined} own={own !== null} server={server.data != null} onServer={() => setOwn(null)} retry={() => void server.refetch()} />
      </div>
    </Page>
  )
}

function summary(all: number, refused: number, weak: number): string {
  if (refused > 0) return all === 1 ? 'Not verified' : refused === all ? `None of ${all} is verified` : `${refused} of ${all} ${refused === 1 ? 'is' : 'are'} not verified`
  if (weak > 0) return all === 1 ? 'Right, but not witnessed' : `All ${all} are right, ${weak} not witnessed`
  return all === 1 ? 'Verified' : `All ${plural(all, 'receipt')} are verified`
}

function Teach() {
  return (
    <div className="vf-teach">
      <h2>What a receipt proves</h2>
      <ul>
        <li>That exactly this was said of exactly this file: one changed bit, and it is refused.</li>
        <li>That it stood in the ledger by a certain time, because witnesses at other operators signed that.</li>
        <li>That it can neither be changed nor taken out of the ledger without everybody noticing.</li>
      </ul>
      <p className="quiet">It does not prove that what was said is true, only who said it, when, and that nobody changed it since. The same check on the command line: <code>asepsis verify RECEIPT FILE</code></p>
    </div>
  )
}
