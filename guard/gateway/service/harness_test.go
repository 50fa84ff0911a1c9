// SPDX-License-Identifier: Apache-2.0

package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/guard/gateway"
	"github.com/asepsis/asepsis/guard/gateway/binding"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/forward"
	"github.com/asepsis/asepsis/platform/config"
)

// configOf is a gateway with one destination that takes everything.
func configOf(port, data string, bindings ...control.Binding) (Config, error) {
	cfg := Default()
	cfg.Listeners = []gateway.Listener{{Kind: gateway.KindTLS, Listen: "127.0.0.1:0"}, {Kind: gateway.KindPlain, Listen: "127.0.0.1:0"}}
	cfg.Timeouts.Close, cfg.Drain = time.Second, 2*time.Second
	d := forward.DefaultDestination()
	d.Name, d.Address, d.CalledAE, d.CallingAE, d.BackoffMin, d.BackoffMax = "xr", "127.0.0.1:"+port, "XR1", "ASEPSIS", 50*time.Millisecond, 200*time.Millisecond
	cfg.Forward.Destinations = []forward.Destination{d}
	cfg.Forward.Routes = []forward.Route{{Name: "all", To: []string{"xr"}, Fail: forward.FailClosed}}
	cfg.Journal.Segment, cfg.Journal.Warn, cfg.Journal.Stop, cfg.Journal.Reserve = 8*config.MiB, 2*config.MiB, config.MiB, config.MiB
	cfg.Ledger.Reserve = config.MiB
	if err := os.MkdirAll(filepath.Join(data, "gateway"), 0o700); err != nil {
		return cfg, err
	}
	return cfg, os.WriteFile(filepath.Join(data, "gateway", "bindings.yaml"), binding.Format(bindings), 0o600)
}

func testKey(t testing.TB) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New([]byte(strings.Repeat("k", pseudonym.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
