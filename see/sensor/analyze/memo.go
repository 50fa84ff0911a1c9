// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
)

// Bounds of a Memo.
const (
	memoSlots    = 512
	memoWays     = 4        // slots where a key can be
	memoKeyBytes = 64 << 10 // longer ones are not remembered
	memoBytes    = 4 << 20  // of all keys together
	nameSlots    = 1024
	offerSlots   = 256
)

// Memo remembers what analysers of one worker made of bytes that come again and
// again, byte by byte the same: proposals of modalities, certificates, frames by
// which stations announce themselves. It can only save work. What is found was put
// there for the same bytes, all of which are compared, so that nothing depends on
// what others sent before; a place is found by a keyed hash, and who comes later
// takes it. It is bounded: memoSlots keys of at most memoBytes together.
//
// A Memo belongs to one goroutine. What is remembered is shared from then on and
// must not be changed.
type Memo struct {
	seed    maphash.Seed
	slots   []memoised
	held    int // bytes of keys
	turn    uint
	hand    int // whose key goes next when there are too many
	scratch [scratches]any
	addrs   []addrName
	macs    []macName
	offers  []offer
}

type memoised struct {
	kind  MemoKind
	hash  uint64
	key   []byte
	value any
}

// MemoKind keeps the uses of a Memo apart.
type MemoKind uint8

// The uses of a Memo.
const (
	_ MemoKind = iota
	MemoAssociateRQ
	MemoAssociateAC
	MemoCertificate
	MemoLLDP
	MemoCDP
	MemoMDNS
)

// scratches is how many things of a worker analysers may share.
const scratches = 8

// Scratch returns what the worker keeps in a place, made when it is first asked
// for: room that analysers of one protocol use one after another. A nil Memo keeps
// nothing.
func Scratch[T any](m *Memo, place ScratchPlace) *T {
	if m == nil {
		return new(T)
	}
	t, ok := m.scratch[place].(*T)
	if !ok {
		t = new(T)
		m.scratch[place] = t
	}
	return t
}

// ScratchPlace keeps the uses of Scratch apart.
type ScratchPlace uint8

// The uses of Scratch.
const (
	ScratchAssociate ScratchPlace = iota
	ScratchSNMP
	ScratchDHCP
	ScratchDICOM
	ScratchHTTP
	ScratchBodies
)

type addrName struct {
	addr netip.Addr
	name string
}

type offer struct {
	protocol, transport, name string
	port                      uint16
}

type macName struct {
	mac  device.MAC
	name string
}

// NewMemo makes an empty Memo.
func NewMemo() *Memo {
	return &Memo{seed: maphash.MakeSeed(), slots: make([]memoised, memoSlots), addrs: make([]addrName, nameSlots), macs: make([]macName, nameSlots), offers: make([]offer, offerSlots)}
}

// Recall returns what was remembered for the same bytes, nil when nothing was.
// A nil Memo remembers nothing.
func (m *Memo) Recall(kind MemoKind, key []byte) any {
	if m == nil || len(key) > memoKeyBytes {
		return nil
	}
	h := maphash.Bytes(m.seed, key)
	set := m.set(h)
	for i := range set {
		if s := &set[i]; s.hash == h && s.kind == kind && s.key != nil && bytes.Equal(s.key, key) {
			return s.value
		}
	}
	return nil
}

// set returns the slots where a key can be.
func (m *Memo) set(h uint64) []memoised {
	at := h % (memoSlots / memoWays) * memoWays
	return m.slots[at : at+memoWays]
}

// Remember keeps a value for a copy of the key.
func (m *Memo) Remember(kind MemoKind, key []byte, value any) {
	if m == nil || len(key) > memoKeyBytes {
		return
	}
	h := maphash.Bytes(m.seed, key)
	set := m.set(h)
	m.turn++
	s := &set[m.turn%memoWays]
	for i := range set {
		if o := &set[i]; o.key == nil || o.hash == h && o.kind == kind && bytes.Equal(o.key, key) {
			s = o
			break
		}
	}
	m.held += len(key) - len(s.key)
	*s = memoised{kind, h, append(make([]byte, 0, len(key)), key...), value}
	for m.held > memoBytes {
		m.hand = (m.hand + 1) % memoSlots
		if o := &m.slots[m.hand]; o != s {
			m.held -= len(o.key)
			*o = memoised{}
		}
	}
}

// Addr returns a.String().
func (m *Memo) Addr(a netip.Addr) string {
	if m == nil {
		return a.String()
	}
	b := a.As16()
	h := uint32(b[15]) ^ uint32(b[14])<<3 ^ uint32(b[13])<<6 ^ uint32(b[12])<<9 ^ uint32(b[7])<<2 ^ uint32(b[11])
	s := &m.addrs[h%nameSlots]
	if s.addr != a || s.name == "" {
		*s = addrName{a, a.String()}
	}
	return s.name
}

// MAC returns a.String().
func (m *Memo) MAC(a device.MAC) string {
	if m == nil {
		return a.String()
	}
	h := uint32(a[5]) ^ uint32(a[4])<<3 ^ uint32(a[3])<<6
	s := &m.macs[h%nameSlots]
	if s.mac != a || s.name == "" {
		*s = macName{a, a.String()}
	}
	return s.name
}

// Service names a service: "dicom" over "tcp" at port 104 is "dicom/tcp:104".
func (m *Memo) Service(protocol, transport string, port uint16) string {
	if m == nil {
		return serviceName(protocol, transport, port)
	}
	h := uint32(port) ^ uint32(port)>>8
	for i := range len(protocol) {
		h = h*31 + uint32(protocol[i])
	}
	s := &m.offers[h%offerSlots]
	if s.port != port || s.protocol != protocol || s.transport != transport {
		*s = offer{protocol, transport, serviceName(protocol, transport, port), port}
	}
	return s.name
}

func serviceName(protocol, transport string, port uint16) string {
	return protocol + "/" + transport + ":" + strconv.Itoa(int(port))
}
