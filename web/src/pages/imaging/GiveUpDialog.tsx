// SPDX-License-Identifier: Apache-2.0
// Giving up for good what a destination did not take. It cannot be undone, and it
// takes nothing away: the images stay in the gateway.

import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { ImagingDestination } from '@/api/types'
import { toast } from '@/ui'
import { plural } from '@/ui/units'
import { drop } from './queries'
import { ReasonDialog } from './ReasonDialog'
import { useWhere } from './where'
import { givenUp } from './words'

export function GiveUpDialog({ gateway, d: was, onClose }: { gateway: string; d: ImagingDestination; onClose: () => void }) {
  // As it was when the dialog opened: what one agrees to does not grow behind it.
  const [d] = useState(was)
  const g = useWhere()
  const n = givenUp(d)
  const these = plural(n, 'delivery', 'deliveries')
  const list = (delivery: string) => ({ tab: 'instances', by: 'instance', is: [`destination:${d.name}`, `delivery:${delivery}`], ...g })
  return (
    <ReasonDialog
      title={`Give up ${these} to ${d.name}?`} lead={`These images will never be sent to ${d.name}, neither by themselves nor by “Retry”.`} button={`Give up ${these}`} danger inCase={d.in_case} onClose={onClose}
      help="Why nobody misses them there, or how else they came there." second={{
        stop: `${d.name} shows images to a team that is at work now.`, leave: 'Give nothing up',
        weigh: <p>What is given up does not reach them. Call the room first, and ask whether something is missing. That it was done during a case is recorded with your name.</p>,
      }}
      send={async (body) => {
        const done = await drop(gateway, d.name, body)
        toast(done.deliveries === 0 ? `Nothing was left to give up for ${d.name}.` : `${plural(done.deliveries, 'delivery', 'deliveries')} to ${d.name} will not be made. The images are kept.`)
      }}
    >
      <ul className="im-means">
        {d.dead > 0 && <li>{plural(d.dead, 'delivery was', 'deliveries were')} tried and did not work. <Link to="/imaging" search={list('dead')}>See which</Link></li>}
        {d.state === 'gone' && d.waiting > 0 && <li>{plural(d.waiting, 'waits', 'wait')} for a destination that is not configured any more. <Link to="/imaging" search={list('waiting')}>See which</Link></li>}
        <li>The images stay in the gateway, with what is recorded of them, and still go to their other destinations.</li>
        <li>{d.state === 'gone' ? `If ${d.name} is coming back: put it into the configuration again, and all of it goes on by itself.` : `If ${d.name} may take them after all: close this, and use “Retry all”.`}</li>
      </ul>
    </ReasonDialog>
  )
}
