// SPDX-License-Identifier: Apache-2.0
// Which image a file is. The file is hashed here and never sent: the gateway is
// asked only for the SHA-256 of its data set.

import { ApiError, explain } from '@/api/client'
import type { ImagingInstance } from '@/api/types'
import { sumsOfFile, TooBig } from '../verify/hash'
import { statementsOf, withContent } from './queries'

/** More files than these are not looked up at once. */
export const MOST = 100
/** Instances of one content that are named. */
const SAME = 20

export interface Found {
  file: string
  /** Of the data set; of the whole file where it has no header of DICOM's. */
  digest: string
  bare: boolean
  /** Those that came or went with this content, the newest first. */
  images: ImagingInstance[]
  /** Nothing of it is kept any more, but the ledger speaks of it. */
  recorded: boolean
}
export interface NotRead { file: string; why: string; hint?: string }
export type Looked = Found | NotRead

/** What somebody reads who has the file but not the web page: the command line has no limit. */
const onTheCommandLine = 'On the command line: asepsis gateway instances --file FILE'

async function lookUp(gateway: string, file: File, signal: AbortSignal): Promise<Looked> {
  try {
    const sums = await sumsOfFile(file)
    const digest = sums.dataSet ?? sums.whole
    const images = await withContent(gateway, digest, SAME, signal)
    return { file: file.name, digest, bare: sums.dataSet === null, images, recorded: images.length === 0 && (await isRecorded(gateway, digest, signal)) }
  } catch (e) {
    if (signal.aborted) throw e
    return { file: file.name, ...whyNot(e) }
  }
}

async function isRecorded(gateway: string, digest: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await statementsOf(gateway, digest, signal)).receipts.length > 0
  } catch (e) {
    if (e instanceof ApiError && e.status === 404) return false
    throw e
  }
}

export function whyNot(e: unknown): { why: string; hint?: string } {
  if (e instanceof TooBig) return { why: e.message, hint: onTheCommandLine }
  if (e instanceof ApiError) {
    const { title, hint } = explain(e)
    return { why: title, hint }
  }
  if (e instanceof DOMException) return { why: 'It cannot be read: it is a folder, or it was moved meanwhile.', hint: 'Choose the files in it.' }
  return { why: e instanceof Error ? e.message : String(e) }
}

/** One file after the other: each is in memory as a whole while it is hashed. */
export async function* lookUpAll(gateway: string, files: readonly File[], signal: AbortSignal): AsyncGenerator<Looked> {
  for (const f of files.slice(0, MOST)) {
    if (signal.aborted) return
    yield await lookUp(gateway, f, signal)
  }
}

/** How an image has this content: as it came, or as it went somewhere. */
export function asWhat(r: Pick<ImagingInstance, 'data_set' | 'deliveries'>, digest: string): string {
  const to = [...new Set((r.deliveries ?? []).filter((d) => d.forwarded === digest).map((d) => d.destination))]
  if (r.data_set !== digest) return to.length > 0 ? `as it was changed for ${to.join(' and ')}` : ''
  return to.length > 0 ? `as it came, and as it was sent to ${to.join(' and ')}` : 'as it came'
}
