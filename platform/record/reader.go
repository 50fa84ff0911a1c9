// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"

	"github.com/asepsis/asepsis/core/device"
)

var (
	errCutOff = fmt.Errorf("%w: cut off", errMalformed)
	errTwice  = fmt.Errorf("%w: a key is there twice", errMalformed)
	errType   = fmt.Errorf("%w: a value of another type", errMalformed)
	errRange  = fmt.Errorf("%w: a number out of range", errMalformed)
	errDeep   = fmt.Errorf("%w: nested too deep", ErrTooLarge)
	errMany   = fmt.Errorf("%w: a list or map of too many", ErrTooLarge)
)

// reader reads the CBOR that writer writes. Nothing may be read after an error.
type reader struct {
	b     []byte // what is still to be read
	depth int    // lists and maps that are open
	texts *texts // nil: every text is a new one
}

// head reads the head of an item of a type.
func (r *reader) head(want byte) (uint64, error) {
	if len(r.b) > 0 {
		if c := r.b[0]; c&0x1f < 24 && c>>5 == want {
			r.b = r.b[1:]
			return uint64(c & 0x1f), nil
		}
	}
	major, n, rest, err := head(r.b)
	if err != nil {
		return 0, err
	}
	if major != want {
		return 0, errType
	}
	r.b = rest
	return n, nil
}

// open begins a list or map and returns the number of its entries, each of which
// takes at least a byte: nothing is allocated for what is not there.
func (r *reader) open(major byte) (int, error) {
	n, err := r.head(major)
	if err != nil {
		return 0, err
	}
	size := n
	if major == majorMap {
		size *= 2
	}
	switch {
	case r.depth == MaxDepth:
		return 0, errDeep
	case n > MaxItems:
		return 0, errMany
	case size > uint64(len(r.b)):
		return 0, errCutOff
	}
	r.depth++
	return int(n), nil
}

// close ends what open began.
func (r *reader) close() { r.depth-- }

func (r *reader) bytes(major byte) ([]byte, error) {
	n, err := r.head(major)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(r.b)) {
		return nil, errCutOff
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v, nil
}

// text reads a text that may come in other events, too.
func (r *reader) text() (string, error) {
	v, err := r.bytes(majorText)
	if err != nil || r.texts == nil {
		return string(v), err
	}
	return r.texts.of(v), nil
}

// fresh reads a text that no other event has.
func (r *reader) fresh() (string, error) {
	v, err := r.bytes(majorText)
	return string(v), err
}

func (r *reader) boolean() (bool, error) {
	if len(r.b) == 0 {
		return false, errCutOff
	}
	c := r.b[0]
	if c != simpleFalse && c != simpleTrue {
		return false, errType
	}
	r.b = r.b[1:]
	return c == simpleTrue, nil
}

// number reads an unsigned number of at most most.
func number[T ~uint8 | ~uint16 | ~uint32 | ~uint64](r *reader, most uint64) (T, error) {
	n, err := r.head(majorUnsigned)
	if err == nil && n > most {
		err = errRange
	}
	return T(n), err
}

func (r *reader) integer(least, most int64) (int64, error) {
	major, n, rest, err := head(r.b)
	if err != nil {
		return 0, err
	}
	if major > majorNegative {
		return 0, errType
	}
	if n > math.MaxInt64 {
		return 0, errRange
	}
	v := int64(n)
	if major == majorNegative {
		v = -1 - v
	}
	if v < least || v > most {
		return 0, errRange
	}
	r.b = rest
	return v, nil
}

func (r *reader) float() (float64, error) {
	if len(r.b) < 9 || r.b[0] != float64Head {
		return 0, errType
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(r.b[1:]))
	r.b = r.b[9:]
	return v, nil
}

func (r *reader) mac(m *device.MAC) error {
	v, err := r.bytes(majorBytes)
	if err == nil && copy(m[:], v) != len(v) || err == nil && len(v) != len(m) {
		err = errType
	}
	return err
}

func (r *reader) addr(a *netip.Addr) error {
	v, err := r.bytes(majorBytes)
	if err == nil && a.UnmarshalBinary(v) != nil {
		err = errType
	}
	return err
}

// skip passes over an item, whatever it is: a later version wrote it.
func (r *reader) skip() error {
	var outer [MaxDepth]uint64 // items still to come of the lists and maps around
	depth := r.depth
	for left := uint64(1); ; {
		for left == 0 {
			if depth == r.depth {
				return nil
			}
			depth--
			left = outer[depth]
		}
		left--
		info := byte(0)
		if len(r.b) > 0 {
			info = r.b[0] & 0x1f
		}
		major, n, rest, err := head(r.b)
		if err != nil {
			return err
		}
		r.b = rest
		switch major {
		case majorBytes, majorText:
			if n > uint64(len(rest)) {
				return errCutOff
			}
			r.b = rest[n:]
		case majorArray, majorMap:
			if depth == MaxDepth {
				return errDeep
			}
			if n > MaxItems {
				return errMany
			}
			outer[depth] = left
			depth++
			left = n
			if major == majorMap {
				left *= 2
			}
		case majorTag:
			return fmt.Errorf("%w: tagged", errMalformed)
		case majorSimple: // false, true, null, undefined and numbers
			if info < 20 || info == 24 {
				return errType
			}
		}
	}
}

// skipped passes over an item and returns its bytes.
func (r *reader) skipped() ([]byte, error) {
	before := r.b
	err := r.skip()
	return before[:len(before)-len(r.b)], err
}

// keySet are the keys of a map that is known, in the order in which they are
// written.
type keySet []knownKey

type knownKey struct {
	encoded string // with its head
	name    int    // where the name begins in it
}

// maxKeys is how many keys seen tells apart.
const maxKeys = 64

func makeKeys(names ...string) keySet {
	if len(names) > maxKeys {
		panic("BUG: more keys than can be told apart")
	}
	out := make(keySet, len(names))
	for i, name := range names {
		var w writer
		w.text(name)
		out[i] = knownKey{string(w.b), len(w.b) - len(name)}
	}
	return out
}

// seen are the keys that a map has had.
type seen struct {
	bits uint64
	next int // the key after the last one: most likely the next
}

// key reads a key and returns its place in the set, -1 for one that is not in it.
func (r *reader) key(set keySet, s *seen) (int, error) {
	b := r.b
	if len(b) == 0 {
		return 0, errCutOff
	}
	for i := s.next; i < len(set); i++ {
		k := set[i].encoded
		if k[0] == b[0] && len(b) >= len(k) && string(b[:len(k)]) == k {
			r.b = b[len(k):]
			return i, s.add(i)
		}
	}
	v, err := r.bytes(majorText)
	if err != nil {
		return 0, err
	}
	for i := range set {
		if k := &set[i]; k.encoded[k.name:] == string(v) {
			return i, s.add(i)
		}
	}
	return -1, nil
}

func (s *seen) add(i int) error {
	if s.bits&(1<<i) != 0 {
		return errTwice
	}
	s.bits |= 1 << i
	s.next = i + 1
	return nil
}

// texts are short texts that were read lately, one for each place that their
// hash gives.
type texts [1 << 11]string

// maxShared is the length up to which a text is remembered.
const maxShared = 64

// of returns v as a string.
func (t *texts) of(v []byte) string {
	if len(v) == 0 || len(v) > maxShared {
		return string(v)
	}
	// Whoever finds texts that have one place gains that they are not shared.
	h := uint64(len(v))
	rest := v
	for ; len(rest) >= 8; rest = rest[8:] {
		h = (h ^ binary.LittleEndian.Uint64(rest)) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	for _, c := range rest {
		h = (h ^ uint64(c)) * 0x9E3779B97F4A7C15
	}
	at := &t[h>>(64-11)]
	if *at != string(v) {
		*at = string(v)
	}
	return *at
}
