// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/asepsis/asepsis/wire/packet"
)

// theCase is one case of the hospital's day.
type theCase struct {
	n        int // no two have the same
	from, to time.Time
}

// fresh makes of a recorded frame one of another case: another patient, other images,
// and the time at which it comes. Without that every case of a day would be the same
// one again, which is what an attack looks like. Nothing changes its length, and the data
// given is not changed. What the schedule says of the case becomes true.
//
// A UID that lies across two frames stays as it was recorded. So do dates of studies.
func (c *theCase) fresh(data []byte, at time.Time) []byte {
	payload := payloadOf(data)
	if payload == nil || payload[0] == stx {
		return data
	}
	own := false
	edit := func() []byte { // the first change makes a copy
		if !own {
			data, own = bytes.Clone(data), true
			payload = data[len(data)-len(payload):]
		}
		return payload
	}
	for i := 0; i+len(patientID)+4 <= len(payload); i++ {
		switch payload[i] {
		case 'F':
			if n := payload[i+len(patientID):]; bytes.HasPrefix(payload[i:], patientID) && digits(n) == 4 {
				// 0001 to 0003 are the recorded patients; each case has its own.
				copy(edit()[i+len(patientID):], fmt.Sprintf("%04d", (c.n*3+int(n[3]-'0'))%10_000))
			}
		case '2':
			switch {
			case bytes.HasPrefix(payload[i:], uuidRoot):
				n := digits(payload[i+len(uuidRoot):])
				end := i + len(uuidRoot) + n
				if n >= 30 && end < len(payload) {
					copy(edit()[end-9:], fmt.Sprintf("%06d", c.n%1_000_000))
				}
				i = end - 1
			case bytes.HasPrefix(payload[i:], plannedFrom):
				copy(edit()[i:], c.from.Local().Format(hl7Time))
			case bytes.HasPrefix(payload[i:], plannedTo):
				copy(edit()[i:], c.to.Local().Format(hl7Time))
			case bytes.HasPrefix(payload[i:], recordedDay) && digits(payload[i:]) == len(hl7Time) && bytes.HasPrefix(payload[i+len(hl7Time):], inUTC):
				copy(edit()[i:], at.UTC().Format(hl7Time))
			}
		}
	}
	if ntp(data, payload) {
		p := edit()
		for _, from := range []int{16, 32, 40} { // of reference, receipt and transmission (RFC 5905 §7.3)
			binary.BigEndian.PutUint64(p[from:], ntpTime(at))
		}
	}
	return data
}

// What is looked for.
var (
	patientID   = []byte("FICT-")
	uuidRoot    = []byte("2.25.")
	recordedDay = []byte("20261122")
	inUTC       = []byte("+0000")
	plannedFrom = []byte("20260112083000") // of the case, in the schedule's message
	plannedTo   = []byte("20260112100000")
)

// stx begins a frame of a laboratory analyser, which has a checksum (LIS1-A §6.3): left as it is.
const stx = 2

// hl7Time is how HL7 writes a time (DTM, chapter 2A).
const hl7Time = "20060102150405"

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

// payloadOf is what TCP or UDP carries in an Ethernet frame, nil for none.
func payloadOf(data []byte) []byte {
	var p packet.Packet
	packet.Decode(&p, 1, data, len(data))
	if p.Err != nil || p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP || len(p.Payload) == 0 {
		return nil
	}
	// To the end of the frame: what pads a short one is no text.
	at := bytes.Index(data, p.Payload)
	if at < 0 || at+len(p.Payload) != len(data) {
		return nil
	}
	return data[at:]
}

// ntp says that a payload is the answer of a time server.
func ntp(data, payload []byte) bool {
	const length, server = 48, 4
	if len(payload) != length || payload[0]&7 != server {
		return false
	}
	var p packet.Packet
	packet.Decode(&p, 1, data, len(data))
	return p.Proto == packet.ProtoUDP && p.SrcPort == 123
}

// ntpTime is a time as NTP writes it: seconds since 1900, and a fraction.
func ntpTime(t time.Time) uint64 {
	const since1900 = 2_208_988_800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000 //nolint:gosec // after 1970
}
