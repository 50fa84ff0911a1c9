// SPDX-License-Identifier: Apache-2.0
// How much of the theatre network is really seen. One sentence first, then
// what is not seen and why, then the figures.
import { useQuery } from '@tanstack/react-query'
import { sensors, theatres } from '@/api/queries'
import { statement } from '@/api/said'
import type { Sensor } from '@/api/types'
import { Page } from '@/shell/Page'
import { useURLValue } from '@/shell/urlstate'
import { cx, Empty, ErrorState, Icon, levelName, LightShape, Loading, Segmented, Skeleton, Time, units } from '@/ui'
import { figures, stateLevel, stateWord } from './figures'
import { Plots } from './Plots'
import './sensor.css'

export function SensorPage() {
  const { data, error, isError, refetch } = useQuery(sensors)
  const [name, setName] = useURLValue('sensor')
  if (!data) {
    return (
      <Page title="Sensor" sentence={isError ? undefined : <Skeleton width={48} />}>
        {isError ? (
          <ErrorState error={error} lost="It is not known what the sensors see." kept="A sensor that runs goes on recording." retry={() => void refetch()} />
        ) : (
          <Loading what="the sensors">
            <Skeleton lines={14} />
          </Loading>
        )}
      </Page>
    )
  }
  if (data.sensors.length === 0) {
    return (
      <Page title="Sensor" sentence={data.sentence}>
        <Empty icon="sensor" title="No sensor has reported yet.">
          <p>A sensor listens on a mirror port of the theatre network and never sends anything. Start one beside this console:</p>
          <pre className="code">asepsis up --iface eth1</pre>
          <p>or on another machine, against the same bus: asepsis sensor --bus …</p>
        </Empty>
      </Page>
    )
  }
  const chosen = data.sensors.find((s) => s.name === name) ?? data.sensors[0]
  return (
    <Page title="Sensor" sentence={data.sentence}>
      <BlindSpots sensors={data.sensors} />
      {data.sensors.length > 1 && <List sensors={data.sensors} chosen={chosen?.name ?? ''} onChoose={(n) => setName(n, { replace: true })} />}
      {chosen && <One key={chosen.name} sensor={chosen} heading={data.sensors.length === 1} />}
    </Page>
  )
}

function BlindSpots({ sensors }: { sensors: Sensor[] }) {
  const all = sensors.flatMap((s) => s.blind_spots.map((b) => ({ ...b, sensor: s.name })))
  if (all.length === 0) return null
  return (
    <section aria-labelledby="blind">
      <h2 id="blind">What is not seen</h2>
      <ul className="blind">
        {all.map((b, i) => (
          <li key={i}>
            <Icon name="info" />
            <div>
              <p className="blind-what">
                {statement(b.what).replace(/\.$/, '')}
                {sensors.length > 1 && <span className="quiet"> · {b.sensor}</span>}
              </p>
              <p>{statement(b.why)}</p>
              {b.hint && (
                <p className="blind-hint">
                  <Icon name="arrow-right" size={14} /> {statement(b.hint)}
                </p>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  )
}

function State({ sensor: s }: { sensor: Sensor }) {
  return (
    <span className={cx('sensor-state', `light-${stateLevel[s.state]}`)} title={levelName[stateLevel[s.state]]}>
      <LightShape level={s.state === 'finished' ? 'calm' : stateLevel[s.state]} size={14} />
      {stateWord[s.state]}
    </span>
  )
}

function List({ sensors, chosen, onChoose }: { sensors: Sensor[]; chosen: string; onChoose: (name: string) => void }) {
  return (
    <div className="scroll-x">
      <table className="table" aria-label="Sensors">
        <thead>
          <tr>
            <th scope="col">Sensor</th>
            <th scope="col">State</th>
            <th scope="col" className="num">Packets per second</th>
            <th scope="col" className="num">Traffic</th>
            <th scope="col" className="num">Lost, last hour</th>
            <th scope="col">Reported</th>
          </tr>
        </thead>
        <tbody>
          {sensors.map((s) => (
            <tr key={s.name} className={s.name === chosen ? 'row-chosen' : undefined}>
              <th scope="row">
                <button type="button" className="linklike" aria-pressed={s.name === chosen} onClick={() => onChoose(s.name)}>
                  {s.name}
                </button>
              </th>
              <td>
                <State sensor={s} />
              </td>
              <td className="num">{units.count(s.packets_per_second)}</td>
              <td className="num">{units.bits(s.bits_per_second)}</td>
              <td className="num">{units.percent(s.loss)}</td>
              <td>
                <Time at={s.reported} plain />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const ranges = [
  { value: '-1h', label: '1 h' },
  { value: '-6h', label: '6 h' },
  { value: '-24h', label: '24 h' },
]

function One({ sensor: s, heading }: { sensor: Sensor; heading: boolean }) {
  const [from, setFrom] = useURLValue('from', '-1h')
  const rooms = useQuery(theatres).data ?? []
  const most = Math.max(1, ...s.protocols.map((p) => p.count))
  return (
    <>
      <section aria-labelledby="sensor-name">
        <div className="sensor-head">
          <div>
            <h2 id="sensor-name">
              {s.name} {s.source !== s.name && <span className="quiet">{s.source}</span>} {heading && <State sensor={s} />}
            </h2>
            <p className="sensor-says">
              {s.sentence} <span className="quiet">Started <Time at={s.started} />, reported <Time at={s.reported} />.</span>
            </p>
          </div>
          <Segmented small label="Time shown" value={ranges.some((r) => r.value === from) ? from : '-1h'} onChange={setFrom} options={ranges} />
        </div>
        <Plots name={s.name} from={from} />
      </section>
      <div className="sensor-cols">
        <section aria-labelledby="sensor-figures">
          <h2 id="sensor-figures">Figures</h2>
          {figures(s).map((g) => (
            <div key={g.group} className="figs">
              <h3>{g.group}</h3>
              <dl>
                {g.list.map((f) => (
                  <div key={f.name} className={`fig fig-${f.level}`}>
                    <dt>{f.name}</dt>
                    <dd className="fig-value">{f.value}</dd>
                    <dd className="fig-means">
                      {f.level === 'attention' && <Icon name="warning" size={13} label="Needs a look" />} {f.means}
                    </dd>
                  </div>
                ))}
              </dl>
            </div>
          ))}
        </section>
        <div>
          <section aria-labelledby="sensor-vlans">
            <h2 id="sensor-vlans">VLANs</h2>
            {s.vlans.length === 0 ? (
              <p className="quiet">No packet carried a VLAN tag. If the theatres are on VLANs, the mirror port takes the tags off.</p>
            ) : (
              <table className="table" aria-label="VLANs">
                <thead>
                  <tr>
                    <th scope="col" className="num">VLAN</th>
                    <th scope="col">Theatre</th>
                    <th scope="col" className="num">Packets</th>
                  </tr>
                </thead>
                <tbody>
                  {s.vlans.map((v) => (
                    <tr key={v.id}>
                      <td className="num">{v.id}</td>
                      <td>{rooms.find((t) => t.id === v.theatre)?.name ?? (v.theatre || <span className="quiet">no theatre</span>)}</td>
                      <td className="num">{units.compact(v.packets)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
          <section aria-labelledby="sensor-protocols" className="sensor-protocols">
            <h2 id="sensor-protocols">Protocols</h2>
            {s.protocols.length === 0 ? (
              <p className="quiet">Nothing was recognised yet.</p>
            ) : (
              <table className="table" aria-label="Protocols">
                <thead>
                  <tr>
                    <th scope="col">Protocol</th>
                    <th scope="col" className="num">Connections</th>
                    <th scope="col">
                      <span className="sr-only">Share</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {[...s.protocols]
                    .sort((a, b) => b.count - a.count)
                    .map((p) => (
                      <tr key={p.name}>
                        <td>{p.name}</td>
                        <td className="num">{units.count(p.count)}</td>
                        <td className="bar-cell" aria-hidden>
                          <div className="bar" style={{ width: `${Math.max(1, (p.count / most) * 100)}%` }} />
                        </td>
                      </tr>
                    ))}
                </tbody>
              </table>
            )}
          </section>
        </div>
      </div>
    </>
  )
}
