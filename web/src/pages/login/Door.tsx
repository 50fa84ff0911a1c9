// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from 'react'
import { Mark } from '@/shell/Mark'
import './door.css'

/** What stands around the pages before the login. */
export function Door({ site, version, children }: { site?: string; version?: string; children: ReactNode }) {
  return (
    <main className="door">
      <div className="door-box">
        <p className="door-mark">
          <Mark size={28} />
          <span>
            Asepsis
            <span className="door-site">{site ?? '\u00a0'}</span>
          </span>
        </p>
        {children}
      </div>
      <p className="door-foot">{version ? `Version ${version}` : '\u00a0'}</p>
    </main>
  )
}
