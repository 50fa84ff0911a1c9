// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
)

// gate signs only trees that the ledger computed itself, from the entries in the order in
// which they were acknowledged. Whatever goes wrong in the log's storage, nothing else is
// ever published under the log's key.
type gate struct {
	note.Signer

	mu    sync.Mutex
	roots map[uint64][32]byte // of sizes that may be signed
	order []uint64            // in which they were allowed, the oldest first
}

// keptRoots is how many sizes may be signed: the newest, and those that a publisher that
// was held up for a moment may still have in its hand.
const keptRoots = 256

func newGate(s note.Signer) *gate { return &gate{Signer: s, roots: map[uint64][32]byte{}} }

// allow says that a tree is the ledger's.
func (g *gate) allow(size uint64, root [32]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.roots[size]; !ok {
		g.order = append(g.order, size)
	}
	g.roots[size] = root
	if len(g.order) > keptRoots {
		delete(g.roots, g.order[0])
		g.order = g.order[1:]
	}
}

var errNotOurs = errors.New("the tree is not one that the ledger computed: it is not signed")

// Sign signs a checkpoint's text (C2SP tlog-checkpoint: origin, size, root).
func (g *gate) Sign(text []byte) ([]byte, error) {
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) != 4 || lines[0] != g.Name() {
		return nil, errNotOurs
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return nil, errNotOurs
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != 32 {
		return nil, errNotOurs
	}
	g.mu.Lock()
	want, ok := g.roots[size]
	g.mu.Unlock()
	if !ok || want != [32]byte(root) {
		return nil, errNotOurs
	}
	return g.Signer.Sign(text)
}
