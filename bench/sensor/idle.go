// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"

	"github.com/asepsis/asepsis/wire/capture"
	"github.com/asepsis/asepsis/wire/packet"
)

// handshakes writes a capture of n TCP connections that are opened, between few
// hosts, and then say nothing.
func handshakes(name string, n int) error {
	f, err := os.Create(name) //nolint:gosec // in the benchmark's own directory
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	w := capture.NewWriter(buf, capture.LinkRaw)
	b := make([]byte, 40)
	b[0], b[8], b[9] = 0x45, 64, packet.ProtoTCP
	binary.BigEndian.PutUint16(b[2:], 40)
	b[32] = 5 << 4
	now := int64(1_700_000_000e9)
	send := func(client uint32, port uint16, fromClient bool, flags byte) error {
		c, s := b[12:16], b[16:20]
		sp, dp := port, uint16(11112)
		if !fromClient {
			c, s = s, c
			sp, dp = dp, sp
		}
		binary.BigEndian.PutUint32(c, 0x0a000000+client)
		binary.BigEndian.PutUint32(s, 0x0aff0001)
		binary.BigEndian.PutUint16(b[20:], sp)
		binary.BigEndian.PutUint16(b[22:], dp)
		b[33] = flags
		now += 1000
		return w.WriteFrame(capture.Frame{Time: now, Data: b, OrigLen: 40, Link: capture.LinkRaw})
	}
	for i := range n {
		client, port := uint32(i/50000+1), uint16(1024+i%50000)
		if err := errors.Join(send(client, port, true, packet.SYN), send(client, port, false, packet.SYN|packet.ACK), send(client, port, true, packet.ACK)); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), buf.Flush(), f.Close())
}
