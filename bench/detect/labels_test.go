// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/rules"
	"github.com/asepsis/asepsis/see/detect"
)

// The captures and their labels, and where the figures are published.
const (
	testCaptures  = "../../testdata/captures"
	testPublished = "../../docs/performance.md"
)

func TestTheRulesFindInEveryCaptureWhatItsLabelSaysAndNothingElse(t *testing.T) {
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := read(testCaptures)
	if err != nil {
		t.Fatal(err)
	}
	if len(corpus) < 100 {
		t.Fatalf("%d captures are not all", len(corpus))
	}
	l, err := readLabels(testCaptures+"/labels.yaml", content, corpus)
	if err != nil {
		t.Fatal(err)
	}
	by, disagreements, err := judge(content, corpus, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range disagreements {
		t.Error(d)
	}
	doc, err := os.ReadFile(testPublished)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(table(by), "\n"); !strings.Contains(string(doc), want) {
		t.Errorf("docs/performance.md does not have these figures:\n%s", want)
	}
}

func TestLabelsThatNameWhatDoesNotExistAreRefused(t *testing.T) {
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	corpus := []recorded{{name: "there.pcap"}}
	for name, c := range map[string]struct{ text, want string }{
		"a capture that is not there":   {"gone.pcap: [dicom.malformed]", "no capture gone.pcap"},
		"a rule that is not there":      {"there.pcap: [dicom.nothing]", "no rule dicom.nothing"},
		"a rule that is named twice":    {"there.pcap: [dicom.malformed, dicom.malformed]", "twice"},
		"a capture that is named twice": {"there.pcap: []\nthere.pcap: []", "labels"},
		"something else than a list":    {"there.pcap: dicom.malformed", "labels"},
	} {
		t.Run(name, func(t *testing.T) {
			file := t.TempDir() + "/labels.yaml"
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readLabels(file, content, corpus); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestADayOfTheHospitalIsQuiet(t *testing.T) {
	if testing.Short() {
		t.Skip("a day of 500 devices takes seconds")
	}
	content, err := detect.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := read(testCaptures)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlayer(content, corpus)
	if err != nil {
		t.Fatal(err)
	}
	found := p.days(1)
	for i := range found {
		if found[i].Severity >= finding.Medium {
			t.Errorf("%s: %s", found[i].Rule, found[i].Title)
		}
	}
	if len(p.hospital.inventory()) != 500 || p.hospital.shown < 100_000 || p.hospital.cases < 40 {
		t.Errorf("%d devices, %d events, %d cases are no day of such a hospital", len(p.hospital.inventory()), p.hospital.shown, p.hospital.cases)
	}
}
