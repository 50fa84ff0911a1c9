// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { compareValues, sortRows } from './compare'
import { fileName, toCSV, toJSON } from './download'
import { keepExisting, noSelection, selectTo, toggleRow } from './selection'
import { defaultState, moveColumn, readState, toggleSort, writeState, type GridLayout } from './state'
import { addValue, flipValue, passes, readTerms, removeValue, writeTerms, type Term } from './terms'
import { explain, matches, parseText } from './text'

const layout: GridLayout = { all: ['name', 'class', 'last', 'ips'], shown: ['name', 'class', 'last'], sort: [{ id: 'last', down: true }] }

describe('the state of a grid in a URL', () => {
  it('writes nothing for a grid that nobody changed', () => {
    const p = new URLSearchParams()
    writeState(p, defaultState(layout), layout)
    expect(p.toString()).toBe('')
  })
  it('comes back exactly', () => {
    const state = { sort: [{ id: 'class', down: false }, { id: 'last', down: true }], columns: ['last', 'ips', 'name'], widths: { ips: 180 }, density: 'normal' as const }
    const p = new URLSearchParams()
    writeState(p, state, layout)
    expect(readState(new URLSearchParams(p.toString()), layout)).toEqual(state)
  })
  it('can say that there is no order at all', () => {
    const p = new URLSearchParams()
    writeState(p, { ...defaultState(layout), sort: [] }, layout)
    expect(readState(p, layout).sort).toEqual([])
  })
  it('survives nonsense without losing the grid', () => {
    const s = readState(new URLSearchParams('sort=-nope,last,last&cols=,,x&w=name.NaN,class.1e9,.5,ips.-4&rows=huge'), layout)
    expect(s).toEqual({ sort: [{ id: 'last', down: false }], columns: ['name', 'class', 'last'], widths: { class: 900, ips: 48 }, density: 'compact' })
  })
})

describe('a click on a header', () => {
  it('goes up, down and back to none', () => {
    const up = toggleSort([], 'name', false)
    const down = toggleSort(up, 'name', false)
    expect([up, down, toggleSort([], 'last', false, true)]).toEqual([[{ id: 'name', down: false }], [{ id: 'name', down: true }], [{ id: 'last', down: true }]])
    expect(toggleSort([{ id: 'name', down: true }], 'name', true)).toEqual([])
  })
  it('with shift adds a second key', () => {
    expect(toggleSort([{ id: 'class', down: false }], 'name', true)).toEqual([{ id: 'class', down: false }, { id: 'name', down: false }])
  })
  it('columns move one place and stop at the ends', () => {
    expect(moveColumn(['a', 'b', 'c'], 'b', -1)).toEqual(['b', 'a', 'c'])
    expect(moveColumn(['a', 'b', 'c'], 'c', 1)).toEqual(['a', 'b', 'c'])
    expect(moveColumn(['a', 'b', 'c'], 'x', 1)).toEqual(['a', 'b', 'c'])
  })
})

describe('include and exclude', () => {
  const terms: Term[] = [{ field: 'class', values: ['ct', 'mr'], not: false }]
  it('does not add twice, and the last word counts', () => {
    expect(addValue(terms, 'class', 'ct', false)).toEqual(terms)
    expect(addValue(terms, 'class', 'ct', true)).toEqual([{ field: 'class', values: ['mr'], not: false }, { field: 'class', values: ['ct'], not: true }])
    expect(flipValue(addValue([], 'zone', 'x', true), 'zone', 'x', true)).toEqual([{ field: 'zone', values: ['x'], not: false }])
  })
  it('removes a term with its last value', () => {
    expect(removeValue(removeValue(terms, 'class', 'ct', false), 'class', 'mr', false)).toEqual([])
  })
  it('comes back from a URL, colons in values and empty values included', () => {
    const all: Term<'ip' | 'zone'>[] = [{ field: 'ip', values: ['fe80::1', '10.0.0.1'], not: false }, { field: 'zone', values: [''], not: true }]
    const p = new URLSearchParams()
    writeTerms(p, all)
    expect(readTerms(new URLSearchParams(p.toString()), ['ip', 'zone'] as const)).toEqual(all)
    expect(readTerms(new URLSearchParams('is=other:1&not=ip&is=:x'), ['ip', 'zone'] as const)).toEqual([])
  })
  it('any value of one field, and all fields', () => {
    const row: Record<string, string[]> = { speaks: ['dicom', 'tls'], zone: [] }
    const values = (f: string) => row[f] ?? []
    expect(passes([{ field: 'speaks', values: ['hl7', 'tls'], not: false }], values)).toBe(true)
    expect(passes([{ field: 'speaks', values: ['tls'], not: true }], values)).toBe(false)
    expect(passes([{ field: 'speaks', values: ['dicom'], not: false }, { field: 'zone', values: ['imaging'], not: false }], values)).toBe(false)
  })
  it('the empty value means none', () => {
    expect(passes([{ field: 'zone', values: [''], not: false }], () => [])).toBe(true)
    expect(passes([{ field: 'zone', values: [''], not: true }], () => [])).toBe(false)
  })
})

describe('text search', () => {
  it('reads words, phrases, beginnings and what must not occur', () => {
    expect(parseText('CT "or 2" echo* -probe -"x y" "')).toEqual([
      { text: 'ct', not: false, phrase: false, prefix: false },
      { text: 'or 2', not: false, phrase: true, prefix: false },
      { text: 'echo', not: false, phrase: false, prefix: true },
      { text: 'probe', not: true, phrase: false, prefix: false },
      { text: 'x y', not: true, phrase: true, prefix: false },
    ])
  })
  it('matches inside words and honours the dash', () => {
    expect(matches(parseText('sound -pump'), 'ultrasound-2 10.0.0.4')).toBe(true)
    expect(matches(parseText('sound -ultra'), 'ultrasound-2')).toBe(false)
    expect(matches(parseText(''), 'anything')).toBe(true)
  })
  it('explains itself', () => {
    expect(explain(parseText('echo* "a b" -x'))).toBe('with a word that begins with “echo” and the phrase “a b”, without “x”')
    expect(explain([])).toBe('')
  })
})

describe('order', () => {
  it('is as people count, with nothing last in both directions', () => {
    const value = (s: string | null) => s
    expect(sortRows(['OR 10', null, 'OR 2', ''], [{ value, down: false }])).toEqual(['OR 2', 'OR 10', null, ''])
    expect(sortRows(['OR 10', null, 'OR 2'], [{ value, down: true }])).toEqual(['OR 10', 'OR 2', null])
    expect(compareValues('192.168.1.9', '192.168.1.20')).toBeLessThan(0)
  })
  it('keeps the order of equal rows and uses the second key', () => {
    const rows = [{ c: 'b', n: 1 }, { c: 'a', n: 2 }, { c: 'a', n: 1 }]
    expect(sortRows(rows, [{ value: (r) => r.c, down: false }])).toEqual([rows[1], rows[2], rows[0]])
    expect(sortRows(rows, [{ value: (r) => r.c, down: false }, { value: (r) => r.n, down: false }])).toEqual([rows[2], rows[1], rows[0]])
  })
})

describe('export', () => {
  const columns = [{ id: 'name', label: 'Name', value: (r: { name: string; n: number }) => r.name }, { id: 'n', label: 'Number', value: (r: { name: string; n: number }) => r.n }]
  it('quotes as RFC 4180 says and disarms formulas', () => {
    expect(toCSV([{ name: 'a "b", c', n: -1 }, { name: '=HYPERLINK("x")', n: 2 }], columns)).toBe(
      'Name,Number\r\n"a ""b"", c",-1\r\n"\'=HYPERLINK(""x"")",2\r\n',
    )
  })
  it('is JSON by column id', () => {
    expect(JSON.parse(toJSON([{ name: 'x', n: 1 }], columns))).toEqual([{ name: 'x', n: 1 }])
  })
  it('names the file after what and when', () => {
    expect(fileName('devices', 'csv', new Date('2026-03-01T09:12:33Z'))).toBe('asepsis-devices-2026-03-01-0912.csv')
  })
})

describe('selection', () => {
  const order = ['a', 'b', 'c', 'd', 'e']
  it('takes a range from the anchor, in either direction', () => {
    const s = selectTo(toggleRow(noSelection, 'd'), 'b', order)
    expect([...s.ids].sort()).toEqual(['b', 'c', 'd'])
    expect([...selectTo(s, 'e', order).ids].sort()).toEqual(['b', 'c', 'd', 'e'])
  })
  it('lets go of rows that a filter hid', () => {
    const s = keepExisting(selectTo(toggleRow(noSelection, 'a'), 'c', order), ['b', 'c'])
    expect([...s.ids]).toEqual(['b', 'c'])
    expect(s.anchor).toBeNull()
  })
})
