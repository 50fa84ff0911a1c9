// SPDX-License-Identifier: Apache-2.0

package dicomnet

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
)

// TestGDCMEchoesAndStoresToUs has a third stack of its own as a sender.
func TestGDCMEchoesAndStoresToUs(t *testing.T) {
	need(t, "gdcmscu")
	r := newReceiver()
	port := serve(t, &Server{}, r)
	dir := t.TempDir()
	want := map[string][32]byte{}
	for i, pixels := range []int{2, 100, 40 << 10, 5 << 20} {
		uid := fmt.Sprintf("1.2.826.0.1.3680043.8.498.7.%d", i)
		data := instance(uid, pixels)
		want[uid] = sha256.Sum256(data)
		part10(t, filepath.Join(dir, uid+".dcm"), uid, data)
	}
	// Debian's gdcmscu 3.0.21 aborts after every release, so its exit code says nothing: what arrived does.
	echoed, _ := run(t, dir, "gdcmscu", "--echo", "--aetitle", "CT_OR3", "--call", "ARCHIVE", "127.0.0.1", port)
	stored, _ := run(t, dir, "gdcmscu", "--store", "--aetitle", "CT_OR3", "--call", "ARCHIVE", "-r", "-i", dir, "127.0.0.1", port)
	until(t, "the associations to end", func() bool { return len(r.ends()) >= 2 })
	for _, e := range r.ends() {
		if e.Err != nil || e.Association == nil {
			t.Errorf("an association ended with %v\n%s%s", e.Err, echoed, stored)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, h := range want {
		if r.hashes[uid] != h {
			t.Errorf("%s did not arrive bit for bit (%d arrived)", uid, len(r.hashes))
		}
	}
}
