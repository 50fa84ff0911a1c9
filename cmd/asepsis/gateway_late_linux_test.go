// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/platform/bus"
	"github.com/asepsis/asepsis/platform/standing"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/open"
)

// TestAGatewayTakesImagesBeforeBusAndStoreAreThere is what comes after a power cut: the gateway is up first.
func TestAGatewayTakesImagesBeforeBusAndStoreAreThere(t *testing.T) {
	t.Parallel()
	gatewaytest.Need(t, "storescu")
	h := newHospital(t)
	h.natsNow.kill()
	if err := h.pg.Stop(t.Context(), "fast"); err != nil {
		t.Fatal(err)
	}
	port := gatewaytest.FreePort(t)
	bindings := write(t, h.local, "bindings.yaml", "bindings:\n  - {device: dev-ct-3, plain: true, calling_ae: [CT3], addresses: [127.0.0.1], operations: [echo, store]}\n")
	conf := write(t, h.local, "gateway.yaml", fmt.Sprintf(`
bus: {url: "nats://%s"}
store: {url: %q}
gateway:
  name: gateway-or-3
  orders: bus
  ae_titles: [ASEPSIS]
  listeners: [{kind: dicom-plain, listen: "127.0.0.1:%s"}]
  bindings_file: %q
  ingest: {unrouted: keep}
  forward:
    destinations: [{name: xr, address: "127.0.0.1:%s", called_ae: XR1, calling_ae: ASEPSIS, tls: none}]
    routes: [{name: mr, modalities: [MR], to: [xr]}]
`, h.natsAt, h.dsn, port, bindings, gatewaytest.FreePort(t)))
	launch(t, h.bin, nil, "gateway", "--config", conf, "--data", filepath.Join(h.local, "gateway"))
	send := func(uid string) error {
		out, err := gatewaytest.Run(t, "storescu", "-xe", "-aet", "CT3", "-aec", "ASEPSIS", "127.0.0.1", port, gatewaytest.File(t, gatewaytest.CTStorage, uid, gatewaytest.Image(t, uid, "FICT-0001", 64)))
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	var last error
	eventually(t, "an image is taken while bus and store are away", func() bool { last = send("1.2.3.1"); return last == nil })
	h.startNATS()
	if err := h.pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := bus.Default()
	cfg.URL = "nats://" + h.natsAt
	b, err := bus.Open(t.Context(), cfg, bus.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "the gateway is steered over the bus that came later", func() bool {
		list, err := control.Gateways(t.Context(), b, time.Now())
		if err != nil || len(list) != 1 || list[0].Name != "gateway-or-3" {
			return false
		}
		o, err := control.At(b, "gateway-or-3").Overview(t.Context())
		return err == nil && o.Received.Instances == 1
	})
	docs, err := open.Store(t.Context(), store.Config{URL: h.dsn}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer docs.Close()
	eventually(t, "what needs a person is in the store that came later: a device that comes in clear", func() bool {
		list, err := docs.DocumentsOf(t.Context(), standing.Kind, "", 100)
		return err == nil && slices.ContainsFunc(list, func(d store.Document) bool { return strings.Contains(string(d.Body), "dev-ct-3") })
	})
	if err := send("1.2.3.2"); err != nil {
		t.Error(err)
	}
}
