// SPDX-License-Identifier: Apache-2.0

// Package adb reads the transport of the Android Debug Bridge as it runs over
// TCP between a debugging host and a device (Android Open Source Project,
// packages/modules/adb, protocol.txt): the 24-octet header of each message and
// the content of CNXN, AUTH, STLS and OPEN.
//
// # Limits
//
// A message announces at most MaxPayload octets. Identity strings are read up
// to MaxIdentity octets, service names up to 256.
//
// # What is not done
//
// The content of streams (shell, sync) is not read. The local protocol between
// adb and its server (port 5037) is another one and not read.
package adb

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/asepsis/asepsis/wire/octet"
	"github.com/asepsis/asepsis/wire/printable"
)

// Commands: four ASCII letters, least significant first.
const (
	SYNC = 0x434e5953
	CNXN = 0x4e584e43
	AUTH = 0x48545541
	OPEN = 0x4e45504f
	OKAY = 0x59414b4f
	CLSE = 0x45534c43
	WRTE = 0x45545257
	STLS = 0x534c5453
)

// Types of AUTH (arg0).
const (
	AuthToken     = 1
	AuthSignature = 2
	AuthPublicKey = 3
)

// Bounds.
const (
	HeaderSize  = 24
	MaxPayload  = 1 << 20
	MaxIdentity = 4096
)

// Header begins each message.
type Header struct {
	Command    uint32
	Arg0, Arg1 uint32
	Length     int
}

// Name returns the four letters of a command.
func (h Header) Name() string {
	return string([]byte{byte(h.Command), byte(h.Command >> 8), byte(h.Command >> 16), byte(h.Command >> 24)})
}

// ParseHeader reads a header. Its last field is the complement of the first,
// which makes it safe to recognise.
func ParseHeader(b []byte) (Header, error) {
	r := octet.New(b)
	h := Header{Command: r.LE32("command"), Arg0: r.LE32("arg0"), Arg1: r.LE32("arg1")}
	n := r.LE32("data_length")
	r.Skip(4, "data_check")
	magic := r.LE32("magic")
	if r.Err() != nil {
		return Header{}, r.Err()
	}
	switch h.Command {
	case SYNC, CNXN, AUTH, OPEN, OKAY, CLSE, WRTE, STLS:
	default:
		return h, &octet.Error{What: "unknown command"}
	}
	if magic != ^h.Command {
		return h, &octet.Error{Offset: 20, What: "magic is not the complement of the command"}
	}
	if n > MaxPayload {
		return h, &octet.Error{Offset: 12, What: "impossible data_length"}
	}
	h.Length = int(n)
	return h, nil
}

// Looks tells whether b begins with a message.
func Looks(b []byte) (yes, maybe bool) {
	if len(b) < HeaderSize {
		for _, c := range []string{"CNXN", "AUTH", "OPEN", "OKAY", "CLSE", "WRTE", "STLS", "SYNC"} {
			if n := min(len(b), 4); string(b[:n]) == c[:n] {
				return false, true
			}
		}
		return false, false
	}
	if binary.LittleEndian.Uint32(b[20:]) != ^binary.LittleEndian.Uint32(b) { // magic
		return false, false
	}
	_, err := ParseHeader(b)
	return err == nil, false
}

// Identity is the system identity string of a CNXN.
type Identity struct {
	Type     string // "host", "device", "bootloader", "recovery", "sideload", "rescue"
	Serial   string // rarely sent
	Product  string // ro.product.name
	Model    string // ro.product.model
	Device   string // ro.product.device
	Features []string
}

const maxFeatures = 48

// ParseIdentity reads "type:serial:properties".
func ParseIdentity(b []byte) Identity {
	b = bytes.TrimRight(b[:min(len(b), MaxIdentity)], "\x00")
	parts := bytes.SplitN(b, []byte{':'}, 3)
	id := Identity{Type: printable.Text(parts[0], 32)}
	if len(parts) > 1 {
		id.Serial = printable.Text(parts[1], 64)
	}
	if len(parts) < 3 {
		return id
	}
	for p := range bytes.SplitSeq(parts[2], []byte{';'}) {
		k, v, _ := bytes.Cut(p, []byte{'='})
		switch string(k) {
		case "ro.product.name":
			id.Product = printable.Text(v, 128)
		case "ro.product.model":
			id.Model = printable.Text(v, 128)
		case "ro.product.device":
			id.Device = printable.Text(v, 128)
		case "features":
			for f := range strings.SplitSeq(printable.Text(v, 1024), ",") {
				if f != "" && len(id.Features) < maxFeatures {
					id.Features = append(id.Features, f)
				}
			}
		}
	}
	return id
}

// Service parts the destination of an OPEN into the kind of service and its
// argument: "shell" and a command, "sync", "tcp" and a port, "exec", "reboot".
func Service(b []byte) (kind, arg string) {
	s := printable.Text(bytes.TrimRight(b, "\x00"), printable.Max)
	kind, arg, _ = strings.Cut(s, ":")
	kind, _, _ = strings.Cut(kind, ",") // "shell,v2,TERM=xterm:command"
	return kind, arg
}

// Version returns the protocol version of a CNXN or STLS, its arg0 in hexadecimal.
func Version(h Header) string {
	b := binary.BigEndian.AppendUint32(nil, h.Arg0)
	return printable.Hex(b, 8)
}
