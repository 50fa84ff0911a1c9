// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"fmt"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
)

var (
	macPump   = device.MAC{0x00, 0x1b, 0x21, 1, 1, 1}
	macOther  = device.MAC{0x00, 0x1b, 0x21, 2, 2, 2}
	macRouter = device.MAC{0x00, 0x1b, 0x21, 3, 3, 3}
	macVRRP   = device.MAC{0x00, 0x00, 0x5e, 0x00, 0x01, 7}
)

// claimed is evidence that an interface has an address.
func claimed(d time.Duration, mac device.MAC, address, source string) event.Event {
	return event.Event{Activity: 1, Flow: &event.Flow{}, Detail: &event.DeviceEvidence{Evidence: device.Evidence{Subject: device.Subject{MAC: mac, IP: ip(address)}, Attribute: device.AttrIP, Value: address, Source: source,
		First: at(d), Last: at(d), Count: 1}}}
}

func TestClaimsOfOneAddressByTwo(t *testing.T) {
	const addr = "10.10.3.21"
	pump := func(p *play, d time.Duration) { p.see(d, "pump", "", 0, claimed(d, macPump, addr, "arp.request")) }
	other := func(p *play, d time.Duration, source string) {
		p.see(d, "other", "", 0, claimed(d, macOther, addr, source))
	}
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"a spoof is found with its first answer": {"spoof", func(p *play) {
			pump(p, 0)
			pump(p, 10*time.Minute)
			other(p, 11*time.Minute, "arp.reply")
		}},
		"a spoof that was there first is found when the holder speaks": {"spoof", func(p *play) {
			other(p, 0, "arp.gratuitous-reply")
			pump(p, time.Minute)
			other(p, 2*time.Minute, "arp.gratuitous-reply")
		}},
		"a duplicate is found when the holder goes on": {"duplicate", func(p *play) {
			pump(p, 0)
			pump(p, 10*time.Minute)
			other(p, 11*time.Minute, "arp.announcement")
			pump(p, 20*time.Minute)
		}},
		"not an address that moved": {"", func(p *play) {
			pump(p, 0)
			pump(p, 10*time.Minute)
			other(p, 11*time.Minute, "arp.announcement")
			other(p, 20*time.Minute, "arp.reply")
			other(p, 60*time.Minute, "arp.reply")
		}},
		"not an address that DHCP gave to another": {"", func(p *play) {
			pump(p, 0)
			pump(p, 10*time.Minute)
			p.see(11*time.Minute, "dhcp", "other", 68, event.Event{Activity: 5, Protocol: "dhcp", Flow: &event.Flow{}, Detail: &event.DHCP{ClientMAC: macOther.String(), ClientIP: addr}})
			other(p, 11*time.Minute+time.Second, "arp.reply")
			other(p, 21*time.Minute, "arp.reply")
		}},
		"not the virtual address of two routers": {"", func(p *play) {
			for i := range 6 {
				d := time.Duration(i) * 10 * time.Minute
				p.see(d, "r1", "", 0, claimed(d, macVRRP, addr, "arp.gratuitous-reply"))
				p.see(d+time.Minute, "r2", "", 0, claimed(d, macRouter, addr, "arp.reply"))
			}
		}},
		"not two interfaces of one device": {"", func(p *play) {
			for i := range 6 {
				d := time.Duration(i) * 10 * time.Minute
				p.see(d, "server", "", 0, claimed(d, macPump, addr, "arp.reply"))
				p.see(d+time.Minute, "server", "", 0, claimed(d+time.Minute, macOther, addr, "arp.reply"))
			}
		}},
		"not a holder that is long gone": {"", func(p *play) {
			pump(p, 0)
			other(p, 3*time.Hour, "arp.reply")
			other(p, 4*time.Hour, "arp.reply")
		}},
		"a frame from another than its packet names": {"forged", func(p *play) {
			p.see(0, "pump", "", 0, event.Event{Activity: 5, Protocol: "arp", Flow: &event.Flow{}, Detail: &event.Application{Name: "arp", Operation: "gratuitous-reply",
				Attributes: []event.KV{{Name: "sender_mac", Value: macRouter.String()}, {Name: "sender_ip", Value: addr}, {Name: "frame_source_mac", Value: macOther.String()}}}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "arp", nil)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func offer(server, router, dns string) event.Event {
	return event.Event{Activity: 2, Protocol: "dhcp", Flow: &event.Flow{VLANs: []uint16{310}}, Detail: &event.DHCP{ServerID: server, Routers: []string{router}, DNSServers: []string{dns}}}
}

func TestServersOfAddressesThatAreNotKnown(t *testing.T) {
	usual := func(p *play) {
		for i := range 50 {
			p.see(time.Duration(i)*time.Hour, "dhcp", "pump", 68, offer("10.0.0.1", "10.0.3.1", "10.0.0.53"))
			if i%3 == 0 { // a failover pair
				p.see(time.Duration(i)*time.Hour, "dhcp2", "pump", 68, offer("10.0.0.2", "10.0.3.1", "10.0.0.53"))
			}
		}
	}
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"another server with another router": {"rogue", func(p *play) { p.see(51*time.Hour, "x", "pump", 68, offer("10.0.3.66", "10.0.3.66", "10.0.3.66")) }},
		"another server that tells the same": {"new", func(p *play) { p.see(51*time.Hour, "x", "pump", 68, offer("10.0.0.3", "10.0.3.1", "10.0.0.53")) }},
		"a known one with other name servers": {"changed", func(p *play) {
			p.see(51*time.Hour, "dhcp", "pump", 68, offer("10.0.0.1", "10.0.3.1", "10.0.0.54"))
		}},
		"not the known pair": {"", func(p *play) {
			p.see(51*time.Hour, "dhcp2", "pump", 68, offer("10.0.0.2", "10.0.3.1", "10.0.0.53"))
		}},
		"not on another network that is still learned": {"", func(p *play) {
			e := offer("10.0.9.1", "10.0.9.1", "10.0.0.53")
			e.Flow.VLANs = []uint16{99}
			p.see(51*time.Hour, "x", "pump", 68, e)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "dhcp", nil)
			usual(p)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func TestABaselineCountsAsReadyWhenToldSo(t *testing.T) {
	for _, trained := range []bool{true, false} {
		p := newPlay(t, "dhcp", nil)
		if trained {
			p.learned(time.Minute)
		}
		p.see(0, "dhcp", "pump", 68, offer("10.0.0.1", "10.0.3.1", "10.0.0.53"))
		p.see(2*time.Minute, "x", "pump", 68, offer("10.0.3.66", "10.0.3.66", "10.0.3.66"))
		p.expect(map[bool]string{true: "rogue"}[trained])
	}
}

func TestOnlyTheKindsAskedForAreReported(t *testing.T) {
	for _, kinds := range [][]string{{"rogue"}, {"new", "changed"}} {
		p := newPlay(t, "dhcp", map[string]any{"kinds": kinds})
		p.learned(time.Minute)
		p.see(0, "dhcp", "pump", 68, offer("10.0.0.1", "10.0.3.1", "10.0.0.53"))
		p.see(2*time.Minute, "x", "pump", 68, offer("10.0.3.66", "10.0.3.66", "10.0.3.66"))
		p.expect(map[bool]string{true: "rogue"}[kinds[0] == "rogue"])
	}
}

func TestRoutersThatAreNotKnown(t *testing.T) {
	ra := func(mac device.MAC, prefix string) event.Event {
		return event.Event{Activity: 5, Protocol: "icmp6", Flow: &event.Flow{Src: event.Endpoint{MAC: mac}}, Detail: &event.Application{Name: "icmp6", Operation: "router-advertisement",
			Attributes: []event.KV{{Name: "prefixes", Value: prefix}}}}
	}
	p := newPlay(t, "ra", nil)
	for i := range 300 {
		p.see(time.Duration(i)*10*time.Minute, "router", "", 0, ra(macRouter, "fd30::/64"))
	}
	p.expect("")
	p.see(51*time.Hour, "pump", "", 0, ra(macOther, "fd66::/64"))
	p.expect("rogue")
}

func TestATimeServerThatIsOff(t *testing.T) {
	answer := func(offset int64) event.Event {
		return event.Event{Activity: 4, Status: event.StatusSuccess, Protocol: "ntp", Flow: &event.Flow{Proto: 17}, Detail: &event.NTP{Stratum: 2, OffsetMS: offset, ReferenceID: "GPS"}}
	}
	for name, tt := range map[string]struct {
		kinds   string
		offsets []int64
	}{
		"behind":                       {"behind", []int64{3, -2, -61_000, -61_001, -61_002}},
		"ahead":                        {"ahead", []int64{7000, 7000}},
		"not once":                     {"", []int64{0, 9000, 0, 0, -9000, 9000, 1}},
		"not by the network's seconds": {"", []int64{-900, -1200, -4000, -4999, 4999}},
	} {
		p := newPlay(t, "clockskew", nil)
		for i, o := range tt.offsets {
			p.see(time.Duration(i)*time.Minute, "pump", "ntp", 123, answer(o))
		}
		p.expect(tt.kinds)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestDevicesThatMove(t *testing.T) {
	place := func(d time.Duration, attribute device.Attribute, value string, vlan uint16) event.Event {
		e := claimed(d, macPump, "10.10.3.21", "arp.request")
		x := e.Detail.(*event.DeviceEvidence)
		x.Evidence.Attribute, x.Evidence.Value, x.Evidence.Subject.VLAN = attribute, value, vlan
		return e
	}
	daily := func(p *play, days int, attribute device.Attribute, value string, vlan uint16) {
		for i := range days * 24 {
			d := time.Duration(i) * time.Hour
			p.see(d, "pump", "", 0, place(d, attribute, value, vlan))
		}
	}
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"to another switch port": {"port", func(p *play) {
			daily(p, 3, device.AttrSwitchPort, "sw-or-3|Gi1/0/7", 0)
			p.see(80*time.Hour, "pump", "", 0, place(80*time.Hour, device.AttrSwitchPort, "sw-lobby|Gi1/0/2", 0))
		}},
		"to another VLAN": {"vlan", func(p *play) {
			daily(p, 3, device.AttrIP, "10.10.3.21", 310)
			p.see(80*time.Hour, "pump", "", 0, place(80*time.Hour, device.AttrIP, "10.10.3.21", 20))
		}},
		"not after an hour at a place": {"", func(p *play) {
			p.see(0, "pump", "", 0, place(0, device.AttrSwitchPort, "sw|1", 0))
			p.see(time.Hour, "pump", "", 0, place(time.Hour, device.AttrSwitchPort, "sw|2", 0))
		}},
		"not what is in two VLANs at once": {"", func(p *play) {
			for i := range 100 {
				d := time.Duration(i) * 10 * time.Minute
				p.see(d, "pump", "", 0, place(d, device.AttrIP, "10.10.3.21", uint16(10+i%2)))
			}
		}},
		"not a headset": {"", func(p *play) {
			p.device("pump", device.ClassXRHeadset, "")
			daily(p, 3, device.AttrSwitchPort, "ap-1|1", 0)
			p.see(80*time.Hour, "pump", "", 0, place(80*time.Hour, device.AttrSwitchPort, "ap-2|1", 0))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "portmove", nil)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func smb(activity uint8, command, share, file, message string) event.Event {
	kind := "disk"
	if share == `\\srv\IPC$` {
		kind = "pipe"
	}
	return event.Event{Activity: activity, Status: event.StatusSuccess, Protocol: "smb", Message: message, Detail: &event.SMB{Command: command, Share: share, ShareType: kind, File: file}}
}

func renamedTo(name string, e event.Event) event.Event {
	e.Detail.(*event.SMB).RenamedTo = name //nolint:errcheck,forcetypeassert // smb made it
	return e
}

func note(e event.Event) event.Event {
	e.Detail.(*event.SMB).RansomNote = true //nolint:errcheck,forcetypeassert // smb made it
	return e
}

func TestProgramsThatAreStartedFromAfar(t *testing.T) {
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"a file and a service": {"program-started", func(p *play) {
			p.see(0, "intruder", "srv", 445, smb(99, "TREE_CONNECT", `\\srv\ADMIN$`, "", ""))
			p.see(time.Second, "intruder", "srv", 445, smb(6, "CREATE", `\\srv\ADMIN$`, `qwertz.exe`, ""))
			p.see(2*time.Second, "intruder", "srv", 445, smb(2, "CREATE", `\\srv\IPC$`, `svcctl`, ""))
		}},
		"the other way round, by RPC": {"program-started", func(p *play) {
			p.see(0, "intruder", "srv", 445, event.Event{Activity: 1, Protocol: "smb", Detail: &event.Application{Name: "dcerpc", Operation: "BIND", Attributes: []event.KV{{Name: "interface", Value: "svcctl"}}}})
			p.see(2*time.Second, "intruder", "srv", 445, smb(3, "CREATE", `\\srv\C$`, `windows\temp\x.bat`, ""))
		}},
		"the pipe of a known tool": {"known-tool", func(p *play) {
			p.see(0, "intruder", "srv", 445, smb(2, "CREATE", `\\srv\IPC$`, `psexesvc`, ""))
		}},
		"not services that somebody looks at": {"", func(p *play) {
			p.see(0, "admin", "srv", 445, smb(99, "TREE_CONNECT", `\\srv\IPC$`, "", ""))
			p.see(2*time.Second, "admin", "srv", 445, smb(2, "CREATE", `\\srv\IPC$`, `svcctl`, ""))
		}},
		"not a program on a share for all": {"", func(p *play) {
			p.see(0, "admin", "srv", 445, smb(3, "CREATE", `\\srv\install`, `setup.exe`, ""))
			p.see(2*time.Second, "admin", "srv", 445, smb(2, "CREATE", `\\srv\IPC$`, `svcctl`, ""))
		}},
		"not hours apart": {"", func(p *play) {
			p.see(0, "admin", "srv", 445, smb(3, "CREATE", `\\srv\ADMIN$`, `setup.exe`, ""))
			p.see(2*time.Hour, "admin", "srv", 445, smb(2, "CREATE", `\\srv\IPC$`, `svcctl`, ""))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "psexec", nil)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func TestGuessingOfCredentials(t *testing.T) {
	session := func(ok bool) event.Event {
		e := smb(99, "SESSION_SETUP", "", "", "SMB session opened for p:1 with NTLMv2")
		if !ok {
			e.Status, e.Message = event.StatusFailure, "SMB logon refused"
		}
		return e
	}
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"many on one target": {"guessing", func(p *play) {
			for i := range 100 {
				p.see(time.Duration(i)*time.Second, "intruder", "nas", 445, session(false))
			}
		}},
		"one on many targets": {"spraying", func(p *play) {
			for i := range 20 {
				p.see(time.Duration(i)*time.Second, "intruder", fmt.Sprint("srv", i), 445, session(false))
			}
		}},
		"one that worked after that": {"guessed", func(p *play) {
			for i := range 8 {
				p.see(time.Duration(i)*time.Second, "intruder", "nas", 445, session(false))
			}
			p.see(10*time.Second, "intruder", "nas", 445, session(true))
		}},
		"by many SSH connections": {"guessing", func(p *play) {
			for i := range 100 {
				p.see(time.Duration(i)*time.Second, "intruder", "nas", 22, event.Event{Activity: 1, Protocol: "ssh", Detail: &event.SSH{ClientVersion: "SSH-2.0-libssh"}})
			}
		}},
		"not a person who mistypes": {"", func(p *play) {
			for day := range 5 {
				d := time.Duration(day) * 24 * time.Hour
				for i := range 4 {
					p.see(d+time.Duration(i)*10*time.Second, "ws", "nas", 445, session(i == 3))
				}
			}
		}},
		"not a job with an old password that tries each half hour": {"", func(p *play) {
			for i := range 200 {
				p.see(time.Duration(i)*30*time.Minute, "ws", "nas", 445, session(false))
			}
		}},
		"not backups over SSH": {"", func(p *play) {
			for i := range 200 {
				p.see(time.Duration(i)*time.Minute, "ws", "nas", 22, event.Event{Activity: 1, Protocol: "ssh", Detail: &event.SSH{}})
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "bruteforce", nil)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}

func TestWhatEncryptsShares(t *testing.T) {
	file := func(i int, x string) string { return fmt.Sprintf(`images\p:%032d.%s`, i, x) }
	for name, tt := range map[string]struct {
		kinds string
		run   func(p *play)
	}{
		"files renamed to an extension of its own": {"renamed", func(p *play) {
			for i := range 60 {
				p.see(time.Duration(i)*100*time.Millisecond, "ws", "nas", 445, renamedTo(file(i, "dcm.lockd"), smb(99, "CLOSE", `\\nas\images`, file(i, "dcm"), "SMB file x: 9 bytes written")))
			}
		}},
		"notes in many folders": {"notes", func(p *play) {
			for i := range 5 {
				p.see(time.Duration(i)*time.Second, "ws", "nas", 445, note(smb(3, "CREATE", `\\nas\images`, fmt.Sprintf(`p:%032d\p:1.hta`, i), "SMB file created")))
			}
		}},
		"everything read, written anew and deleted": {"rewritten", func(p *play) {
			for i := range 300 {
				p.see(time.Duration(i)*100*time.Millisecond, "ws", "nas", 445, smb(99, "CLOSE", `\\nas\images`, file(i, "x"), "SMB file x: 900 bytes written"))
				p.see(time.Duration(i)*100*time.Millisecond, "ws", "nas", 445, smb(99, "CLOSE", `\\nas\images`, file(i, "dcm"), "SMB file x: deleted"))
			}
		}},
		"not a modality that writes under another name first": {"", func(p *play) {
			for i := range 300 {
				p.see(time.Duration(i)*100*time.Millisecond, "ct", "nas", 445, renamedTo(file(i, "dcm"), smb(99, "CLOSE", `\\nas\images`, file(i, "tmp"), "SMB file x: 9 bytes written")))
			}
		}},
		"not a clean-up": {"", func(p *play) {
			for i := range 2000 {
				p.see(time.Duration(i)*10*time.Millisecond, "ct", "nas", 445, smb(99, "CLOSE", `\\nas\images`, file(i, "dcm"), "SMB file x: deleted"))
			}
		}},
		"not one read me": {"", func(p *play) {
			p.see(0, "ws", "nas", 445, smb(3, "CREATE", `\\nas\images`, `install\readme.txt`, "SMB file created"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "ransom", nil)
			tt.run(p)
			p.expect(tt.kinds)
		})
	}
}
