// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"strings"
	"testing"
	"time"
)

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	h := Header{Facility: FacilityAuthPriv, Severity: SeverityNotice, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Host: "gateway or 3", App: "asepsis", Process: strings.Repeat("x", 200), MessageID: "DICOM+RFC3881"}
	b := AppendText(AppendHeader(nil, &h), []byte("<AuditMessage/>"))
	if !strings.HasPrefix(string(b), "<85>1 2026-01-02T03:04:05.000006Z gateway_or_3 asepsis xxx") {
		t.Errorf("%s", b)
	}
	m, err := Parse(b)
	if err != nil || m.Facility != 10 || m.Severity != 5 || m.Host != "gateway_or_3" || m.App != "asepsis" || len(m.Process) != 128 || m.MessageID != "DICOM+RFC3881" || !m.Audit || m.TextLength != 15 {
		t.Errorf("%+v, %v", m, err)
	}
	two := AppendFrame(AppendFrame(nil, b), []byte("<13>1 - - - - - -"))
	msg, n, bad := Split(two)
	if bad || string(msg) != string(b) {
		t.Errorf("%q, %d, %v", msg, n, bad)
	}
	if msg, _, bad = Split(two[n:]); bad || string(msg) != "<13>1 - - - - - -" {
		t.Errorf("%q, %v", msg, bad)
	}
	if got := string(AppendHeader(nil, &Header{})); got != "<0>1 - - - - - -" {
		t.Errorf("%q", got)
	}
}
