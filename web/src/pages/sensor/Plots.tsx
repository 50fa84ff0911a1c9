// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { sensorSeries } from '@/api/queries'
import { ErrorState, Loading } from '@/ui'
import { Plot, type Line } from '@/ui/Plot'
import { bits, compact } from '@/ui/units'

const height = 130

export function Plots({ name, from }: { name: string; from: string }) {
  const { data, error, isError, refetch } = useQuery(sensorSeries(name, from))
  const plots = useMemo(() => {
    if (!data) return null
    const start = Date.parse(data.start)
    const line = (label: string, values: (number | null)[], o: Partial<Line> = {}): Line[] => [{ label, values, ...o }]
    return {
      times: data.packets_per_second.map((_, i) => start + i * data.step_ms),
      packets: line('Packets', data.packets_per_second),
      traffic: line('Traffic', data.bits_per_second, { colour: '--plot-4' }),
      lost: line('Lost', data.dropped, { colour: '--plot-5', bars: true }),
      events: line('Events', data.events_per_second, { colour: '--plot-2' }),
      flows: line('Open connections', data.active_flows, { colour: '--plot-6' }),
    }
  }, [data])
  if (isError && !data) return <ErrorState error={error} lost="The last hours cannot be drawn." kept="The figures below are from the sensor itself." retry={() => void refetch()} />
  if (!plots || data?.packets_per_second.every((v) => v === null)) {
    return plots ? (
      <p className="quiet plots-none">No full minute has been recorded in this time.</p>
    ) : (
      <Loading what="the last hours">
        <div className="plots">
          {Array.from({ length: 4 }, (_, i) => (
            <div key={i} style={{ height: height + 20 }} />
          ))}
        </div>
      </Loading>
    )
  }
  const rate = (n: number) => `${compact(n)}/s`
  return (
    <div className="plots">
      <Plot title="Packets" times={plots.times} lines={plots.packets} format={rate} height={height} sync="sensor" />
      <Plot title="Traffic" times={plots.times} lines={plots.traffic} format={bits} height={height} sync="sensor" least={1000} />
      <Plot title="Lost packets, in each step" times={plots.times} lines={plots.lost} format={compact} height={height} sync="sensor" least={10} />
      <Plot title="Events" times={plots.times} lines={plots.events} format={rate} height={height} sync="sensor" />
    </div>
  )
}
