// SPDX-License-Identifier: Apache-2.0
// The live stream of matching events, gathered five times a second so that a
// burst costs a few drawings and not thousands.

import { useEffect, useReducer, useRef, useState } from 'react'
import { openStream, type StreamState } from '@/api/stream'
import type { EventRow, StreamEvents } from '@/api/types'
import { emptyTail, tailStep, type Gap, type Tail, type TailAction } from './tail'

const GATHER = 200

interface Options {
  on: boolean
  filter: string // parameters, without time
  after: string | null // newest id that the first page has; null while it is not loaded
  view: string // changes when the first page is loaded anew
}

export function useTail({ on, filter, after, view }: Options): [Tail, (a: TailAction) => void, StreamState | null] {
  const [tail, act] = useReducer(tailStep, emptyTail)
  const [state, setState] = useState<StreamState | null>(null)
  const start = useRef(after)
  start.current = after
  const ready = after !== null

  useEffect(() => {
    act({ do: 'start', after: start.current ?? '' })
    setState(null)
    if (!on || !ready) return
    let gathered: EventRow[] = []
    const flush = () => {
      if (gathered.length === 0) return
      act({ do: 'receive', events: gathered })
      gathered = []
    }
    const timer = setInterval(flush, GATHER)
    const close = openStream('/events/stream', {
      params: new URLSearchParams(filter),
      after: start.current || undefined,
      on: {
        events: (data: StreamEvents) => {
          gathered.push(...data.events)
        },
        lag: (data: { behind: number; seconds: number }) => act({ do: 'lag', ...data }),
        gap: (data: Gap) => {
          flush()
          act({ do: 'gap', gap: data })
        },
      },
      onState: setState,
    })
    return () => {
      clearInterval(timer)
      close()
    }
  }, [on, ready, filter, view])

  return [tail, act, state]
}
