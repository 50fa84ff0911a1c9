// SPDX-License-Identifier: Apache-2.0
import { Fragment, useMemo } from 'react'
import { plural } from '@/ui/units'
import { hunks, type DiffLine } from './diff'

const sign = { same: ' ', added: '+', removed: '−' } as const
const said = { same: '', added: 'added: ', removed: 'removed: ' } as const

/** What differs, with three lines around each change. */
export function DiffView({ lines, before, after }: { lines: readonly DiffLine[]; before: string; after: string }) {
  const list = useMemo(() => hunks(lines), [lines])
  if (list.length === 0) return <p className="im-diff-none">Nothing differs from what is {before}.</p>
  return (
    <div className="im-diff" tabIndex={0} role="region" aria-label={`What differs between the policy ${before} and ${after}`}>
      <table>
        <tbody>
          {list.map((h, i) => (
            <Fragment key={i}>
              {h.skipped > 0 && <tr className="im-diff-gap"><td colSpan={4}>{plural(h.skipped, 'line')} the same</td></tr>}
              {h.lines.map((l, n) => (
                <tr key={n} className={`im-diff-${l.is}`}>
                  <td className="im-diff-n" aria-hidden="true">{l.before}</td>
                  <td className="im-diff-n" aria-hidden="true">{l.after}</td>
                  <td className="im-diff-s" aria-hidden="true">{sign[l.is]}</td>
                  <td><span className="sr-only">{said[l.is]}</span><code>{l.text}</code></td>
                </tr>
              ))}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  )
}
