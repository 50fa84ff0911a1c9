// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"slices"
	"time"

	"github.com/asepsis/asepsis/core/custody"
)

// Options relax a check, each for a reason.
type Options struct {
	// Unwitnessed accepts a checkpoint that fewer witnesses signed than the trust file
	// requires: what it proves is then the log's word alone. Result says so.
	Unwitnessed bool
}

// Result is what a receipt proves.
type Result struct {
	Statement custody.Statement
	// Hash is the SHA-256 of the canonical statement, hexadecimal.
	Hash       string
	Index      uint64
	Checkpoint Checkpoint
	// Witnessed says that enough witnesses signed.
	Witnessed bool
	// By is the time by which the statement was in the log, as Required witnesses say:
	// at least one honest witness saw it by then if fewer than Required lie. Zero
	// without witnesses.
	By time.Time
	// Timestamp is the time of the RFC 3161 token, zero without one.
	Timestamp time.Time
}

// Verify checks a receipt. The error is an *Error; with it the result holds nothing.
func Verify(file []byte, t *Trust, o Options) (Result, error) {
	r, err := Parse(file)
	if err != nil {
		return Result{}, err
	}
	return r.Verify(t, o)
}

// Verify checks a receipt that was parsed.
func (r *Receipt) Verify(t *Trust, o Options) (Result, error) {
	s, err := custody.Logged(r.Statement)
	if err != nil {
		return Result{}, failed(BadStatement, "%s", err.Error())
	}
	c, err := t.Open(r.Checkpoint)
	if err != nil {
		return Result{}, err
	}
	witnessed := len(c.Cosigned) >= t.Required
	if !witnessed && !o.Unwitnessed {
		return Result{}, failed(NotWitnessed, "%d of %d witnesses that are required signed the checkpoint", len(c.Cosigned), t.Required)
	}
	if err := CheckInclusion(LeafHash(r.Statement), r.Index, c.Size, r.Proof, c.Root); err != nil {
		return Result{}, err
	}
	out := Result{Statement: s, Hash: custody.Digest(r.Statement), Index: r.Index, Checkpoint: c, Witnessed: witnessed && t.Required > 0}
	if out.Witnessed {
		out.By = by(c.Cosigned, t.Required)
	}
	if r.Timestamp != nil {
		if out.Timestamp, err = verifyToken(r.Timestamp, c.Body, t.Roots); err != nil {
			return Result{}, err
		}
	}
	return out, nil
}

// by is the n-th earliest time: of n witnesses at least one is honest, and what it
// saw was there then. One who gives no time says nothing, and counts last.
func by(c []Cosignature, n int) time.Time {
	times := make([]time.Time, 0, len(c))
	for _, s := range c {
		if !s.Time.IsZero() {
			times = append(times, s.Time)
		}
	}
	if len(times) < n {
		return time.Time{}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times[n-1]
}

// Match says which subject of the statement a file is, by its SHA-256. The error is an
// *Error with the code WrongFile.
func (r *Result) Match(sum [sha256.Size]byte) (string, error) {
	want := hex.EncodeToString(sum[:])
	for _, s := range r.Statement.Subject {
		if s.Digest["sha256"] == want {
			return s.Name, nil
		}
	}
	return "", failed(WrongFile, "the statement is not about this file: none of its %d subjects has this content", len(r.Statement.Subject))
}

// LeafHash is the hash of an entry (RFC 9162 §2.1.1).
func LeafHash(data []byte) [32]byte {
	h := sha256.New()
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(data)
	return [32]byte(h.Sum(nil))
}

func nodeHash(left, right [32]byte) [32]byte {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// CheckInclusion checks that a leaf is in the tree of a root. The error is an *Error.
func CheckInclusion(leaf [32]byte, index, size uint64, proof [][32]byte, root [32]byte) error {
	if index >= size {
		return failed(IndexOutOfRange, "the entry has index %d, the checkpoint's log %d entries", index, size)
	}
	if want := proofLength(index, size); len(proof) != want {
		return failed(TruncatedProof, "the proof has %d hashes, index and size demand %d", len(proof), want)
	}
	if rootOf(leaf, index, size, proof) != root {
		return failed(WrongRoot, "statement, index and proof do not lead to the checkpoint's root")
	}
	return nil
}

// proofLength is how many hashes the proof of a leaf has: one for each level up to
// where the paths of the leaf and of the last leaf part, and above that one for
// each time that the path goes right.
//
// Preconditions: index < size.
func proofLength(index, size uint64) int {
	inner := bits.Len64(index ^ (size - 1))
	return inner + bits.OnesCount64(index>>inner)
}

// rootOf computes the root that a proof leads to (RFC 9162 §2.1.3.2).
//
// Preconditions: index < size, and the proof has proofLength hashes.
func rootOf(leaf [32]byte, index, size uint64, proof [][32]byte) [32]byte {
	inner := bits.Len64(index ^ (size - 1))
	h := leaf
	for i, p := range proof {
		if i >= inner || index>>i&1 == 1 {
			h = nodeHash(p, h)
		} else {
			h = nodeHash(h, p)
		}
	}
	return h
}
