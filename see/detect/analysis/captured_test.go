// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"cmp"
	"context"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/platform/record"
	"github.com/asepsis/asepsis/see/detect/match"
	"github.com/asepsis/asepsis/see/detect/rule"
	"github.com/asepsis/asepsis/see/detect/scene"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

type gatherer struct {
	mu     sync.Mutex
	events []*event.Event
	inv    *inventory.Inventory
}

func (g *gatherer) Emit(e *event.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inv.Observe(e)
	g.events = append(g.events, e)
}

// captured is the events of a capture, in the order of time, and the devices that the inventory makes of it.
func captured(t *testing.T, path string) ([]*event.Event, []device.Device) {
	t.Helper()
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New(make([]byte, pseudonym.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	out := &gatherer{inv: inv}
	cfg := sensor.Default()
	cfg.Workers = 1
	s, err := sensor.New(cfg, sensor.Deps{Protocols: protocols.All(), Sink: out, Key: key, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sensor.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_ = s.Run(context.Background(), f) // some captures end in the middle of a frame
	slices.SortStableFunc(out.events, func(a, b *event.Event) int { return cmp.Compare(a.Time, b.Time) })
	return out.events, inv.Devices()
}

// findings runs all detectors over a capture, with nothing learned, in a theatre in which a case is in progress.
func findings(t *testing.T, path string) map[string][]match.Hit {
	t.Helper()
	events, devices := captured(t, path)
	rooms := []theatre.Theatre{{ID: "OR-3", State: theatre.InCase}}
	w := scene.NewWorld(devices, rooms, nil)
	byMAC := map[device.MAC]string{}
	for i := range devices {
		for _, n := range devices[i].Interfaces {
			byMAC[n.MAC] = devices[i].ID
		}
	}
	found := map[string][]match.Hit{}
	for name, d := range All() {
		m, err := d.New(nil, match.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		hit := func(h match.Hit) { found[name] = append(found[name], h) }
		now := int64(0)
		for i, e := range events {
			step := slices.IndexFunc(d.On, func(o rule.On) bool {
				return slices.Contains(o.Class, e.Class().Name()) && (len(o.Protocol) == 0 || slices.Contains(o.Protocol, e.Protocol)) && (len(o.Activity) == 0 || slices.Contains(o.Activity, e.Class().ActivityCaption(e.Activity)))
			})
			if step < 0 {
				continue
			}
			r := record.Record{Seq: uint64(i + 1), Sensor: "or-3", Theatre: "OR-3"}
			at := func(a netip.Addr, mac device.MAC) (netip.Addr, string) {
				if dev := w.DeviceAt("", a); dev != nil {
					return a, dev.ID
				}
				return a, byMAC[mac]
			}
			if f := e.Flow; f != nil {
				r.Src, r.SrcDevice = at(f.Src.IP, f.Src.MAC)
				r.Dst, r.DstDevice = at(f.Dst.IP, f.Dst.MAC)
			} else if x, ok := e.Detail.(*event.DeviceEvidence); ok {
				r.Src, r.SrcDevice = x.Evidence.Subject.IP, byMAC[x.Evidence.Subject.MAC]
			}
			if now != 0 && e.Time-now < int64(time.Hour) {
				for now += int64(time.Second); now < e.Time; now += int64(time.Second) {
					m.Advance(now, hit)
				}
			}
			now = e.Time
			s := w.Scene(&r, e)
			m.Feed(&s, step, hit)
		}
	}
	return found
}

func kindsOf(found map[string][]match.Hit) string {
	set := map[string]bool{}
	for name, hits := range found {
		for _, h := range hits {
			if k := h.Values["kind"]; k != "" {
				name = strings.Split(name, "/")[0] + "/" + k
			}
			set[name] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), " ")
}

// Every capture of the project, from real peers: what is found is what is in it, and nothing else.
func TestWhatIsFoundInCaptures(t *testing.T) {
	want := map[string]string{
		"theatre.pcapng":           "scan/block", // the stranger's
		"dicom-abort.pcap":         "dicomstate/aborted-store",
		"dicom-store.pcap":         "dicomstate/mixed-patients", // storescu sends the samples of several patients
		"dicom-orthanc-store.pcap": "dicomstate/mixed-patients",
		"dicom-bad-wire.pcapng":    "dicomstate/mixed-patients",

		"dicom-misuse/mixed-study.pcap":          "dicomstate/mixed-study",
		"hl7-misuse/replayed.pcap":               "hl7state/replay",
		"intrusion/arp-spoof.pcap":               "arp/forged arp/spoof",
		"intrusion/dns-tunnel.pcap":              "dnstunnel",
		"intrusion/ransomware.pcap":              "ransom/renamed",
		"intrusion/remote-execution.pcap":        "psexec/program-started",
		"hl7-misuse/order-by-pump.pcap":          "hl7state/unsolicited-order",
		"hl7-misuse/nak-storm.pcap":              "hl7state/nak-storm",
		"hl7-misuse/wrong-acknowledgements.pcap": "hl7state/ack-mismatch",
	}
	root := filepath.Join("..", "..", "..", "testdata", "captures")
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".pcap") {
			return err
		}
		n++
		name, _ := filepath.Rel(root, path)
		found := findings(t, path)
		if got := kindsOf(found); got != want[filepath.ToSlash(name)] {
			t.Errorf("%s: found %q, want %q", name, got, want[name])
			for _, hits := range found {
				for _, h := range hits[:min(len(hits), 3)] {
					t.Logf("  %v %v %v", h.Key, h.Values, h.Expected)
				}
			}
		}
		return nil
	})
	if err != nil || n < 50 {
		t.Fatalf("%d captures: %v", n, err)
	}
}

// Captures that others published, where they are at hand.
func TestWhatIsFoundInCapturesOfOthers(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "shared", "captures")
	if _, err := os.Stat(root); err != nil {
		t.Skip("captures of others are not here")
	}
	want := map[string]string{}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".pcap") {
			return nil
		}
		found := findings(t, path)
		if got := kindsOf(found); got != want[d.Name()] {
			t.Errorf("%s: found %q, want %q", d.Name(), got, want[d.Name()])
			for _, hits := range found {
				for _, h := range hits[:min(len(hits), 3)] {
					t.Logf("  %v %v %v", h.Key, h.Values, h.Expected)
				}
			}
		}
		return nil
	})
}
