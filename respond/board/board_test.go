// SPDX-License-Identifier: Apache-2.0

package board_test

import (
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/respond/board"
)

var now = time.Date(2026, 3, 16, 10, 0, 0, 0, time.UTC)

func ago(d time.Duration) int64 { return now.Add(-d).UnixNano() }

// room is a theatre in a case with a CT and a workstation that are active, watched by
// one sensor, with images sent and nothing wrong.
func room() board.Input {
	return board.Input{
		Now: now, Silence: 15 * time.Minute, Zone: time.FixedZone("", 3600),
		Rooms: []board.Room{{ID: "OR-3", Name: "Theatre 3", State: theatre.InCase, Since: now.Add(-2 * time.Hour), VLANs: []uint16{310}}},
		Devices: []device.Device{
			{ID: "ct", Name: "CT-1", Class: device.ClassCT, Theatre: "OR-3", First: ago(90 * 24 * time.Hour), Last: ago(time.Minute)},
			{ID: "ws", Name: "WS-1", Class: device.ClassWorkstation, Theatre: "OR-3", First: ago(80 * 24 * time.Hour), Last: ago(2 * time.Minute)},
		},
		Sensors: []board.Sensor{{Name: "span", Watching: true, VLANs: map[uint16]uint64{310: 100}, Since: now.Add(-24 * time.Hour)}},
		Images:  map[string]board.Images{"OR-3": {Stored: 41, LastGood: ago(time.Minute)}}, Counted: true,
	}
}

func tile(t *testing.T, in board.Input) board.Lights {
	t.Helper()
	tiles, _ := board.Tiles(in)
	if len(tiles) != 1 {
		t.Fatalf("%d tiles", len(tiles))
	}
	return tiles[0].Lights
}

func hold(t *testing.T, got board.Light, level board.Level, sentence string) {
	t.Helper()
	if got.Level != level || got.Sentence != sentence {
		t.Errorf("the light is %s, %q; want %s, %q", got.Level, got.Sentence, level, sentence)
	}
}

func TestARoomInWhichAllIsWellIsCalm(t *testing.T) {
	l := tile(t, room())
	hold(t, l.Devices, board.Calm, "2 devices are active.")
	hold(t, l.Images, board.Calm, "41 images were sent in the last hour, none failed.")
	hold(t, l.Network, board.Calm, "Nothing unusual.")
}

func TestNoLightIsCalmWhenNobodyWatches(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*board.Input)
		says   string
	}{
		{"no sensor", func(in *board.Input) { in.Sensors = nil }, "Not watched now: no sensor is running."},
		{"the sensor is gone", func(in *board.Input) { in.Sensors[0].Watching = false }, "Not watched now: no sensor is running."},
		{"the capture is over", func(in *board.Input) { in.Sensors[0].Watching, in.Sensors[0].Finished = false, true }, "Not watched now: the capture was read to its end."},
		{"the store is away", func(in *board.Input) { in.Blind = "Not known now: the store is away." }, "Not known now: the store is away."},
		{"no sensor sees the room's VLAN", func(in *board.Input) { in.Rooms[0].VLANs = []uint16{77} }, "Not watched: no sensor sees VLAN 77."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := room()
			tt.change(&in)
			l := tile(t, in)
			for _, light := range []board.Light{l.Devices, l.Images, l.Network} {
				hold(t, light, board.Unknown, tt.says)
			}
		})
	}
}

func TestTheDevicesLight(t *testing.T) {
	silent := func(in *board.Input) { in.Devices[0].Last = ago(50 * time.Minute) }
	for _, tt := range []struct {
		name   string
		change func(*board.Input)
		level  board.Level
		says   string
	}{
		{"a medical device that falls silent in a case", silent, board.Attention, "CT-1 has been silent since 10:10."},
		{"a life-supporting one", func(in *board.Input) { silent(in); in.Devices[0].Criticality = device.CriticalityLife }, board.Stop, "CT-1 has been silent since 10:10. Check it."},
		{"a life-supporting one while nobody is there", func(in *board.Input) {
			silent(in)
			in.Devices[0].Criticality, in.Rooms[0].State = device.CriticalityLife, theatre.Idle
		}, board.Attention, "CT-1 has been silent since 10:10. Check it."},
		{"a medical device that is switched off after the case", func(in *board.Input) { silent(in); in.Rooms[0].State = theatre.Idle }, board.Calm, "1 of 2 devices is silent."},
		{"one that was not there today", func(in *board.Input) { in.Devices[0].Last = ago(30 * time.Hour) }, board.Calm, "1 device is active."},
		{"one at the edge of the time allowed", func(in *board.Input) { in.Devices[0].Last = ago(15 * time.Minute) }, board.Calm, "2 devices are active."},
		{"all off", func(in *board.Input) {
			silent(in)
			in.Devices[1].Last, in.Rooms[0].State = ago(time.Hour), theatre.Idle
		}, board.Calm, "All 2 devices are silent: switched off?"},
		{"two silent", func(in *board.Input) {
			silent(in)
			in.Devices[1].Last, in.Devices[1].Class = ago(time.Hour), device.ClassAnaesthesia
		}, board.Attention, "CT-1 and one other have been silent, the first since 10:00."},
		{"no device yet", func(in *board.Input) { in.Devices = nil }, board.Unknown, "No device has been seen in this room yet."},
		{"a conflict of names", func(in *board.Input) {
			in.Findings = []board.Finding{{Theatre: "OR-3", Finding: finding.Finding{Rule: "inventory.conflict.ae_title", Severity: finding.Medium, Title: "t", Room: "Another device uses the imaging name of CT-1. Call."}}}
		}, board.Attention, "Another device uses the imaging name of CT-1."},
		{"a conflict in another room", func(in *board.Input) {
			in.Findings = []board.Finding{{Theatre: "OR-4", Finding: finding.Finding{Rule: "x", Severity: finding.Critical, Title: "t"}}}
		}, board.Calm, "2 devices are active."},
		{"something critical", func(in *board.Input) {
			in.Findings = []board.Finding{{Theatre: "OR-3", Finding: finding.Finding{Rule: "x", Severity: finding.Critical, Title: "CT-1 was taken over"}}}
		}, board.Stop, "CT-1 was taken over."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := room()
			tt.change(&in)
			hold(t, tile(t, in).Devices, tt.level, tt.says)
		})
	}
}

func TestTheImagesLight(t *testing.T) {
	for _, tt := range []struct {
		name   string
		images board.Images
		change func(*board.Input)
		level  board.Level
		says   string
	}{
		{"one failed, then it went on", board.Images{Stored: 40, Failed: 2, LastGood: 2, LastBad: 1}, nil, board.Attention, "2 of 42 transfers of images failed in the last hour."},
		{"the last one failed", board.Images{Stored: 40, Failed: 1, LastGood: ago(time.Hour), LastBad: ago(5 * time.Minute)}, nil, board.Attention, "The last transfer of images failed at 10:55; 1 of 41 in the last hour."},
		{"none gets through", board.Images{Failed: 5, LastBad: ago(time.Minute)}, nil, board.Stop, "Images do not get through: 5 transfers failed in the last hour."},
		{"none gets through while nobody is there", board.Images{Failed: 5, LastBad: 1}, func(in *board.Input) { in.Rooms[0].State = theatre.Idle }, board.Attention, "Images do not get through: 5 transfers failed in the last hour."},
		{"not counted yet", board.Images{Stored: 3}, func(in *board.Input) { in.Counted = false }, board.Unknown, "Images are still being counted."},
		{"none in a long case", board.Images{}, nil, board.Attention, "No image was sent in the last hour, though a case is running."},
		{"none in a case that just began", board.Images{}, func(in *board.Input) { in.Rooms[0].Since = now.Add(-10 * time.Minute) }, board.Calm, "No image was sent in the last hour."},
		{"none, and no imaging device", board.Images{}, func(in *board.Input) { in.Devices = in.Devices[1:] }, board.Calm, "No image was sent in the last hour."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := room()
			in.Images["OR-3"] = tt.images
			if tt.change != nil {
				tt.change(&in)
			}
			hold(t, tile(t, in).Images, tt.level, tt.says)
		})
	}
}

func TestTheNetworkLight(t *testing.T) {
	stranger := device.Device{ID: "x", Name: "10.1.2.3", Class: device.ClassUnknown, Theatre: "OR-3", First: ago(20 * time.Minute), Last: ago(0)}
	for _, tt := range []struct {
		name   string
		change func(*board.Input)
		level  board.Level
		says   string
	}{
		{"packets are lost", func(in *board.Input) { in.Sensors[0].Loss = 0.004 }, board.Attention, "0.40 % of packets were lost in the last hour: not all is seen."},
		{"a handful of packets is lost", func(in *board.Input) { in.Sensors[0].Loss = 0.0001 }, board.Calm, "Nothing unusual."},
		{"one of two VLANs is not seen", func(in *board.Input) { in.Rooms[0].VLANs = []uint16{310, 311} }, board.Attention, "Not all is seen: no sensor sees VLAN 311."},
		{"a stranger", func(in *board.Input) { in.Devices = append(in.Devices, stranger) }, board.Attention, "An unknown device, 10.1.2.3, appeared at 10:40."},
		{"two strangers", func(in *board.Input) { in.Devices = append(in.Devices, stranger, stranger) }, board.Attention, "2 unknown devices appeared, the last at 10:40."},
		{"everything is new on the first day", func(in *board.Input) {
			in.Devices = []device.Device{stranger}
		}, board.Calm, "Nothing unusual."},
		{"two devices have one address", func(in *board.Input) {
			in.Findings = []board.Finding{{Theatre: "OR-3", Finding: finding.Finding{Rule: "inventory.conflict.ip", Severity: finding.Medium, Title: "t", Room: "Two devices use the network address of CT-1. Call."}}}
		}, board.Attention, "Two devices use the network address of CT-1."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := room()
			tt.change(&in)
			hold(t, tile(t, in).Network, tt.level, tt.says)
		})
	}
}

func TestAFindingShowsInTheLightOfWhatItIsAbout(t *testing.T) {
	for _, tt := range []struct {
		rule     string
		severity finding.Severity
		want     [3]board.Level // devices, images, network
	}{
		{"dicom.query-sweep", finding.High, [3]board.Level{board.Calm, board.Attention, board.Calm}},
		{"dicom.hidden-content", finding.Critical, [3]board.Level{board.Calm, board.Stop, board.Calm}},
		{"network.arp-spoofing", finding.Critical, [3]board.Level{board.Calm, board.Calm, board.Stop}},
		{"exfiltration.dns-tunnel", finding.Medium, [3]board.Level{board.Calm, board.Calm, board.Attention}},
		{"sensor.blind", finding.High, [3]board.Level{board.Calm, board.Calm, board.Attention}},
		{"endpoint.default-credential", finding.High, [3]board.Level{board.Attention, board.Calm, board.Calm}},
		{"medical.observations-stopped", finding.Critical, [3]board.Level{board.Stop, board.Calm, board.Calm}},
		{"network.new-device-in-theatre", finding.Low, [3]board.Level{board.Calm, board.Calm, board.Calm}},
		{"dicom.new-ae-pair", finding.Info, [3]board.Level{board.Calm, board.Calm, board.Calm}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			in := room()
			in.Images["OR-3"] = board.Images{Stored: 12, LastGood: ago(time.Minute)}
			in.Findings = []board.Finding{{Theatre: "OR-3", Finding: finding.Finding{Rule: tt.rule, Severity: tt.severity, Title: "Something was found", Room: "Something was found. Call."}}}
			l := tile(t, in)
			for i, light := range []board.Light{l.Devices, l.Images, l.Network} {
				if light.Level != tt.want[i] {
					t.Errorf("light %d is %s, want %s: %s", i, light.Level, tt.want[i], light.Sentence)
				}
				if light.Level != board.Calm && light.Sentence != "Something was found." {
					t.Errorf("it says %q", light.Sentence)
				}
			}
		})
	}
	t.Run("images that do not get through come before a finding about them", func(t *testing.T) {
		in := room()
		in.Images["OR-3"] = board.Images{Failed: 5, LastBad: ago(time.Minute)}
		in.Findings = []board.Finding{{Theatre: "OR-3", Finding: finding.Finding{Rule: "dicom.query-sweep", Severity: finding.High, Title: "t"}}}
		hold(t, tile(t, in).Images, board.Stop, "Images do not get through: 5 transfers failed in the last hour.")
	})
}

func TestRoomsStandInBuildingOrderAndStrangersAreCounted(t *testing.T) {
	in := room()
	in.Rooms = []board.Room{{ID: "b", Order: 2}, {ID: "a", Order: 2}, {ID: "z", Order: 1}}
	in.Devices = []device.Device{{ID: "1", Theatre: "a"}, {ID: "2"}, {ID: "3", Theatre: "gone"}}
	tiles, unassigned := board.Tiles(in)
	if len(tiles) != 3 || tiles[0].ID != "z" || tiles[1].ID != "a" || tiles[2].ID != "b" || tiles[1].Devices != 1 || unassigned != 2 {
		t.Errorf("%+v, %d unassigned", tiles, unassigned)
	}
}

func TestEveryClassOfDeviceHasAGroup(t *testing.T) {
	for _, c := range device.Classes() {
		if g := board.GroupOf(c); g == "other" && c != device.ClassUnknown {
			t.Errorf("%s is in %s", c, g)
		}
	}
}

func TestShares(t *testing.T) {
	for share, want := range map[float64]string{0: "0 %", 0.00001: "under 0.01 %", 0.0002: "0.02 %", 0.04: "4.0 %", 0.5: "50 %"} {
		if got := board.Percent(share); got != want {
			t.Errorf("%g is %q, want %q", share, got, want)
		}
	}
}

func TestARoomOfAnotherSiteIsKnownByWhatComesFromThere(t *testing.T) {
	away := func() board.Input {
		in := room()
		in.Sensors = nil // they report at their own site
		in.Rooms[0].Site = "north"
		for i := range in.Devices {
			in.Devices[i].Site = "north"
		}
		return in
	}
	for name, tt := range map[string]struct {
		change func(*board.Input)
		level  board.Level
		says   string
	}{
		"what it sees arrives":          {func(*board.Input) {}, board.Calm, "Nothing unusual."},
		"the site is not heard":         {func(in *board.Input) { in.Rooms[0].Away = "The site north is silent." }, board.Unknown, "The site north is silent."},
		"nothing came for a while":      {func(in *board.Input) { in.Devices[0].Last, in.Devices[1].Last = ago(time.Hour), ago(20*time.Minute) }, board.Unknown, "Not known now: nothing has come from north since 10:40."},
		"nothing ever came":             {func(in *board.Input) { in.Devices = nil }, board.Unknown, "Not known now: nothing has come from north yet."},
		"only the other site is heard":  {func(in *board.Input) { in.Devices[0].Site, in.Devices[1].Site = "", "" }, board.Unknown, "Not known now: nothing has come from north yet."},
		"sensors here do not see there": {func(in *board.Input) { in.Sensors = room().Sensors; in.Sensors[0].Loss = 0.5 }, board.Calm, "Nothing unusual."},
	} {
		t.Run(name, func(t *testing.T) {
			in := away()
			tt.change(&in)
			hold(t, tile(t, in).Network, tt.level, tt.says)
		})
	}
}
