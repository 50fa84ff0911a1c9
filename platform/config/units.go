// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ByteSize is an amount of memory or storage in bytes. In a file it is a number
// with a unit: B, KiB, MiB, GiB, TiB (powers of 1024) or KB, MB, GB, TB (powers
// of 1000). A number alone is bytes.
type ByteSize int64

// Powers of 1024.
const (
	KiB ByteSize = 1 << 10
	MiB ByteSize = 1 << 20
	GiB ByteSize = 1 << 30
	TiB ByteSize = 1 << 40
)

var units = []struct {
	name string
	size ByteSize
}{
	{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// sizeError carries a hint to the error of the field.
type sizeError struct{ text, hint string }

func (e sizeError) Error() string { return e.text }
func (e sizeError) Hint() string  { return e.hint }

// ParseByteSize reads what String writes, and fractions such as "1.5GiB".
func ParseByteSize(s string) (ByteSize, error) {
	s = strings.TrimSpace(s)
	number, scale := s, ByteSize(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			number, scale = strings.TrimSpace(rest), u.size
			break
		}
	}
	bad := func(hint string) (ByteSize, error) {
		return 0, sizeError{fmt.Sprintf("%q is not a size", s), hint}
	}
	const usual = "write a number and a unit: 512KiB, 64MiB, 2GiB"
	if n, err := strconv.ParseUint(number, 10, 63); err == nil {
		if n > uint64(math.MaxInt64/scale) {
			return bad("it is more than 8 EiB")
		}
		return ByteSize(n) * scale, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.ContainsAny(number, "eExXpPnN+_") {
		for _, u := range units {
			if rest := strings.TrimRight(strings.ToLower(s), "bi"); len(rest) > 0 && rest[len(rest)-1] == strings.ToLower(u.name)[0] && u.name != "B" {
				return bad(fmt.Sprintf("did you mean %s%s?", strings.TrimSpace(rest[:len(rest)-1]), u.name))
			}
		}
		return bad(usual)
	}
	if f < 0 {
		return bad("a size is 0 or more")
	}
	if f *= float64(scale); f >= math.MaxInt64 {
		return bad("it is more than 8 EiB")
	}
	return ByteSize(f), nil
}

// String gives the largest unit that divides the size.
func (b ByteSize) String() string {
	for _, u := range units {
		if b != 0 && b%u.size == 0 && u.size&(u.size-1) == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// MarshalText implements encoding.TextMarshaler.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *ByteSize) UnmarshalText(text []byte) error {
	v, err := ParseByteSize(string(text))
	if err != nil {
		return err
	}
	*b = v
	return nil
}
