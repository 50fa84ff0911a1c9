// SPDX-License-Identifier: Apache-2.0
// Imaging: what passes the DICOM gateway, what it holds back, where it goes and
// what is proved of it. One gateway at a time; where there are several one
// switches. Everything on the page follows from the address.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useRef, type ComponentType } from 'react'
import { ApiError } from '@/api/client'
import type { ImagingGateway } from '@/api/types'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useURLState } from '@/shell/urlstate'
import { Button, cx, Empty, ErrorState, Loading, Notice, Select, Skeleton, Time, time } from '@/ui'
import '@/ui/tabs.css'
import { compact, plural } from '@/ui/units'
import './imaging.css'
import { Overview } from './Overview'
import { needsOf } from './needs'
import { destinations, gateways, overview } from './queries'
import { truth } from './words'

const tabs = ['overview', 'associations', 'destinations', 'quarantine', 'instances', 'policy', 'bindings'] as const
export type Tab = (typeof tabs)[number]
const tabName: Record<Tab, string> = { overview: 'Overview', associations: 'Associations', destinations: 'Destinations', quarantine: 'Quarantine', instances: 'Studies', policy: 'Policy', bindings: 'Bindings' }

const part = <P extends { gateway: string }>(load: () => Promise<ComponentType<P>>) => lazy(() => load().then((c) => ({ default: c })))
const parts: Record<Exclude<Tab, 'overview'>, ReturnType<typeof part<{ gateway: string }>>> = {
  associations: part(() => import('./Associations').then((m) => m.Associations)),
  destinations: part(() => import('./Destinations').then((m) => m.Destinations)),
  quarantine: part(() => import('./Quarantine').then((m) => m.Quarantine)),
  instances: part(() => import('./Studies').then((m) => m.Studies)),
  policy: part(() => import('./Policy').then((m) => m.Policy)),
  bindings: part(() => import('./Bindings').then((m) => m.Bindings)),
}
/** Those that fill the room and scroll inside. */
const full: readonly Tab[] = ['associations', 'quarantine', 'instances']

export function ImagingPage() {
  const list = useQuery(gateways)
  const all = list.data?.gateways
  if (!all || all.length === 0) {
    const none = all !== undefined || (list.error instanceof ApiError && list.error.status === 404)
    return (
      <Page title="Imaging" sentence={list.isPending ? <Skeleton width={46} /> : undefined}>
        {list.isPending ? (
          <Loading what="the gateway"><Skeleton lines={16} /></Loading>
        ) : none ? (
          <Empty icon="gateway" title="No DICOM gateway runs here.">
            <p>A gateway stands between scanners and whatever shows their images. It lets nothing through that it does not know, looks into every image, records it before it says that it has it, and proves afterwards that nobody changed it.</p>
            <p><code>asepsis up</code> runs one once <code>gateway.listeners</code> are in its configuration; alone, for a server of its own:</p>
            <pre className="code">asepsis gateway --config gateway.yaml --bus nats://bus:4222</pre>
            <p>It shows here by itself.</p>
          </Empty>
        ) : (
          <ErrorState error={list.error} lost="The gateway cannot be shown." kept="Images go on as before: the gateway does not depend on this page." retry={() => void list.refetch()} />
        )}
      </Page>
    )
  }
  return <Inside all={all} />
}

function Inside({ all }: { all: readonly ImagingGateway[] }) {
  const [params, setParams] = useURLState()
  const tab = tabs.find((t) => t === params.get('tab')) ?? 'overview'
  const asked = params.get('gateway') ?? ''
  // None is named: the first that is heard. One that is named and gone is said to be gone.
  const gateway = asked !== '' ? asked : ((all.find((g) => g.state === 'live') ?? all[0])?.name ?? '')
  const here = all.find((g) => g.name === gateway)
  const look = useQuery({ ...overview(gateway), enabled: here !== undefined })
  const o = look.data
  const go = (t: Tab) => setParams((p) => { for (const key of [...p.keys()]) if (key !== 'gateway') p.delete(key); if (t !== 'overview') p.set('tab', t) })
  useKeys('Imaging', tabs.map((t, i) => ({ keys: String(i + 1), does: tabName[t], run: () => go(t) })))
  // What is shown asks more often; for the sign at the tab this is often enough.
  const where = useQuery({ ...destinations(gateway), enabled: here !== undefined, refetchInterval: 15_000 }).data
  const needs = where && needsOf(where.destinations)
  const signs: Partial<Record<Tab, { text: string; tone: string; why: readonly string[] }>> = {
    quarantine: o && o.held > 0 ? { text: compact(o.held), tone: 'high', why: [`${plural(o.held, 'image is', 'images are')} held.`] } : undefined,
    destinations: needs && { text: needs.words, tone: needs.tone, why: needs.why },
  }
  // On a narrow screen the tabs scroll: the one that is shown is in sight.
  const bar = useRef<HTMLElement>(null)
  useEffect(() => {
    const on = bar.current?.querySelector<HTMLElement>('[data-state="active"]')
    if (bar.current && on) bar.current.scrollLeft = on.offsetLeft - bar.current.offsetLeft - (bar.current.clientWidth - on.offsetWidth) / 2
  }, [tab])
  const Part = tab === 'overview' ? null : parts[tab]
  return (
    <Page
      title="Imaging" full={full.includes(tab)} sentence={o ? truth(o) : look.isPending && here ? <Skeleton width={46} /> : '\u00a0'}
      actions={all.length > 1 || !here ? (
        <Select
          label="Gateway" hideLabel value={gateway} onChange={(e) => setParams((p) => { for (const key of [...p.keys()]) if (key !== 'tab') p.delete(key); p.set('gateway', e.target.value) })}
          options={[...(here ? [] : [{ value: gateway, label: gateway }]), ...all.map((g) => ({ value: g.name, label: g.state === 'silent' ? `${g.name} (silent)` : g.name }))]}
        />
      ) : here && <span className="im-which quiet">{here.name}, since <Time at={here.since} as="short" /></span>}
    >
      <div className={cx('im', full.includes(tab) && 'im-full')}>
        <nav ref={bar} className="tabs-list im-tabs" aria-label="Parts of Imaging">
          {tabs.map((t) => {
            const s = signs[t]
            return (
              <Link key={t} to="/imaging" search={{ ...(t === 'overview' ? {} : { tab: t }), ...(asked === '' ? {} : { gateway: asked }) }} className="tabs-tab" activeOptions={{ exact: true }} aria-current={t === tab ? 'page' : undefined} data-state={t === tab ? 'active' : undefined}>
                {tabName[t]}{s && <><span className={cx('tabs-count', `im-count-${s.tone}`)} title={s.why.join('\n')}>{s.text}</span><span className="sr-only">: {s.why.join(' ')}</span></>}
              </Link>
            )
          })}
        </nav>
        {!here ? (
          <Empty icon="gateway" title={`No gateway is called ${gateway}.`} action={<Button onClick={() => setParams((p) => p.delete('gateway'))}>Show {all[0]?.name}</Button>}><p>It was renamed, or it was never here. What it recorded is in the ledger.</p></Empty>
        ) : (
          <>
            {here.state === 'silent' && <Notice kind="stop">{here.name} has not been heard since {time.absolute(here.heard)}. Whether images pass is not known here. See that it runs, and that it reaches the message bus.</Notice>}
            {look.isError && o && <Notice kind="attention" action={<Button small onClick={() => void look.refetch()}>Try again</Button>}>What is shown is from {time.clock(look.dataUpdatedAt)} or before: the gateway did not answer since. Images do not depend on this page.</Notice>}
            {Part ? (
              <Suspense fallback={<Loading what={tabName[tab].toLowerCase()}><Skeleton lines={12} /></Loading>}><Part key={gateway} gateway={gateway} /></Suspense>
            ) : o ? (
              <Overview o={o} gateway={gateway} />
            ) : look.isPending ? (
              <Loading what="the gateway"><Skeleton lines={16} /></Loading>
            ) : (
              <ErrorState error={look.error} lost={`${here.name} cannot be shown.`} kept="Images go on as before: the gateway does not depend on this page." retry={() => void look.refetch()} />
            )}
          </>
        )}
      </div>
    </Page>
  )
}
