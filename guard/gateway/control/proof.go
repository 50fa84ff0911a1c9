// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	"github.com/asepsis/asepsis/prove/ledger"
)

// Proof is the ledger that the gateway writes, as far as it is asked about instances. A
// gateway in a process of its own has a log of its own: that of the console's process
// knows nothing of its entries.
type Proof interface {
	// Ledger says how far the log is signed, and gives what a verifier has to trust.
	Ledger(ctx context.Context) (LedgerState, error)
	// Entries returns entries in the order of their index, at most MaxEntries.
	Entries(ctx context.Context, q EntryQuery) ([]ledger.Entry, error)
	// Receipts returns a receipt for each entry that a checkpoint covers already, witnessed
	// where it can be, in the order of the indexes, at most MaxEntries. Entries that are only
	// recorded are left out.
	Receipts(ctx context.Context, indexes []uint64) ([]Receipt, error)
}

// MaxEntries is how many entries or receipts are asked for at once.
const MaxEntries = 1000

// LedgerState is how far a log is signed: entries below Witnessed are covered by a
// checkpoint that enough witnesses signed, those below Published by one of the log.
type LedgerState struct {
	Origin    string `json:"origin"` // "" where no ledger runs
	Size      uint64 `json:"size"`
	Published uint64 `json:"published"`
	Witnessed uint64 `json:"witnessed"`
	Problem   string `json:"problem,omitempty"` // the log found that it is damaged
	Trust     []byte `json:"trust,omitempty"`   // the trust file
}

// Of says how far an entry is.
func (s *LedgerState) Of(index uint64) ledger.State {
	switch {
	case index < s.Witnessed:
		return ledger.Witnessed
	case index < s.Published:
		return ledger.Published
	}
	return ledger.Recorded
}

// EntryQuery asks for entries by their indexes, or by the SHA-256 of an artefact.
type EntryQuery struct {
	Indexes []uint64 `json:"indexes,omitempty"`
	Digest  string   `json:"digest,omitempty"`
}

// Receipt is a receipt file.
type Receipt struct {
	Index uint64       `json:"index"`
	State ledger.State `json:"state"`
	File  []byte       `json:"file"`
}
