// SPDX-License-Identifier: Apache-2.0

package tftp

import (
	"strings"
	"testing"
)

func TestRequests(t *testing.T) {
	b := []byte("\x00\x01pump.bin\x00OCTET\x00blksize\x001428\x00tsize\x000\x00")
	p, err := Parse(b)
	if err != nil || p.File != "pump.bin" || p.Mode != "octet" || len(p.Options) != 2 || p.Options[0] != (Option{"blksize", "1428"}) || !LooksRequest(b) {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []string{"\x00\x01pump.bin\x00binary\x00", "\x00\x01\x00octet\x00", "\x00\x03pump.bin\x00octet\x00", "\x00\x01pump\nbin\x00octet\x00", "\x00\x01pump.bin"} {
		if LooksRequest([]byte(bad)) {
			t.Errorf("%q looks like a request", bad)
		}
	}
}

func TestOptionsAreBounded(t *testing.T) {
	p, err := Parse([]byte("\x00\x06" + strings.Repeat("a\x001\x00", MaxOptions+1)))
	if err != nil || len(p.Options) != MaxOptions {
		t.Errorf("%d %v", len(p.Options), err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x01pump.bin\x00octet\x00blksize\x001428\x00"))
	f.Add([]byte("\x00\x05\x00\x01File not found\x00"))
	f.Add([]byte("\x00\x03\x00\x01data"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if len(p.Options) > MaxOptions || len(p.File) > 256 || p.Size > len(b) {
			t.Fatal("unbounded")
		}
		if LooksRequest(b) && p.Mode == "" {
			t.Fatalf("looks like a request but cannot be read: %v", err)
		}
	})
}
