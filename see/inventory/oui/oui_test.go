// SPDX-License-Identifier: Apache-2.0

package oui

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
)

const registry = "/usr/share/ieee-data" // Debian package ieee-data

func mac(t *testing.T, s string) device.MAC {
	t.Helper()
	m, err := device.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLookup(t *testing.T) {
	for _, c := range []struct{ name, mac, want string }{
		{"a pump maker's 24-bit block", "00:03:b1:b5:b6:48", "ICU Medical, Inc."},
		{"a ventilator maker's block", "00:10:5d:00:00:01", "Draeger Medical"},
		{"a headset maker's block", "2c:26:17:01:02:03", "Oculus VR, LLC"},
		{"a 28-bit block wins over the 24-bit block around it", "20:85:93:b0:00:00", "IOG Products LLC"},
		{"a 36-bit block wins over the 24-bit block around it", "70:b3:d5:f2:f0:01", "TELEPLATFORMS"},
		{"an older 36-bit IAB", "00:50:c2:7d:50:01", "DEUTA-WERKE GmbH"},
		{"an undisclosed block names nobody", "74:1a:e0:90:00:01", ""},
		{"a locally administered address names nobody", "02:03:b1:b5:b6:48", ""},
		{"a group address names nobody", "01:00:5e:00:00:01", ""},
		{"the zero address names nobody", "00:00:00:00:00:00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := Lookup(mac(t, c.mac))
			if got != c.want || ok != (c.want != "") {
				t.Errorf("Lookup(%s) = %q, %v; want %q", c.mac, got, ok, c.want)
			}
		})
	}
}

// Every block of the registry that the table was made from is found under the
// registry's own name, at both ends of the block.
func TestAgainstTheRegistry(t *testing.T) {
	date, err := os.ReadFile(filepath.Join(registry, ".lastupdate"))
	if err != nil {
		t.Skip("skipped: peer ieee-data is not installed")
	}
	sec, err := strconv.ParseInt(strings.TrimSpace(string(date)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if day := time.Unix(sec, 0).UTC().Format(time.DateOnly); !strings.HasSuffix(Source(), day) {
		t.Skipf("skipped: peer ieee-data is of %s, the table of %s", day, Source())
	}
	blocks := map[string]bool{}
	for _, name := range []string{"oui.csv", "mam.csv", "iab.csv", "oui36.csv"} {
		f, err := os.Open(filepath.Join(registry, name))
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(f)
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
		for {
			rec, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if blocks[rec[1]] {
				continue
			}
			blocks[rec[1]] = true
			p, err := strconv.ParseUint(rec[1], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			bits := len(rec[1]) * 4
			want := strings.Join(strings.Fields(rec[2]), " ")
			for _, v := range []uint64{p << (48 - bits), (p+1)<<(48-bits) - 1} {
				m := device.MAC{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
				e, ok := Find(m)
				if !ok || e.Bits < bits || (e.Bits == bits && e.Name != want) {
					t.Fatalf("Find(%s) = %+v, %v; want %s %q", m, e, ok, rec[1], want)
				}
			}
		}
		f.Close()
	}
	if Len() != len(blocks) {
		t.Errorf("table has %d blocks, the registry %d", Len(), len(blocks))
	}
}

func TestDamagedTableIsRefused(t *testing.T) {
	for _, c := range []struct{ name, b string }{
		{"empty", ""},
		{"another magic", "asepsis-oui 9\n"},
		{"cut within the numbers", embedded[:len(magic)+11]},
		{"cut within the blocks", embedded[:len(embedded)/8]},
		{"without texts", embedded[:len(embedded)-len(load().texts)]},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := open(c.b); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestTheEmbeddedTableIsSortedAndEveryBlockHasAName(t *testing.T) {
	for _, b := range load().blocks {
		last := uint64(0)
		for k := range b.n {
			v := b.at(k)
			if p := v >> nameBits; k > 0 && p <= last || p>>b.bits != 0 {
				t.Fatalf("%d bits: block %d is not after the one before it", b.bits, k)
			}
			if load().text(int(v&(1<<nameBits-1))) == "" {
				t.Fatalf("%d bits: block %d has no name", b.bits, k)
			}
			last = v >> nameBits
		}
	}
}

func TestTheEmbeddedTableStaysSmall(t *testing.T) {
	if len(embedded) > 1<<20 {
		t.Errorf("%d bytes embedded, want at most 1 MiB", len(embedded))
	}
}

func TestALookupAllocatesNothing(t *testing.T) {
	m := device.MAC{0x00, 0x03, 0xb1, 0xb5, 0xb6, 0x48}
	if n := testing.AllocsPerRun(100, func() { Lookup(m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	m := device.MAC{0x00, 0x03, 0xb1, 0xb5, 0xb6, 0x48}
	Lookup(m)
	b.ReportAllocs()
	for b.Loop() {
		Lookup(m)
	}
}
