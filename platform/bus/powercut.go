// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
)

// A power cut takes what was acknowledged within the last SyncInterval, and a
// reader may have stored positions that the stream then gives a second time. What
// comes to stand at them would be taken for seen. So the stream is moved on,
// with messages that stand for nothing: after a power cut by more than can have
// been lost, and when a reader comes with a position beyond the end.
const (
	filler    = "AsB-skip"
	afterCut  = 2000 // messages; at 50 a second and publisher, far more than SyncInterval holds
	mostMoved = 1 << 20
)

// bootID differs between starts of the machine; nil where it is not known, and
// then each kill counts as a power cut.
func bootID() []byte {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil
	}
	return bytes.TrimSpace(b)
}

func (s *embedded) marker() string { return filepath.Join(s.dir, "running") }

// powerCut reports whether the machine went down while a server ran on the
// directory, and notes that one runs now.
func (s *embedded) powerCut() (bool, error) {
	was, err := os.ReadFile(s.marker())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	now := bootID()
	cut := err == nil && (now == nil || !bytes.Equal(was, now))
	return cut, os.WriteFile(s.marker(), now, 0o600)
}

// move publishes n messages that stand for nothing.
func (b *Bus) move(ctx context.Context, n uint64) error {
	subject := b.cfg.Name + ".events.=.skip"
	for n = min(n, mostMoved); n > 0; {
		part := min(n, 500)
		var last []jetstream.PubAckFuture
		for range part {
			f, err := b.js.PublishAsync(subject, []byte(filler))
			if err != nil {
				return err
			}
			last = append(last, f)
		}
		for _, f := range last {
			select {
			case <-f.Ok():
			case err := <-f.Err():
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		n -= part
	}
	return nil
}
