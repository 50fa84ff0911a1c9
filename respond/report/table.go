// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/core/device"
)

// Bounds of what a table shows; JSON has everything.
const (
	tableWidth         = 80
	tableConversations = 25
	tableFindings      = 25
)

// WriteTable writes the report for people, on 80 columns.
func (r *Report) WriteTable(out io.Writer) error {
	w := &table{Writer: bufio.NewWriter(out)}
	r.head(w)
	deviceTable(w, r.Devices)
	r.conversationTable(w)
	r.protocolList(w)
	r.findingList(w)
	r.blindSpotList(w)
	return w.Flush()
}

type table struct{ *bufio.Writer }

// keep is a space at which wrap does not break a line.
const keep = "\u00a0"

func (w *table) line(s string) {
	_, _ = w.WriteString(strings.TrimRight(strings.ReplaceAll(s, keep, " "), " ") + "\n")
}

func (w *table) title(s string) {
	w.line("")
	w.line(s)
}

// wrap writes text in lines of at most tableWidth, each after the indent.
func (w *table) wrap(first, indent, text string) {
	line := first
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }) {
		if width(line)+1+width(word) > tableWidth && strings.TrimSpace(line) != "" && line != indent {
			w.line(line)
			line = indent
		}
		if line != indent && line != first && !strings.HasSuffix(line, " ") {
			line += " "
		}
		line += word
	}
	w.line(line)
}

func width(s string) int { return utf8.RuneCountInString(s) }

// cell fits s into n columns.
func cell(s string, n int) string {
	if k := width(s); k <= n {
		return s + strings.Repeat(" ", n-k)
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

func (r *Report) head(w *table) {
	c := r.Capture
	what := strings.Join(c.Files, ", ")
	w.wrap("", "  ", what)
	line := fmt.Sprintf("%s, %s, %s", some(c.Packets, "packet"), size(c.Bytes), some(r.Flows, "flow"))
	if c.First != nil && c.Last != nil {
		a, b := time.Unix(0, int64(*c.First)).UTC(), time.Unix(0, int64(*c.Last)).UTC()
		line += fmt.Sprintf(", %s to %s UTC (%s)", a.Format("2006-01-02 15:04:05"), b.Format("15:04:05"), duration(b.Sub(a)))
	}
	w.wrap("", "  ", line)
	for _, d := range c.Damage {
		w.wrap("! ", "  ", fmt.Sprintf("%s: %s at byte %d; what came before is reported", d.File, d.Reason, d.Offset))
	}
}

// WriteDevices writes the devices of an inventory as a table.
func WriteDevices(out io.Writer, devs []Device) error {
	w := &table{Writer: bufio.NewWriter(out)}
	deviceTable(w, devs)
	return w.Flush()
}

// WriteDevice writes one device with all that is known and why.
func WriteDevice(out io.Writer, d Device) error {
	w := &table{Writer: bufio.NewWriter(out)}
	w.line(title(&d))
	row := func(name, value string) {
		if value != "" {
			w.wrap("  "+cell(name, 13), "               ", value)
		}
	}
	row("id", d.ID)
	row("class", fmt.Sprintf("%s (%d %%): %s", d.Class, d.Confidence, d.ClassWhy))
	row("vendor", d.Vendor)
	row("model", d.Model)
	row("serial", d.Serial)
	row("firmware", d.Firmware)
	row("os", d.OS)
	row("udi", d.UDI)
	row("macs", strings.Join(d.MACs, ", "))
	row("addresses", strings.Join(d.IPs, ", "))
	row("ae titles", strings.Join(d.AETitles, ", "))
	row("services", strings.Join(d.Services, ", "))
	row("uses", strings.Join(d.Uses, ", "))
	row("theatre", d.Theatre)
	row("zone", d.Zone)
	row("criticality", string(d.Criticality))
	row("first seen", d.First.String())
	row("last seen", d.Last.String())
	for _, c := range d.Conflicts {
		row("conflict", fmt.Sprintf("%s: %s (%s)", c.Attribute, c.Why, strings.Join(c.Values, ", ")))
	}
	w.title("EVIDENCE")
	for _, e := range d.Evidence {
		w.line("  " + cell(string(e.Attribute), 13) + cell(e.Value, 30) + " " + cell(e.Source, 26) + " " + fmt.Sprintf("%3d %%", e.Confidence))
	}
	return w.Flush()
}

func deviceTable(w *table, devices []Device) {
	w.title(fmt.Sprintf("DEVICES (%d)", len(devices)))
	if len(devices) == 0 {
		w.line("  none was seen")
		return
	}
	devs := slices.Clone(devices)
	order := map[device.Class]int{}
	for i, c := range device.Classes() {
		order[c] = i
	}
	slices.SortStableFunc(devs, func(a, b Device) int { return cmp.Compare(order[a.Class], order[b.Class]) })
	w.line("  " + cell("CLASS", 17) + cell("NAME", 20) + cell("VENDOR, MODEL", 24) + "ADDRESS")
	for i := range devs {
		d := &devs[i]
		w.line("  " + cell(string(d.Class), 16) + " " + cell(title(d), 19) + " " + cell(vendorModel(d), 23) + " " + address(d))
		if d.Class != device.ClassUnknown && d.ClassWhy != "" {
			w.wrap("      ", "      ", fmt.Sprintf("%s (%d%s%%)", d.ClassWhy, d.Confidence, keep))
		}
	}
}

func vendorModel(d *Device) string {
	switch {
	case d.Vendor == "":
		return d.Model
	case d.Model == "":
		return d.Vendor
	}
	return d.Vendor + ", " + d.Model
}

func address(d *Device) string {
	for _, ip := range d.IPs { // IPv4 first, it is what people know
		if strings.Contains(ip, ".") {
			return ip
		}
	}
	if len(d.IPs) > 0 {
		return d.IPs[0]
	}
	if len(d.MACs) > 0 {
		return d.MACs[0]
	}
	return "-"
}

func (r *Report) conversationTable(w *table) {
	cs := slices.Clone(r.Conversations)
	if len(cs) == 0 {
		return
	}
	slices.SortStableFunc(cs, func(a, b Conversation) int {
		return cmp.Or(-cmp.Compare(rank(a.Protocol), rank(b.Protocol)), -cmp.Compare(a.Out+a.In, b.Out+b.In))
	})
	w.title(fmt.Sprintf("CONVERSATIONS (%d)", len(cs)))
	w.line("  " + cell("FROM", 22) + cell("TO", 22) + cell("PROTOCOL", 17) + cell("FLOWS", 7) + "BYTES")
	for i, c := range cs {
		if i == tableConversations {
			w.line(fmt.Sprintf("  … and %d more: --format json lists all", len(cs)-i))
			break
		}
		p := c.Protocol
		if p == "" {
			p = "? " + c.Transport
		}
		if c.Port != 0 {
			p += fmt.Sprintf(" %d", c.Port)
		}
		w.line("  " + cell(c.client, 21) + " " + cell(c.server, 21) + " " + cell(p, 16) + " " + cell(count(c.Flows), 6) + " " + size(c.Out+c.In))
	}
}

// rank puts what matters in a theatre before what every network has.
func rank(protocol string) int {
	switch {
	case strings.HasPrefix(protocol, "dicom"), strings.HasPrefix(protocol, "hl7"), strings.HasPrefix(protocol, "fhir"), strings.HasPrefix(protocol, "sdc"),
		strings.HasPrefix(protocol, "poct1"), strings.HasPrefix(protocol, "lis2"):
		return 2
	case protocol == "dns", protocol == "mdns", protocol == "dhcp", protocol == "ntp", protocol == "ssdp", protocol == "llmnr", protocol == "nbns", protocol == "icmp", protocol == "":
		return 0
	}
	return 1
}

func (r *Report) protocolList(w *table) {
	type entry struct {
		name string
		n    uint64
	}
	var es []entry
	for k, n := range r.Protocols {
		es = append(es, entry{k, n})
	}
	if len(es) == 0 {
		return
	}
	slices.SortFunc(es, func(a, b entry) int { return cmp.Or(-cmp.Compare(a.n, b.n), cmp.Compare(a.name, b.name)) })
	w.title("PROTOCOLS (flows, or messages where there are no flows)")
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.name + keep + count(e.n)
	}
	w.wrap("  ", "  ", strings.Join(parts, ", "))
}

func (r *Report) findingList(w *table) {
	w.title(fmt.Sprintf("FINDINGS (%d)", len(r.Findings)))
	if len(r.Findings) == 0 {
		w.line("  none")
	}
	for i, f := range r.Findings {
		if i == tableFindings {
			w.line(fmt.Sprintf("  … and %d more: --format json lists all", len(r.Findings)-i))
			break
		}
		w.wrap("  "+cell(f.Severity.String(), 9), "           ", f.Title)
	}
}

func (r *Report) blindSpotList(w *table) {
	w.title(fmt.Sprintf("NOT SEEN (%d)", len(r.BlindSpots)))
	if len(r.BlindSpots) == 0 {
		w.line("  nothing was missed that the sensor can know of")
	}
	for _, b := range r.BlindSpots {
		w.wrap("  ", "    ", fmt.Sprintf("%s: %s", b.What, b.Why))
		w.wrap("    hint: ", "          ", b.Hint)
	}
}

// count writes a number with thousands separated.
func count(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// some writes a number with its noun.
func some(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// size writes bytes with a decimal unit.
func size(n uint64) string {
	f := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB", "TB"} {
		if f < 1000 || u == "TB" {
			if u == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", f, u)
		}
		f /= 1000
	}
	return ""
}

func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return d.Round(time.Minute).String()
}
