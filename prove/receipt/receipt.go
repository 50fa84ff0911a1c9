// SPDX-License-Identifier: Apache-2.0

// Package receipt checks, without any server, that a custody statement is in a
// transparency log that witnesses watch.
//
// A receipt is one small file: the statement, its index in the log, the inclusion
// proof (RFC 9162 §2.1.3), the log's signed checkpoint with the cosignatures of
// witnesses (C2SP tlog-checkpoint, tlog-cosignature), and where there is one an
// RFC 3161 token over the checkpoint. Whoever checks it needs a [Trust] file, which
// names the log's key and the witnesses, and nothing else.
//
//	trust, err := receipt.ParseTrust(trustFile)
//	result, err := receipt.Verify(receiptFile, trust, receipt.Options{})
//	name, err := result.Match(sha256OfAnArtefact)
//
// # What it guarantees
//
// Every byte of a receipt is checked: the file must be the canonical form
// (RFC 8785) of what it says, and each part of it is either hashed into the tree,
// signed, or fixed by the format. A flipped bit anywhere is found. A failed check is
// an [*Error] with a [Code] that is part of the format; docs/ledger.md lists them in
// the order in which they are tried, for verifiers in other languages.
//
// # Limits
//
// A receipt has at most [MaxReceipt] bytes, so a check takes bounded time and memory
// (far below 5 ms). It imports the standard library and core/custody. Values are
// plain and safe for concurrent use.
//
// What is not done: it does not tell whether the log has grown since, and it does not
// ask whether keys of the trust file are still in use; who gives out the trust file
// does.
package receipt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/asepsis/asepsis/core/custody"
)

// Format is the `format` of a receipt.
const Format = "asepsis-receipt/v1"

// Limits of a receipt.
const (
	MaxReceipt    = 192 << 10 // bytes of the file
	MaxProof      = 63        // hashes
	MaxCheckpoint = 16 << 10  // bytes
	MaxSignatures = 32        // of a checkpoint
	MaxToken      = 32 << 10  // bytes of an RFC 3161 token
)

// Receipt is what a file says, before anything is proven.
type Receipt struct {
	Statement  []byte     // canonical form: the leaf's data
	Index      uint64     // of the leaf
	Proof      [][32]byte // from the leaf up
	Checkpoint []byte     // signed note
	Timestamp  []byte     // RFC 3161 token (DER), nil for none
}

// Encode writes the file: the RFC 8785 form and a line feed.
func (r *Receipt) Encode() ([]byte, error) {
	v, err := custody.Decode(r.Statement, custody.MaxDepth+4)
	if err != nil {
		return nil, fmt.Errorf("receipt: statement: %w", err)
	}
	proof := make([]any, len(r.Proof))
	for i, h := range r.Proof {
		proof[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	m := map[string]any{"format": Format, "statement": v, "index": r.Index, "proof": proof, "checkpoint": string(r.Checkpoint)}
	if len(r.Timestamp) > 0 {
		m["timestamp"] = base64.StdEncoding.EncodeToString(r.Timestamp)
	}
	b, err := custody.Canonical(m, custody.MaxDepth+6)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	if len(b) >= MaxReceipt {
		return nil, fmt.Errorf("receipt: it would have %d bytes, more than %d", len(b)+1, MaxReceipt)
	}
	return append(b, '\n'), nil
}

// Parse reads a file strictly. It proves nothing: Verify does.
func Parse(file []byte) (*Receipt, error) {
	if len(file) > MaxReceipt {
		return nil, failed(TooLarge, "it has %d bytes, more than %d", len(file), MaxReceipt)
	}
	text, ok := bytes.CutSuffix(file, []byte("\n"))
	if !ok {
		return nil, failed(NotCanonical, "it does not end in a line feed: it was cut, or is no receipt")
	}
	v, err := custody.Decode(text, custody.MaxDepth+6)
	var form *custody.NotCanonicalError
	switch {
	case errors.As(err, &form):
		return nil, failed(NotCanonical, "%s", form.Error())
	case err != nil:
		return nil, failed(NotJSON, "%s", err.Error())
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, failed(Malformed, "it is no object")
	}
	if m["format"] != Format {
		return nil, failed(WrongFormat, "its format is not %s", Format)
	}
	for name := range m {
		switch name {
		case "format", "statement", "index", "proof", "checkpoint", "timestamp":
		default:
			return nil, failed(Malformed, "there is a member that the format does not have")
		}
	}
	return fromMembers(m)
}

func fromMembers(m map[string]any) (*Receipt, error) {
	r := &Receipt{}
	index, ok := m["index"].(json.Number)
	if !ok {
		return nil, failed(Malformed, "index is missing or no number")
	}
	var err error
	if r.Index, err = strconv.ParseUint(string(index), 10, 53); err != nil {
		return nil, failed(Malformed, "index is not a whole number from 0 to 2^53-1")
	}
	statement, ok := m["statement"].(map[string]any)
	if !ok {
		return nil, failed(Malformed, "statement is missing or no object")
	}
	if r.Statement, err = custody.Canonical(statement, custody.MaxDepth+4); err != nil {
		return nil, failed(BadStatement, "%s", err.Error())
	}
	checkpoint, ok := m["checkpoint"].(string)
	if !ok || checkpoint == "" || len(checkpoint) > MaxCheckpoint {
		return nil, failed(Malformed, "checkpoint is missing, no text, or longer than %d bytes", MaxCheckpoint)
	}
	r.Checkpoint = []byte(checkpoint)
	proof, ok := m["proof"].([]any)
	if !ok || len(proof) > MaxProof {
		return nil, failed(Malformed, "proof is missing, no list, or longer than %d", MaxProof)
	}
	r.Proof = make([][32]byte, len(proof))
	for i, e := range proof {
		text, _ := e.(string)
		h, err := decode64(text)
		if err != nil || len(h) != 32 {
			return nil, failed(Malformed, "proof[%d] is no hash of 32 bytes in base64", i)
		}
		r.Proof[i] = [32]byte(h)
	}
	if v, ok := m["timestamp"]; ok {
		text, _ := v.(string)
		if r.Timestamp, err = decode64(text); err != nil || len(r.Timestamp) == 0 || len(r.Timestamp) > MaxToken {
			return nil, failed(Malformed, "timestamp is no base64 of 1 to %d bytes", MaxToken)
		}
	}
	return r, nil
}

// decode64 reads base64 (RFC 4648 §4) of which only one spelling is accepted:
// unused bits are zero, padding is there, line ends are not.
func decode64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return nil, errors.New("no base64")
	}
	return b, nil
}
