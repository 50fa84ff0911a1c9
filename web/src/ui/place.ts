// SPDX-License-Identifier: Apache-2.0
// Where a small box goes beside what it belongs to.
export type Side = 'top' | 'bottom' | 'left' | 'right'
interface Rect { left: number; top: number; width: number; height: number }
interface Size { width: number; height: number }

const gap = 6 // px between the two
const edge = 8 // px that stay free at the edges of the window

const opposite: Record<Side, Side> = { top: 'bottom', bottom: 'top', left: 'right', right: 'left' }

/** The left upper corner: on the side asked for, on the other one where only that has the room, and inside the window in any case. */
export function place(anchor: Rect, box: Size, view: Size, side: Side): [x: number, y: number] {
  const room: Record<Side, number> = {
    top: anchor.top - gap - edge - box.height,
    bottom: view.height - anchor.top - anchor.height - gap - edge - box.height,
    left: anchor.left - gap - edge - box.width,
    right: view.width - anchor.left - anchor.width - gap - edge - box.width,
  }
  const s = room[side] < 0 && room[opposite[side]] > room[side] ? opposite[side] : side
  const across = s === 'left' || s === 'right'
  const x = across ? (s === 'left' ? anchor.left - gap - box.width : anchor.left + anchor.width + gap) : anchor.left + (anchor.width - box.width) / 2
  const y = across ? anchor.top + (anchor.height - box.height) / 2 : s === 'top' ? anchor.top - gap - box.height : anchor.top + anchor.height + gap
  return [inside(x, box.width, view.width), inside(y, box.height, view.height)]
}

function inside(at: number, length: number, whole: number): number {
  return Math.round(Math.max(edge, Math.min(at, whole - edge - length)))
}

/** Where in the document something floating stands: in the landmark of what it is about, so that all content is in one. A dialog may move what is fixed in it. */
export function landmark(anchor: Element | null | undefined): HTMLElement {
  return (anchor?.closest('[role="dialog"]') ? null : anchor?.closest<HTMLElement>('main, header, nav')) ?? document.body
}
