// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"unicode/utf8"
)

// sniffLen is how much of an unknown input is looked at: a tar header's magic
// ends at byte 262.
const sniffLen = 512

const (
	hintCapture = "give a pcap or pcapng file, plain or packed with gzip or zstd; record one with: tcpdump -i INTERFACE -w FILE"
	hintConvert = "convert it with: editcap FILE NEW.pcapng"
	hintUnpack  = "unpack it first"
)

// looks names files that people hand over instead of a capture.
var looks = []struct {
	at          int
	magic, what string
	hint        string
}{
	{0, "\xfd7zXZ\x00", "xz-compressed data", hintUnpack + " with: xz -d, or pack captures with gzip or zstd"},
	{0, "BZh", "bzip2-compressed data", hintUnpack + " with: bzip2 -d, or pack captures with gzip or zstd"},
	{0, "\x04\x22\x4d\x18", "lz4-compressed data", hintUnpack + " with: lz4 -d, or pack captures with gzip or zstd"},
	{0, "\x1f\x8b", "gzip-compressed data", hintUnpack + ": only one layer of compression is read"},
	{0, "\x28\xb5\x2f\xfd", "zstd-compressed data", hintUnpack + ": only one layer of compression is read"},
	{0, "PK\x03\x04", "a zip archive", hintUnpack + " with: unzip"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive", hintUnpack},
	{0, "Rar!\x1a\x07", "a RAR archive", hintUnpack},
	{257, "ustar", "a tar archive", hintUnpack + " with: tar -xf"},
	{0, "snoop\x00\x00\x00", "a Sun snoop capture", hintConvert},
	{0, "btsnoop\x00", "a Bluetooth btsnoop capture", "network traffic is needed, not Bluetooth HCI"},
	{0, "RTSS", "a Microsoft NetMon 1 capture", hintConvert},
	{0, "GMBU", "a Microsoft NetMon 2 capture", hintConvert},
	{0, "TRSNIFF data", "a Sniffer capture", hintConvert},
	{0, "XCP\x00", "a NetXRay or Windows Sniffer capture", hintConvert},
	{0, "ObserverPktBuffe", "a Viavi Observer capture", hintConvert},
	{0, "\xac\x01\x00\x1c", "an IXIA lcap capture", hintConvert},
	{0, "\xab\x01\x00\x1c", "an IXIA lcap capture", hintConvert},
	{128, "DICM", "a DICOM file", "network traffic is needed, not stored images; " + hintCapture},
	{0, "\x7fELF", "an ELF program", hintCapture},
	{0, "MZ", "a Windows program", hintCapture},
	{0, "%PDF", "a PDF document", hintCapture},
	{0, "SQLite format 3\x00", "an SQLite database", hintCapture},
	{0, "version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file with: git lfs pull"},
}

func unknownFormat(opts Options, head []byte, packing string) error {
	e := &FormatError{Name: opts.Name, Err: ErrUnknownFormat, hint: hintCapture}
	e.Looks, e.hint = describe(head)
	if packing != "" {
		if e.Looks == "" {
			e.Looks = "unknown data"
		}
		e.Looks += " inside " + packing
	}
	return e
}

func describe(head []byte) (what, hint string) {
	for _, l := range looks {
		if len(head) >= l.at && bytes.HasPrefix(head[l.at:], []byte(l.magic)) {
			return l.what, l.hint
		}
	}
	trimmed := bytes.ToLower(bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n"))
	switch {
	case len(bytes.Trim(head, "\x00")) == 0:
		return "nothing but zero bytes", "the file was reserved but never written, or copied incompletely: copy it again"
	case bytes.HasPrefix(trimmed, []byte("<!doctype html")), bytes.HasPrefix(trimmed, []byte("<html")):
		return "a web page", "a download gave a page, often a log-in page, instead of the file: fetch it again"
	case bytes.HasPrefix(trimmed, []byte("<?xml")):
		return "an XML file", hintCapture
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "a UTF-16 text file", hintCapture
	case isText(head):
		return "a text file", "the printed output of tcpdump or tshark is not a capture: write one with -w FILE"
	}
	return "", hintCapture
}

func isText(b []byte) bool {
	if len(b) == sniffLen {
		for range utf8.UTFMax - 1 { // the sniffed part may end inside a character
			if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
				break
			}
			b = b[:len(b)-1]
		}
	}
	if !utf8.Valid(b) {
		return false
	}
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
			return false
		}
	}
	return true
}
