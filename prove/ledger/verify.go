// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/asepsis/asepsis/prove/receipt"
)

// Verified is what Verify checked.
type Verified struct {
	Origin    string `json:"origin"`
	Size      uint64 `json:"size"` // recorded
	Published uint64 `json:"published"`
	Witnessed uint64 `json:"witnessed"`
	Proven    int    `json:"proven"` // entries of the sample
}

// Verify checks the checkpoints' signatures against a trust file, that the published
// one goes on from the witnessed one, and that a sample of entries, spread over the
// log, is in it. The error is a *receipt.Error or ErrDamaged where something is not
// as it was signed.
func (r *Reader) Verify(ctx context.Context, t *receipt.Trust, sample int) (Verified, error) {
	v := Verified{Origin: t.Log.Name}
	var err error
	if v.Size, err = r.Size(); err != nil {
		return v, err
	}
	note, err := r.tiles.checkpoint()
	if err != nil {
		return v, err
	}
	if note == nil {
		return v, errInconsistent("there is no checkpoint")
	}
	c, err := t.Open(note)
	if err != nil {
		return v, err
	}
	w, err := r.WitnessedCheckpoint()
	if err != nil {
		return v, err
	}
	v.Published, v.Witnessed = c.Size, w.Size
	if c.Size > v.Size || w.Size > c.Size {
		return v, errInconsistent("%d entries are recorded, %d published, %d witnessed", v.Size, c.Size, w.Size)
	}
	if w.Size > 0 {
		p, err := r.tiles.consistency(ctx, w.Size, c.Size)
		if err != nil {
			return v, errInconsistent("%w", err)
		}
		raw := make([][]byte, len(p))
		for i := range p {
			raw[i] = p[i][:]
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, w.Size, c.Size, raw, w.Root[:], c.Root[:]); err != nil {
			return v, errInconsistent("the published log does not go on from the witnessed one")
		}
	}
	n := min(uint64(max(sample, 0)), c.Size)
	for i := range n {
		at := i
		if n > 1 {
			at = i * (c.Size - 1) / (n - 1)
		}
		if err := ctx.Err(); err != nil {
			return v, err
		}
		if err := r.proves(ctx, at, c); err != nil {
			return v, fmt.Errorf("entry %d: %w", at, err)
		}
		v.Proven++
	}
	return v, nil
}
