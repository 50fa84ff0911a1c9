// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// served is a client of a server that answers as f does.
func served(t *testing.T, f http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewTLSServer(f)
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Server: s.URL, Token: "asp_x_y", CAFile: ca, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATokenGoesOverHTTPSOnlyUnlessTheServerIsHere(t *testing.T) {
	for server, ok := range map[string]bool{
		"https://asepsis.hospital.example": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:8080": true,
		"http://asepsis.hospital.example": false, "http://10.0.0.1": false, "ftp://127.0.0.1": false, "asepsis.hospital.example": false, "": false,
	} {
		if _, err := New(Options{Server: server}); (err == nil) != ok {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func TestAQuestionCarriesTheTokenAndTheQuery(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/devices" || r.URL.Query().Get("class") != "ct" || r.Header.Get("Authorization") != "Bearer asp_x_y" || r.UserAgent() != "test" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		_, _ = fmt.Fprint(w, `{"total": 7}`)
	})
	var got struct{ Total int }
	if err := c.Get(t.Context(), "/devices", url.Values{"class": {"ct"}}, &got); err != nil || got.Total != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	var raw json.RawMessage
	if err := c.Get(t.Context(), "/devices", url.Values{"class": {"ct"}}, &raw); err != nil || string(raw) != `{"total": 7}` {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestWhatIsWrongIsSaidInTheServersWords(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/events":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"title":"One parameter is not right.","detail":"is: there is no field prot","hint":"did you mean protocol?","status":400}`)
		case "/api/v1/devices":
			w.WriteHeader(http.StatusUnauthorized)
		case "/api/v1/moved":
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		default:
			_, _ = fmt.Fprint(w, "<html>")
		}
	})
	var e *Error
	err := c.Get(t.Context(), "/events", nil, &struct{}{})
	if !errors.As(err, &e) || err.Error() != "One parameter is not right.: is: there is no field prot" || e.Hint() != "did you mean protocol?" || e.Status != 400 {
		t.Errorf("%v, hint %q", err, e.Hint())
	}
	err = c.Get(t.Context(), "/devices", nil, &struct{}{})
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "--token-file") {
		t.Errorf("%v, hint %q", err, e.Hint())
	}
	if err = c.Get(t.Context(), "/moved", nil, &struct{}{}); !errors.As(err, &e) || e.Status != http.StatusFound {
		t.Errorf("a redirect, which could carry the token elsewhere, was followed: %v", err)
	}
	if err = c.Get(t.Context(), "/other", nil, &struct{}{}); err == nil || !strings.Contains(err.Error(), "not what this program understands") {
		t.Errorf("%v", err)
	}
}

func TestAStreamIsReadEventByEvent(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("accepts %s", r.Header.Get("Accept"))
		}
		_, _ = fmt.Fprint(w, "retry: 2000\n\n: alive\n\nid: 41\nevent: events\ndata: {\"a\":\ndata: 1}\n\nid: 42\nevent: lag\ndata: {}\n\ndata: cut off")
	})
	var got []string
	if err := c.Stream(t.Context(), "/events/stream", nil, func(kind, id string, data []byte) error {
		got = append(got, kind+" "+id+" "+string(data))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := "events 41 {\"a\":\n1}|lag 42 {}"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	stop := errors.New("enough")
	if err := c.Stream(t.Context(), "/events/stream", nil, func(string, string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestTablesShowAnswersAndKeepTheTerminalSafe(t *testing.T) {
	for _, c := range []struct {
		name   string
		table  Table
		answer string
		want   []string
	}{
		{"devices", WriteDevices, `{"total":3,"devices":[{"id":"dev-1","class":"ct","name":"CT\u001b[31m-OR3\nx","vendor":"Siemens","model":"","ips":["10.20.3.11"],"theatre":"OR-3","last":"2026-03-01T10:00:00Z"}]}`,
			[]string{"ID ", "dev-1", "CT [31m-OR3 x", "Siemens", "10.20.3.11", "OR-3", "1 of 3 devices"}},
		{"a device", WriteDevice, `{"id":"dev-1","class":"ct","confidence":83,"class_why":"Sends CT.","conflict_list":[{"attribute":"ip","why":"two claim it","values":["a","b"]}],"evidence":[{"attribute":"serial","value":"7","source":"dicom","confidence":75,"count":9}]}`,
			[]string{"ct (83 %): Sends CT.", "ip: two claim it (a, b)", "EVIDENCE", "serial", "75 %", "9"}},
		{"events", WriteEvents, `{"complete":false,"reached":"2026-03-01T10:00:00Z","events":[{"id":"7","time":"2026-03-01T10:00:00Z","severity":"low","message":"","class_name":"DNS Activity","activity_name":"Query","src":{"name":"WS"},"dst":null}]}`,
			[]string{"7 ", "low", "WS", "-", "DNS Activity: Query", "Searched back to"}},
		{"associations", WriteAssociations, `{"associations":[{"id":"a","way":"dimse","direction":"in","device":"dev-ct","address":"192.0.2.7","calling_ae":"CT\u001b[2J","called_ae":"ASEPSIS","since":"2026-03-01T10:00:00Z","ended":"2026-03-01T10:00:05Z","instances":3,"bytes":1530000,"operations":4,"problem":"unknown-ae","what":"it is not bound"}]}`,
			[]string{"ended", "dev-ct", "CT [2J > ASEPSIS", "1.5 MB", "unknown-ae: it is not bound"}},
		{"a header", WriteHeader, `{"number":1,"cut":true,"elements":[{"path":"(0010,0010)","vr":"PN","name":"PatientName","length":12,"hidden":true},{"path":"(0010,4000)","vr":"LT","length":4,"value":"a\tb","more":true,"rule":"text.script"}]}`,
			[]string{"(hidden)", "a b...", "<- text.script", "cannot be read further"}},
		{"what is held", WriteQuarantine, `{"held":[{"number":7,"state":"quarantined","received":"2026-03-01T10:00:00Z","sender":{"device":"dev-ct"},"verdict":"quarantine","modality":"CT","hits":[{"rule":"text.script","verdict":"quarantine","why":"x"},{"rule":"uid.path","verdict":"flag","why":"y"}],"asked":{"action":"release","by":"ada","reason":"r","at":"2026-03-01T10:00:00Z"},"own":false,"in_case":false}],"before":7}`,
			[]string{"7 ", "dev-ct", "text.script ", "release by ada", "--before 7"}},
		{"a dry run", WriteDryRun, `{"problems":[],"examined":3,"same":2,"changed":[{"number":7,"received":"2026-03-01T10:00:00Z","device":"dev-ct","was":"quarantine","would":"flag","hits":[{"rule":"text.script","verdict":"flag","why":"x"}]}],"more":0,"milliseconds":9}`,
			[]string{"quarantine", "flag", "text.script", "3 examined in 9 ms: 2 the same, 1 would differ"}},
		{"problems of a policy", WriteDryRun, `{"problems":[{"line":2,"column":3,"field":"rules.x","what":"there is no such rule","hint":"did you mean y?"}],"examined":0,"same":0,"changed":[],"more":0,"milliseconds":0}`,
			[]string{"line 2, column 3: rules.x: there is no such rule", "hint: did you mean y?"}},
		{"an event", WriteEvent, `{"id":"7","message":"C-ECHO answered","class_name":"DICOM Operation","activity_name":"C-ECHO","groups":[{"title":"Operation","fields":[{"label":"Status","value":"0x0000"}]}]}`,
			[]string{"C-ECHO answered", "DICOM Operation: C-ECHO", "OPERATION", "Status", "0x0000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := c.table(&out, json.RawMessage(c.answer)); err != nil {
				t.Fatal(err)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("%q is not in:\n%s", w, out.String())
				}
			}
			if strings.ContainsRune(out.String(), '\x1b') {
				t.Error("an escape sequence reached the terminal")
			}
			if err := c.table(&out, json.RawMessage("[")); err == nil {
				t.Error("a broken answer passed")
			}
		})
	}
}

func TestWhatIsStreamedIsPrintedAsItComes(t *testing.T) {
	var out bytes.Buffer
	for _, m := range [][2]string{
		{"events", `{"events":[{"time":"2026-03-01T10:00:00Z","severity":"info","message":"C-ECHO\u0007 answered","src":{"ip":"10.0.0.1"},"dst":{"mac":"00:01:02:03:04:05"}}]}`},
		{"lag", `{"behind":1200,"seconds":3.4}`}, {"gap", `{"why":"no longer kept"}`}, {"new-kind", `{}`},
	} {
		if err := WriteStreamed(&out, m[0], []byte(m[1])); err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
	}
	for _, w := range []string{"info      10.0.0.1 -> 00:01:02:03:04:05  C-ECHO  answered\n", "-- 1200 events, 3 s behind\n", "-- events are missing here: no longer kept\n"} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("%q is not in:\n%s", w, out.String())
		}
	}
	if WriteStreamed(&out, "events", []byte("{")) == nil || WriteStreamed(&out, "lag", []byte("{")) == nil || WriteStreamed(&out, "gap", []byte("{")) == nil {
		t.Error("a broken message passed")
	}
}
