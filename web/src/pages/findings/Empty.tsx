// SPDX-License-Identifier: Apache-2.0
// A list without findings: whether that is good news, and what is being watched.

import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { status } from '@/api/queries'
import { Button, Empty } from '@/ui'
import { count, plural } from '@/ui/units'
import { ruleList } from '../rules/queries'
import type { Shelf } from './queries'

export function NothingMatches({ total, onClear }: { total: number; onClear: () => void }) {
  return (
    <Empty icon="filter" title="No finding passes these filters." action={<Button onClick={onClear}>Show all {count(total)}</Button>}>
      <p>The search and all filters must hold.</p>
    </Empty>
  )
}

export function NothingWrong({ shelf }: { shelf: Shelf }) {
  switch (shelf) {
    case 'active': return <Calm />
    case 'mine': return <Empty icon="user" title="Nothing is assigned to you."><p>Press <kbd className="kbd">a</kbd> on a finding to take it.</p></Empty>
    case 'snoozed': return <Empty icon="clock" title="Nothing is put off."><p>What is put off comes back by itself when its time is over.</p></Empty>
    case 'suppressed': return <Empty icon="bookmark" title="Nothing is hidden."><p>What a suppression or a maintenance window hides is counted and stands here.</p></Empty>
    case 'closed': return <Empty icon="lock" title="Nothing has been closed yet."><p>Closed findings keep their evidence, and what people said of them.</p></Empty>
  }
}

function Calm() {
  const rules = useQuery(ruleList)
  const now = useQuery(status)
  const on = rules.data?.rules.filter((r) => r.state === 'on').length
  const learning = rules.data?.rules.filter((r) => r.baseline === 'learning').length ?? 0
  const failing = rules.data?.rules.filter((r) => r.state === 'failing').length ?? 0
  const blind = now.data && now.data.state !== 'live'
  return (
    <Empty icon={blind ? 'warning' : 'shield-check'} title={blind ? 'Nothing was found, but not all is seen.' : 'Nothing is wrong.'}>
      {blind && <p>{now.data?.sentence}</p>}
      {on !== undefined && <p>{plural(on, 'rule watches', 'rules watch')} what the sensors see{learning > 0 && <>; {plural(learning, 'is still learning', 'are still learning')} what is usual</>}. <Link to="/rules">See the rules</Link>{failing > 0 && <>, {plural(failing, 'of them fails', 'of them fail')}</>}.</p>}
      <p>A finding appears here by itself when something needs somebody.</p>
    </Empty>
  )
}
