// SPDX-License-Identifier: Apache-2.0
// Server-sent events, parsed as the HTML standard says (§9.2.6), from chunks
// that may end anywhere.

export interface ServerEvent {
  id: string // last id seen, also of earlier events
  event: string
  data: string
}

/** A parser with memory. Lines end with LF, CR or CRLF; an event at the end without its blank line is dropped. */
export class EventParser {
  private rest = ''
  private data: string[] = []
  private event = ''
  private id = ''
  private lastWasCR = false
  /** The server's `retry:`, in milliseconds. */
  retry: number | undefined

  push(chunk: string): ServerEvent[] {
    const out: ServerEvent[] = []
    if (chunk === '') return out
    if (this.lastWasCR && chunk.startsWith('\n')) chunk = chunk.slice(1)
    this.lastWasCR = chunk.endsWith('\r')
    const lines = (this.rest + chunk).split(/\r\n|\n|\r/)
    this.rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) out.push({ id: this.id, event: this.event || 'message', data: this.data.join('\n') })
        this.data = []
        this.event = ''
      } else this.field(line)
    }
    return out
  }

  private field(line: string): void {
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment: the heartbeat
    const name = colon < 0 ? line : line.slice(0, colon)
    let value = colon < 0 ? '' : line.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    if (name === 'data') this.data.push(value)
    else if (name === 'event') this.event = value
    else if (name === 'id') {
      if (!value.includes('\0')) this.id = value
    } else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value)
  }
}
