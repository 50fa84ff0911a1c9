// SPDX-License-Identifier: Apache-2.0

package imaging_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor"
	"github.com/asepsis/asepsis/see/sensor/analyze/imaging"
	"github.com/asepsis/asepsis/wire/capture"
)

const module = "../../../.."

type sink struct {
	mu     sync.Mutex
	events []*event.Event
}

func (s *sink) Emit(e *event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// run analyses a capture with this family only.
func run(t *testing.T, path string) []*event.Event {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("capture missing: %s", filepath.Base(path))
	}
	defer f.Close()
	src, err := capture.NewReader(f, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pseudonym.New([]byte("imaging-captures-test-key-32-by!"))
	if err != nil {
		t.Fatal(err)
	}
	out := &sink{}
	s, err := sensor.New(sensor.Default(), sensor.Deps{Protocols: imaging.Protocols(), Sink: out, Key: key, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Panics > 0 || st.OverBudget > 0 {
		t.Errorf("%d panics, %d flows over budget", st.Panics, st.OverBudget)
	}
	return out.events
}

func captures(t *testing.T) []string {
	files, _ := filepath.Glob(module + "/testdata/captures/dicom-*.pcap*")
	if len(files) == 0 {
		t.Fatal("captures missing: testdata/captures/dicom-*")
	}
	more, _ := filepath.Glob(module + "/../shared/captures/tapirx/dicom*")
	return append(files, more...)
}

func TestCapturesOfRealPeersTellWhatWasDone(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string // messages that are among those emitted
	}{
		{"dicom-echo.pcap", []string{"CT_OR3 echoed ARCHIVE: success", "ECHOSCU echoed ANY-SCP: success"}},
		{"dicom-rejected.pcap", []string{"WRONG rejected the association of CT_OR3: no-reason-given"}},
		{"dicom-orthanc-rejected-aet.pcap", []string{"NOT_THE_PACS rejected the association of CT_OR3: called-ae-title-not-recognized"}},
		{"dicom-find.pcap", []string{"WS_OR3 queried PACS by StudyInstanceUID, 3 results: success"}},
		{"dicom-find-cancel.pcap", []string{"WS_OR3 cancelled operation 1 at ARCHIVE", "WS_OR3 queried ARCHIVE by PatientName, 2 results: cancelled"}},
		{"dicom-get.pcap", []string{"XR_PROC retrieved objects from PACS, 1 sub-operations completed: success"}},
		{"dicom-move.pcap", []string{"WS_OR3 asked PACS to send objects to XR_PROC, 3 sub-operations completed: success"}},
		{"dicom-mpps.pcap", []string{"CT_OR3 sent N-CREATE to ARCHIVE for Modality Performed Procedure Step SOP Class: success"}},
		{"dicom-commitment.pcap", []string{"ARCHIVE sent N-EVENT-REPORT to CT_OR3 for Storage Commitment Push Model SOP Class: success"}},
		{"dicom-nget-ndelete.pcap", []string{"CT_OR3 sent N-DELETE to ARCHIVE for Basic Film Session SOP Class: no such SOP instance"}},
		{"dicom-nmap.pcap", []string{"the association of ECHOSCU with ANY-SCP ended without release"}},
		{"dicom-tls.pcap", nil},
	} {
		t.Run(c.file, func(t *testing.T) {
			var got []string
			for _, e := range run(t, module+"/testdata/captures/"+c.file) {
				if e.Message != "" && e.Class() != event.ClassNetwork && e.Class() != event.ClassDeviceEvidence {
					got = append(got, e.Message)
				}
			}
			for _, w := range c.want {
				if !slices.Contains(got, w) {
					t.Errorf("%q is not among\n%s", w, strings.Join(got, "\n"))
				}
			}
			if c.want == nil && slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "association") }) {
				t.Errorf("DICOM seen inside TLS: %q", got)
			}
		})
	}
}

// dicomOf keeps the events of this family.
func dicomOf(events []*event.Event) (assocs []*event.Event, ops []*event.DICOMOperation) {
	for _, e := range events {
		switch d := e.Detail.(type) {
		case *event.DICOMAssociation:
			assocs = append(assocs, e)
		case *event.DICOMOperation:
			ops = append(ops, d)
		}
	}
	return assocs, ops
}

// TestStoredObjectsAreWhole: every C-STORE that was answered with success in a
// capture without loss has its attributes, and breaks nothing.
func TestStoredObjectsAreWhole(t *testing.T) {
	stores := 0
	for _, f := range captures(t) {
		if strings.Contains(f, "loss") || strings.Contains(f, "midstream") || strings.Contains(f, "bad-wire") || strings.Contains(f, "abort") {
			continue
		}
		_, ops := dicomOf(run(t, f))
		for _, op := range ops {
			if op.Command != "C-STORE" || op.StatusName != "success" {
				continue
			}
			stores++
			if op.Modality == "" || op.PatientRef == "" || op.StudyInstance == "" || op.DeviceSerial == "" || op.Malformed != "" || op.Incomplete ||
				len(op.Suspicious) > 0 && !strings.HasPrefix(op.SOPClassName, "Encapsulated") {
				t.Errorf("%s: %+v", filepath.Base(f), op)
			}
		}
	}
	if stores == 0 {
		t.Fatal("captures missing: none with a C-STORE")
	}
	t.Logf("%d objects", stores)
}

var response = regexp.MustCompile(`([CN]-[A-Z-]+)-RSP ID=(\d+)[^,]*\(([A-Za-z ]+)`)

// TestAgainstTshark compares what was negotiated, field by field, and the responses.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("tshark is started once a capture: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("peer missing: tshark")
	}
	for _, f := range captures(t) {
		t.Run(filepath.Base(f), func(t *testing.T) {
			assocs, ops := dicomOf(run(t, f))
			var ours []string
			for _, e := range assocs {
				d := e.Detail.(*event.DICOMAssociation)
				if e.Activity <= 3 && d.ContextsProposed > 0 {
					ours = append(ours, fmt.Sprintf("RQ %s>%s %s %s %d [%s]", d.CallingAE, d.CalledAE, d.ImplUID, d.ImplVersion, d.MaxPDU, proposals(d)))
				}
				if e.Activity == 2 {
					ours = append(ours, fmt.Sprintf("AC %s>%s %s %s %d [%s]", d.CallingAE, d.CalledAE, d.AcceptorImplUID, d.AcceptorImplVersion, d.AcceptorMaxPDU, answers(d)))
				}
			}
			rows := tshark(t, f, append([]string{"dicom.assoc.version"}, tsharkFields...)...)
			for _, w := range tsharkAssociations(rows) {
				if i := slices.Index(ours, w); i >= 0 {
					ours = slices.Delete(ours, i, i+1)
				} else {
					t.Errorf("only tshark has %s", w)
				}
			}
			for _, o := range ours {
				t.Errorf("only we have %s", o)
			}
			var answered []string
			for _, op := range ops {
				if op.Answered {
					answered = append(answered, fmt.Sprintf("%s %d", op.Command, op.MessageID))
				}
			}
			for _, row := range rows {
				line := row[len(row)-1]
				for _, m := range response.FindAllStringSubmatch(line, -1) {
					if m[3] == "Pending" || strings.HasPrefix(m[3], "Sub") {
						continue
					}
					want := m[1] + " " + m[2]
					i := slices.Index(answered, want)
					if i < 0 {
						t.Errorf("tshark has %q, which is not among %q", line, answered)
						continue
					}
					answered = slices.Delete(answered, i, i+1)
				}
			}
		})
	}
}

func proposals(d *event.DICOMAssociation) string {
	var s []string
	for _, pc := range d.Contexts {
		s = append(s, fmt.Sprintf("%d=%s", pc.ID, pc.AbstractSyntax))
	}
	return strings.Join(s, " ")
}

func answers(d *event.DICOMAssociation) string {
	var s []string
	for _, pc := range d.Contexts {
		if pc.Result != "" {
			s = append(s, fmt.Sprintf("%d:%s", pc.ID, pc.Result))
		}
	}
	return strings.Join(s, " ")
}

var results = []string{"acceptance", "user-rejection", "no-reason", "abstract-syntax-not-supported", "transfer-syntaxes-not-supported"}

var tsharkFields = []string{"dicom.pdu.type", "dicom.assoc.ae.calling", "dicom.assoc.ae.called", "dicom.userinfo.uid", "dicom.userinfo.version",
	"dicom.max_pdu_len", "dicom.pctx.id", "dicom.pctx.abss.syntax", "dicom.pctx.result", "_ws.col.Info"}

func tsharkAssociations(rows [][]string) (out []string) {
	for _, row := range rows {
		if row[0] == "" {
			continue
		}
		v := row[1:]
		ids := strings.Split(v[6], ";")
		third, sep, kind := strings.Split(v[7], ";"), "=", "RQ"
		if v[0] == "0x02" {
			third, sep, kind = strings.Split(v[8], ";"), ":", "AC"
		}
		var pairs []string
		for i, id := range ids {
			n, _ := strconv.ParseUint(strings.TrimPrefix(id, "0x"), 16, 8)
			x := ""
			if i < len(third) {
				x = third[i]
				if kind == "AC" {
					r, _ := strconv.ParseUint(strings.TrimPrefix(x, "0x"), 16, 8)
					x = results[r]
				} else if i := strings.LastIndex(x, "("); i >= 0 { // "CT Image Storage (1.2...)"
					x = strings.Trim(x[i:], "()")
				}
			}
			pairs = append(pairs, fmt.Sprintf("%d%s%s", n, sep, x))
		}
		out = append(out, fmt.Sprintf("%s %s>%s %s %s %s [%s]", kind, strings.TrimSpace(v[1]), strings.TrimSpace(v[2]), v[3], v[4], v[5], strings.Join(pairs, " ")))
	}
	return out
}

func tshark(t *testing.T, file string, fields ...string) (rows [][]string) {
	t.Helper()
	args := []string{"-n", "-r", file, "-Y", "dicom", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.SplitSeq(string(out), "\n") {
		if row := strings.Split(l, "|"); len(row) == len(fields) {
			rows = append(rows, row)
		}
	}
	return rows
}

// TestNoPatientIdentifierLeaves looks for the identifiers that tshark finds on the
// wire in everything that is emitted.
func TestNoPatientIdentifierLeaves(t *testing.T) {
	if testing.Short() {
		t.Skip("tshark is started once a capture: not in short mode")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("peer missing: tshark")
	}
	identifying := regexp.MustCompile(`\((?:0010,0010|0010,0020|0010,0030|0008,0050|0010,1001|0008,0090)\)[^\n]*?(?:[A-Z]{2}|  )\s+(\S[^\n]*)`)
	looked := map[string]bool{}
	for _, f := range captures(t) {
		out, err := exec.Command("tshark", "-r", f, "-Y", "dicom", "-O", "dicom").Output()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]bool{}
		for _, m := range identifying.FindAllStringSubmatch(string(out), -1) {
			words := strings.Fields(m[1])
			for i, w := range words {
				if len(w) >= 6 && i >= len(words)-2 && !strings.Contains("PatientBirthDate AccessionNumber Patient's Birth Number Physician", strings.Trim(w, "*")) {
					values[w] = true
					looked[w] = true
				}
			}
		}
		for _, e := range run(t, f) {
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			for v := range values {
				if strings.Contains(string(b), v) {
					t.Errorf("%s: %q is in %s", filepath.Base(f), v, b)
				}
			}
		}
	}
	if len(looked) == 0 {
		t.Error("tshark found no identifier in any capture: the test looks for nothing")
	}
	t.Logf("looked for %d values", len(looked))
}

func TestNoEvidenceIsCertain(t *testing.T) {
	for _, f := range captures(t) {
		for _, e := range run(t, f) {
			if d, ok := e.Detail.(*event.DeviceEvidence); ok && (d.Evidence.Confidence > device.Structured || d.Evidence.Value == "" || d.Evidence.Source == "") {
				t.Errorf("%s: %+v", filepath.Base(f), d.Evidence)
			}
		}
	}
}
