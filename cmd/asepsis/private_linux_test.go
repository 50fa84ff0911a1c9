// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What may be read by whoever gets into the data directory: it is published anyway.
var published = []string{
	"ca/*.crt", "ca/root.crl", // what everybody needs who checks a certificate
	"ledger/log/", "ledger/trust.json", "ledger/witnessed", // a transparency log
}

// TestWhatIsKeptIsTheOwnersAlone starts a whole hospital for which the account's umask takes
// nothing away, and looks at every file that it makes.
func TestWhatIsKeptIsTheOwnersAlone(t *testing.T) {
	t.Parallel()
	data := filepath.Join(shortDir(t), "data")
	p := launch(t, "/bin/sh", nil, "-c", `umask 0; exec "$0" "$@"`, programNamed(t, "asepsis"), "up", "--demo", "--data", data, "--listen", "127.0.0.1:0")
	p.line("Asepsis is at ")
	for _, secret := range []struct{ what, file string }{
		{"the key of pseudonyms", "site.key"},
		{"the root's key", "ca/root.key"},
		{"the key of an issuing authority", "ca/issuing-*.key"},
		{"the log's key", "ledger/key"},
		{"the salts of commitments", "ledger/salts"},
		{"what is not in the log yet", "ledger/wal/*"},
		{"the key of a witness", "demo-witnesses/*/key"},
		{"the console's key", "tls/console.key"},
		{"accounts, sessions and tokens", "store/main.db"},
		{"what was written to them last", "store/main.db-wal"},
		{"a day's events", "store/events/*-*-*.db"},
		{"events on their way", "bus/jetstream/*/streams/*/msgs/*.blk"},
		{"who may send images where", "gateway/bindings.yaml"},
		{"which orders came", "gateway/orders"},
		{"what is being sent", "gateway/sending"},
		{"the bytes of images", "gateway/journal/bytes/seg-*"},
		{"what is known of images", "gateway/journal/log/log-*"},
		{"what was known of images that are gone", "gateway/journal/history.db"},
	} {
		eventually(t, secret.what+" is in "+secret.file, func() bool {
			files, err := filepath.Glob(filepath.Join(data, secret.file))
			return err == nil && len(files) > 0
		})
	}
	all := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it goes on: files come and go
		}
		if err != nil {
			return err
		}
		st, err := d.Info()
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		all++
		if name, _ := strings.CutPrefix(path, data+"/"); !isPublished(name) && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may use %s: %v", name, st.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if all < 50 {
		t.Errorf("only %d files", all)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("ended with code %d", code)
	}
}

func isPublished(name string) bool {
	for _, p := range published {
		if ok, _ := filepath.Match(p, name); ok || strings.HasSuffix(p, "/") && strings.HasPrefix(name+"/", p) {
			return true
		}
	}
	return false
}
