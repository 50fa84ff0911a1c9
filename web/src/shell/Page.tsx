// SPDX-License-Identifier: Apache-2.0
// What every page has: a title in the tab and on the page, and room for the
// page's own controls at the same place.
import { useEffect, type ReactNode } from 'react'
import { cx } from '@/ui/cx'
import { useSession } from './access'
import './page.css'

interface Props {
  title: string
  /** Shown instead of the title, which is still spoken and in the tab. */
  heading?: ReactNode
  /** One sentence that answers the page's question. */
  sentence?: ReactNode
  actions?: ReactNode
  /** Takes exactly the height that there is, and scrolls inside: grids, the map. */
  full?: boolean
  children: ReactNode
}

export function Page({ title, heading, sentence, actions, full, children }: Props) {
  const { site } = useSession()
  useEffect(() => {
    document.title = [title, site.name, 'Asepsis'].filter(Boolean).join(' · ')
  }, [title, site.name])
  return (
    <div className={cx('page', full && 'page-full')}>
      <header className="page-head">
        <div className="page-title">
          <h1>{heading ?? title}</h1>
          {sentence && <p className="page-sentence">{sentence}</p>}
        </div>
        {actions && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  )
}
