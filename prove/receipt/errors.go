// SPDX-License-Identifier: Apache-2.0

package receipt

import "fmt"

// Code names why a receipt, a file or a trust file is refused. Codes are part of
// the format: the same input gives the same code in every verifier.
type Code string

// The codes, in the order in which checks are made.
const (
	BadTrust           Code = "bad-trust"           // the trust file cannot be used
	TooLarge           Code = "too-large"           // more than MaxReceipt bytes
	NotJSON            Code = "not-json"            // no JSON, or nested too deeply
	NotCanonical       Code = "not-canonical"       // not the RFC 8785 form and a line feed
	WrongFormat        Code = "wrong-format"        // no receipt, or of a later format
	Malformed          Code = "malformed"           // a member is missing, unknown or of another type
	BadStatement       Code = "bad-statement"       // no in-toto statement with one of our predicates
	BadCheckpoint      Code = "bad-checkpoint"      // no signed note with origin, size and root
	WrongLog           Code = "wrong-log"           // the checkpoint is another log's
	DuplicateSignature Code = "duplicate-signature" // one key signed twice
	UnknownKey         Code = "unknown-key"         // a signature by a key that the trust file does not have
	BadLogSignature    Code = "bad-log-signature"   // the log's signature is wrong
	NoLogSignature     Code = "no-log-signature"    // the log did not sign
	BadCosignature     Code = "bad-cosignature"     // a witness's signature is wrong
	NotWitnessed       Code = "not-witnessed"       // fewer witnesses than the trust file demands
	IndexOutOfRange    Code = "index-out-of-range"  // the checkpoint's log ends before the entry
	TruncatedProof     Code = "truncated-proof"     // more or fewer hashes than index and size demand
	WrongRoot          Code = "wrong-root"          // statement and proof do not lead to the checkpoint's root
	BadTimestamp       Code = "bad-timestamp"       // the token is malformed or its signature wrong
	WrongTimestamp     Code = "wrong-timestamp"     // the token is of something else
	UntrustedTimestamp Code = "untrusted-timestamp" // the token's signer is not of the trust file
	WrongFile          Code = "wrong-file"          // the statement is about another file
)

// Error is a check that failed.
type Error struct {
	Code Code
	Why  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s)", e.Why, e.Code) }

// Hint says what to do about it, "" where there is nothing to do but to ask whoever
// gave the receipt.
func (e *Error) Hint() string {
	switch e.Code {
	case WrongLog, UnknownKey:
		return "is it the trust file of the site that gave the receipt, and the newest?"
	case NotWitnessed:
		return "ask for the receipt again when the ledger's witnesses have signed, or accept it without them"
	case UntrustedTimestamp:
		return "name the timestamp authority's certificate in the trust file, under timestamp_roots"
	case NotCanonical:
		return "use the file as it was downloaded: an editor or a mail program may have changed it"
	case WrongFile:
		return "compare the file with the subjects that the statement names"
	}
	return ""
}

func failed(c Code, format string, args ...any) *Error {
	return &Error{c, fmt.Sprintf(format, args...)}
}
