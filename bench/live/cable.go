// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// firstPort is the source port of the first packet.
const firstPort = 2000

// cable is a pair of virtual interfaces: what is sent on one end is seen on the
// other. They have no addresses, and nothing else is connected to them.
type cable struct {
	watched, sending string
	fd, index        int
}

func newCable() (*cable, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a virtual cable needs root")
	}
	c := &cable{watched: "aspw" + pid(), sending: "asps" + pid(), fd: -1}
	if err := run("ip", "link", "add", c.watched, "type", "veth", "peer", "name", c.sending); err != nil {
		return nil, err
	}
	for _, name := range []string{c.watched, c.sending} {
		// Without IPv6 the kernel has nothing to say on them.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o600)
		if err := run("ip", "link", "set", name, "up"); err != nil {
			c.close()
			return nil, err
		}
	}
	i, err := net.InterfaceByName(c.sending)
	if err == nil {
		c.index = i.Index
		c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *cable) close() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
	}
	_ = run("ip", "link", "del", c.watched)
}

// send puts a syslog message (RFC 5424) from a port onto the cable.
func (c *cable) send(port int) error {
	payload := []byte("<14>1 - pump asepsis - - - a message of the benchmark")
	f := make([]byte, 0, 14+20+8+len(payload))
	f = append(f, 0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 88, 0, 1, 10, 88, 0, 2}
	binary.BigEndian.PutUint16(ip[2:], uint16(20+8+len(payload)))
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	f = append(f, ip...)
	f = binary.BigEndian.AppendUint16(f, uint16(port))
	f = binary.BigEndian.AppendUint16(f, 514)
	f = binary.BigEndian.AppendUint16(f, uint16(8+len(payload)))
	f = append(f, 0, 0) // no checksum (RFC 768)
	f = append(f, payload...)
	return unix.Sendto(c.fd, f, 0, &unix.SockaddrLinklayer{Ifindex: c.index, Halen: 6})
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
