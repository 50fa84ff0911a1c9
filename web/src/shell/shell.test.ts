// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { returnPath, safeReturn } from './access'
import { parseSearch, stringifySearch } from './urlstate'

describe('the way back after a login', () => {
  it.each(['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', '', null, '/login?return=/login', '/setup'])('never leaves the console: %s', (to) =>
    expect(safeReturn(to)).toBe('/theatres'),
  )
  it('is the view exactly, with its query', () => {
    const view = '/events?from=-1h&is=protocol:dicom&is=status:failure'
    expect(safeReturn(view)).toBe(view)
    expect(returnPath(view)).toEqual({ return: view })
  })
  it('is not written where it is where one lands anyway', () => expect(returnPath('/theatres')).toEqual({}))
})

describe('the query of an address', () => {
  it('comes back as it was, repeated names and odd characters included', () => {
    const q = { is: ['protocol:dicom', 'device:a&b=c'], q: 'ct 1 + 2 = ä', empty: '' }
    expect(parseSearch(stringifySearch(q))).toEqual(q)
  })
  it('stays readable', () => expect(stringifySearch({ is: ['protocol:dicom'], from: '-1h', path: '/a,b' })).toBe('?is=protocol:dicom&from=-1h&path=/a,b'))
  it('is nothing when there is nothing', () => expect(stringifySearch({ a: undefined })).toBe(''))
})
