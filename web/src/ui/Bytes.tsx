// SPDX-License-Identifier: Apache-2.0
import { bytes, count } from './units'

export function Bytes({ n }: { n: number }) {
  return (
    <span className="nowrap" title={`${count(n)} bytes`}>
      {bytes(n)}
    </span>
  )
}
