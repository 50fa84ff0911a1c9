// SPDX-License-Identifier: Apache-2.0
// Codes that were made: those that wait for their device can be withdrawn.

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { IdentityCode } from '@/api/types'
import { useMay } from '@/shell/access'
import { Button, Confirm, Empty, ErrorState, Icon, Loading, Skeleton, Time, toast } from '@/ui'
import { useNow } from '@/ui/time'
import { codes, withdraw } from './queries'
import { codeOwner, profileOf } from './words'

export function Codes({ onEnrol }: { onEnrol: () => void }) {
  const query = useQuery(codes)
  const client = useQueryClient()
  const refused = useMay()('identity.edit')
  const now = useNow(10_000)
  const [ending, setEnding] = useState<IdentityCode | null>(null)
  const state = (c: IdentityCode) => (c.used ? 'used' : Date.parse(c.expires) <= now ? 'over' : 'open')
  if (query.isPending) return <Loading what="the codes"><Skeleton lines={6} /></Loading>
  if (!query.data) return <ErrorState error={query.error} lost="The codes cannot be listed." kept="Codes that were made go on working." retry={() => void query.refetch()} />
  if (query.data.codes.length === 0) {
    return (
      <Empty icon="key" title="No code waits for a device." action={<Button icon="plus" reason={refused} onClick={onEnrol}>Enrol a device…</Button>}>
        <p>A code works once. With it a device makes its own key and gets its certificate.</p>
      </Empty>
    )
  }
  return (
    <>
      <table className="table table-stack" aria-label="Enrolment codes">
        <thead>
          <tr><th scope="col">For</th><th scope="col">Certificate</th><th scope="col">State</th><th scope="col">Made</th><th scope="col">Good until</th><th scope="col"><span className="sr-only">Actions</span></th></tr>
        </thead>
        <tbody>
          {query.data.codes.map((c) => (
            <tr key={c.id}>
              <th scope="row">{c.device ? <Link to="/devices/$id" params={{ id: c.device }}>{codeOwner(c)}</Link> : codeOwner(c)}</th>
              <td data-label="Certificate">{profileOf(c.profile)}{c.long_life && <span className="quiet">, long life</span>}</td>
              <td data-label="State">
                {state(c) === 'used' ? <span className="id-is"><Icon name="check" size={14} />Used <Time at={c.used ?? ''} />{c.serial && <Link to="/identity" search={{ open: c.serial }}>its certificate</Link>}</span> : state(c) === 'over' ? <span className="id-is id-is-expired"><Icon name="minus" size={14} />Not used in time</span> : <span className="id-is id-is-due"><Icon name="clock" size={14} />Waits</span>}
              </td>
              <td data-label="Made"><Time at={c.made} /> by {c.by}</td>
              <td data-label="Good until"><Time at={c.expires} /></td>
              <td className="cell-actions">{state(c) === 'open' && <Button small reason={refused} onClick={() => setEnding(c)}>Withdraw</Button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {ending && (
        <Confirm
          open onOpenChange={(o) => !o && setEnding(null)} title={`Withdraw the code for ${codeOwner(ending)}?`} action="Withdraw"
          run={async () => {
            await withdraw(ending)
            await client.invalidateQueries({ queryKey: ['identity'] })
            toast('The code does not work any more.')
          }}
        >
          The device cannot enrol with it any more. A new code can be made at any time.
        </Confirm>
      )}
    </>
  )
}
