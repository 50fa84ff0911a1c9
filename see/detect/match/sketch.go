// SPDX-License-Identifier: Apache-2.0

package match

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/asepsis/asepsis/see/detect/match/keyed"
)

// sketch estimates how many different values a window had (HyperLogLog, 256 registers
// for each quarter of the window). The standard error is 1.04/sqrt(256) = 6.5 %; the window
// is up to a quarter shorter than asked for.
type sketch struct {
	quarter int64 // number of the newest quarter
	reg     [sketchQuarters][sketchRegisters]uint8
}

const (
	sketchQuarters  = 4
	sketchRegisters = 256
	sketchBytes     = sketchQuarters*sketchRegisters + 8
)

// add adds a hashed value at a time. It reports whether that can have changed the estimate.
func (k *sketch) add(hash uint64, t, window int64) bool {
	size := max(window/sketchQuarters, 1)
	q := max(t, 0) / size
	moved := k.move(q)
	if k.quarter-q >= sketchQuarters {
		return moved
	}
	r := &k.reg[q%sketchQuarters][hash>>56]
	rank := uint8(bits.LeadingZeros64(hash<<8|1<<7) + 1)
	if rank <= *r {
		return moved
	}
	*r = rank
	return true
}

func (k *sketch) move(q int64) bool {
	if q <= k.quarter || q < 0 {
		return false
	}
	for i := max(k.quarter+1, q-sketchQuarters+1); i <= q; i++ {
		clear(k.reg[i%sketchQuarters][:])
	}
	k.quarter = q
	return true
}

func (k *sketch) estimate() int {
	const m = sketchRegisters
	sum, zeros := 0.0, 0
	for i := range m {
		r := max(k.reg[0][i], k.reg[1][i], k.reg[2][i], k.reg[3][i])
		if r == 0 {
			zeros++
		}
		sum += math.Ldexp(1, -int(r))
	}
	est := 0.7213 / (1 + 1.079/m) * m * m / sum
	if est <= 2.5*m && zeros > 0 { // linear counting is better for few
		est = m * math.Log(m/float64(zeros))
	}
	return int(est + 0.5)
}

func (k *sketch) encode(w *keyed.Writer) {
	w.Int(k.quarter)
	for i := range k.reg {
		w.Raw(k.reg[i][:])
	}
}

func (k *sketch) decode(r *keyed.Reader) {
	k.quarter = r.Time()
	for i := range k.reg {
		r.Raw(k.reg[i][:])
		for _, v := range k.reg[i] {
			if v > 57 {
				r.Fail()
			}
		}
	}
}

// siphash is SipHash-1-3 of a text under a key (Aumasson, Bernstein).
func siphash(key *[16]byte, b []byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573
	last := uint64(len(b)) << 56
	for len(b) >= 8 {
		m := binary.LittleEndian.Uint64(b)
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
		b = b[8:]
	}
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xff
	for range 3 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}
