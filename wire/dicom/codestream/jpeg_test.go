// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

// picture is a JPEG image of noise and colours, as Go's encoder writes it: without any application segment.
func picture(t testing.TB, seed byte) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 67, 45))
	for i := range m.Pix {
		m.Pix[i] = byte(i*i>>3) ^ byte(i)*seed
	}
	m.Set(1, 1, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// segment is a marker segment.
func segment(marker byte, content string) []byte {
	n := len(content) + 2
	return append([]byte{0xFF, marker, byte(n >> 8), byte(n)}, content...)
}

// with puts segments behind SOI.
func with(stream []byte, segments ...[]byte) []byte {
	return slices.Concat(stream[:2], slices.Concat(segments...), stream[2:])
}

func decoded(t *testing.T, b []byte) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func same(a, b image.Image) bool {
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return a.Bounds() == b.Bounds()
}

const (
	jfif  = "JFIF\x00\x01\x02\x00\x00\x48\x00\x48\x00\x00"
	adobe = "Adobe\x00\x65\x00\x00\x00\x00\x01"
)

// TestJPEGLosesWhatIsNoPicture puts a secret into each segment that can hold one.
func TestJPEGLosesWhatIsNoPicture(t *testing.T) {
	plain := picture(t, 3)
	thumbnail := picture(t, 5)
	exif := "Exif\x00\x00MM\x00\x2A\x00\x00\x00\x08\x00\x00" + secret + string(thumbnail) + secret
	for name, stream := range map[string][]byte{
		"a comment":                             with(plain, segment(0xFE, secret)),
		"an empty comment, and one that is not": with(plain, segment(0xFE, ""), segment(0xFE, secret)),
		"EXIF with a thumbnail of its own":      with(plain, segment(0xE1, exif)),
		"XMP":                                   with(plain, segment(0xE1, "http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>"+secret)),
		"an ICC profile":                        with(plain, segment(0xE2, "ICC_PROFILE\x00\x01\x01"+secret)),
		"Photoshop's and IPTC's":                with(plain, segment(0xED, "Photoshop 3.0\x008BIM"+secret)),
		"a device's own":                        with(plain, segment(0xEF, secret), segment(0xE5, secret)),
		"a thumbnail of JFIF":                   with(plain, segment(0xE0, jfif[:12]+"\x02\x02"+secret+"xy")),
		"a thumbnail of JFIF's extension":       with(plain, segment(0xE0, jfif), segment(0xE0, "JFXX\x00\x10"+string(thumbnail)+secret)),
		"more than Adobe's segment has":         with(plain, segment(0xEE, adobe+secret)),
		"another that begins as Adobe's":        with(plain, segment(0xEE, "Adobf"+secret)),
		"shorter than JFIF's":                   with(plain, segment(0xE0, "JFIF"+secret[:8])),
		"SPIFF's directory":                     with(plain, segment(0xE8, "SPIFF\x00"+string(make([]byte, 24))), segment(0xE8, "\x00\x00\x00\x09"+secret)),
		"one of the length of a transform":      with(plain, segment(0xE8, secret[:5]), segment(0xFE, secret)),
		"fill bytes before a comment":           with(plain, []byte{0xFF, 0xFF}, segment(0xFE, secret)),
		"a comment between tables and scan":     slices.Concat(plain[:len(plain)-len(plain[bytes.Index(plain, []byte{0xFF, 0xDA}):])], segment(0xFE, secret), plain[bytes.Index(plain, []byte{0xFF, 0xDA}):]),
		"a comment behind the scan":             slices.Concat(plain[:len(plain)-2], segment(0xFE, secret), plain[len(plain)-2:]),
		"text behind the end":                   slices.Concat(plain, []byte(secret)),
		"a second picture behind the end":       slices.Concat(plain, with(thumbnail, segment(0xFE, secret))),
	} {
		t.Run(name, func(t *testing.T) {
			out := cleaned(t, codestream.JPEG, 1, stream)
			if bytes.Contains(out, thumbnail[100:]) {
				t.Error("a thumbnail is left")
			}
			if bytes.Contains(out, []byte("ZQSE")) || !same(decoded(t, plain), decoded(t, out)) {
				t.Error("the picture differs")
			}
		})
	}
}

// TestWhatDecidesTheColoursStays: without Adobe's segment three colours would be taken for YCbCr.
func TestWhatDecidesTheColoursStays(t *testing.T) {
	plain := picture(t, 3)
	for name, stream := range map[string][]byte{
		"nothing but tables":        plain,
		"JFIF":                      with(plain, segment(0xE0, jfif)),
		"Adobe, of three kinds":     with(plain, segment(0xEE, adobe[:11]+"\x00"), segment(0xEE, adobe), segment(0xEE, adobe[:11]+"\x02")),
		"HP's transform":            with(plain, segment(0xE8, "mrfx\x01")),
		"SPIFF's header and end":    with(plain, segment(0xE8, "SPIFF\x00\x01\x02\x00\x03\x00\x00\x00\x2D\x00\x00\x00\x43\x04\x08\x05\x00\x00\x00\x00\x48\x00\x00\x00\x48"), segment(0xE8, "\x00\x00\x00\x01\xFF\xD8")),
		"padding behind the end":    append(bytes.Clone(plain), 0xFF),
		"more padding":              append(bytes.Clone(plain), 0, 0, 0),
		"a restart interval":        with(plain, segment(0xDD, "\x00\x00")),
		"a picture that has no end": plain[:len(plain)-2],
	} {
		if out, blanked, err := clean(t, codestream.JPEG, 1, stream); err != nil || blanked || !bytes.Equal(out, stream) {
			t.Errorf("%s: blanked %t, %v", name, blanked, err)
		}
	}
}

// TestCodedDataOfJPEGMayHoldMarkersThatAreNone: stuffed bytes, restarts, and in JPEG-LS an FF before any byte below 80.
func TestCodedDataOfJPEGMayHoldMarkersThatAreNone(t *testing.T) {
	start := slices.Concat([]byte{0xFF, 0xD8}, segment(0xF7, "\x08\x00\x01\x00\x01\x01\x01\x11\x00"), segment(0xDA, "\x01\x01\x00\x00\x00\x00"))
	data := []byte("\xFF\x00\xFF\x7F\xFF\x01\xFF\x4E\xFF\xD0ab")
	if _, blanked, err := clean(t, codestream.JPEG, 1, slices.Concat(start, data, []byte{0xFF, 0xD9})); err != nil || blanked {
		t.Errorf("JPEG-LS: %v", err)
	}
	baseline := slices.Concat([]byte{0xFF, 0xD8}, segment(0xC0, "\x08\x00\x01\x00\x01\x01\x01\x11\x00"), segment(0xDA, "\x01\x01\x00\x00\x00\x00"), data, []byte{0xFF, 0xD9})
	if _, _, err := clean(t, codestream.JPEG, 1, baseline); !errors.Is(err, codestream.ErrBroken) {
		t.Errorf("JPEG: %v", err)
	}
	// What came before does not make the next frame one of JPEG-LS.
	if _, _, err := clean(t, codestream.JPEG, 2, slices.Concat(start, data, []byte{0xFF, 0xD9}), baseline); !errors.Is(err, codestream.ErrBroken) {
		t.Errorf("JPEG behind JPEG-LS: %v", err)
	}
}

// TestFramesOfJPEGOverFragments cuts frames at every place.
func TestFramesOfJPEGOverFragments(t *testing.T) {
	one, two := with(picture(t, 3), segment(0xFE, secret)), with(picture(t, 9), segment(0xE1, secret))
	want := cleaned(t, codestream.JPEG, 2, one, two)
	for at := range len(one) {
		c := codestream.New(codestream.JPEG, 2)
		var got []byte
		for _, f := range [][]byte{one[:at], one[at:], two} {
			c.Fragment()
			b := bytes.Clone(f)
			if err := c.Clean(b); err != nil {
				t.Fatal(at, err)
			}
			got = append(got, b...)
		}
		if err := c.End(); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
}

func TestFramesOfJPEGWithoutAnEnd(t *testing.T) {
	one := with(picture(t, 3), segment(0xFE, secret))
	open := one[:len(one)-2]
	cleaned(t, codestream.JPEG, 3, open, append(bytes.Clone(open), 0xFF), one) // each fragment begins a frame
	cleaned(t, codestream.JPEG, 1, open)
	if _, _, err := clean(t, codestream.JPEG, 2, one, open[:len(open)-20], open[:40]); !errors.Is(err, codestream.ErrCut) {
		t.Error(err)
	}
}

// TestFramesOfJPEGInOneFragment: what follows a frame in its fragment goes, unless the instance has more frames than were found, because it could be them.
func TestFramesOfJPEGInOneFragment(t *testing.T) {
	both := slices.Concat(picture(t, 3), with(picture(t, 9), segment(0xFE, secret)))
	cleaned(t, codestream.JPEG, 1, both)
	if _, _, err := clean(t, codestream.JPEG, 2, both); !errors.Is(err, codestream.ErrBroken) {
		t.Error(err)
	}
}

func TestJPEGThatLiesIsRefusedByName(t *testing.T) {
	plain := picture(t, 3)
	sos := bytes.Index(plain, []byte{0xFF, 0xDA})
	for _, tt := range []struct {
		name   string
		stream []byte
		want   error
	}{
		{"no JPEG", []byte(secret), codestream.ErrForeign},
		{"JPEG 2000", []byte("\xFF\x4F\xFF\x51"), codestream.ErrForeign},
		{"a comment longer than the stream", append([]byte{0xFF, 0xD8, 0xFF, 0xFE, 0xFF, 0xFF}, secret...), codestream.ErrCut},
		{"a segment shorter than its length", []byte{0xFF, 0xD8, 0xFF, 0xFE, 0, 1}, codestream.ErrBroken},
		{"a length that is cut", []byte{0xFF, 0xD8, 0xFF, 0xFE, 0}, codestream.ErrCut},
		{"half a marker", []byte{0xFF, 0xD8, 0xFF}, codestream.ErrCut},
		{"half a beginning", []byte{0xFF}, codestream.ErrCut},
		{"text between segments", with(plain, segment(0xFE, "x"), []byte(secret)), codestream.ErrBroken},
		{"a reserved marker", with(plain, segment(0x4E, secret)), codestream.ErrBroken},
		{"an extension nobody has", with(plain, segment(0xF0, secret)), codestream.ErrBroken},
		{"a comment that is longer than it says", with(plain, append([]byte{0xFF, 0xFE, 0, 9}, secret...)), codestream.ErrBroken},
		{"a picture in a picture", slices.Concat(plain[:sos], plain), codestream.ErrBroken},
		{"a picture in coded data", slices.Concat(plain[:sos+200], plain), codestream.ErrBroken},
		{"a reserved marker in coded data", slices.Concat(plain[:len(plain)-2], segment(0x4E, secret)), codestream.ErrBroken},
	} {
		_, _, err := clean(t, codestream.JPEG, 1, tt.stream)
		var e *codestream.Error
		if !errors.Is(err, tt.want) || !errors.As(err, &e) || bytes.Contains([]byte(err.Error()), []byte("ZQ")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
