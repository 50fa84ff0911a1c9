// SPDX-License-Identifier: Apache-2.0
// Export of what a grid shows: the columns that are shown, in their order, of
// the rows that pass the filters, in their order.

import { cellText, type CellValue } from './compare'

export interface ExportColumn<T> { id: string; label: string; value: (row: T) => CellValue }

/** RFC 4180. A spreadsheet must not run what a device on the network says of itself, so a cell that begins like a formula gets an apostrophe. */
export function toCSV<T>(rows: readonly T[], columns: readonly ExportColumn<T>[]): string {
  const cell = (v: CellValue) => {
    let text = cellText(v)
    if (typeof v !== 'number' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const lines = [columns.map((c) => cell(c.label)), ...rows.map((r) => columns.map((c) => cell(c.value(r))))]
  return lines.map((l) => l.join(',')).join('\r\n') + '\r\n'
}

export function toJSON<T>(rows: readonly T[], columns: readonly ExportColumn<T>[]): string {
  return JSON.stringify(rows.map((r) => Object.fromEntries(columns.map((c) => [c.id, c.value(r) ?? null]))), null, 2) + '\n'
}

/** Hands a file to the browser. */
export function saveFile(name: string, type: string, text: string | Blob): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.click()
  // The browser reads the blob after the click; a minute is plenty.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** "asepsis-devices-2026-03-01-0912.csv" */
export function fileName(what: string, ending: string, now: Date): string {
  const stamp = now.toISOString().slice(0, 16).replace('T', '-').replace(':', '')
  return `asepsis-${what}-${stamp}.${ending}`
}
