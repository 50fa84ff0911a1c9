// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// startAsepsis runs the whole program with a gateway in it, everything on: mutual TLS with the
// authority in the same process, the firewall's policy that comes with it, journal and ledger.
// archive is the port of a DICOM node behind it, "" for none.
func startAsepsis(ctx context.Context, o options, p *pki, dir, archive string) (address, func() error, error) {
	port, err := freePort()
	if err != nil {
		return address{}, nil, err
	}
	debug := filepath.Join(dir, "debug.sock")
	forward := ""
	if archive != "" {
		forward = fmt.Sprintf(`
  forward:
    destinations:
      - {name: behind, kind: dimse, address: "127.0.0.1:%s", called_ae: BEHIND, calling_ae: ARCHIVE, tls: none, associations: 2}
    routes:
      - {name: all, to: [behind], fail: closed}`, archive)
	}
	files := map[string]string{
		"bindings.yaml": "bindings:\n  - {device: ct1, calling_ae: [CT1], operations: [echo, store]}\n",
		"asepsis.yaml": fmt.Sprintf(`
identity: {dir: %q, passphrase_file: %q, pki_listen: "", est_listen: ""}
console: {listen: "127.0.0.1:0"}
telemetry: {debug_socket: %q}
gateway:
  name: bench
  ae_titles: [ARCHIVE]
  listeners:
    - {kind: dicom-tls, listen: "127.0.0.1:%s"}
  bindings_file: %q
  ingest: {unrouted: keep}%s
`, p.path("ca/ca"), p.path("pass"), debug, port, filepath.Join(dir, "bindings.yaml"), forward),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return address{}, nil, err
		}
	}
	pid, stop, err := launch(ctx, dir, port, o.binary, "up", "--data", filepath.Join(dir, "data"), "--config", filepath.Join(dir, "asepsis.yaml"))
	if err != nil {
		return address{}, nil, err
	}
	return address{port: port, ae: "ARCHIVE", tls: true, pid: pid, debug: debug}, stop, nil
}
