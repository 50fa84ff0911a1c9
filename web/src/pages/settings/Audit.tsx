// SPDX-License-Identifier: Apache-2.0
// Who changed what, from where, and what it was before. Nothing here can be
// edited.
import { useInfiniteQuery } from '@tanstack/react-query'
import { Fragment, useDeferredValue } from 'react'
import { audit } from '@/api/queries'
import type { AuditEntry } from '@/api/types'
import { useURLValue } from '@/shell/urlstate'
import { Button, Empty, ErrorState, Field, Loading, Skeleton, Time } from '@/ui'
import { changes } from './changes'
import { Section } from './Section'

const resultWord: Record<AuditEntry['result'], string> = { done: '', refused: 'refused', failed: 'failed' }

export function Audit() {
  const [who, setWho] = useURLValue('who')
  const [action, setAction] = useURLValue('action')
  const [object, setObject] = useURLValue('object')
  const filter = useDeferredValue({ who: who || undefined, action: action || undefined, object: object || undefined })
  const q = useInfiniteQuery({
    queryKey: ['audit', filter.who, filter.action, filter.object],
    queryFn: ({ pageParam }) => audit(filter, pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: (last) => last.next,
  })
  const entries = q.data?.pages.flatMap((p) => p.entries) ?? []
  return (
    <Section title="Audit trail" lead="Each login, each change, and each attempt that was refused.">
      <div className="audit-filter" role="search" aria-label="Audit trail">
        <Field label="Who" value={who} onChange={(e) => setWho(e.target.value, { replace: true })} />
        <Field label="Action" value={action} placeholder="session.login" onChange={(e) => setAction(e.target.value, { replace: true })} />
        <Field label="Object" value={object} onChange={(e) => setObject(e.target.value, { replace: true })} />
      </div>
      {!q.data ? (
        q.isError ? (
          <ErrorState error={q.error} lost="The audit trail cannot be read." kept="It goes on being written." retry={() => void q.refetch()} />
        ) : (
          <Loading what="the audit trail">
            <Skeleton lines={12} />
          </Loading>
        )
      ) : entries.length === 0 ? (
        <Empty icon="note" title={who || action || object ? 'Nothing matches.' : 'Nothing has been recorded yet.'} />
      ) : (
        <>
          <table className="table table-stack" aria-label="Audit trail">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">Change</th>
                <th scope="col">From</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((e) => (
                <tr key={e.id}>
                  <td className="nowrap">
                    <Time at={e.time} as="short" />
                  </td>
                  <td data-label="Who">{e.who || '–'}</td>
                  <td data-label="What">
                    <span className="mono">{e.action}</span> <span className="audit-object">{e.object}</span> {resultWord[e.result] && <span className="badge">{resultWord[e.result]}</span>}
                    {e.note && <div className="quiet">{e.note}</div>}
                  </td>
                  <td data-label="Change">
                    <Change entry={e} />
                  </td>
                  <td data-label="From" className="mono">
                    {e.from ?? ''}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {q.hasNextPage && (
            <div className="set-actions">
              <Button busy={q.isFetchingNextPage} onClick={() => void q.fetchNextPage()}>
                Older
              </Button>
            </div>
          )}
        </>
      )}
    </Section>
  )
}

function Change({ entry: e }: { entry: AuditEntry }) {
  const list = changes(e.before, e.after)
  if (list.length === 0) return null
  return (
    <div className="audit-change">
      {list.map((c) => (
        <Fragment key={c.field}>
          <span className="quiet">{c.field}</span>
          <span>
            {c.before !== undefined && <del>{c.before}</del>} {c.after !== undefined && <ins>{c.after}</ins>}
          </span>
        </Fragment>
      ))}
    </div>
  )
}
