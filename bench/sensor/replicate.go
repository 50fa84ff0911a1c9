// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
	part     int // of the cycle, see mix
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
	slices.SortStableFunc(all, func(a, b recorded) int { return cmp.Compare(a.time, b.time) })
	if len(all) == 0 {
		return nil, errors.New("no Ethernet frames in the captures")
	}
	return all, nil
}

// cycle is what a mix repeats: frames in the order of time, each of one of
// several parts that are replicated with addresses and ports of their own.
type cycle struct {
	frames []recorded
	parts  int
	span   int64 // ns
}

// repeat makes a cycle of the recordings taken one after another n times.
func repeat(frames []recorded, n int) cycle {
	c := cycle{parts: n}
	span := frames[len(frames)-1].time + 1e6
	for k := range n {
		for _, r := range frames {
			r.time += int64(k) * span
			r.part = k
			c.frames = append(c.frames, r)
		}
	}
	c.span = int64(n) * span
	return c
}

// over lays one more recording into a cycle: it begins at a time and takes as
// long as it was recorded to take.
func (c cycle) over(frames []recorded, at int64) cycle {
	for _, r := range frames {
		r.time += at
		r.part = c.parts
		c.frames = append(c.frames, r)
		c.span = max(c.span, r.time+1e6)
	}
	c.parts++
	slices.SortStableFunc(c.frames, func(a, b recorded) int { return cmp.Compare(a.time, b.time) })
	return c
}

// replicate writes the cycle as a capture again and again until there are
// packets frames and bytes bytes. Cycles take turns to be one of sites hospitals,
// each with addresses of its own, and every round has client ports of its own, so
// that all its connections are new ones.
func (c cycle) replicate(to io.Writer, sites, packets, bytes int64) (n, size int64, err error) {
	buf := bufio.NewWriterSize(to, 1<<20)
	w := capture.NewWriter(buf, capture.LinkEthernet)
	const start = int64(1_700_000_000e9)
	out := make([]byte, 0, 1<<16)
	for turn := int64(0); n < packets || size < bytes; turn++ {
		site := uint32(turn % sites)
		for i := range c.frames {
			r := &c.frames[i]
			out = append(out[:0], r.data...)
			if r.src != 0 {
				mark(out[r.src:], site, r.v6)
				mark(out[r.dst:], site, r.v6)
			}
			for _, mac := range [...][]byte{out[:6], out[6:12]} {
				if mac[0]&1 == 0 {
					mac[3] ^= byte(site >> 8)
					mac[4] ^= byte(site)
				}
			}
			if r.ports != 0 {
				round := turn*int64(c.parts) + int64(r.part)
				renew(out[r.ports:], round)
				renew(out[r.ports+2:], round)
			}
			if err := w.WriteFrame(capture.Frame{Time: start + turn*c.span + r.time, Data: out, OrigLen: r.wire, Link: capture.LinkEthernet}); err != nil {
				return n, size, err
			}
			n++
			size += int64(len(out)) + 16
			if n >= packets && size >= bytes {
				break
			}
		}
	}
	return n, size, errors.Join(w.Flush(), buf.Flush())
}

// mark makes a unicast address of one site differ from the others'.
func mark(a []byte, site uint32, v6 bool) {
	if v6 {
		if a[0] != 0xff {
			binary.BigEndian.PutUint32(a[4:], site)
		}
		return
	}
	if a[0] < 224 && a[0] != 0 {
		a[0], a[1], a[2] = 10+byte(site>>16), a[1]^byte(site>>8), a[2]^byte(site)
	}
}

func (c cycle) describe() string {
	var bytes int64
	for i := range c.frames {
		bytes += int64(c.frames[i].wire)
	}
	return fmt.Sprintf("cycle of %d frames, %d bytes on average", len(c.frames), bytes/int64(len(c.frames)))
}

// renew changes a port if it is one that clients are given (RFC 6335 §6, and
// Linux' range below it).
func renew(p []byte, round int64) {
	if v := int64(binary.BigEndian.Uint16(p)); v >= 32768 {
		binary.BigEndian.PutUint16(p, uint16(32768+(v-32768+round*11)%32768))
	}
}
