// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

// secret is what must not be left of a stream.
const secret = "ZQSECRETQZ"

// clean cleans fragments in pieces of several sizes, demands the same result of each, and returns it as one.
func clean(t testing.TB, f codestream.Family, frames int64, fragments ...[]byte) (out []byte, blanked bool, err error) {
	t.Helper()
	for i, size := range []int{1 << 30, 1, 2, 3, 7, 1000} {
		c := codestream.New(f, frames)
		var all []byte
		var failed error
		for _, fragment := range fragments {
			c.Fragment()
			b := bytes.Clone(fragment)
			for at := 0; at < len(b); at += size {
				failed = errors.Join(failed, c.Clean(b[at:min(len(b), at+size)]))
			}
			all = append(all, b...)
		}
		if end := c.End(); failed == nil {
			failed = end
		}
		switch {
		case i == 0:
			out, blanked, err = all, c.Blanked(), failed
		case (failed == nil) != (err == nil):
			t.Fatalf("in pieces of %d: %v, not %v", size, failed, err)
		case err == nil && (!bytes.Equal(all, out) || blanked != c.Blanked()):
			t.Fatalf("in pieces of %d it is another copy", size)
		}
	}
	if err == nil {
		whole := bytes.Join(fragments, nil)
		for i := range whole {
			if out[i] != whole[i] && out[i] != 0 {
				t.Fatalf("byte %d became %#x: only zeros are written", i, out[i])
			}
		}
		if blanked == bytes.Equal(whole, out) {
			t.Fatalf("Blanked says %t", blanked)
		}
	}
	return out, blanked, err
}

// cleaned is clean of what must be cleaned.
func cleaned(t *testing.T, f codestream.Family, frames int64, fragments ...[]byte) []byte {
	t.Helper()
	out, blanked, err := clean(t, f, frames, fragments...)
	if err != nil || !blanked || bytes.Contains(out, []byte(secret)) {
		t.Fatalf("blanked %t, left %t, %v", blanked, bytes.Contains(out, []byte(secret)), err)
	}
	return out
}

func TestEveryEncapsulatedSyntaxHasAFamily(t *testing.T) {
	for uid, want := range map[string]codestream.Family{
		"1.2.840.10008.1.2.5": codestream.Bare, "1.2.840.10008.1.2.8.1": codestream.Bare, "1.2.840.10008.1.2.1.98": codestream.Bare,
		"1.2.840.10008.1.2.4.50": codestream.JPEG, "1.2.840.10008.1.2.4.81": codestream.JPEG, "1.2.840.10008.1.2.4.93": codestream.JPEG2000, "1.2.840.10008.1.2.4.203": codestream.JPEG2000,
		"1.2.840.10008.1.2.4.111": codestream.JPEGXL, "1.2.840.10008.1.2.4.100.1": codestream.MPEG2, "1.2.840.10008.1.2.4.106": codestream.AVC, "1.2.840.10008.1.2.4.108": codestream.HEVC,
		"1.2.840.10008.1.2.1": codestream.Unknown, "": codestream.Unknown, "1.2.3.4.5.6.7.8.9.10.11.12.13": codestream.Unknown,
	} {
		if got := codestream.FamilyOf(uid); got != want {
			t.Errorf("%s: %d, want %d", uid, got, want)
		}
	}
}

// TestNoEncapsulatedSyntaxIsForgotten: every registered syntax of compressed images has a family, but for those whose pixels are elsewhere.
func TestNoEncapsulatedSyntaxIsForgotten(t *testing.T) {
	found := 0
	for n := range 300 {
		for _, uid := range []string{fmt.Sprintf("1.2.840.10008.1.2.4.%d", n), fmt.Sprintf("1.2.840.10008.1.2.4.%d.1", n), fmt.Sprintf("1.2.840.10008.1.2.%d", n), fmt.Sprintf("1.2.840.10008.1.2.8.%d", n), fmt.Sprintf("1.2.840.10008.1.2.1.%d", n)} {
			s, known := dicom.SyntaxOf(uid)
			if !known || !s.Encapsulated {
				continue
			}
			if found++; codestream.FamilyOf(uid) == codestream.Unknown {
				t.Errorf("%s %s", uid, dicom.UIDName(uid))
			}
		}
	}
	if found < 45 {
		t.Errorf("only %d syntaxes", found)
	}
}

func TestFragmentsWithoutASyntaxForThemAreRefused(t *testing.T) {
	if _, _, err := clean(t, codestream.Unknown, 1, []byte{0xFF, 0xD8, 0xFF, 0xD9}); !errors.Is(err, codestream.ErrForeign) {
		t.Error(err)
	}
	if _, _, err := clean(t, codestream.JPEG, 1); err != nil {
		t.Errorf("no fragment at all: %v", err)
	}
	if out, _, err := clean(t, codestream.Bare, 1, []byte(secret)); err != nil || string(out) != secret {
		t.Errorf("samples alone: %q, %v", out, err)
	}
}

func TestAfterAnErrorNothingPasses(t *testing.T) {
	c := codestream.New(codestream.JPEG, 1)
	c.Fragment()
	b := []byte(secret)
	first := c.Clean(b)
	more := []byte{0xFF, 0xD8}
	if err := c.Clean(more); first == nil || !errors.Is(err, first) || len(bytes.Trim(more, "\x00"))+len(bytes.Trim(b, "\x00")) > 0 || c.End() == nil {
		t.Errorf("%v, then %v, and %q %q are left", first, err, b, more)
	}
}
