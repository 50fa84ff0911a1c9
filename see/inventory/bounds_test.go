// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

func floodMAC(k int) device.MAC {
	return device.MAC{0x00, 0xaa, 0xbb, byte(k >> 16), byte(k >> 8), byte(k)}
}

func floodIP(k int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 0x0a800000+uint32(k))
	return netip.AddrFrom4(b)
}

func evidence(sub device.Subject, attr device.Attribute, value string, t int64) *event.Event {
	return &event.Event{Time: t, Detail: &event.DeviceEvidence{Evidence: device.Evidence{Subject: sub, Attribute: attr, Value: value, Source: "test", Confidence: device.Claimed, First: t, Last: t, Count: 1}}}
}

// Someone floods MACs, addresses, names and AE titles. The inventory stays in
// its bound, says what it forgot, and forgets neither what a person edited nor
// the medical devices that it has known for a while.
func TestAFloodPushesOutTheFloodFirst(t *testing.T) {
	cfg := Default()
	cfg.MaxNodes = 1000
	i, err := New(cfg)
	must(t, err)
	const medical = 100
	for k := range medical {
		sub := device.Subject{MAC: device.MAC{0, 0x1a, 0x2b, 1, 0, byte(k)}, IP: netip.AddrFrom4([4]byte{10, 1, 0, byte(k + 1)})}
		for _, after := range []time.Duration{0, 11 * time.Minute} {
			i.Observe(evidence(sub, device.AttrAETitle, fmt.Sprintf("MOD%d", k), at(after)))
		}
	}
	fill(t, i, of(macWS, "10.0.0.30", "hostname=ward-pc"))
	must(t, i.SetName(mustDevice(t, i, macWS).ID, "Ward PC", anna))
	i.Devices()
	for k := range 30000 {
		sub := device.Subject{MAC: floodMAC(k), IP: floodIP(k)}
		now := at(hour) + int64(k)*int64(time.Second)
		i.Observe(evidence(sub, device.AttrHostname, fmt.Sprintf("h%d", k), now))
		i.Observe(evidence(sub, device.AttrAETitle, fmt.Sprintf("A%d", k), now))
	}
	s := i.Stats()
	if s.Nodes > cfg.MaxNodes {
		t.Errorf("%d nodes, bound %d", s.Nodes, cfg.MaxNodes)
	}
	if s.NodesEvicted < 29000 || s.MedicalEvicted == 0 || s.EditedEvicted != 0 {
		t.Errorf("counters %+v", s)
	}
	for k := range medical {
		if _, ok := i.Device(fmt.Sprintf("10.1.0.%d", k+1)); !ok {
			t.Fatalf("medical device %d was forgotten", k)
		}
	}
	if d := mustDevice(t, i, macWS); d.Name != "Ward PC" {
		t.Error("the edited device was forgotten")
	}
}

func TestBoundsOfOneAttachment(t *testing.T) {
	t.Run("values of one attribute, the last ones stay", func(t *testing.T) {
		i := inv(t, nil)
		sub := device.Subject{MAC: floodMAC(1)}
		max := i.cfg.MaxValues
		for k := range max {
			i.Observe(evidence(sub, device.AttrHostname, fmt.Sprintf("h%d", k), at(time.Duration(k))))
		}
		if s := i.Stats(); s.EvidenceOverflow != 0 {
			t.Fatalf("at the bound already: %+v", s)
		}
		i.Observe(evidence(sub, device.AttrHostname, "last", at(hour)))
		if s := i.Stats(); s.EvidenceOverflow != 1 || len(i.macs[sub.MAC].facts) != max {
			t.Errorf("one past the bound: %+v, %d facts", s, len(i.macs[sub.MAC].facts))
		}
		if i.macs[sub.MAC].find(device.AttrHostname, "last", "test") == nil {
			t.Error("the newest value was left out")
		}
	})
	t.Run("facts in all", func(t *testing.T) {
		i := inv(t, nil)
		sub := device.Subject{MAC: floodMAC(1)}
		for k := range i.cfg.MaxFacts + 50 {
			i.Observe(evidence(sub, device.Attribute(fmt.Sprintf("attr%d", k)), "x", at(0)))
		}
		if n := len(i.macs[sub.MAC].facts); n != i.cfg.MaxFacts {
			t.Errorf("%d facts", n)
		}
	})
	t.Run("evidence in all", func(t *testing.T) {
		cfg := Default()
		cfg.MaxEvidenceTotal = 1000
		i, err := New(cfg)
		must(t, err)
		for k := range 1001 {
			i.Observe(evidence(device.Subject{MAC: floodMAC(k / 10)}, device.AttrHostname, fmt.Sprintf("h%d", k), at(time.Duration(k))))
		}
		if s := i.Stats(); s.Facts > 1000 || s.NodesEvicted != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("MACs that send as one address", func(t *testing.T) {
		i := inv(t, nil)
		for k := range 1000 {
			i.Observe(evidence(device.Subject{MAC: floodMAC(k), IP: floodIP(0)}, device.AttrHostname, "x", at(time.Duration(k))))
		}
		if n := i.Stats().Nodes; n > maxNodesPerAddress {
			t.Errorf("%d nodes", n)
		}
	})
	t.Run("MACs that claim one address", func(t *testing.T) {
		i := inv(t, nil)
		for k := range 1000 {
			i.Observe(seen{after: time.Duration(k) * time.Second, mac: floodMAC(k % 50).String(), attr: device.AttrIP, value: "10.0.0.1", source: "arp"}.event(t))
		}
		a := i.addrs[keyOf(netip.MustParseAddr("10.0.0.1"))]
		if len(a.claims) > maxClaimsPerAddress || len(a.dups) > maxDupsPerAddress || len(a.old) > maxOldPerAddress || len(a.nodes) > maxNodesPerAddress {
			t.Errorf("%d claims, %d duplicates, %d old, %d nodes", len(a.claims), len(a.dups), len(a.old), len(a.nodes))
		}
		i.Devices()
	})
	t.Run("devices that one sender names", func(t *testing.T) {
		i := inv(t, nil)
		for k := range i.cfg.MaxNamed + 5 {
			i.Observe(hl7(int64(k), macPACS, "10.0.0.20", "10.0.0.60", event.HL7Device{Serial: fmt.Sprintf("S%d", k+1000), Source: "PRT-20"}))
		}
		if s := i.Stats(); s.NamedOverflow != 5 {
			t.Errorf("%+v", s)
		}
		if n := len(i.Devices()); n != i.cfg.MaxNamed+2 {
			t.Errorf("%d devices", n)
		}
	})
	t.Run("evidence that a device shows", func(t *testing.T) {
		cfg := Default()
		cfg.MaxEvidence = 8
		i, err := New(cfg)
		must(t, err)
		for k := range 20 {
			i.Observe(evidence(device.Subject{MAC: floodMAC(1)}, device.AttrUses, fmt.Sprintf("p%d", k), at(0)))
		}
		if d := i.Devices()[0]; len(d.Evidence) != 8 || len(d.Uses) != 20 {
			t.Errorf("%d evidence, %d uses", len(d.Evidence), len(d.Uses))
		}
	})
}

// hospital observes n devices with some 20 pieces of evidence each.
func hospital(i *Inventory, n int) {
	for k := range n {
		sub := device.Subject{MAC: floodMAC(k), IP: floodIP(k), VLAN: uint16(k % 40)}
		for j, a := range []device.Attribute{device.AttrHostname, device.AttrDHCPPrint, device.AttrDHCPVendor, device.AttrUserAgent, device.AttrOS, device.AttrIP, device.AttrJA4, device.AttrBanner,
			device.AttrTLSSubject, device.AttrAETitle, device.AttrDICOMImpl, device.AttrSerial} {
			v := fmt.Sprintf("%s-%d-%d", a, j, k)
			if a == device.AttrIP {
				v = sub.IP.String()
			}
			i.Observe(evidence(sub, a, v, at(time.Duration(k))))
		}
		for j := range 8 {
			i.Observe(evidence(sub, device.AttrService, fmt.Sprintf("dicom/tcp:%d", 104+j), at(time.Duration(k))))
		}
	}
}

func TestMemoryOfTenThousandDevices(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	i := inv(t, nil)
	hospital(i, 10000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := (after.HeapAlloc - before.HeapAlloc) >> 20; mb > 100 {
		t.Errorf("%d MB, want at most 100", mb)
	} else {
		t.Logf("%d MB for 10,000 devices with 20 pieces of evidence each", mb)
	}
	runtime.KeepAlive(i)
}

func TestRepeatedEvidenceAllocatesNothing(t *testing.T) {
	i := inv(t, nil)
	e := evidence(device.Subject{MAC: floodMAC(1), IP: floodIP(1)}, device.AttrAETitle, "CT1", t0)
	i.Observe(e)
	if n := testing.AllocsPerRun(100, func() { i.Observe(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
	f.Add([]byte("aaaaaaaabbbbbbbbccccccccaaaaaaaabbbbbbbb\xff\xff\xff\xff"))
	attrs := []device.Attribute{device.AttrIP, device.AttrMAC, device.AttrHostname, device.AttrAETitle, device.AttrSerial, device.AttrDeviceID, device.AttrRouter, device.AttrVendor, device.AttrModel,
		device.AttrModality, device.AttrDICOMRole, device.AttrUDI, device.AttrClass, device.AttrDHCPPrint, device.AttrService, device.AttrHL7Role}
	values := []string{"", "true", "10.0.0.1", "10.0.0.2", "fe80::1", "00:1a:2b:00:00:01", "ct", "CT", "Hospira Plum A+", "(01)1(21)SN1", "scp:CT Image Storage", "scu:Study Root Query/Retrieve - FIND", "SN-77", "not\x00a value", "sends:ORU^R01", "hl7/tcp:1"}
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := Default()
		cfg.MaxNodes = 16
		i, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		now := t0
		for len(b) >= 6 {
			m := device.MAC{b[0] & 3, 0, 0, 0, 0, b[0] >> 4}
			sub := device.Subject{MAC: m, Hops: b[1] & 1}
			if b[1]&2 != 0 {
				sub.IP = netip.AddrFrom4([4]byte{10, 0, 0, b[1] >> 4})
			}
			if b[1]&4 != 0 {
				sub.IP = netip.AddrFrom16([16]byte{0xfd, 15: b[1] >> 4})
			}
			now += int64(b[2]) * int64(time.Hour)
			switch b[3] >> 5 {
			case 6:
				i.Observe(conn(now-t0, uint64(b[4]), b[5]%7, m.String(), "10.0.0.3", "00:1a:2b:00:00:01", "10.0.0.4", 104, "dicom", 1, uint64(b[4])))
			case 7:
				i.Observe(hl7(now-t0, "00:1a:2b:00:00:01", "10.0.0.3", "10.0.0.4", event.HL7Device{Serial: values[b[4]&15], Model: values[b[5]&15]}))
			default:
				i.Observe(evidence(sub, attrs[b[4]&15], values[b[5]&15], now))
			}
			b = b[6:]
		}
		s := i.Stats()
		if s.Nodes > cfg.MaxNodes {
			t.Fatalf("%d nodes", s.Nodes)
		}
		ids := map[string]bool{}
		for _, d := range i.Devices() {
			if ids[d.ID] || d.ID == "" {
				t.Fatalf("ID %q twice or empty", d.ID)
			}
			ids[d.ID] = true
			if !d.Class.Valid() || d.Confidence > 95 || d.ClassWhy == "" {
				t.Fatalf("class %q %d %q", d.Class, d.Confidence, d.ClassWhy)
			}
			if got, ok := i.Device(d.ID); !ok || got.ID != d.ID {
				t.Fatalf("%s is listed but not found", d.ID)
			}
			if d.Via != "" && !ids[d.Via] {
				if _, ok := i.Device(d.Via); !ok {
					t.Fatalf("via %s, which is not there", d.Via)
				}
			}
		}
		i.Conversations()
		var counted int
		for _, a := range i.addrs {
			counted += len(a.nodes) + len(a.old)
		}
		facts := 0
		for k := range i.order {
			for n := i.order[k].head; n != nil; n = n.next {
				facts += len(n.facts)
			}
		}
		if facts != i.facts {
			t.Fatalf("%d facts filed, %d counted", facts, i.facts)
		}
		if counted+len(i.macs) != i.nodes {
			t.Fatalf("%d nodes filed, %d counted", counted+len(i.macs), i.nodes)
		}
	})
}

func BenchmarkObserveRepeats(b *testing.B) {
	i := inv(b, nil)
	hospital(i, 1000)
	events := make([]*event.Event, 0, 8000)
	for k := range 1000 {
		sub := device.Subject{MAC: floodMAC(k), IP: floodIP(k), VLAN: uint16(k % 40)}
		for j := range 8 {
			events = append(events, evidence(sub, device.AttrService, fmt.Sprintf("dicom/tcp:%d", 104+j), at(hour)))
		}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		i.Observe(events[n])
		if n++; n == len(events) {
			n = 0
		}
	}
}

func BenchmarkObserveNew(b *testing.B) {
	i := inv(b, nil)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		i.Observe(evidence(device.Subject{MAC: floodMAC(n), IP: floodIP(n)}, device.AttrHostname, "x", at(time.Duration(n))))
		n++
	}
}

func BenchmarkDevicesFirst(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		i := inv(b, nil)
		hospital(i, 10000)
		b.StartTimer()
		i.Devices()
	}
}

func BenchmarkDevicesAgain(b *testing.B) {
	i := inv(b, nil)
	hospital(i, 10000)
	i.Devices()
	n := 0
	for b.Loop() {
		i.Observe(evidence(device.Subject{MAC: floodMAC(0)}, device.AttrUses, fmt.Sprintf("p%d", n), at(time.Duration(n))))
		i.Devices()
		n++
	}
}

func BenchmarkResolve(b *testing.B) {
	i := inv(b, nil)
	hospital(i, 10000)
	sub := device.Subject{MAC: floodMAC(7), IP: floodIP(7)}
	i.Resolve(sub, 0)
	b.ReportAllocs()
	for b.Loop() {
		i.Resolve(sub, 0)
	}
}
