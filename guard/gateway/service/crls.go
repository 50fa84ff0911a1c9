// SPDX-License-Identifier: Apache-2.0

package service

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/identity/trust"
)

// keptCRLs is a source of revocation lists that remembers what it had last in a file: a gateway that is started while
// they cannot be fetched, as after a power cut, begins with those. They are signed and have an end, which Trust looks at; from then on
// it is told that they cannot be fetched, as always.
type keptCRLs struct {
	source trust.Source
	file   string
	log    *slog.Logger

	mu   sync.Mutex
	had  bool // it was asked before
	last []byte
}

// CRLs implements trust.Source.
func (k *keptCRLs) CRLs(ctx context.Context) ([][]byte, error) {
	list, err := k.source.CRLs(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	first := !k.had
	k.had = true
	if err == nil {
		k.keep(list)
		return list, nil
	}
	if !first {
		return list, err
	}
	kept := k.kept()
	if len(kept) == 0 {
		return list, err
	}
	k.log.Warn("no revocation list can be fetched; the last ones that were are used as long as they are valid", "why", err, "file", k.file, "hint", "is the authority running, and can its CRL be fetched from here?")
	return append(kept, list...), nil
}

// keep writes them down. It may fail: then the next start needs the network.
func (k *keptCRLs) keep(list [][]byte) {
	var b bytes.Buffer
	for _, der := range list {
		_ = pem.Encode(&b, &pem.Block{Type: "X509 CRL", Bytes: der}) // to memory
	}
	if bytes.Equal(b.Bytes(), k.last) {
		return
	}
	if err := durable.Write(k.file, b.Bytes()); err != nil {
		k.log.Warn("the revocation lists could not be kept for the next start", "why", err)
		return
	}
	k.last = b.Bytes()
}

// maxKept bounds the file that is read.
const maxKept = 64 << 20

func (k *keptCRLs) kept() [][]byte {
	st, err := os.Stat(k.file)
	if err == nil && st.Size() > maxKept {
		err = errors.New("it is too large")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(k.file)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			k.log.Warn("the revocation lists that were kept cannot be read", "why", err)
		}
		return nil
	}
	var out [][]byte
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return out
		}
		if block.Type == "X509 CRL" {
			out = append(out, block.Bytes)
		}
	}
}
