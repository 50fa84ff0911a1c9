// SPDX-License-Identifier: Apache-2.0
// Read from across the room: one tile per theatre, always at the same place,
// each with its case and three lights.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useLayoutEffect, useRef, useState } from 'react'
import { board } from '@/api/queries'
import type { Board as Data, Light as LightValue, Tile } from '@/api/types'
import { useMay } from '@/shell/access'
import { useKeys } from '@/shell/keys'
import { Page } from '@/shell/Page'
import { useSites } from '@/shell/site'
import { useURLValue } from '@/shell/urlstate'
// Part by part: this page comes with the console itself, and would bring all of '@/ui'.
import { Button } from '@/ui/Button'
import { cx } from '@/ui/cx'
import { levelName, LightShape } from '@/ui/Light'
import { Empty, ErrorState, Loading, Notice, Skeleton } from '@/ui/States'
import { Time } from '@/ui/Time'
import * as units from '@/ui/units'
import './board.css'
import { CaseSign } from './CaseSign'
import { boardSentence, stateName, wallColumns, worst } from './words'

const old = 30_000 // ms

export function Board() {
  const { data, error, isError, refetch, dataUpdatedAt } = useQuery(board)
  const [wall, setWall] = useURLValue('wall')
  const navigate = useNavigate()
  useKeys('Theatres', [
    { keys: 'w', does: 'Wall mode', run: () => setWall(wall === '1' ? '' : '1') },
    ...(data?.theatres.slice(0, 9).map((t, i) => ({ keys: String(i + 1), does: `Open ${t.name}`, run: () => void navigate({ to: '/theatres/$id', params: { id: t.id } }) })) ?? []),
  ])
  if (wall === '1' && data) return <Wall data={data} />
  return (
    <Page
      title="Theatres"
      sentence={data ? (data.theatres.length > 0 ? boardSentence(data) : undefined) : <Skeleton width={42} />}
      actions={
        data &&
        data.theatres.length > 0 && (
          <Button icon="expand" className="wall-button" onClick={() => setWall('1')}>
            Wall mode
          </Button>
        )
      }
    >
      {data ? (
        <>
          {isError && Date.now() - dataUpdatedAt > old && <Notice kind="attention">The board is not up to date: the server does not answer.</Notice>}
          {data.theatres.length === 0 ? <NoTheatres /> : <Tiles tiles={data.theatres} />}
          {data.unassigned_devices > 0 && data.theatres.length > 0 && (
            <p className="quiet">
              {units.plural(data.unassigned_devices, 'device belongs', 'devices belong')} to no theatre: <Link to="/devices">see the devices</Link>.
            </p>
          )}
        </>
      ) : isError ? (
        <ErrorState error={error} lost="The state of the theatres is not known." kept="The sensor goes on recording." retry={() => void refetch()} />
      ) : (
        <Loading what="the theatres">
          <div className="tiles">
            {Array.from({ length: 6 }, (_, i) => (
              <div key={i} className="tile tile-wait">
                <Skeleton width={8} height={28} />
                <Skeleton lines={6} />
              </div>
            ))}
          </div>
        </Loading>
      )}
    </Page>
  )
}

function NoTheatres() {
  const may = useMay()
  const why = may('theatre.edit')
  return (
    <Empty
      icon="theatres"
      title="No theatre is set up yet."
      action={
        why ? undefined : (
          <Link to="/settings/$section" params={{ section: 'theatres' }} className="btn btn-primary">
            Set up the first theatre
          </Link>
        )
      }
    >
      <p>
        Each operating room gets a tile here: whether a case is running, and whether its devices, images and network are well. A theatre is a name and the VLANs or address ranges of its network.
        {why && ' Somebody with the role Security engineer can add one in Settings.'}
      </p>
    </Empty>
  )
}

function Tiles({ tiles }: { tiles: Tile[] }) {
  return (
    <ul className="tiles">
      {tiles.map((t) => (
        <li key={t.id}>
          <TileView tile={t} />
        </li>
      ))}
    </ul>
  )
}

export function TileView({ tile: t, big }: { tile: Tile; big?: boolean }) {
  const level = worst(t)
  const site = useSites().title(t.site)
  return (
    <article className={cx('tile', `tile-${level}`, big && 'tile-big')}>
      <header className="tile-head">
        <h2 className="tile-name">
          <Link to="/theatres/$id" params={{ id: t.id }} className="tile-link">
            {t.name}
          </Link>
          {site !== '' && <span className="tile-site"> {site}</span>}
        </h2>
        <p className={`tile-case tile-case-${t.state}`}>
          <CaseSign state={t.state} />
          {stateName[t.state]} <span className="tile-since">for <Time at={t.since} as="since" plain /></span>
        </p>
      </header>
      <dl className="tile-lights">
        <LightRow name="Devices" light={t.lights.devices} />
        <LightRow name="Images" light={t.lights.images} />
        <LightRow name="Network" light={t.lights.network} />
      </dl>
      {!big && (
        <p className="tile-foot">
          {units.plural(t.devices, 'device')}
          {t.findings > 0 && ` · ${units.plural(t.findings, 'finding')}`}
        </p>
      )}
    </article>
  )
}

function LightRow({ name, light }: { name: string; light: LightValue }) {
  return (
    <div className={`tl tl-${light.level}`}>
      <LightShape level={light.level} size={22} />
      <dt className="tl-name">{name}</dt>
      <dd className="tl-says">
        <span className={cx('tl-word', `light-${light.level}`, light.level === 'calm' && 'sr-only')}>{levelName[light.level]} · </span>
        <span className="tl-sentence">{light.sentence}</span>
      </dd>
    </div>
  )
}

/** Without chrome, for a screen on a wall: every room fits, as large as it can be. */
function Wall({ data }: { data: Data }) {
  const box = useRef<HTMLDivElement>(null)
  const [cols, setCols] = useState(3)
  const n = data.theatres.length
  useLayoutEffect(() => {
    const el = box.current
    if (!el) return
    const fit = () => setCols(wallColumns(Math.max(1, n), el.clientWidth, el.clientHeight))
    fit()
    const watch = new ResizeObserver(fit)
    watch.observe(el)
    return () => watch.disconnect()
  }, [n])
  return (
    <div className="wall" ref={box} style={{ gridTemplateColumns: `repeat(${cols}, minmax(0, 1fr))`, gridTemplateRows: `repeat(${Math.ceil(n / cols)}, minmax(0, 1fr))` }}>
      <h1 className="sr-only">Theatres</h1>
      {data.theatres.map((t) => (
        <TileView key={t.id} tile={t} big />
      ))}
    </div>
  )
}
