// SPDX-License-Identifier: Apache-2.0

package codestream_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/wire/dicom/codestream"
)

// tool runs a peer in a directory. It skips the test where the peer is missing.
func tool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("peer missing: %s", name)
	}
	cmd := exec.CommandContext(t.Context(), name, args...) //nolint:gosec // a test's peer
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v %s", name, args, err, said)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // made here
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// portable is an image of noise on a gradient in the format that every encoder takes.
func portable(width, height int) []byte {
	b := fmt.Appendf(nil, "P6\n%d %d\n255\n", width, height)
	for i := range width * height * 3 {
		b = append(b, byte(i/7)^byte(i*i>>5)&15)
	}
	return b
}

// TestJPEG2000OfOpenJPEGDecodesToTheSamePixels: streams of tiles, tile-parts, packets with markers, lengths in the headers, in files and without.
func TestJPEG2000OfOpenJPEGDecodesToTheSamePixels(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in.ppm", portable(150, 130))
	for _, args := range [][]string{
		{}, {"-t", "64,64"}, {"-t", "64,64", "-TP", "R", "-PLT", "-TLM"}, {"-t", "50,50", "-SOP", "-EPH", "-TP", "L"}, {"-r", "20,10,1"}, {"-M", "63"}, {"-I", "-r", "5"}, {"-p", "RPCL", "-n", "3"},
	} {
		for _, form := range []string{"j2k", "jp2"}[:1+len(args)%2] {
			tool(t, dir, "opj_compress", append([]string{"-i", "in.ppm", "-o", "a." + form, "-C", secret}, args...)...)
			stream := read(t, dir, "a."+form)
			if form == "jp2" {
				stream = slices.Concat(stream, box("uuid", []byte(secret+secret)), box("xml ", []byte(secret)))
			}
			if !bytes.Contains(stream, []byte(secret)) {
				t.Fatal("no comment was written")
			}
			write(t, dir, "b."+form, cleaned(t, codestream.JPEG2000, 1, stream))
			tool(t, dir, "opj_decompress", "-i", "a."+form, "-o", "a.ppm")
			tool(t, dir, "opj_decompress", "-i", "b."+form, "-o", "b.ppm")
			if !bytes.Equal(read(t, dir, "a.ppm"), read(t, dir, "b.ppm")) {
				t.Errorf("%v %s: the pixels differ", args, form)
			}
		}
	}
}

// TestJPEGOfLibjpegDecodesToTheSamePixels: baseline, progressive, arithmetic, with restarts, of all ways to write colours.
func TestJPEGOfLibjpegDecodesToTheSamePixels(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in.ppm", portable(150, 130))
	for _, args := range [][]string{
		{}, {"-progressive"}, {"-restart", "2"}, {"-rgb"}, {"-grayscale"}, {"-arithmetic"}, {"-sample", "2x2"}, {"-optimize", "-quality", "100"}, {"-arithmetic", "-progressive", "-restart", "1"},
	} {
		tool(t, dir, "cjpeg", append(args, "-outfile", "a.jpg", "in.ppm")...)
		plain := read(t, dir, "a.jpg")
		stream := slices.Concat(plain[:2], segment(0xE1, "Exif\x00\x00"+secret), plain[2:len(plain)-2], segment(0xFE, secret), plain[len(plain)-2:], []byte(secret))
		write(t, dir, "b.jpg", cleaned(t, codestream.JPEG, 1, stream))
		tool(t, dir, "djpeg", "-outfile", "a.ppm", "a.jpg")
		tool(t, dir, "djpeg", "-outfile", "b.ppm", "b.jpg")
		if !bytes.Equal(read(t, dir, "a.ppm"), read(t, dir, "b.ppm")) {
			t.Errorf("%v: the pixels differ", args)
		}
	}
}

// TestJPEGFilesOfGoDecodeToTheSamePixels: progressive, CMYK, with restarts, of all samplings, one of them truncated.
func TestJPEGFilesOfGoDecodeToTheSamePixels(t *testing.T) {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("peer missing: go")
	}
	files, err := filepath.Glob(filepath.Join(string(bytes.TrimSpace(root)), "src/image/testdata/*.jpeg"))
	if err != nil || len(files) < 20 {
		t.Skip("peer missing: the test files of Go's package image")
	}
	for _, path := range files {
		plain, err := os.ReadFile(path) //nolint:gosec // Go's
		if err != nil {
			t.Fatal(err)
		}
		out := cleaned(t, codestream.JPEG, 1, with(plain, segment(0xFE, secret), segment(0xE1, "Exif\x00\x00"+secret)))
		was, err := jpeg.Decode(bytes.NewReader(plain))
		if err != nil { // the one that is truncated
			continue
		}
		if !same(was, decoded(t, out)) {
			t.Errorf("%s: the pixels differ", filepath.Base(path))
		}
	}
}

// TestExifToolFindsNothingLeft writes what cameras and editors do with the tool that knows most of it.
func TestExifToolFindsNothingLeft(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.jpg", picture(t, 3))
	write(t, dir, "thumb.jpg", picture(t, 5))
	tool(t, dir, "exiftool", "-q", "-overwrite_original", "-Artist="+secret, "-DateTimeOriginal=2026:01:15 10:11:12", "-GPSLatitude=48.137", "-GPSLongitude=11.575", "-SerialNumber="+secret, "-XMP:Creator="+secret,
		"-IPTC:By-line="+secret, "-Comment="+secret, "-ThumbnailImage<=thumb.jpg", "a.jpg")
	stream := read(t, dir, "a.jpg")
	write(t, dir, "b.jpg", cleaned(t, codestream.JPEG, 1, stream))
	said := func(name string) string {
		cmd := exec.CommandContext(t.Context(), "exiftool", "-G", "-a", "-u", "-ee", name) //nolint:gosec // a test's peer
		cmd.Dir = dir
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out)
	}
	if before := said("a.jpg"); !bytes.Contains([]byte(before), []byte("GPS Latitude")) || !bytes.Contains([]byte(before), []byte("Thumbnail Image")) {
		t.Fatalf("nothing was written: %s", before)
	}
	after := said("b.jpg")
	for _, group := range []string{"[EXIF]", "[XMP]", "[IPTC]", "[Photoshop]", "[ICC_Profile]", "[MakerNotes]", secret, "GPS", "2026:01:15"} {
		if bytes.Contains([]byte(after), []byte(group)) {
			t.Errorf("%s is left:\n%s", group, after)
		}
	}
	if !same(decoded(t, stream), decoded(t, read(t, dir, "b.jpg"))) {
		t.Error("the picture differs")
	}
}

// TestJPEGXLOfLibjxlDecodesToTheSamePixels: also where a JPEG was recompressed, with all that it said.
func TestJPEGXLOfLibjxlDecodesToTheSamePixels(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in.ppm", portable(150, 130))
	write(t, dir, "in.jpg", with(picture(t, 3), segment(0xE1, "Exif\x00\x00MM\x00\x2A\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"+secret), segment(0xFE, secret)))
	for _, args := range [][]string{{"in.ppm", "a.jxl", "--container=1", "-d", "0"}, {"in.jpg", "a.jxl", "--container=1"}} {
		tool(t, dir, "cjxl", args...)
		stream := slices.Concat(read(t, dir, "a.jxl"), box("xml ", []byte(secret)))
		write(t, dir, "b.jxl", cleaned(t, codestream.JPEGXL, 1, stream))
		tool(t, dir, "djxl", "a.jxl", "a.ppm")
		tool(t, dir, "djxl", "b.jxl", "b.ppm")
		if !bytes.Equal(read(t, dir, "a.ppm"), read(t, dir, "b.ppm")) {
			t.Errorf("%v: the pixels differ", args)
		}
	}
}

// TestVideoOfFFmpegDecodesToTheSameFrames: what x264, x265 and the encoder of MPEG-2 write is no user data, and what a file says of itself goes.
func TestVideoOfFFmpegDecodesToTheSameFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("videos are encoded: not in short mode")
	}
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		name, encoder string
		family        codestream.Family
		blanked       bool
	}{
		{"a.mp4", "libx264", codestream.AVC, true}, {"a.ts", "libx264", codestream.AVC, false}, {"a.m2ts", "libx264", codestream.AVC, false},
		{"a.mp4", "libx265", codestream.HEVC, true},
		{"a.ts", "mpeg2video", codestream.MPEG2, false},
	} {
		tool(t, dir, "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.4", "-metadata", "title="+secret, "-metadata", "comment="+secret, "-c:v", tt.encoder, "-threads", "1", tt.name)
		stream := read(t, dir, tt.name)
		out, blanked, err := clean(t, tt.family, 15, stream)
		if err != nil || blanked != tt.blanked || blanked && bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s, %s: blanked %t, %v", tt.name, tt.encoder, blanked, err)
			continue
		}
		write(t, dir, "b-"+tt.name, out)
		for _, name := range []string{tt.name, "b-" + tt.name} {
			tool(t, dir, "ffmpeg", "-v", "error", "-y", "-i", name, "-f", "framemd5", name+".md5")
		}
		a, b := read(t, dir, tt.name+".md5"), read(t, dir, "b-"+tt.name+".md5")
		if !bytes.Equal(a, b) || bytes.Count(a, []byte("\n")) < 8 {
			t.Errorf("%s, %s: the frames differ", tt.name, tt.encoder)
		}
		if tt.family != codestream.AVC { // ffmpeg writes user data of others only into this one
			continue
		}
		tool(t, dir, "ffmpeg", "-v", "error", "-y", "-i", tt.name, "-c", "copy", "-bsf:v", "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+"+secret, "c-"+tt.name)
		if _, _, err := clean(t, tt.family, 15, read(t, dir, "c-"+tt.name)); !errors.Is(err, codestream.ErrUserData) {
			t.Errorf("%s, %s, with user data: %v", tt.name, tt.encoder, err)
		}
	}
}
