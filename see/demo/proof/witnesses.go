// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"

	"github.com/asepsis/asepsis/prove/ledger"
	"github.com/asepsis/asepsis/prove/ledger/witness"
)

// Witnesses are the two witnesses of the demo's ledger, so that it can be seen what being witnessed is. They run in the
// demo's own process, on loopback: like everything of the demo they prove nothing to anybody.
type Witnesses struct {
	list []*witness.Witness
	at   []net.Listener
}

// witnessNames are those of two neighbours that do not exist.
func witnessNames() []string {
	return []string{"witness-ost.example/demo", "witness-west.example/demo"}
}

// NewWitnesses opens the witnesses below a directory, for the log with a verifier key, and
// listens.
func NewWitnesses(dir, logKey string, log *slog.Logger) (*Witnesses, error) {
	w := &Witnesses{}
	for i, name := range witnessNames() {
		x, err := witness.New(witness.Config{Dir: filepath.Join(dir, fmt.Sprintf("witness-%d", i+1)), Name: name, Listen: "127.0.0.1:0", Logs: []string{logKey}}, witness.Deps{Log: log})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("demo: %w", err), w.Close())
		}
		w.list = append(w.list, x)
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("demo: %w", err), w.Close())
		}
		w.at = append(w.at, l)
	}
	return w, nil
}

// Config is how the ledger reaches them.
func (w *Witnesses) Config() []ledger.WitnessConfig {
	out := make([]ledger.WitnessConfig, len(w.list))
	for i, x := range w.list {
		out[i] = ledger.WitnessConfig{Key: x.Key(), URL: "http://" + w.at[i].Addr().String()}
	}
	return out
}

// Run serves until ctx ends.
func (w *Witnesses) Run(ctx context.Context) error {
	errs := make([]error, len(w.list))
	var all sync.WaitGroup
	for i, x := range w.list {
		all.Go(func() { errs[i] = x.Serve(ctx, w.at[i]) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close gives everything back; after Run it is only needed for the witnesses' directories.
func (w *Witnesses) Close() error {
	var err error
	for _, l := range w.at {
		if e := l.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	for _, x := range w.list {
		err = errors.Join(err, x.Close())
	}
	return err
}
