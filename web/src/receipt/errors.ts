// SPDX-License-Identifier: Apache-2.0
// Why a receipt is refused. Codes are part of the format (docs/ledger.md): the same
// input gives the same code in every verifier.

export type Code =
  | 'bad-trust'
  | 'too-large'
  | 'not-json'
  | 'not-canonical'
  | 'wrong-format'
  | 'malformed'
  | 'bad-statement'
  | 'bad-checkpoint'
  | 'wrong-log'
  | 'duplicate-signature'
  | 'unknown-key'
  | 'bad-log-signature'
  | 'no-log-signature'
  | 'bad-cosignature'
  | 'not-witnessed'
  | 'index-out-of-range'
  | 'truncated-proof'
  | 'wrong-root'
  | 'bad-timestamp'
  | 'wrong-timestamp'
  | 'untrusted-timestamp'
  | 'wrong-file'

const hints: Partial<Record<Code, string>> = {
  'wrong-log': 'Is it the trust file of the site that gave the receipt, and the newest?',
  'unknown-key': 'Is it the trust file of the site that gave the receipt, and the newest?',
  'not-witnessed': 'Ask for the receipt again when the ledger’s witnesses have signed, or accept it without them.',
  'untrusted-timestamp': 'Name the timestamp authority’s certificate in the trust file, under timestamp_roots.',
  'not-canonical': 'Use the file as it was downloaded: an editor or a mail program may have changed it.',
  'wrong-file': 'Compare the file with the subjects that the statement names.',
}

/** A check that failed: what, and where there is something to do, what to do. */
export class ReceiptError extends Error {
  readonly code: Code

  constructor(code: Code, why: string) {
    super(why)
    this.name = 'ReceiptError'
    this.code = code
  }

  get hint(): string | undefined {
    return hints[this.code]
  }
}
