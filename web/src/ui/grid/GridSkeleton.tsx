// SPDX-License-Identifier: Apache-2.0
// Holds the place of a grid: the same header, rows of the same height.

export function GridSkeleton({ columns, rows = 24 }: { columns: number; rows?: number }) {
  const cells = Array.from({ length: Math.min(10, columns) }, (_, i) => i)
  return (
    <div className="grid-skeleton" aria-hidden="true">
      <div className="grid-skeleton-head" />
      {Array.from({ length: rows }, (_, r) => (
        <div key={r} className="grid-skeleton-row">
          {cells.map((c) => <span key={c} className="skel-line" data-w={(r * 7 + c * 3) % 5} />)}
        </div>
      ))}
    </div>
  )
}
