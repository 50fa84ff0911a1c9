// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// TrustFile returns the file by which anybody verifies this log's receipts.
func (r *Reader) TrustFile() ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, trustFile))
	if err != nil {
		return nil, fmt.Errorf("ledger: read the trust file: %w", err)
	}
	return b, nil
}

// Check is Fsck of this log.
func (r *Reader) Check(ctx context.Context) (Report, error) { return Fsck(ctx, r.dir, nil) }
