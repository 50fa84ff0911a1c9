// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { Board, Finding, Light, Tile } from '@/api/types'
import { alike, boardSentence, wallColumns, worst } from './words'

const light = (level: Light['level']): Light => ({ level, sentence: '' })
const tile = (name: string, images: Light['level'], state: Tile['state'] = 'idle'): Tile => ({
  id: name,
  name,
  order: 1,
  state,
  since: '',
  source: '',
  lights: { devices: light('calm'), images: light(images), network: light('calm') },
  devices: 1,
  findings: 0, site: '',
})
const board = (...theatres: Tile[]): Board => ({ time: '', theatres, unassigned_devices: 0 })
const plain = (s: string) => s.replace(/\u00a0/g, ' ')

describe('the sentence of the board', () => {
  it('names the rooms, the worst first', () =>
    expect(plain(boardSentence(board(tile('OR 1', 'attention'), tile('OR 2', 'stop', 'in-case'), tile('OR 3', 'attention'), tile('OR 4', 'unknown'))))).toBe(
      '4 theatres, 1 in case. OR 2 needs somebody now; OR 1 and OR 3 need a look; OR 4 cannot be fully seen.',
    ))
  it('counts instead of naming when there are many', () => expect(plain(boardSentence(board(...['a', 'b', 'c', 'd'].map((n) => tile(n, 'attention')))))).toContain('4 theatres need a look'))
  it('says that all is calm only when it is', () => {
    expect(plain(boardSentence(board(tile('OR 1', 'calm'))))).toBe('1 theatre, none in case. All calm.')
    expect(boardSentence(board(tile('OR 1', 'unknown')))).not.toContain('calm')
  })
})

it('a room that cannot be seen is not calm', () => {
  expect(worst(tile('a', 'unknown'))).toBe('unknown')
  expect(worst(tile('a', 'stop'))).toBe('stop')
})

describe('the wall', () => {
  it.each([
    [1, 1920, 1080, 1],
    [4, 1920, 1080, 2],
    [6, 1920, 1080, 3],
    [12, 1920, 1080, 4],
    [6, 1080, 1920, 2],
  ])('of %d rooms on %d × %d has %d columns', (n, w, h, cols) => expect(wallColumns(n, w, h)).toBe(cols))
  it('has a place for every room', () => {
    for (let n = 1; n <= 40; n++) {
      const cols = wallColumns(n, 1920, 1080)
      expect(cols * Math.ceil(n / cols)).toBeGreaterThanOrEqual(n)
    }
  })
})

describe('what is open in a room', () => {
  const f = (id: string, rule: string, room: string, title = id): Finding => ({ id, rule, room, title }) as Finding
  it('is said once where it is the same to the room', () => {
    const said = alike([f('1', 'a', 'A message came twice.'), f('2', 'b', 'A message came twice.'), f('3', 'a', 'A message came twice.'), f('4', 'a', 'Another.'), f('5', 'c', ''), f('6', 'c', '')])
    expect(said.map((g) => [g.first.id, g.more])).toEqual([['1', 1], ['2', 0], ['4', 0], ['5', 0], ['6', 0]])
  })
})
