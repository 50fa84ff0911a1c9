// SPDX-License-Identifier: Apache-2.0

package dicom

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// inflate runs an Inflater over src in pieces of cut bytes, 0 for all at once.
func inflate(src []byte, cut, limit int) (out []byte, done bool, err error) {
	var z Inflater
	z.Reset()
	for len(src) > 0 {
		n := len(src)
		if cut > 0 {
			n = min(n, cut)
		}
		part := src[:n]
		src = src[n:]
		for {
			o, k, err := z.Inflate(part)
			out = append(out, o...)
			part = part[k:]
			if err != nil || len(out) > limit {
				return out, z.Done(), err
			}
			if len(o) == 0 && len(part) == 0 {
				break
			}
		}
	}
	return out, z.Done(), nil
}

func deflate(t testing.TB, b []byte, level int) []byte {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func TestInflateGivesBackWhatWasDeflated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	gradient := make([]byte, 150_000)
	for i := range gradient {
		gradient[i] = byte(i/64) ^ byte(r.Uint32()&3)
	}
	for _, c := range []struct {
		name string
		data []byte
	}{{"nothing", nil}, {"text", []byte("a data set")}, {"noise", noise}, {"a gradient", gradient}, {"zeros", make([]byte, 200_000)}} {
		for _, level := range []int{flate.NoCompression, flate.HuffmanOnly, flate.BestSpeed, flate.BestCompression} {
			src := deflate(t, c.data, level)
			for _, cut := range []int{0, 1, 13, 4096} {
				got, done, err := inflate(src, cut, 1<<30)
				if err != nil || !done || !bytes.Equal(got, c.data) {
					t.Errorf("%s, level %d, in pieces of %d: %d bytes of %d, done %v, %v", c.name, level, cut, len(got), len(c.data), done, err)
				}
			}
		}
	}
}

func TestAnInflateBombIsStoppedByItsRatio(t *testing.T) {
	bomb := deflate(t, make([]byte, 40<<20), flate.BestCompression)
	var x Extractor
	x.Reset(Syntax{Explicit: true, Deflated: true}, DefaultLimits(), &recorder{})
	// The zeros are no data set; make them the value of one element.
	head := deflateStored(le(TagPixelData, OW, nil)[:8], 40<<20)
	err := x.Feed(append(head, bomb...))
	if !errors.Is(err, ErrLimit) {
		t.Errorf("%d bytes that inflate to 40 MiB: %v, want %v", len(bomb), err, ErrLimit)
	}
}

// deflateStored makes a stored block, not the last, of a header with its length.
func deflateStored(header []byte, length uint32) []byte {
	b := append(append([]byte(nil), header...), byte(length), byte(length>>8), byte(length>>16), byte(length>>24))
	n := len(b)
	return append([]byte{0, byte(n), byte(n >> 8), byte(^n), byte(^n >> 8)}, b...)
}

// FuzzInflate compares with the standard library, whole and in pieces.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{0, 1, 9, flate.HuffmanOnly} {
		f.Add(deflate(f, []byte("1.2.840.10008.1.2.1.99 1.2.840.10008.1.2.1"), level), uint8(1))
	}
	f.Fuzz(func(t *testing.T, src []byte, cut uint8) {
		const limit = 1 << 20
		got, done, err := inflate(src, 0, limit)
		parts, pdone, perr := inflate(src, int(cut)+1, limit)
		if len(got) <= limit && len(parts) <= limit && (!bytes.Equal(got, parts) || done != pdone || (err == nil) != (perr == nil)) {
			t.Fatalf("in pieces of %d: %d bytes %v %v, whole: %d bytes %v %v", cut+1, len(parts), pdone, perr, len(got), done, err)
		}
		want, werr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(src)), limit))
		n := min(len(got), len(want), limit)
		if !bytes.Equal(got[:n], want[:n]) {
			t.Fatalf("%d bytes differ from the standard library's", n)
		}
		if werr == nil && len(want) < limit && (!done || len(got) != len(want)) {
			t.Fatalf("the standard library reads %d bytes to the end, this %d, done %v, %v", len(want), len(got), done, err)
		}
	})
}

func TestBytesAfterTheEndAreFoundHoweverTheyAreCut(t *testing.T) {
	packed := deflate(t, bytes.Repeat([]byte("a value of some length "), 40), flate.BestCompression)
	for after := range 9 {
		for _, cut := range []int{0, 1, 3, 7} {
			src := append(bytes.Clone(packed), bytes.Repeat([]byte{0xA5}, after)...)
			var z Inflater
			z.Reset()
			var rest []byte
			for len(src) > 0 && !z.Done() {
				n := len(src)
				if cut > 0 {
					n = min(n, cut)
				}
				part := src[:n]
				src = src[n:]
				for !z.Done() {
					o, k, err := z.Inflate(part)
					if err != nil {
						t.Fatal(err)
					}
					if part = part[k:]; len(o) == 0 && len(part) == 0 {
						break
					}
				}
				rest = part
			}
			if rest = append(append(z.Taken(), rest...), src...); !bytes.Equal(rest, bytes.Repeat([]byte{0xA5}, after)) {
				t.Errorf("%d bytes after the end, in pieces of %d: found %x", after, cut, rest)
			}
		}
	}
}
