// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/platform/record"
)

// Base is the time around which the records of the tests lie; the stores under
// test must have a clock that is near it.
var Base = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC).UnixNano()

// Clock is a clock for the stores under test.
func Clock() time.Time { return time.Unix(0, Base).Add(30 * time.Hour) }

// names are what the records are made of; all are made up.
var (
	protocols = []string{"dicom", "hl7", "tls", "dns", "dhcp", ""}
	sensors   = []string{"or-1", "or-2"}
	theatres  = []string{"", "theatre-1", "theatre-2"}
	classes   = []event.Class{event.ClassNetwork, event.ClassDNS, event.ClassDICOMAssociation, event.ClassHL7Message}
	words     = []string{"Storage", "Commitment", "Verification", "ECHO", "STOW", "Größe", "reject", "released", "Überlauf", "handshake"}
)

// Records makes n records from a seed, with times spread over spread from
// at. Event uids are "<seed>-<number>".
func Records(t testing.TB, seed uint64, n int, at int64, spread time.Duration) []record.Record {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	recs := make([]record.Record, n)
	for i := range recs {
		e := event.Event{
			UID: fmt.Sprintf("%d-%d", seed, i), Activity: uint8(r.IntN(3)), Severity: severity(r), Status: event.Status(r.IntN(3)),
			Protocol: protocols[r.IntN(len(protocols))], Message: words[r.IntN(len(words))] + " " + words[r.IntN(len(words))] + fmt.Sprintf(" of study 1.2.840.%d.%d", r.IntN(5), i),
			Time: at + int64(spread)*int64(i)/int64(n) + r.Int64N(int64(10*time.Second)),
		}
		if e.Time%13 == 0 {
			e.Time -= int64(time.Minute) // late
		}
		e.Flow = &event.Flow{ID: uint64(i), Proto: 6, Src: end(r), Dst: end(r)}
		rec, err := record.Of(&e, sensors[r.IntN(len(sensors))])
		if err != nil {
			t.Fatal(err)
		}
		rec.Class = classes[r.IntN(len(classes))]
		rec.Theatre = theatres[r.IntN(len(theatres))]
		rec.SrcDevice, rec.DstDevice = deviceID(r), deviceID(r)
		if r.IntN(10) == 0 {
			rec.Src, rec.Dst, rec.SrcDevice, rec.DstDevice = netip.Addr{}, netip.Addr{}, "", ""
		}
		if r.IntN(3) == 0 {
			rec.Link = &record.Link{Transport: []string{"tcp", "udp", "132"}[r.IntN(3)], Port: []uint16{104, 2575, 443}[r.IntN(3)],
				Flows: uint64(r.IntN(2)), Failed: uint64(r.IntN(2)), BytesOut: uint64(r.IntN(5000)), BytesIn: uint64(r.IntN(500_000))}
		}
		recs[i] = rec
	}
	return recs
}

func severity(r *rand.Rand) finding.Severity {
	if r.IntN(20) > 0 {
		return finding.Info
	}
	return finding.Severity(r.IntN(6))
}

func end(r *rand.Rand) event.Endpoint {
	n := byte(r.IntN(12))
	e := event.Endpoint{MAC: device.MAC{0x02, 0, 0, 0, 0, n}, IP: netip.AddrFrom4([4]byte{10, 20, 0, n}), Port: uint16(1024 + r.IntN(4))}
	if n == 11 {
		e.IP = netip.MustParseAddr("2001:db8::11")
	}
	return e
}

func deviceID(r *rand.Rand) string {
	n := r.IntN(9)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("dev-%02d", n)
}
