// SPDX-License-Identifier: Apache-2.0
import { Loading, Skeleton } from '../ui/States'

/** Holds the place of a page whose code is on its way. */
export function PageSkeleton() {
  return (
    <Loading what="the page">
      <div className="page">
        <header className="page-head">
          <h1>
            <span className="sr-only">Loading the page</span>
            <Skeleton width={18} height={22} />
          </h1>
        </header>
        <Skeleton lines={8} />
      </div>
    </Loading>
  )
}
