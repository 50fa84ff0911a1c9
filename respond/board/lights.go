// SPDX-License-Identifier: Apache-2.0

package board

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/finding"
)

const (
	present   = 24 * time.Hour   // a device that was there in this time belongs to the day
	lossy     = 0.001            // share of packets lost from which the network light says so
	quietCase = time.Hour        // a case with an imaging device but without images
	manyBad   = 3                // transfers that failed since the last good one: images do not get through
	fresh     = 12 * time.Hour   // how long an unknown device is new
	longLoss  = 10 * time.Minute // a sensor that just started has little to lose packets from
)

// watched says why the room is not watched, "" when it is.
func (v *view) watched() string {
	if v.in.Blind != "" {
		return v.in.Blind
	}
	if v.room.Site != "" {
		// Its sensors report there. That they watch is known by what they see.
		if v.room.Away == "" && v.in.Now.Sub(time.Unix(0, v.newest)) > v.in.Silence {
			return "Not known now: nothing has come from " + v.room.Site + v.since() + "."
		}
		return v.room.Away
	}
	watching, finished := 0, 0
	for _, s := range v.in.Sensors {
		switch {
		case s.Watching:
			watching++
		case s.Finished:
			finished++
		}
	}
	switch {
	case watching == 0 && finished > 0:
		return "Not watched now: the capture was read to its end."
	case watching == 0:
		return "Not watched now: no sensor is running."
	case len(v.room.VLANs) > 0 && len(v.unseen()) == len(v.room.VLANs):
		return "Not watched: no sensor sees " + vlans(v.room.VLANs) + "."
	}
	return ""
}

// since says when anything was last seen at the room's site.
func (v *view) since() string {
	if v.newest == 0 {
		return " yet"
	}
	return " since " + v.clock(v.newest)
}

// unseen returns the VLANs of the room that no watching sensor has seen.
func (v *view) unseen() []uint16 {
	var out []uint16
	for _, id := range v.room.VLANs {
		if !slices.ContainsFunc(v.in.Sensors, func(s Sensor) bool { return s.Watching && s.VLANs[id] > 0 }) {
			out = append(out, id)
		}
	}
	return out
}

// devicesLight looks for devices that fell silent, and for what was found about
// the devices themselves.
func (v *view) devicesLight() Light {
	if why := v.watched(); why != "" {
		return Light{Unknown, why}
	}
	if l, ok := v.found(aboutDevices); ok {
		return l
	}
	var silent, care []*device.Device
	vital := false
	for _, d := range v.devices {
		gone := v.in.Now.Sub(time.Unix(0, d.Last))
		if gone <= v.in.Silence || gone > present {
			continue
		}
		silent = append(silent, d)
		life := d.Criticality == device.CriticalityLife
		switch {
		case life || d.Criticality == device.CriticalityHigh, v.inCase() && d.Class.Medical() && d.Criticality != device.CriticalityLow:
			care = append(care, d)
			vital = vital || life
		}
	}
	if len(care) > 0 {
		slices.SortFunc(care, func(a, b *device.Device) int { return rank(b) - rank(a) })
		s := v.name(care[0]) + " has been silent since " + v.clock(care[0].Last) + "."
		if len(care) > 1 {
			s = fmt.Sprintf("%s and %s have been silent, the first since %s.", v.name(care[0]), others(len(care)-1), v.clock(earliest(care)))
		}
		if vital {
			return v.of(Stop, s+" Check it.")
		}
		return v.of(Attention, s)
	}
	switch n := len(v.devices); {
	case n == 0:
		return Light{Unknown, "No device has been seen in this room yet."}
	case len(silent) == n:
		return Light{Calm, fmt.Sprintf("All %s silent: switched off?", count(n, "device is", "devices are"))}
	case len(silent) > 0:
		return Light{Calm, fmt.Sprintf("%d of %d devices %s silent.", len(silent), n, isAre(len(silent)))}
	default:
		here := 0
		for _, d := range v.devices {
			if v.in.Now.Sub(time.Unix(0, d.Last)) <= v.in.Silence {
				here++
			}
		}
		if here == 0 {
			return Light{Calm, "No device has been active today."}
		}
		return Light{Calm, count(here, "device is", "devices are") + " active."}
	}
}

// imagesLight looks at DICOM storage, and at what was found about images.
func (v *view) imagesLight() Light {
	if why := v.watched(); why != "" {
		return Light{Unknown, why}
	}
	n := v.in.Images[v.room.ID]
	found, is := v.found(aboutImages)
	switch {
	case is && found.Level == Stop:
		return found
	case n.Failed >= manyBad && n.LastBad > n.LastGood && n.Stored == 0:
		return v.of(Stop, fmt.Sprintf("Images do not get through: %s failed in the last hour.", count(int(n.Failed), "transfer", "transfers")))
	case is:
		return found
	case n.Failed > 0 && n.LastBad > n.LastGood:
		return v.of(Attention, fmt.Sprintf("The last transfer of images failed at %s; %d of %d in the last hour.", v.clock(n.LastBad), n.Failed, n.Failed+n.Stored))
	case n.Failed > 0:
		return v.of(Attention, fmt.Sprintf("%d of %d transfers of images failed in the last hour.", n.Failed, n.Failed+n.Stored))
	case !v.in.Counted:
		return Light{Unknown, "Images are still being counted."}
	case n.Stored > 0:
		return Light{Calm, count(int(n.Stored), "image was", "images were") + " sent in the last hour, none failed."}
	}
	imaging := slices.ContainsFunc(v.devices, func(d *device.Device) bool { return GroupOf(d.Class) == "imaging" })
	if v.inCase() && imaging && v.in.Now.Sub(v.room.Since) > quietCase {
		return v.of(Attention, "No image was sent in the last hour, though a case is running.")
	}
	return Light{Calm, "No image was sent in the last hour."}
}

// networkLight looks at what carries all the rest.
func (v *view) networkLight() Light {
	if why := v.watched(); why != "" {
		return Light{Unknown, why}
	}
	if l, ok := v.found(aboutNetwork); ok {
		return l
	}
	if l := v.unseen(); len(l) > 0 && v.room.Site == "" {
		return v.of(Attention, "Not all is seen: no sensor sees "+vlans(l)+".")
	}
	worst := 0.0
	for _, s := range v.in.Sensors {
		if v.room.Site == "" && s.Watching && v.in.Now.Sub(s.Since) > longLoss {
			worst = max(worst, s.Loss)
		}
	}
	if worst >= lossy {
		return v.of(Attention, Percent(worst)+" of packets were lost in the last hour: not all is seen.")
	}
	var strangers []*device.Device
	for _, d := range v.devices {
		first := time.Unix(0, d.First)
		if (d.Class == device.ClassUnknown || d.Class == device.ClassScanner || d.Class == "") && first.After(v.learnt) && v.in.Now.Sub(first) < fresh {
			strangers = append(strangers, d)
		}
	}
	if len(strangers) == 1 {
		return v.of(Attention, "An unknown device, "+v.name(strangers[0])+", appeared at "+v.clock(strangers[0].First)+".")
	}
	if len(strangers) > 1 {
		slices.SortFunc(strangers, func(a, b *device.Device) int { return int(min(max(b.First-a.First, -1), 1)) })
		return v.of(Attention, fmt.Sprintf("%d unknown devices appeared, the last at %s.", len(strangers), v.clock(strangers[0].First)))
	}
	return Light{Calm, "Nothing unusual."}
}

// subject is what a finding is about, and so the light that it shows in.
type subject uint8

const (
	aboutDevices subject = iota
	aboutImages
	aboutNetwork
)

// subjectOf tells by the family of the rule. What is found about AE titles by the
// inventory is about devices: two of them have the same name.
func subjectOf(rule string) subject {
	family, _, _ := strings.Cut(rule, ".")
	switch family {
	case "dicom":
		return aboutImages
	case "network", "exfiltration", "sensor", "detect":
		return aboutNetwork
	}
	if rule == "inventory.conflict.ip" || rule == "inventory.conflict.mac" {
		return aboutNetwork
	}
	return aboutDevices
}

// found returns the light for the most severe finding of the room about a subject, false
// when there is none that the room must know of.
func (v *view) found(about subject) (Light, bool) {
	var worst Finding
	for _, f := range v.findings {
		if subjectOf(f.Rule) == about && f.Severity > worst.Severity {
			worst = f
		}
	}
	switch {
	case worst.Severity >= finding.Critical:
		return v.of(Stop, sentence(worst)), true
	case worst.Severity >= finding.Medium:
		return v.of(Attention, sentence(worst)), true
	}
	return Light{}, false
}

// sentence is the first sentence of the wording for the room, or the title.
func sentence(f Finding) string {
	s := f.Room
	if s == "" {
		s = f.Title
	}
	if i := strings.Index(s, ". "); i > 0 {
		s = s[:i+1]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func rank(d *device.Device) int {
	switch d.Criticality {
	case device.CriticalityLife:
		return 3
	case device.CriticalityHigh:
		return 2
	}
	if d.Class.Medical() {
		return 1
	}
	return 0
}

func earliest(l []*device.Device) int64 {
	out := l[0].Last
	for _, d := range l {
		out = min(out, d.Last)
	}
	return out
}

func others(n int) string {
	if n == 1 {
		return "one other"
	}
	return strconv.Itoa(n) + " others"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func vlans(l []uint16) string {
	if len(l) == 1 {
		return "VLAN " + strconv.Itoa(int(l[0]))
	}
	var s []string
	for _, v := range l {
		s = append(s, strconv.Itoa(int(v)))
	}
	return "the VLANs " + strings.Join(s[:len(s)-1], ", ") + " and " + s[len(s)-1]
}

// Percent writes a share with as many decimals as it takes to see that it is not
// nothing.
func Percent(share float64) string {
	p := share * 100
	switch {
	case p == 0:
		return "0 %"
	case p < 0.01:
		return "under 0.01 %"
	case p < 1:
		return strconv.FormatFloat(p, 'f', 2, 64) + " %"
	case p < 10:
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
