// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/protocols"
)

const differentialDoc = "../../docs/differential.md"

// A comparison states what the sensor and tshark say of one protocol as lines
// of the same form. Both sides are sorted; what one has and the other has not
// is a difference.
type comparison struct {
	name   string
	fields string // what is compared, for docs/differential.md
	ours   func(events []*event.Event) []string
	theirs func(packets []*dissected) []string
	set    bool // a line that is said twice counts once
}

var comparisons = []comparison{
	dicomComparison, hl7Comparison, dhcpComparison, dhcp6Comparison, dnsComparison, mdnsComparison,
	tlsComparison, quicComparison, lldpComparison, cdpComparison, snmpComparison, smbComparison,
}

// explanation accounts for differences between the sensor and tshark: those
// lines, with "-" for what only tshark says and "+" for what only the sensor
// says, that match the pattern in captures whose name matches.
type explanation struct {
	capture, protocol, pattern, why string
}

// node is one field of tshark's dissection (PDML).
type node struct {
	name, show, showname, value string
	kids                        []*node
}

// dissected is one packet of it: the protocols that were asked for.
type dissected struct {
	protos []*node
}

// families are the protocols that tshark is asked about.
var families = []string{"dicom", "hl7", "dhcp", "dhcpv6", "dns", "mdns", "llmnr", "tls", "dtls", "quic", "lldp", "cdp", "snmp", "smb", "smb2"}

// tshark dissects a capture. Where it would not recognise by content what the
// sensor did, it is told which protocol runs on which port; what it reads there
// is its own.
func tshark(name string, hints []string) ([]*dissected, error) {
	// What ICMP errors quote was said before.
	args := []string{"-n", "-r", name, "-T", "pdml", "-Y", "(" + strings.Join(families, "||") + ") && !icmp && !icmpv6", "-J", strings.Join(families, " ") + " tcp udp",
		"-o", "tcp.reassemble_out_of_order:TRUE"}
	for _, h := range hints {
		args = append(args, "-d", h)
	}
	cmd := exec.Command("tshark", args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		return nil, fmt.Errorf("tshark: %w: %s", err, errs.String())
	}
	return readPDML(bytes.NewReader(out))
}

// decodeAs makes tshark's hints from the flows in which the sensor found
// protocols that have no port of their own in tshark.
func decodeAs(events []*event.Event) (out []string) {
	seen := map[uint16]bool{}
	for _, e := range events {
		c, ok := e.Detail.(*event.Connection)
		if !ok || e.Flow.Proto != 6 || seen[e.Flow.Dst.Port] || e.Flow.Dst.Port == 445 {
			continue
		}
		// Of protocols that one flow went through, the last: TLS behind STARTTLS.
		if app := c.App[strings.LastIndexByte(c.App, '+')+1:]; app == "dicom" || app == "hl7" || app == "tls" {
			seen[e.Flow.Dst.Port] = true
			out = append(out, fmt.Sprintf("tcp.port==%d,%s", e.Flow.Dst.Port, app))
		}
	}
	return out
}

func readPDML(r io.Reader) ([]*dissected, error) {
	var out []*dissected
	var pkt *dissected
	var stack []*node
	d := xml.NewDecoder(r)
	d.Strict = false
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "packet":
				pkt = &dissected{}
				out = append(out, pkt)
			case "proto", "field":
				n := &node{}
				for _, a := range t.Attr {
					switch a.Name.Local {
					case "name":
						n.name = a.Value
					case "show":
						n.show = a.Value
					case "showname":
						n.showname = a.Value
					case "value":
						n.value = a.Value
					}
				}
				if len(stack) > 0 {
					p := stack[len(stack)-1]
					p.kids = append(p.kids, n)
				} else if pkt != nil {
					pkt.protos = append(pkt.protos, n)
				}
				stack = append(stack, n)
			}
		case xml.EndElement:
			if (t.Name.Local == "proto" || t.Name.Local == "field") && len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
		}
	}
}

// walk calls f for n and all below it, in the order of the packet.
func (n *node) walk(f func(*node)) {
	f(n)
	for _, k := range n.kids {
		k.walk(f)
	}
}

// all returns the fields of a name, at any depth.
func (n *node) all(name string) (out []*node) {
	n.walk(func(k *node) {
		if k.name == name {
			out = append(out, k)
		}
	})
	return out
}

// get returns what the first field of a name shows, "" when there is none.
func (n *node) get(name string) string {
	for _, k := range n.all(name) {
		return k.show
	}
	return ""
}

// shows returns what all fields of a name show.
func (n *node) shows(name string) (out []string) {
	for _, k := range n.all(name) {
		out = append(out, k.show)
	}
	return out
}

// text is the content of a string field as it was sent, without padding.
func (n *node) text() string {
	b, err := hex.DecodeString(n.value)
	if err != nil {
		return n.show
	}
	return strings.TrimRight(string(b), "\x00 ")
}

// of returns the protocols of a name in a packet.
func (p *dissected) of(names ...string) (out []*node) {
	for _, n := range p.protos {
		if slices.Contains(names, n.name) {
			out = append(out, n)
		}
	}
	return out
}

// field returns the first field of a name in the packet; the innermost of
// several, when the packet is tunnelled.
func (p *dissected) field(name string) string {
	v := ""
	for _, n := range p.protos {
		if s := n.get(name); s != "" {
			v = s
		}
	}
	return v
}

// conversation names the connection of a packet, and which of its ends sent it.
func (p *dissected) conversation() (id, sender string) {
	for _, l := range []string{"tcp", "udp"} {
		if s := p.field(l + ".stream"); s != "" {
			return l + s, p.field(l + ".srcport")
		}
	}
	return "", ""
}

func details[D event.Detail](events []*event.Event, f func(e *event.Event, d D)) {
	for _, e := range events {
		if d, ok := e.Detail.(D); ok {
			f(e, d)
		}
	}
}

// attribute returns a value of an application's message.
func attribute(a *event.Application, name string) string {
	for _, kv := range a.Attributes {
		if kv.Name == name {
			return kv.Value
		}
	}
	return ""
}

// differences returns what only one of two lists has: "- " theirs, "+ " ours.
func differences(ours, theirs []string) (out []string) {
	count := map[string]int{}
	for _, l := range theirs {
		count[l]++
	}
	for _, l := range ours {
		count[l]--
	}
	for l, n := range count {
		for ; n > 0; n-- {
			out = append(out, "- "+l)
		}
		for ; n < 0; n++ {
			out = append(out, "+ "+l)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return out
}

// compared is the outcome for one capture.
type compared struct {
	name  string
	equal map[string]int
	diff  map[string][]string
	err   error
}

func compareCapture(t *testing.T, name string) compared {
	c := compared{name: filepath.Base(name), equal: map[string]int{}, diff: map[string][]string{}}
	f, err := sensor.OpenFile(name)
	if err != nil {
		c.err = err
		return c
	}
	defer func() { _ = f.Close() }()
	sink := &collector{}
	s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: protocols.All(), Sink: sink, Key: testKey(t), Seed: 7})
	if err == nil {
		err = s.Run(context.Background(), f)
	}
	if _, damaged := damages(err); damaged != nil {
		c.err = damaged
		return c
	}
	events := sink.events
	packets, err := tshark(name, decodeAs(events))
	if err != nil {
		c.err = err
		return c
	}
	for _, cmp := range comparisons {
		ours, theirs := cmp.ours(events), cmp.theirs(packets)
		slices.Sort(ours)
		slices.Sort(theirs)
		if cmp.set {
			ours, theirs = slices.Compact(ours), slices.Compact(theirs)
		}
		d := differences(ours, theirs)
		c.diff[cmp.name] = d
		only := 0
		for _, l := range d {
			if l[0] == '-' {
				only++
			}
		}
		c.equal[cmp.name] = len(theirs) - only
	}
	return c
}

// TestFieldsEqualTsharks compares what the sensor reports of every capture with
// what tshark reads in it. A difference is an error unless it is explained, and so
// is an explanation that nothing needs.
func TestFieldsEqualTsharks(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	own, outside := captures(t, recordedDir), captures(t, outsideDir)
	files := slices.Concat(own, outside)
	if only := os.Getenv("ASEPSIS_DIFF"); only != "" {
		files = slices.DeleteFunc(files, func(f string) bool { return !regexp.MustCompile(only).MatchString(f) })
	}
	results := make([]compared, len(files))
	var wg sync.WaitGroup
	next := make(chan int)
	for range 2 {
		wg.Go(func() {
			for i := range next {
				results[i] = compareCapture(t, files[i])
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()

	used := make([]bool, len(explanations))
	equal := map[string]int{}
	for _, r := range results {
		if r.err != nil {
			t.Errorf("%s: %v", r.name, r.err)
			continue
		}
		for _, cmp := range comparisons {
			equal[cmp.name] += r.equal[cmp.name]
			var left []string
			for _, l := range r.diff[cmp.name] {
				if !explained(r.name, cmp.name, l, used) {
					left = append(left, l)
				}
			}
			if len(left) > 0 {
				t.Errorf("%s, %s: %d equal, %d not\n  %s", r.name, cmp.name, r.equal[cmp.name], len(left), strings.Join(left[:min(len(left), 24)], "\n  "))
			}
		}
	}
	for _, cmp := range comparisons {
		t.Logf("%s: %d equal", cmp.name, equal[cmp.name])
		if equal[cmp.name] == 0 && os.Getenv("ASEPSIS_DIFF") == "" {
			t.Errorf("%s: nothing was compared", cmp.name)
		}
	}
	if len(outside) == 0 || os.Getenv("ASEPSIS_DIFF") != "" {
		t.Log("not all captures are there: unused explanations are not an error")
		return
	}
	for i, u := range used {
		if !u {
			t.Errorf("the explanation of %s in %s (%s) is not needed", explanations[i].protocol, explanations[i].capture, explanations[i].pattern)
		}
	}
}

func explained(capture, protocol, line string, used []bool) bool {
	found := false
	for i, x := range explanations {
		if x.protocol == protocol && regexp.MustCompile("^(?:"+x.capture+")$").MatchString(capture) && regexp.MustCompile(x.pattern).MatchString(line) {
			used[i], found = true, true
		}
	}
	return found
}

// TestDifferencesAreDocumented holds docs/differential.md to the tables here.
func TestDifferencesAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| protocol | compared |\n|---|---|\n")
	for _, c := range comparisons {
		fmt.Fprintf(&b, "| %s | %s |\n", c.name, c.fields)
	}
	b.WriteString("\n## Differences\n\n| protocol | captures | why |\n|---|---|---|\n")
	for _, x := range explanations {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", x.protocol, strings.ReplaceAll(x.capture, "|", `\|`), x.why)
	}
	const begin, end = "<!-- from respond/report/differential_test.go -->", "<!-- end -->"
	doc, err := os.ReadFile(differentialDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the tables between %q and %q", differentialDoc, begin, end)
	}
	want := head + begin + "\n" + b.String() + "\n" + end + tail
	if *update {
		if err := os.WriteFile(differentialDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(doc) {
		t.Errorf("%s differs from the tables of the test (run with -update): %s", differentialDoc, firstDifference(want, string(doc)))
	}
}
