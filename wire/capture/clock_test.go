// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exact computes the same time with numbers of any size.
func exact(count uint64, resol byte, offset int64) int64 {
	base := int64(10)
	if resol&0x80 != 0 {
		base = 2
	}
	unit := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(resol&0x7f)), nil)
	n := new(big.Int).SetUint64(count)
	n.Mul(n, big.NewInt(1e9)).Div(n, unit)
	n.Add(n, new(big.Int).Mul(big.NewInt(offset), big.NewInt(1e9)))
	switch {
	case n.Sign() < 0:
		return 0
	case n.Cmp(big.NewInt(math.MaxInt64)) > 0:
		return math.MaxInt64
	}
	return n.Int64()
}

func TestTimesOfEveryResolutionAreExactOrLimited(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	counts := []uint64{0, 1, 999, 1e6, 1e9, 1<<32 - 1, 1 << 32, 1 << 63, math.MaxUint64, math.MaxUint64 - 1}
	for range 50 {
		counts = append(counts, rnd.Uint64()>>rnd.UintN(64))
	}
	offsets := []int64{0, 1, -1, 3600, -3600, 1700000000, -1700000000, 9223372036, 9223372037, math.MaxInt64, math.MinInt64}
	for resol := range 256 {
		for _, offset := range offsets {
			c := newClock(byte(resol), offset)
			for _, count := range counts {
				got, want := c.nanos(count), exact(count, byte(resol), offset)
				if got != want {
					t.Fatalf("resolution 0x%02x offset %d count %d: %d, want %d", resol, offset, count, got, want)
				}
			}
		}
	}
}

func TestATimestampOffsetAndResolutionOfAFileAreUsed(t *testing.T) {
	for _, o := range []ng{little, bigEnd} {
		for _, c := range []struct {
			resol  byte
			offset int64
			count  uint64
			want   int64
		}{
			{6, 0, 1700000000123456, 1700000000123456000},
			{9, 0, 1700000000123456789, 1700000000123456789},
			{3, 0, 1700000000123, 1700000000123000000},
			{0, 0, 1700000000, 1700000000000000000},
			{0x80 | 10, 0, 1700000000<<10 | 512, 1700000000500000000},
			{0x80 | 32, 1700000000, 1 << 31, 1700000000500000000},
			{0x80 | 63, 1700000000, 1 << 62, 1700000000500000000},
			{6, -1, 1500000, 500000000},
			{6, -2, 1500000, 0},
			{6, math.MaxInt64, 1, math.MaxInt64},
		} {
			t.Run(fmt.Sprintf("%v 0x%02x %d %d", o, c.resol, c.offset, c.count), func(t *testing.T) {
				in := append(o.section(), o.iface(LinkEthernet, 0, o.option(optIfTSResol, []byte{c.resol}), o.option(optIfTSOffset, o.u64(uint64(c.offset))))...)
				f := readAll(t, append(in, o.packet(0, c.count, "x")...))
				if len(f) != 1 || f[0].Time != c.want {
					t.Errorf("%+v, want %d", f, c.want)
				}
			})
		}
	}
}
