// SPDX-License-Identifier: Apache-2.0

// Package replay makes as many records as a benchmark wants out of the events of
// one recorded capture: a hospital of Theatres theatres in which what was
// recorded happens again and again, with other addresses, times, event UIDs,
// community IDs and DICOM UIDs each time.
//
// Records are made by patching encoded events, which costs little beside storing
// them. They are the same for the same seed.
package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

// Theatres is how many copies of the recorded theatre there are.
const Theatres = 60

// Source makes records. It is used by one goroutine.
type Source struct {
	templates []template
	rng       *rand.Rand
	at        int64         // time of the next record
	step      time.Duration // mean time between two
	next      int           // template
	theatre   int
	round     uint64 // of the theatre's replay
	n         uint64
}

// template is an encoded event with the places that vary.
type template struct {
	rec      record.Record
	uid      []int // where the event's UID is
	addrs    [2][]int
	dicom    []int // ends of DICOM UIDs
	flow     []int // in community IDs
	src, dst byte
	link     bool
}

const fixedUID = "aaaaaaaaaaaaaaaaaaaa"

// Load reads a capture. The records begin at a time and are rate a second apart
// in the mean.
func Load(path string, seed uint64, at time.Time, rate float64) (*Source, error) {
	events, err := read(path)
	if err != nil {
		return nil, err
	}
	s := &Source{rng: rand.New(rand.NewPCG(seed, 1)), at: at.UnixNano(), step: time.Duration(float64(time.Second) / rate)}
	for _, e := range events {
		t, err := templateOf(e)
		if err != nil {
			return nil, err
		}
		s.templates = append(s.templates, t)
	}
	if len(s.templates) == 0 {
		return nil, errors.New("the capture has no events")
	}
	return s, nil
}

type collector struct{ events []*event.Event }

// Emit implements sensor.Sink.
func (c *collector) Emit(e *event.Event) { c.events = append(c.events, e) }

func read(path string) ([]*event.Event, error) {
	f, err := sensor.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	c := &collector{}
	s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: protocols.All(), Sink: c, Seed: 7})
	if err != nil {
		return nil, err
	}
	return c.events, s.Run(context.Background(), f)
}

func templateOf(e *event.Event) (template, error) {
	v := *e
	v.UID = fixedUID
	if e.Flow != nil {
		flow := *e.Flow
		v.Flow = &flow
	}
	r, err := record.Of(&v, "or-00")
	if err != nil {
		return template{}, fmt.Errorf("encode %s event: %w", e.Protocol, err)
	}
	t := template{rec: r, uid: all(r.Data, fixedUID)}
	for i, a := range []netip.Addr{r.Src, r.Dst} {
		if a.Is4() {
			b := a.As4()
			t.addrs[i] = all(r.Data, "\x44"+string(b[:])) // CBOR: a byte string of four
			if i == 0 {
				t.src = b[3]
			} else {
				t.dst = b[3]
			}
		}
	}
	_ = record.Texts(r.Data, func(s string) bool {
		switch {
		case len(s) > 24 && strings.Trim(s, "0123456789.") == "":
			for _, at := range all(r.Data, s) {
				t.dicom = append(t.dicom, at+len(s)-6)
			}
		case len(s) == 30 && strings.HasPrefix(s, "1:"):
			for _, at := range all(r.Data, s) {
				t.flow = append(t.flow, at+2)
			}
		}
		return true
	})
	t.link = e.Class() == event.ClassNetwork && e.Flow != nil && r.Src.IsValid()
	return t, nil
}

// all returns where a text stands.
func all(data []byte, s string) (at []int) {
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(s))
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(s)
	}
}

const hexDigits = "0123456789abcdef"

// Next makes n records.
func (s *Source) Next(n int) []record.Record {
	recs := make([]record.Record, n)
	for i := range recs {
		recs[i] = s.one()
	}
	return recs
}

func (s *Source) one() record.Record {
	if s.next == len(s.templates) {
		s.next, s.theatre = 0, s.rng.IntN(Theatres)
		s.round++
	}
	t := &s.templates[s.next]
	s.next++
	s.n++
	s.at += int64(float64(s.step) * s.rng.ExpFloat64())
	r := t.rec
	r.Time = s.at - s.rng.Int64N(int64(50*time.Millisecond))
	data := bytes.Clone(r.Data)
	var id [20]byte
	h := s.n * 0x9E3779B97F4A7C15
	for i := range id {
		id[i] = hexDigits[(h>>(3*i))&15]
	}
	for _, at := range t.uid {
		copy(data[at:], id[:])
	}
	for _, at := range t.dicom {
		copy(data[at:], fmt.Appendf(nil, "%06d", (s.round*7919)%1_000_000))
	}
	for _, at := range t.flow {
		for k := range 6 {
			data[at+k] = hexDigits[(s.round>>(4*k))&15]
		}
	}
	r.Src, r.SrcDevice = s.end(data, t.addrs[0], t.src, r.Src)
	r.Dst, r.DstDevice = s.end(data, t.addrs[1], t.dst, r.Dst)
	r.Theatre = fmt.Sprintf("theatre-%02d", s.theatre)
	r.Sensor = [...]string{"or-north", "or-south", "or-west"}[s.theatre%3]
	if t.link {
		r.Link = &record.Link{Transport: "tcp", Port: 104, Flows: 1, BytesOut: 500 + s.n%1000, BytesIn: s.n % 100_000}
	}
	r.Data = data
	return r
}

// end moves an end into its theatre.
func (s *Source) end(data []byte, at []int, host byte, a netip.Addr) (netip.Addr, string) {
	if !a.Is4() {
		return a, ""
	}
	ip := [4]byte{10, 20, byte(s.theatre), host}
	for _, i := range at {
		copy(data[i+1:], ip[:])
	}
	return netip.AddrFrom4(ip), fmt.Sprintf("dev-%08x", binary.BigEndian.Uint32(ip[:]))
}
