// SPDX-License-Identifier: Apache-2.0
// The authorities that sign, and until when.

import type { IdentityAuthority } from '@/api/types'
import { Icon, Time, time } from '@/ui'
import { useNow, useZone } from '@/ui/time'
import { useMedia } from '../findings/media'
import { Hash } from '../ledger/Facts'

const SOON = 30 * 86_400_000

export function Authorities({ list }: { list: readonly IdentityAuthority[] }) {
  const wide = useMedia('(min-width: 60rem)')
  if (list.length === 0) return null
  return wide ? <Table list={list} /> : <details className="id-more"><summary>Authorities</summary><Table list={list} /></details>
}

function Table({ list }: { list: readonly IdentityAuthority[] }) {
  useZone()
  const now = useNow(10_000)
  return (
    <table className="table table-stack id-authorities" aria-label="Authorities">
      <thead><tr><th scope="col">Authority</th><th scope="col">Does</th><th scope="col">Good until</th><th scope="col">Revocation list</th><th scope="col">SHA-256</th></tr></thead>
      <tbody>
        {list.map((a) => {
          const soon = Date.parse(a.not_after) - now < SOON
          const late = a.crl_next !== undefined && Date.parse(a.crl_next) < now
          return (
            <tr key={a.id}>
              <th scope="row">{a.subject}</th>
              <td data-label="Does">{a.root ? 'Root: vouches for the others' : a.active ? 'Signs certificates' : 'Signs nothing new; its certificates stay good'}</td>
              <td data-label="Good until" className={soon ? 'id-soon' : undefined}>{soon && <Icon name="warning" size={14} />} {time.day(a.not_after)} <span className="quiet"><Time at={a.not_after} plain /></span></td>
              <td data-label="Revocation list" className={late ? 'id-soon' : undefined}>{a.crl_number === undefined ? <span className="quiet">none</span> : <>{late && <Icon name="warning" size={14} />} number {a.crl_number}{a.crl_next && <span className="quiet">, {late ? 'the next was due' : 'next'} <Time at={a.crl_next} plain /></span>}</>}</td>
              <td data-label="SHA-256"><Hash value={a.sha256} what="fingerprint" /></td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
