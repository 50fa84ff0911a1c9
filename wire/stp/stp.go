// SPDX-License-Identifier: Apache-2.0

// Package stp reads what bridges say to each other: spanning tree BPDUs
// (IEEE 802.1D-2004 §9, 802.1Q for the multiple spanning tree's first fields)
// and link aggregation control (IEEE 802.1AX §6.4.2). It is enough to know a
// bridge when one is seen, and which one is the root. Not done: MST
// configuration, markers, Cisco's per-VLAN TLV.
package stp

import "github.com/asepsis/asepsis/wire/octet"

// BridgeID is a bridge identifier (§9.2.5).
type BridgeID struct {
	Priority uint16
	MAC      [6]byte
}

// BPDU is one bridge protocol data unit.
type BPDU struct {
	Version        uint8 // 0 STP, 2 RSTP, 3 MSTP
	Type           uint8
	TopologyChange bool
	Root, Bridge   BridgeID
	RootCost       uint32
	Port           uint16
}

// VersionName is the protocol's name.
func (b BPDU) VersionName() string {
	switch b.Version {
	case 0:
		return "stp"
	case 2:
		return "rstp"
	case 3:
		return "mstp"
	}
	return "spt"
}

// Parse reads a BPDU, after the LLC header.
func Parse(b []byte) (BPDU, error) {
	r := octet.New(b)
	if r.U16("protocol identifier") != 0 {
		r.Fail("protocol identifier")
	}
	p := BPDU{Version: r.U8("version"), Type: r.U8("type")}
	if r.Err() == nil && p.Type == 0x80 { // topology change notification has nothing more
		p.TopologyChange = true
		return p, nil
	}
	if r.Err() == nil && p.Type != 0 && p.Type != 2 {
		r.Fail("type")
	}
	p.TopologyChange = r.U8("flags")&1 != 0
	p.Root = BridgeID{r.U16("root priority"), r.MAC("root")}
	p.RootCost = r.U32("root path cost")
	p.Bridge = BridgeID{r.U16("bridge priority"), r.MAC("bridge")}
	p.Port = r.U16("port")
	return p, r.Err()
}

// LACP is the actor and partner of a link aggregation PDU.
type LACP struct {
	Actor, Partner       BridgeID // system identifiers
	ActorKey, PartnerKey uint16
	ActorPort            uint16
}

// ParseLACP reads a slow protocols frame of subtype 1.
func ParseLACP(b []byte) (LACP, error) {
	r := octet.New(b)
	var l LACP
	if r.U8("subtype") != 1 {
		r.Fail("subtype")
	}
	r.Skip(1, "version")
	for i := range 2 {
		typ, n := r.U8("TLV type"), r.U8("TLV length")
		if r.Err() == nil && (int(typ) != i+1 || n != 20) {
			r.Fail("TLV")
		}
		id := BridgeID{r.U16("system priority"), r.MAC("system")}
		key := r.U16("key")
		r.Skip(2, "port priority")
		port := r.U16("port")
		r.Skip(4, "state")
		if i == 0 {
			l.Actor, l.ActorKey, l.ActorPort = id, key, port
		} else {
			l.Partner, l.PartnerKey = id, key
		}
	}
	return l, r.Err()
}
