// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { place, type Side } from './place'

const view = { width: 400, height: 300 }
const tip = { width: 100, height: 20 }
const at = (left: number, top: number) => ({ left, top, width: 40, height: 20 })

describe('a box beside its anchor', () => {
  it.each<[string, ReturnType<typeof at>, Side, [number, number]]>([
    ['is centred below', at(180, 100), 'bottom', [150, 126]],
    ['is centred to the right', at(100, 100), 'right', [146, 100]],
    ['goes above where there is no room below', at(180, 275), 'bottom', [150, 249]],
    ['goes to the left where there is no room to the right', at(350, 100), 'right', [244, 100]],
    ['stays inside the left edge', at(0, 100), 'bottom', [8, 126]],
    ['stays inside the right edge', at(370, 100), 'bottom', [292, 126]],
  ])('%s', (_, anchor, side, corner) => expect(place(anchor, tip, view, side)).toEqual(corner))
  it('stays inside a window that is too small for it', () => expect(place(at(10, 10), { width: 500, height: 20 }, view, 'bottom')[0]).toBe(8))
})
