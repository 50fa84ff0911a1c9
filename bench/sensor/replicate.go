// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// recorded is one frame of the captures that are replicated.
type recorded struct {
	time     int64
	data     []byte
	wire     int
	src, dst int // offsets of the IP addresses, 0 when there are none
	ports    int // offset of the TCP or UDP ports, 0 when there are none
	v6       bool
}

// load reads the Ethernet frames of captures, each shifted to begin at zero.
func load(names []string) ([]recorded, error) {
	var all []recorded
	for _, name := range names {
		f, err := sensor.OpenFile(name)
		if err != nil {
			return nil, err
		}
		var fr capture.Frame
		var base int64
		for {
			err := f.Next(&fr)
			if err != nil {
				var c *capture.CorruptError
				if !errors.Is(err, io.EOF) && !errors.As(err, &c) {
					return nil, err
				}
				break
			}
			if fr.Link != capture.LinkEthernet {
				continue
			}
			if base == 0 {
				base = fr.Time
			}
			r := recorded{time: fr.Time - base, data: slices.Clone(fr.Data), wire: fr.OrigLen}
			var p packet.Packet
			packet.Decode(&p, uint16(fr.Link), r.data, r.wire)
			if p.IPVersion != 0 && p.NTunnel == 0 {
				at := 14 + 4*int(p.NVLAN)
				if p.IPVersion == 4 {
					r.src, r.dst = at+12, at+16
					if (p.Proto == packet.ProtoTCP || p.Proto == packet.ProtoUDP) && !p.Fragment && p.Err == nil {
						r.ports = at + 4*int(r.data[at]&15)
					}
				} else {
					r.src, r.dst, r.v6 = at+8, at+24, true
				}
			}
			all = append(all, r)
		}
		_ = f.Close()
	}
	slices.SortStableFunc(all, func(a, b recorded) int { return int(min(1, max(-1, a.time-b.time))) })
	if len(all) == 0 {
		return nil, errors.New("no Ethernet frames in the captures")
	}
	return all, nil
}

// replicate writes the frames again and again until there are packets frames or
// bytes bytes. Rounds take turns to be one of sites hospitals, each with
// addresses of its own, and every round has client ports of its own, so that
// all its connections are new ones.
func replicate(name string, from []recorded, sites, packets, bytes int64) (n, size int64, err error) {
	f, err := os.Create(name) //nolint:gosec // named by who runs the benchmark
	if err != nil {
		return 0, 0, err
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	w := capture.NewWriter(buf, capture.LinkEthernet)
	span := from[len(from)-1].time + 1e6
	const start = int64(1_700_000_000e9)
	out := make([]byte, 0, 1<<16)
	for round := int64(0); n < packets || size < bytes; round++ {
		for i := range from {
			r := &from[i]
			out = append(out[:0], r.data...)
			if r.src != 0 {
				mark(out[r.src:], uint32(round%sites), r.v6)
				mark(out[r.dst:], uint32(round%sites), r.v6)
			}
			if r.ports != 0 {
				renew(out[r.ports:], round)
				renew(out[r.ports+2:], round)
			}
			if err := w.WriteFrame(capture.Frame{Time: start + round*span/8 + r.time, Data: out, OrigLen: r.wire, Link: capture.LinkEthernet}); err != nil {
				return 0, 0, err
			}
			n++
			size += int64(len(out)) + 16
			if n >= packets && size >= bytes {
				break
			}
		}
	}
	return n, size, errors.Join(w.Flush(), buf.Flush(), f.Close())
}

// mark makes a unicast address of one round differ from the others'.
func mark(a []byte, round uint32, v6 bool) {
	if v6 {
		if a[0] != 0xff {
			binary.BigEndian.PutUint32(a[4:], round)
		}
		return
	}
	if a[0] < 224 && a[0] != 0 {
		a[0], a[1], a[2] = 10+byte(round>>16), a[1]^byte(round>>8), a[2]^byte(round)
	}
}

func describe(from []recorded) string {
	var bytes int64
	for i := range from {
		bytes += int64(from[i].wire)
	}
	return fmt.Sprintf("%d recorded frames, %d bytes on average", len(from), bytes/int64(len(from)))
}

// renew changes a port if it is one that clients are given (RFC 6335 §6, and
// Linux' range below it).
func renew(p []byte, round int64) {
	if v := int64(binary.BigEndian.Uint16(p)); v >= 32768 {
		binary.BigEndian.PutUint16(p, uint16(32768+(v-32768+round*11)%32768))
	}
}
