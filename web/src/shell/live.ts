// SPDX-License-Identifier: Apache-2.0
// The connection over which the server says what has changed. One for the
// whole console; closed while nobody looks, so that a forgotten tab costs
// nothing, and everything is asked for again when somebody does.
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { StreamState } from '../api/stream'
import type { StreamChanged } from '../api/types'
import { refresh } from './refresh'

const patience = 60_000 // ms that a hidden page stays connected
const gather = 250 // ms: many changes in a burst are one refetch

export function useLive(): StreamState {
  const client = useQueryClient()
  const [state, setState] = useState<StreamState>({ state: 'connecting' })
  useEffect(() => {
    const changed = new Set<string>()
    let flush: ReturnType<typeof setTimeout> | undefined
    let hide: ReturnType<typeof setTimeout> | undefined
    let close: (() => void) | undefined
    let wasLive = false

    const open = () => {
      let gone = false
      close = () => {
        gone = true
      }
      // After the page itself: what it shows first, it has asked for.
      import('../api/stream').then(
        ({ openStream }) => {
          if (!gone) close = listen(openStream)
        },
        () => setState({ state: 'closed', why: 'The console could not be loaded whole. Load the page again.' }),
      )
    }
    const listen = (openStream: typeof import('../api/stream').openStream) =>
      openStream('/stream', {
        on: {
          changed: (c: StreamChanged) => {
            changed.add(c.what)
            flush ??= setTimeout(() => {
              flush = undefined
              for (const what of changed) void refresh(client, [what])
              changed.clear()
            }, gather)
          },
        },
        onState: (s) => {
          setState(s)
          // What changed while the line was down is not known: ask for all of it, and wait for
          // nothing that was asked for before.
          if (s.state === 'live' && wasLive) void client.invalidateQueries()
          if (s.state === 'live') wasLive = true
        },
      })
    const visible = () => {
      clearTimeout(hide)
      if (document.hidden) {
        hide = setTimeout(() => {
          close?.()
          close = undefined
        }, patience)
      } else if (!close) open()
    }
    open()
    document.addEventListener('visibilitychange', visible)
    return () => {
      document.removeEventListener('visibilitychange', visible)
      clearTimeout(flush)
      clearTimeout(hide)
      close?.()
    }
  }, [client])
  return state
}
