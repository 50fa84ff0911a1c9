// SPDX-License-Identifier: Apache-2.0
// The signs of what was found: they are many, and loaded when somebody searches.
import { ClassIcon } from '../ui/ClassIcon'
import { SeverityShape } from '../ui/Severity'
import type { Severity } from '../api/types'

export const deviceSign = (cls: string) => <ClassIcon class={cls} />

export const findingSign = (level: Severity) => (
  <span className={`sev-${level}`}>
    <SeverityShape level={level} />
  </span>
)
