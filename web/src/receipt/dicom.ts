// SPDX-License-Identifier: Apache-2.0
// Where the data set of a DICOM file begins (PS3.10 §7). Whoever receives an image
// writes preamble and file meta information anew, so that statements about images
// name the data set alone.
import { type Bytes, sha256, toHex } from './bytes'

const MAX_META = 1 << 20
const long = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])

/**
 * The offset of the data set, or null for what is no DICOM file. The meta
 * information is read element by element, explicit VR little endian, up to the
 * first tag of another group; its length, which the first element tells, is not
 * relied on.
 */
export function dataSetAt(file: Bytes): number | null {
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  if (file.length < 132 || String.fromCharCode(...file.subarray(128, 132)) !== 'DICM') return null
  let at = 132
  while (at <= MAX_META) {
    if (at === file.length && at > 132) return at // no data set at all
    if (at + 4 > file.length) return null
    if (view.getUint16(at, true) !== 2) return at > 132 ? at : null
    if (at + 8 > file.length) return null
    let head = 8
    let length = view.getUint16(at + 6, true)
    if (long.has(String.fromCharCode(...file.subarray(at + 4, at + 6)))) {
      if (at + 12 > file.length) return null
      head = 12
      length = view.getUint32(at + 8, true)
    }
    if (length > MAX_META || at + head + length > file.length) return null
    at += head + length
  }
  return null
}

/** What a statement can be about: a file, and the data set of a DICOM file. In hexadecimal. */
export interface Sums { whole: string; dataSet: string | null }

export async function sumsOf(file: Bytes): Promise<Sums> {
  const at = dataSetAt(file)
  return { whole: toHex(await sha256(file)), dataSet: at === null ? null : toHex(await sha256(file.subarray(at))) }
}
