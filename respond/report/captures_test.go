// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/ocsf/validate"
	"github.com/asepsis/asepsis/see/inventory"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/wire/capture"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	recordedDir = "../../testdata/captures"
	goldenDir   = "../../testdata/golden"
	outsideDir  = "../../../shared/captures"
	schemaDir   = "../../../shared/knowledge/ocsf-1.8.0"
)

// collector keeps every event.
type collector struct {
	mu     sync.Mutex
	events []*event.Event
}

func (c *collector) Emit(e *event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// captures lists the recorded captures below a directory.
func captures(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := filepath.Ext(p); !d.IsDir() && (ext == ".pcap" || ext == ".pcapng") {
			out = append(out, p)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func testKey(t testing.TB) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.New([]byte("golden-files-key-of-32-bytes-xyz"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// run analyses sources with a fixed key and keeps the events.
func run(t testing.TB, workers int, names []string, sources ...capture.Source) (*Report, []*event.Event, error) {
	t.Helper()
	cfg := sensor.Default()
	cfg.Workers = workers
	inv, err := inventory.New(inventory.Default())
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	r, err := Analyze(context.Background(), names, sources, Options{Sensor: cfg, Key: testKey(t), Inventory: inv, Events: []sensor.Sink{c}, Seed: 7})
	return r, c.events, err
}

func runFile(t testing.TB, name string, workers int) (*Report, []*event.Event) {
	t.Helper()
	f, err := sensor.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, events, err := run(t, workers, []string{filepath.Base(name)}, f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r, events
}

// describe writes what a capture should give in a form that people can review:
// devices, protocols, blind spots, and each event but evidence on a line.
func describe(r *Report, events []*event.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "packets %d, flows %d, undecoded %d\n", r.Capture.Packets, r.Flows, r.Capture.Undecoded)
	protos := make([]string, 0, len(r.Protocols))
	for p, n := range r.Protocols {
		protos = append(protos, fmt.Sprintf("%s %d", p, n))
	}
	slices.Sort(protos)
	fmt.Fprintf(&b, "protocols %s\n", strings.Join(protos, ", "))
	for _, d := range r.Devices {
		fmt.Fprintf(&b, "device %s %q vendor %q model %q ips %v macs %v", d.Class, d.Name, d.Vendor, d.Model, d.IPs, d.MACs)
		if len(d.AETitles) > 0 {
			fmt.Fprintf(&b, " ae %v", d.AETitles)
		}
		if d.UDI != "" {
			fmt.Fprintf(&b, " udi %q", d.UDI)
		}
		fmt.Fprintf(&b, "\n       because %s\n", d.ClassWhy)
		for _, c := range d.Conflicts {
			fmt.Fprintf(&b, "       conflict %s: %s %v\n", c.Attribute, c.Why, c.Values)
		}
	}
	for _, s := range r.BlindSpots {
		fmt.Fprintf(&b, "blind %s: %s\n", s.What, s.Why)
	}
	var lines []string
	for _, e := range events {
		if e.Class() == event.ClassDeviceEvidence {
			continue
		}
		ends := ""
		if f := e.Flow; f != nil {
			ends = fmt.Sprintf(" %s > %s", end(f.Src), end(f.Dst))
		}
		what := e.Message
		if c, ok := e.Detail.(*event.Connection); ok {
			what = fmt.Sprintf("%s %s out %d in %d missed %d %s", c.App, c.State, c.PayloadOut, c.PayloadIn, c.Missed, c.History)
		}
		lines = append(lines, fmt.Sprintf("%9.3f %d/%d%s %s %s", float64(e.Time-int64(*r.Capture.First))/1e9, e.Class(), e.Activity, ends, strings.TrimSpace(e.StatusCode+" "+e.StatusDetail), what))
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, "\n"))
	b.WriteString("\n")
	return b.String()
}

func end(e event.Endpoint) string {
	if e.IP.IsValid() {
		if e.Port == 0 {
			return e.IP.String()
		}
		return fmt.Sprintf("%s:%d", e.IP, e.Port)
	}
	return e.MAC.String()
}

func TestCapturesGiveTheDevicesProtocolsAndEventsExpected(t *testing.T) {
	files := captures(t, recordedDir)
	if len(files) < 50 {
		t.Fatalf("only %d captures in %s", len(files), recordedDir)
	}
	for _, f := range files {
		rel, err := filepath.Rel(recordedDir, f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(rel, func(t *testing.T) {
			r, events := runFile(t, f, 1)
			got := describe(r, events)
			golden := filepath.Join(goldenDir, rel+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (run with -update and review the difference):\n%s", golden, firstDifference(string(want), got))
			}
			if r.Stats.Panics > 0 {
				t.Errorf("%d analysers panicked", r.Stats.Panics)
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n want %s\n got  %s", i+1, a, b)
		}
	}
	return "nothing"
}

// TestWorkersDoNotChangeTheResult holds the parallel sensor to the serial one.
func TestWorkersDoNotChangeTheResult(t *testing.T) {
	for _, f := range captures(t, recordedDir) {
		one, oneEvents := runFile(t, f, 1)
		three, threeEvents := runFile(t, f, 3)
		if a, b := describe(one, oneEvents), describe(three, threeEvents); a != b {
			t.Errorf("%s: %s", filepath.Base(f), firstDifference(a, b))
		}
	}
}

// identifiers of patients and staff, and secrets, that are in the captures:
// see scripts/record. None may be in any output.
var identifiers = []string{
	"FICT-0001", "FICT-0002", "FICT-0003", "Probe^Petra", "Petra", "Muster^Max", "Beispiel^Erika", "Erika",
	"Fiktiv^Franz", "Chirurg^Clara", "Technik^Tom", "FICT-A-PETRA", "FICT-V-1", "FICT-O-1", "FICT-F-1", "FICT-APP-1",
	"19700101", "19650615", "1970-01-01", "Musterweg", "555 0001", "fictional-token",
}

func TestNoPatientIdentifierLeavesTheAnalysers(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range captures(t, recordedDir) {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r, events := runFile(t, f, 1)
		var out bytes.Buffer
		if err := r.WriteTable(&out); err != nil {
			t.Fatal(err)
		}
		text := out.Bytes()
		for _, e := range events {
			if text, err = e.AppendOCSF(text, event.Producer{}); err != nil {
				t.Fatal(err)
			}
			text = append(text, '\n')
		}
		for _, id := range identifiers {
			if bytes.Contains(raw, []byte(id)) {
				seen[id] = true
			}
			if i := bytes.Index(text, []byte(id)); i >= 0 {
				t.Errorf("%s: %q is in the output: …%s…", filepath.Base(f), id, text[max(0, i-120):min(len(text), i+60)])
			}
		}
	}
	for _, id := range []string{"FICT-0001", "Probe^Petra", "19700101", "FICT-O-1"} {
		if !seen[id] {
			t.Errorf("no capture holds %q: the test proves nothing about it", id)
		}
	}
}

func TestEveryEventOfEveryCaptureIsValidOCSF(t *testing.T) {
	if _, err := os.Stat(schemaDir); err != nil {
		t.Skip("the OCSF 1.8.0 schema is not at ../shared/knowledge/ocsf-1.8.0")
	}
	schema, err := validate.Load(os.DirFS(schemaDir), os.DirFS("../../ocsf"))
	if err != nil {
		t.Fatal(err)
	}
	classes := map[event.Class]int{}
	for _, f := range append(captures(t, recordedDir), captures(t, outsideDir)...) {
		_, events := runFile(t, f, 1)
		bad := 0
		for _, e := range events {
			classes[e.Class()]++
			b, err := e.AppendOCSF(nil, event.Producer{Version: "test", Sensor: "test"})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range schema.Event(b) {
				if bad++; bad <= 5 {
					t.Errorf("%s: %v\n%s", filepath.Base(f), p, b)
				}
			}
		}
	}
	for _, c := range []event.Class{event.ClassNetwork, event.ClassHTTP, event.ClassDNS, event.ClassDHCP, event.ClassSSH, event.ClassNTP,
		event.ClassDICOMAssociation, event.ClassDICOMOperation, event.ClassHL7Message, event.ClassMedicalDevice, event.ClassFHIR, event.ClassApplication, event.ClassDeviceEvidence, event.ClassSensorHealth} {
		if classes[c] == 0 {
			t.Errorf("no capture gives an event of class %d", c)
		}
	}
}

func TestThePumpIsInTheInventoryWithTheEvidenceForEachAttribute(t *testing.T) {
	name := filepath.Join(outsideDir, "tapirx", "HL7-ADT-UDI-PRT.pcap")
	if _, err := os.Stat(name); err != nil {
		t.Skip("../shared/captures/tapirx/HL7-ADT-UDI-PRT.pcap is not there")
	}
	r, _ := runFile(t, name, 1)
	for _, d := range r.Devices {
		if d.Class != "infusion-pump" {
			continue
		}
		for _, want := range []struct{ attribute, got, part string }{
			{"vendor", d.Vendor, "ICU Medical"}, {"model", d.Model, "Plum A+"}, {"udi", d.UDI, "Hospira Plum A+"},
		} {
			if !strings.Contains(want.got, want.part) {
				t.Errorf("%s is %q, want %q in it", want.attribute, want.got, want.part)
			}
			if !slices.ContainsFunc(d.Evidence, func(e Evidence) bool {
				return string(e.Attribute) == want.attribute && strings.HasPrefix(e.Source, "hl7.")
			}) {
				t.Errorf("no evidence from HL7 for %s: %+v", want.attribute, d.Evidence)
			}
		}
		return
	}
	t.Errorf("no infusion pump among %+v", r.Devices)
}
