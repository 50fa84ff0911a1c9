// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import type { IdentityCertificate } from '@/api/types'
import { certValues, countsOf, rowsOf } from './fields'
import { readRequest, whyNoRequest } from './SignDialog'

const now = Date.parse('2026-11-22T10:00:00Z')
const at = (hours: number) => new Date(now + hours * 3_600_000).toISOString()
const cert = (serial: string, end: number, o: Partial<IdentityCertificate> = {}): IdentityCertificate => ({ serial, device: 'd1', spiffe: 'spiffe://n/device/d1', profile: 'dicom-node', subject: '', issuer: '', not_before: at(end - 168), not_after: at(end), renew_from: at(end - 56), sha256: '', status: end > 0 ? 'good' : 'expired', due: false, ...o })

describe('what renewals leave behind', () => {
  it('needs nobody: an ended certificate with a successor was replaced', () => {
    const rows = rowsOf([cert('a', -100), cert('b', 60)], now)
    expect(rows.map((c) => c.is)).toEqual(['superseded', 'good'])
    expect(countsOf(rows)).toEqual({ good: 1, due: 0, ending: 0, expired: 0 })
  })
  it('needs somebody when nothing came after it, also when the successor was revoked or is for something else', () => {
    expect(rowsOf([cert('a', -1)], now)[0]?.is).toBe('expired')
    expect(rowsOf([cert('a', -1), cert('b', 90, { status: 'revoked' })], now)[0]?.is).toBe('expired')
    expect(rowsOf([cert('a', -1), cert('b', 90, { profile: 'eap-tls-supplicant' })], now)[0]?.is).toBe('expired')
  })
  it('and is counted with what is late', () => {
    const rows = rowsOf([cert('a', 20), cert('b', 50, { device: 'd2', spiffe: 'x', due: true }), cert('c', 24 * 20, { spiffe: 'y', long_life: true }), cert('d', -3, { spiffe: 'z' })], now)
    expect(rows.map((c) => c.is)).toEqual(['overdue', 'due', 'ending', 'expired'])
    expect(countsOf(rows)).toEqual({ good: 3, due: 2, ending: 2, expired: 1 })
    expect(certValues(rows[2] ?? (() => { throw new Error() })(), 'long')).toEqual(['yes'])
  })
})

describe('a certificate request', () => {
  const pem = '-----BEGIN CERTIFICATE REQUEST-----\nMAMCAQU=\n-----END CERTIFICATE REQUEST-----\n'
  it('is read as PEM and as DER', async () => {
    expect(await readRequest(new Blob([pem]))).toBe(pem)
    expect(await readRequest(new Blob([Uint8Array.of(0x30, 3, 2, 1, 5)]))).toBe(pem)
    expect(whyNoRequest(pem)).toBeUndefined()
  })
  it.each([['', /Drop or paste/], ['hello', /no request in PEM/], ['-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----', /a certificate, not the request/], [`-----BEGIN EC PRIVATE KEY-----\nAA\n-----END EC PRIVATE KEY-----\n${pem}`, /private key in it/]])('%j is none', (text, why) => expect(whyNoRequest(text)).toMatch(why))
  it('is refused when it is too large or something else', async () => {
    await expect(readRequest(new Blob(['x'.repeat(65 << 10)]))).rejects.toThrow('too large')
    await expect(readRequest(new Blob(['no']))).rejects.toThrow('neither PEM nor DER')
  })
})
