// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/platform/store"
	"github.com/asepsis/asepsis/platform/store/storetest"
)

func TestCountsAreThoseOfTheRows(t *testing.T) {
	c := newCodec(t)
	noEnds := numbered(storetest.Records(t, 4, 10, storetest.Base, time.Hour))
	for i := range noEnds {
		noEnds[i].SrcDevice, noEnds[i].DstDevice = "", ""
		noEnds[i].Src, noEnds[i].Dst = noEnds[0].Src, noEnds[0].Src
	}
	for name, recs := range map[string][]record.Record{
		"recorded": recorded(t, MaxRows), "made up": numbered(storetest.Records(t, 1, MaxRows, storetest.Base, time.Hour)), "no ends": noEnds,
	} {
		s, err := c.Encode(recs)
		if err != nil {
			t.Fatal(name, err)
		}
		counts, err := c.DecodeCounts(s.Counts)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, f := range store.Fields() {
			if !Counted(f) {
				continue
			}
			want := map[string]uint64{}
			for i := range recs {
				src, dst := recs[i].SrcDevice, recs[i].DstDevice
				if fieldTag(f) == tagAddr {
					src, dst = recs[i].Src.String(), recs[i].Dst.String()
					if !recs[i].Src.IsValid() {
						src = ""
					}
					if !recs[i].Dst.IsValid() {
						dst = ""
					}
				}
				switch f {
				case store.FieldSrcDevice, store.FieldSrcIP:
					want[src]++
				case store.FieldDstDevice, store.FieldDstIP:
					want[dst]++
				default:
					if src != "" || dst == "" {
						want[src]++
					}
					if dst != src && dst != "" {
						want[dst]++
					}
				}
			}
			got := map[string]uint64{}
			for i, n := range counts.Of(f) {
				name := ""
				if fieldTag(f) == tagDevice {
					name = counts.Devices[i]
				} else if counts.Addrs[i].IsValid() {
					name = counts.Addrs[i].String()
				}
				if n > 0 {
					got[name] += n
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: %s is counted %v, want %v", name, f, got, want)
			}
		}
	}
}

// FuzzCounts holds decoding to its bounds, whatever it is given.
func FuzzCounts(f *testing.F) {
	f.Add(NewColumns(numbered(storetest.Records(f, 1, 20, storetest.Base, time.Hour))).appendCounts(nil))
	f.Add([]byte{countsVersion, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCounts(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if len(c.Of(store.FieldDevice)) != len(c.Devices) || len(c.Of(store.FieldSrcIP)) != len(c.Addrs) {
			t.Fatal("counts without values")
		}
	})
}
