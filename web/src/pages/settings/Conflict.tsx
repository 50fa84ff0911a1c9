// SPDX-License-Identifier: Apache-2.0
// Two people changed the same thing. Nothing is overwritten silently: both
// values are shown, and one of them decides.
import { ApiError } from '@/api/client'
import { Button, Icon } from '@/ui'

export interface Difference {
  label: string
  mine: string
  theirs: string
}

export function isConflict(e: unknown): boolean {
  return e instanceof ApiError && e.status === 409 && !e.problem.errors?.length
}

export function Conflict({ differences, onKeep, onTake, busy }: { differences: Difference[]; onKeep: () => void; onTake: () => void; busy?: boolean }) {
  return (
    <div className="conflict" role="alert">
      <p>
        <Icon name="warning" /> <strong>Somebody else has saved in the meantime.</strong> Nothing of theirs or yours is lost yet.
      </p>
      {differences.length > 0 && (
        <table className="table" aria-label="What differs">
          <thead>
            <tr>
              <th scope="col"> </th>
              <th scope="col">Saved by them</th>
              <th scope="col">Yours</th>
            </tr>
          </thead>
          <tbody>
            {differences.map((d) => (
              <tr key={d.label}>
                <th scope="row">{d.label}</th>
                <td>{d.theirs || '–'}</td>
                <td>{d.mine || '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <div className="set-actions">
        <Button onClick={onTake}>Take theirs</Button>
        <Button busy={busy} onClick={onKeep}>
          Save mine over it
        </Button>
      </div>
    </div>
  )
}
