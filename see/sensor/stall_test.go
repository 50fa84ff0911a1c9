// SPDX-License-Identifier: Apache-2.0

package sensor

import (
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/wire/capture"
)

// udpFrame is a datagram between two hosts of a theatre.
func udpFrame(from, to byte, port uint16) []byte {
	b := make([]byte, 14+20+8+64)
	copy(b, []byte{2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0})
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{10, 30, 1, from, 10, 30, 1, to})
	binary.BigEndian.PutUint16(ip[20:], 50000+uint16(from))
	binary.BigEndian.PutUint16(ip[22:], port)
	binary.BigEndian.PutUint16(ip[24:], uint16(len(ip)-20))
	return b
}

// script is a source of frames and ticks at given times.
type script struct {
	at     []int64
	frames [][]byte // nil is a tick
	n      int
}

func (s *script) add(at int64, frame []byte) {
	s.at, s.frames = append(s.at, at), append(s.frames, frame)
}

func (s *script) Next(f *capture.Frame) error {
	if s.n == len(s.at) {
		return io.EOF
	}
	d := s.frames[s.n]
	*f = capture.Frame{Time: s.at[s.n], Data: d, OrigLen: len(d), Link: capture.LinkEthernet, Tick: d == nil}
	s.n++
	return nil
}

func (s *script) Stats() capture.Stats { return capture.Stats{} }

// told is what is said about streams, with the time in ms since begin.
func told(t *testing.T, workers int, live bool, s *script) (what []string, at []int64) {
	t.Helper()
	cfg := Default()
	cfg.Workers, cfg.ReportOpen = workers, live
	sen, c := newSensor(t, cfg)
	if err := sen.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for _, e := range c.events {
		if d, ok := e.Detail.(*event.Connection); ok && e.StatusDetail != "" {
			what, at = append(what, e.StatusDetail), append(at, (e.Time-stallBegin)/1e6)
			if e.Activity != 6 || d.PacketsOut == 0 || e.Flow == nil || e.Message == "" {
				t.Errorf("%+v %+v", e, d)
			}
		}
	}
	return what, at
}

const stallBegin = int64(1_770_000_000e9)

// flows adds a stream of a packet each 20 ms from one moment to another, in ms.
func (s *script) flows(from, to int64) {
	for ms := from; ms < to; ms += 20 {
		s.add(stallBegin+ms*1e6, udpFrame(1, 2, 9000))
	}
}

// silence adds ticks.
func (s *script) silence(from, to int64) {
	for ms := from; ms < to; ms += 250 {
		s.add(stallBegin+ms*1e6, nil)
	}
}

func TestAStreamThatStopsIsReportedWithinASecond(t *testing.T) {
	for _, workers := range []int{1, 3} {
		s := &script{}
		s.flows(0, 15_000)
		s.silence(15_250, 20_000)
		s.flows(20_000, 21_000)
		s.silence(21_250, 22_000)
		what, at := told(t, workers, true, s)
		if !slices.Equal(what, []string{StatusStalled, StatusResumed, StatusStalled}[:len(what)]) || len(what) < 2 || at[0] > 16_100 || at[0] < 15_780 {
			t.Errorf("%d workers: %v at %v", workers, what, at)
		}
	}
}

func TestOtherTrafficTellsTheTimeToo(t *testing.T) {
	s := &script{}
	for ms := int64(0); ms < 20_000; ms += 20 {
		if ms < 15_000 {
			s.add(stallBegin+ms*1e6, udpFrame(1, 2, 9000))
		}
		s.add(stallBegin+ms*1e6, udpFrame(3, 4, 9001))
	}
	what, at := told(t, 1, true, s)
	if !slices.Equal(what, []string{StatusStalled}) || at[0] > 16_100 {
		t.Errorf("%v at %v", what, at)
	}
}

func TestWhatIsNoStreamIsNotSaidToStall(t *testing.T) {
	for name, make := range map[string]func(*script){
		"a short burst": func(s *script) { s.flows(0, 8000); s.silence(8250, 12_000) },
		"bursts with pauses": func(s *script) {
			for k := range int64(10) {
				s.flows(k*3000, k*3000+1800)
				s.silence(k*3000+2000, k*3000+3000)
			}
		},
		"a slow poll": func(s *script) {
			for k := range int64(60) {
				s.flows(k*1000, k*1000+40)
				s.silence(k*1000+250, k*1000+1000)
			}
		},
		"a gap in which nothing was heard": func(s *script) { s.flows(0, 15_000); s.flows(60_000, 61_000) },
	} {
		s := &script{}
		make(s)
		if what, at := told(t, 1, true, s); len(what) != 0 {
			t.Errorf("%s: %v at %v", name, what, at)
		}
	}
	s := &script{}
	s.flows(0, 15_000)
	s.silence(15_250, 20_000)
	if what, _ := told(t, 1, false, s); len(what) != 0 {
		t.Errorf("in a file: %v", what)
	}
}
