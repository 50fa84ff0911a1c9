// SPDX-License-Identifier: Apache-2.0

// Package live takes frames from a network interface of this host, as a
// [capture.Source] like those that read files.
//
// On Linux it uses packet(7) sockets with a TPACKET_V3 receive ring
// (Documentation/networking/packet_mmap.rst of the kernel, 4.14 or newer): the
// kernel writes frames into blocks of shared memory, and a frame's Data is a
// slice of it, without a system call or a copy per frame. No cgo and no
// libpcap. Elsewhere [Open] returns [ErrUnsupported].
//
// # What is seen
//
// The frames that the host's network stack sees on the interface, both received
// and sent by this host, whole up to the snap length, as tcpdump shows them:
//
//   - An 802.1Q or 802.1ad tag that the driver or the kernel took out of the frame
//     is put back where it was. For that the two addresses at the frame's
//     beginning are moved four bytes forward within the ring; it is the only
//     byte copy made.
//   - On the loopback interface each frame passes twice, sent and received. Only
//     the received one is delivered.
//   - The host may have joined segments (GRO, LRO) and may leave checksums of
//     its own frames for the card to fill in. Such a frame is longer than the
//     wire's MTU, or its checksum is wrong, without anything being amiss. On a
//     capture interface turn that off: ethtool -K IF gro off lro off.
//
// # Several workers
//
// With [Config.Workers] above one, as many sockets form a fan-out group
// (PACKET_FANOUT_HASH). A frame goes to exactly one of them, chosen by a
// symmetric hash of addresses, protocol and ports, so both directions of a flow
// come from one source. Frames without such fields (ARP, LLDP) share a source,
// and so do all flows of one tunnel. Fragments of IPv4 are joined by the kernel
// before they are hashed (PACKET_FANOUT_FLAG_DEFRAG), as only the first carries
// ports: with several workers a fragmented packet arrives as one, and one that
// stays incomplete does not arrive. [Config.Rollover] is off by default because
// it trades that order for fewer losses.
//
// # Nothing is ever sent
//
// The sensor is passive. This package makes no call that transmits: it opens its
// sockets with protocol 0, which receive nothing until they are bound, has no
// transmit ring, and calls neither send nor write on them; a test reads the
// source for that. Linux has no way to make a packet socket unable to send, so a
// process that must be held to it is confined from outside as well. What the host
// itself says on the interface (ARP, IPv6 router solicitations, LLDP daemons) is
// the administrator's to silence: give the interface no address,
// "ip link set dev IF arp off" and "sysctl net.ipv6.conf.IF.disable_ipv6=1".
//
// # Privileges
//
// [Open] needs CAP_NET_RAW and nothing else. After it, [DropPrivileges] gives up
// root and every capability for good; open handles go on.
//
// # Not done
//
// Capture filters, hardware time stamps, transmit, the "any" pseudo-interface,
// and interfaces that are neither Ethernet nor raw IP (802.11 monitor mode, CAN).
package live
