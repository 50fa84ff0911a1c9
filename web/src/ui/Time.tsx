// SPDX-License-Identifier: Apache-2.0
import { absolute, relative, short, span, useNow, useZone } from './time'
import { Tooltip } from './Tooltip'

interface Props {
  at: string
  /** "since" shows how long it has lasted, "short" the clock or the date. */
  as?: 'relative' | 'since' | 'short'
  /** A column of many: the title attribute instead of a tooltip each. */
  plain?: boolean
}

export function Time({ at, as = 'relative', plain }: Props) {
  useZone()
  const n = useNow(Math.abs(Date.now() - Date.parse(at)) < 120_000 ? 1_000 : 10_000)
  const text = as === 'since' ? span(n - Date.parse(at)) : as === 'short' ? short(at, n) : relative(at, n)
  if (plain) {
    return (
      <time dateTime={at} title={absolute(at)} className="nowrap">
        {text}
      </time>
    )
  }
  return (
    <Tooltip text={absolute(at)}>
      <time dateTime={at} className="nowrap">
        {text}
      </time>
    </Tooltip>
  )
}
