// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { ImagingBinding } from '@/api/types'
import { inWords } from './BindingDialog'
import { addressProblem, aeProblem, check, joinList, splitList } from './bindingRules'
import { sent } from './queries'

const b = (o: Partial<ImagingBinding> = {}): ImagingBinding => ({ device: 'dev-1', calling_ae: ['CT1'], operations: ['echo', 'store'], ...o })

describe('lists as people type them', () => {
  it('are parted by commas and lines; a blank may stand in an AE title', () => expect(splitList(' CT 1, CT_2\nCT_2,, ')).toEqual(['CT 1', 'CT_2']))
  it('come back as they were', () => expect(splitList(joinList(['A', 'B C']))).toEqual(['A', 'B C']))
})

describe('an AE title', () => {
  it.each(['CT1', 'A', 'SIXTEEN_CHARS_16', 'WITH BLANK'])('%s is one', (t) => expect(aeProblem(t)).toBeUndefined())
  it.each([['SEVENTEEN_CHARS17', /at most 16/], ['BACK\\SLASH', /no AE title may have/], ['ÜMLAUT', /no AE title may have/]])('%s is none', (t, why) => expect(aeProblem(t)).toMatch(why))
})

describe('an address', () => {
  it.each(['10.20.3.17', '10.20.0.0/16', '0.0.0.0/0', 'fd00::5', 'fd00::/64', '::1', '2001:db8:0:0:0:0:0:1'])('%s is one', (t) => expect(addressProblem(t)).toBeUndefined())
  it.each(['10.20.3', '10.20.3.999', '10.20.3.1/33', 'fd00::1::2', 'fd00::/129', 'pacs.example', '10.0.0.1/8/9', '1:2:3:4:5:6:7:8:9', 'fd00:'])('%s is none', (t) => expect(addressProblem(t)).toBeDefined())
})

describe('a binding', () => {
  it('that is right has nothing to say', () => expect(check(b({ called_ae: ['ASEPSIS'], addresses: ['10.0.0.0/8'], sop_classes: ['ct', '1.2.840.10008.5.1.4.1.1.2'] }), [])).toEqual({}))
  it.each<[string, Partial<ImagingBinding>, keyof ReturnType<typeof check>, RegExp]>([
    ['without a device', { device: '' }, 'device', /Choose the device/],
    ['without anything that it may do', { operations: [] }, 'operations', /Choose what it may do/],
    ['that speaks DICOM without an AE title', { calling_ae: [] }, 'calling_ae', /AE title of its own/],
    ['that may move and names no goal', { operations: ['move'] }, 'destinations', /images moved/],
    ['in clear without an address', { plain: true }, 'addresses', /by its address only/],
    ['in clear over DICOMweb', { plain: true, addresses: ['10.0.0.1'], operations: ['qido'] }, 'operations', /needs a certificate/],
    ['with a SOP class that is none', { sop_classes: ['1..2'] }, 'sop_classes', /no UID/],
    ['with a group that is none', { sop_classes: ['C T'] }, 'sop_classes', /neither a UID nor/],
    ['with an address that is none', { addresses: ['ct.example'] }, 'addresses', /no address and no prefix/],
  ])('%s says so', (_, o, field, why) => expect(check(b(o), [])[field]).toMatch(why))
  it('of a device that has one already says so', () => expect(check(b(), [b()]).device).toMatch(/has a binding already/))
  it('in clear that could not be told from another says so', () => {
    const plain = (device: string) => b({ device, plain: true, addresses: ['10.0.0.1'] })
    expect(check(plain('dev-1'), [plain('dev-2')]).addresses).toMatch(/could not be told apart/)
    expect(check(plain('dev-1'), [{ ...plain('dev-2'), calling_ae: ['OTHER'] }])).toEqual({})
  })
  it('for the web alone needs no AE title', () => expect(check(b({ calling_ae: [], operations: ['wado'] }), [])).toEqual({}))
  it('is said back in a sentence', () => {
    expect(inWords(b({ called_ae: ['ASEPSIS'], addresses: ['10.0.0.0/8'], sop_classes: ['ct'] }))).toBe('The device with this certificate as CT1 from 10.0.0.0/8, calling ASEPSIS may: echo, store of ct.')
    expect(inWords(b({ plain: true, addresses: ['10.0.0.1'], calling_ae: ['CT1', 'CT1_QR'] }))).toBe('Whoever comes in clear from 10.0.0.1 as CT1 or CT1_QR may: echo, store.')
    expect(inWords(b({ operations: [] }))).toMatch(/may: nothing\.$/)
  })
  it('is sent without what the gateway fills in', () => expect(sent(b({ identification: 'good', last_seen: 'x', refused: 3, last_problem: 'y', device_name: 'CT-1', theatre: 'or-3' }))).toEqual(b({ theatre: 'or-3' })))
})
