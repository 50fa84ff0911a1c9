// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/asepsis/asepsis/wire/dicom"
)

// Identifiers of what is sent: fictional, under an arc derived from a UUID.
const (
	ctStorage = "1.2.840.10008.5.1.4.1.1.2"
	uidRoot   = "2.25.165913287362188237411829"
)

// load is a set of files for each of at most eight senders.
type load struct {
	name, title string
	dir         string // with a folder for each sender
	warm        string // with a folder that has one file
	files       int    // of one sender alone
	each        int    // of one of eight
	size        int    // bytes of a file
}

const most = 8 // senders at once

func (l load) count(s sender) int {
	if s.processes == 1 {
		return l.files
	}
	return l.each * s.processes
}

func makeLoads(o options) ([]load, error) {
	var out []load
	for _, k := range []struct {
		name, title string
		pixels, n   int
	}{{"small", "small images, 39 kB", 140, o.small}, {"ct", "CT slices, 530 kB", 514, o.ct}} {
		l := load{name: k.name, title: k.title, dir: filepath.Join(o.dir, k.name), warm: filepath.Join(o.dir, k.name+"-warm"), files: k.n, each: max(1, k.n/2)}
		serial := 0
		for s := range most + 1 { // the first folder is that of a sender alone
			dir, n := filepath.Join(l.dir, fmt.Sprint(s)), l.each
			if s == 0 {
				n = l.files
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, err
			}
			for i := range n {
				serial++
				b := file(fmt.Sprintf("%s.%d.%d", uidRoot, k.pixels, serial), k.pixels, serial)
				l.size = len(b)
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.dcm", i)), b, 0o600); err != nil {
					return nil, err
				}
			}
		}
		dir := filepath.Join(l.warm, "0")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "warm.dcm"), file(fmt.Sprintf("%s.%d.0", uidRoot, k.pixels), k.pixels, 0), 0o600); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// file makes a CT image of n by n pixels of noise, explicit VR little endian, with preamble
// and meta information.
func file(uid string, n, seed int) []byte {
	var meta, b bytes.Buffer
	element(&meta, 0x00020001, "OB", []byte{0, 1})
	element(&meta, 0x00020002, "UI", []byte(ctStorage))
	element(&meta, 0x00020003, "UI", []byte(uid))
	element(&meta, 0x00020010, "UI", []byte(dicom.ExplicitVRLittleEndian))
	element(&meta, 0x00020012, "UI", []byte(uidRoot+".1"))
	b.Write(make([]byte, 128))
	b.WriteString("DICM")
	element(&b, 0x00020000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(meta.Len()))) //nolint:gosec // some hundred bytes
	b.Write(meta.Bytes())
	dataSet(&b, uid, n)
	pixels := make([]byte, 2*n*n)
	rng := rand.NewPCG(uint64(seed), uint64(n)) //nolint:gosec // noise
	for i := 0; i+8 <= len(pixels); i += 8 {
		binary.LittleEndian.PutUint64(pixels[i:], rng.Uint64()&0x0FFF0FFF0FFF0FFF)
	}
	element(&b, 0x7FE00010, "OW", pixels)
	return b.Bytes()
}

// dataSet writes what comes before the pixel data.
func dataSet(b *bytes.Buffer, uid string, n int) {
	text := func(tag uint32, vr, value string) { element(b, tag, vr, []byte(value)) }
	number := func(tag uint32, v int) { element(b, tag, "US", []byte{byte(v), byte(v >> 8)}) }
	text(0x00080005, "CS", "ISO_IR 100")
	text(0x00080008, "CS", `ORIGINAL\PRIMARY\AXIAL`)
	text(0x00080016, "UI", ctStorage)
	text(0x00080018, "UI", uid)
	text(0x00080020, "DA", "20260302")
	text(0x00080030, "TM", "101500")
	text(0x00080050, "SH", "FICT-ACC-1")
	text(0x00080060, "CS", "CT")
	text(0x00080070, "LO", "Example Medical")
	text(0x00080090, "PN", "")
	text(0x00081030, "LO", "Spine, planning")
	text(0x00100010, "PN", "Fictional^Petra")
	text(0x00100020, "LO", "FICT-0001")
	text(0x00100030, "DA", "19700101")
	text(0x00100040, "CS", "O")
	text(0x0020000D, "UI", uidRoot+".2")
	text(0x0020000E, "UI", uidRoot+".3")
	text(0x00200010, "SH", "1")
	text(0x00200011, "IS", "1")
	text(0x00200013, "IS", "1")
	number(0x00280002, 1)
	text(0x00280004, "CS", "MONOCHROME2")
	number(0x00280010, n)
	number(0x00280011, n)
	number(0x00280100, 16)
	number(0x00280101, 12)
	number(0x00280102, 11)
	number(0x00280103, 0)
}

// element writes one element in explicit VR little endian.
func element(b *bytes.Buffer, tag uint32, vr string, value []byte) {
	if len(value)&1 != 0 {
		pad := byte(' ')
		if vr == "UI" || vr == "OB" {
			pad = 0
		}
		value = append(value, pad)
	}
	var h [12]byte
	binary.LittleEndian.PutUint16(h[0:], uint16(tag>>16)) //nolint:gosec // halves of a tag
	binary.LittleEndian.PutUint16(h[2:], uint16(tag))     //nolint:gosec // as above
	copy(h[4:], vr)
	if vr == "OB" || vr == "OW" {
		binary.LittleEndian.PutUint32(h[8:], uint32(len(value))) //nolint:gosec // below a megabyte
		b.Write(h[:12])
	} else {
		binary.LittleEndian.PutUint16(h[6:], uint16(len(value))) //nolint:gosec // short texts
		b.Write(h[:8])
	}
	b.Write(value)
}
