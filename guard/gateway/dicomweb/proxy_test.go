// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/gatewaytest"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/wire/dicom"
)

// guardian is an Inspector that quarantines patients named Evil.
type guardian struct {
	mu       sync.Mutex
	policy   string
	arrivals []instance.Arrival
}

func (g *guardian) Begin(a instance.Arrival) instance.Inspection {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrivals = append(g.arrivals, a)
	s, _ := dicom.SyntaxOf(a.TransferSyntax)
	i := &inspection{policy: g.policy}
	i.x.Reset(s, dicom.DefaultLimits(), i)
	return i
}

func (g *guardian) Policy() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.policy
}

func (g *guardian) seen() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.arrivals)
}

type inspection struct {
	x      dicom.Extractor
	r      instance.Result
	policy string
}

func (i *inspection) Write(p []byte) (int, error) { _ = i.x.Feed(p); return len(p), nil }
func (i *inspection) Stop() bool                  { return false }
func (i *inspection) Finish() instance.Result     { return i.r }
func (i *inspection) Policy() string              { return i.policy }

func (i *inspection) Header(t *dicom.Token, _ dicom.Tag) int { return 64 }

func (i *inspection) Value(t *dicom.Token, _ dicom.Tag, v []byte) {
	switch s := dicom.TrimString(v); t.Tag {
	case dicom.TagStudyInstanceUID:
		i.r.Header.Study = s
	case dicom.TagSeriesInstanceUID:
		i.r.Header.Series = s
	case tagPatientName:
		if strings.HasPrefix(s, "Evil") {
			i.r.Verdict = instance.Quarantine
			i.r.Hits = append(i.r.Hits, instance.Hit{Rule: "test.evil", Verdict: instance.Quarantine, Path: "(0010,0010)", Why: "it is evil"})
		}
	}
}

const (
	study2 = "1.2.826.0.1.3680043.8.498.2" // one of its two instances is evil
	jsonIn = `application/dicom+json`
)

// proxied is a gate before an archive.
func proxied(t *testing.T, root string, change func(*Config, *Deps)) (*gate, *guardian) {
	t.Helper()
	inspector := &guardian{policy: "p1"}
	return open(t, func(c *Config, d *Deps) {
		c.Upstream.URL, c.Upstream.Device = root, "pacs-1"
		rt := Transport(nil, 10*time.Second)
		t.Cleanup(rt.CloseIdleConnections)
		d.Upstream, d.Inspector = rt, inspector
		if change != nil {
			change(c, d)
		}
	}), inspector
}

func withPassword(t *testing.T) func(*Config, *Deps) {
	return func(c *Config, _ *Deps) {
		c.Upstream.Username, c.Upstream.PasswordFile = "gateway", config.SecretFile(secret(t, "fictional"))
	}
}

func (g *gate) get(path, accept string) (answered, string) {
	g.t.Helper()
	h := http.Header{}
	if accept != "" {
		h.Set("Accept", accept)
	}
	return g.do("GET", path, h, nil)
}

// TestOrthancBehindTheGateway asks and retrieves through the gateway from Orthanc.
func TestOrthancBehindTheGateway(t *testing.T) {
	root := orthanc(t, nil, nil).Root()
	var given []Retrieval
	var mu sync.Mutex
	g, inspector := proxied(t, root, func(c *Config, d *Deps) {
		withPassword(t)(c, d)
		d.Passed = func(_ context.Context, r Retrieval) error {
			mu.Lock()
			defer mu.Unlock()
			given = append(given, r)
			return nil
		}
	})
	c := sender(t, root, credentials(t))
	put := func(uid, study, patient string) {
		t.Helper()
		data := ctOf(uid, study, patient, 20_000)
		r, err := c.Send(t.Context(), Outgoing{SOPClass: ctStorage, SOPInstance: uid, TransferSyntax: dicom.ExplicitVRLittleEndian, Data: bytes.NewReader(data), Size: int64(len(data))})
		if err != nil || !r[0].Stored {
			t.Fatal(r, err)
		}
	}
	put(uid(1), study1, "Fictional^Petra")
	put(uid(2), study1, "Fictional^Petra")
	put(study2+".1", study2, "Fictional^Paul")
	put(study2+".2", study2, "Evil^Eve")
	at := "/studies/" + study1 + "/series/" + series1 + "/instances/" + uid(1)
	evil := "/studies/" + study2 + "/series/" + study2 + ".1/instances/" + study2 + ".2"

	t.Run("a query", func(t *testing.T) {
		for _, q := range []string{"/studies?PatientID=FICT-0001", "/studies?00100020=FICT-0001&limit=1&includefield=StudyDescription", "/studies?PatientName=Fict*&fuzzymatching=true", "/studies?StudyDate=20260101-20260103", "/studies/" + study1 + "/series", "/instances?SOPInstanceUID=" + uid(1)} {
			rsp, answer := g.get(q, "")
			var list []map[string]jsonElement
			if err := json.Unmarshal([]byte(answer), &list); err != nil || rsp.StatusCode != 200 || len(list) == 0 || strings.Contains(answer, "127.0.0.1") {
				t.Errorf("%s: %d %s %v", q, rsp.StatusCode, answer, err)
				continue
			}
			if url := list[0]["00081190"].Value; len(url) != 1 || !strings.HasPrefix(string(url[0]), `"`+g.url+"/studies/1.2") {
				t.Errorf("%s: the address is %s", q, url)
			}
			if strings.Contains(q, "limit=1") && len(list) != 1 {
				t.Errorf("%s: %d results", q, len(list))
			}
			if strings.Contains(q, "fuzzy") == (rsp.Header.Get("Warning") == "") {
				t.Errorf("%s: warning %q", q, rsp.Header.Get("Warning"))
			}
			if strings.Contains(rsp.Header.Get("Content-Type"), "json") == false || rsp.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %v", q, rsp.Header)
			}
		}
		// Orthanc 1.10 answers queries in JSON alone.
		if rsp, answer := g.get("/studies?PatientID=FICT-0001", `multipart/related; type="application/dicom+xml"`); rsp.StatusCode != 406 {
			t.Errorf("in XML: %d %v %s", rsp.StatusCode, rsp.Header, answer)
		}
	})
	t.Run("whole instances, bit for bit", func(t *testing.T) {
		for _, path := range []string{at, "/studies/" + study1, "/studies/" + study1 + "/series/" + series1} {
			rsp, answer := g.get(path, `multipart/related; type="application/dicom"; transfer-syntax=*`)
			_, p, err := related.ParseMediaType(rsp.Header.Get("Content-Type"))
			if err != nil || rsp.StatusCode != 200 {
				t.Fatalf("%s: %d %v %.300s", path, rsp.StatusCode, rsp.Header, answer)
			}
			r, err := related.NewReader(strings.NewReader(answer), p["boundary"], related.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for {
				part, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				f, err := dicom.OpenFile(part)
				if err != nil {
					t.Fatal(err)
				}
				data, err := io.ReadAll(f.Data)
				if want := ctOf(f.Meta.SOPInstance, study1, "Fictional^Petra", 20_000); err != nil || !bytes.Equal(data, want) {
					t.Errorf("%s: %s is %s, want %s: %v", path, f.Meta.SOPInstance, sum(data), sum(want), err)
				}
				n++
			}
			if want := map[bool]int{true: 1, false: 2}[path == at]; n != want {
				t.Errorf("%s: %d instances", path, n)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if len(given) != 5 || given[0].To.Device != "ct-or-3" || given[0].From.Device != "pacs-1" || given[0].Digests.Bytes == 0 || given[0].Resource != Instances || given[0].Study != study1 {
			t.Errorf("%d were recorded, the first as %+v", len(given), given[0])
		}
	})
	t.Run("what does not pass is withheld, and all that came with it", func(t *testing.T) {
		for _, path := range []string{evil, "/studies/" + study2, evil + "/frames/1", evil + "/rendered", evil + "/bulk/7fe00010"} {
			accept := "*/*"
			if path == evil {
				accept = dicomType
			}
			rsp, answer := g.get(path, accept)
			var p Problem
			if err := json.Unmarshal([]byte(answer), &p); err != nil || rsp.StatusCode != 451 || p.Code != "withheld" || len(p.Withheld) != 1 || p.Withheld[0].SOPInstance != study2+".2" || p.Withheld[0].Rules[0] != "test.evil" || strings.Contains(answer, "Eve") {
				t.Errorf("%s: %d %s", path, rsp.StatusCode, answer)
			}
		}
		mu.Lock()
		if len(given) != 5 {
			t.Errorf("of what was withheld it is said that it was given out: %d", len(given))
		}
		mu.Unlock()
		if rsp, _ := g.get("/studies/"+study2+"/series/"+study2+".1/instances/"+study2+".1", ""); rsp.StatusCode != 200 {
			t.Errorf("the other instance: %d", rsp.StatusCode)
		}
	})
	t.Run("parts of an instance, after it passed once", func(t *testing.T) {
		before := inspector.seen()
		for path, media := range map[string]string{at + "/frames/1": "multipart/related", at + "/bulk/7fe00010": "", at + "/rendered": "image/jpeg"} {
			rsp, answer := g.get(path, "")
			if rsp.StatusCode != 200 || !strings.HasPrefix(rsp.Header.Get("Content-Type"), media) || len(answer) < 100 || strings.Contains(rsp.Header.Get("Content-Type"), "127.0.0.1") {
				t.Errorf("%s: %d %v %.200q", path, rsp.StatusCode, rsp.Header, answer)
			}
		}
		if n := inspector.seen() - before; n != 0 {
			t.Errorf("the instance was inspected %d times more", n)
		}
		inspector.mu.Lock()
		inspector.policy = "p2"
		inspector.mu.Unlock()
		if rsp, _ := g.get(at+"/frames/1", ""); rsp.StatusCode != 200 || inspector.seen() != before+1 {
			t.Errorf("under another policy: %d, inspected %d times", rsp.StatusCode, inspector.seen()-before)
		}
	})
	t.Run("metadata", func(t *testing.T) {
		for _, path := range []string{at + "/metadata", "/studies/" + study1 + "/metadata"} {
			rsp, answer := g.get(path, jsonIn)
			var list []map[string]map[string]any
			if err := json.Unmarshal([]byte(answer), &list); err != nil || rsp.StatusCode != 200 || strings.Contains(answer, "127.0.0.1") {
				t.Fatalf("%s: %d %s %v", path, rsp.StatusCode, answer, err)
			}
			uri, _ := list[0]["7FE00010"]["BulkDataURI"].(string)
			if !strings.HasPrefix(uri, g.url+"/studies/"+study1) {
				t.Fatalf("%s: bulk data at %q", path, uri)
			}
			// The address leads back through the gateway.
			if rsp, answer := g.get(strings.TrimPrefix(uri, g.url), ""); rsp.StatusCode != 200 {
				t.Errorf("%s: %d %s", uri, rsp.StatusCode, answer)
			}
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		for path, want := range map[string]int{"/studies/1.2.3": 404, "/studies/1.2.3/metadata": 404, at + "/frames/99": 404, "/studies/1.2.3/series/1/instances/2/rendered": 404} {
			// Orthanc 1.10 answers some of these with 400 or 500.
			if rsp, answer := g.get(path, ""); rsp.StatusCode != want && rsp.StatusCode != 400 && rsp.StatusCode != 502 {
				t.Errorf("%s: %d %s", path, rsp.StatusCode, answer)
			}
		}
	})
	if e, err := os.ReadDir(g.cfg.Retrieve.Spool); err != nil || len(e) != 0 {
		t.Errorf("left in the spool: %v %v", e, err)
	}
	gatewaytest.Until(t, "the spool to be given back", func() bool { g.hold.mu.Lock(); defer g.hold.mu.Unlock(); return g.hold.used == 0 })
}

func TestQueriesAreHeldToThePolicy(t *testing.T) {
	var asked string
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path + "?" + r.URL.RawQuery
		for name := range r.Header {
			switch name {
			case "Accept", "User-Agent", "Accept-Encoding":
			default:
				t.Errorf("the header %s was passed on", name)
			}
		}
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("Server", "archive of 2009")
		_, _ = io.WriteString(w, "[]")
	}))
	defer archive.Close()
	g, _ := proxied(t, archive.URL+"/rs", func(c *Config, _ *Deps) {
		c.Query = Query{Keys: []string{"00189004", "ContentLabel"}, MaxResults: 50, MaxOffset: 100, MaxDays: 2, Literal: 3}
	})
	for query, want := range map[string]string{
		"/studies?PatientID=F1":                         "/rs/studies?PatientID=F1&limit=50",
		"/studies?PatientID=F1&limit=10&offset=20":      "/rs/studies?PatientID=F1&limit=10&offset=20",
		"/studies?PatientID=F1&limit=51":                "/rs/studies?PatientID=F1&limit=50",
		"/studies?PatientID=F1&limit=0":                 "400 query",
		"/studies?PatientID=F1&limit=-1":                "400 query",
		"/studies?PatientID=F1&offset=101":              "403 offset",
		"/studies":                                      "403 unselected",
		"/studies?":                                     "403 unselected",
		"/studies?limit=1":                              "403 unselected",
		"/studies?PatientName=*":                        "403 unselected",
		"/studies?PatientName=**":                       "403 unselected",
		"/studies?PatientName=%2A":                      "403 unselected",
		"/studies?PatientName=*a*":                      "403 unselected",
		"/studies?PatientName=%5E%5E%5E*":               "403 unselected",
		"/studies?PatientName=???????":                  "403 unselected",
		"/studies?PatientName=Fi*":                      "403 unselected",
		"/studies?PatientName=F%5Ei*":                   "403 unselected",
		"/studies?PatientName=Fic*":                     "/rs/studies?PatientName=Fic*&limit=50",
		"/studies?PatientID=*":                          "403 unselected",
		"/studies?PatientID=":                           "403 unselected",
		"/studies?PatientID=%20":                        "403 unselected",
		"/studies?PatientID=1%5C2":                      "403 unselected",
		"/studies?Modality=CT":                          "403 unselected",
		"/studies?StudyDate=20260101":                   "/rs/studies?StudyDate=20260101&limit=50",
		"/studies?StudyDate=20260101-20260102":          "/rs/studies?StudyDate=20260101-20260102&limit=50",
		"/studies?StudyDate=20260101-20260103":          "403 unselected",
		"/studies?StudyDate=20260101-":                  "403 unselected",
		"/studies?StudyDate=20260102-20260101":          "403 unselected",
		"/studies?StudyInstanceUID=1.2.3,1.2.4":         "/rs/studies?StudyInstanceUID=1.2.3,1.2.4&limit=50",
		"/studies?StudyInstanceUID=1.2.*":               "403 unselected",
		"/studies?StudyInstanceUID=":                    "403 unselected",
		"/studies?PatientID=F1&Modality=CT&StudyTime=*": "/rs/studies?Modality=CT&PatientID=F1&StudyTime=*&limit=50",
		"/series?AccessionNumber=A1":                    "/rs/series?AccessionNumber=A1&limit=50",
		"/instances":                                    "403 unselected",
		"/studies/1.2.3/series":                         "/rs/studies/1.2.3/series?limit=50",
		"/studies/1.2.3/instances?InstanceNumber=1":     "/rs/studies/1.2.3/instances?InstanceNumber=1&limit=50",
		"/studies/1.2.3/series/1.2/instances":           "/rs/studies/1.2.3/series/1.2/instances?limit=50",
		"/studies?PatientID=F1&00189004=x":              "/rs/studies?00189004=x&PatientID=F1&limit=50",
		"/studies?PatientID=F1&PatientComments=x":       "403 key",
		"/studies?PatientID=F1&00104000=x":              "403 key",
		"/studies?PatientID=F1&includefield=00104000":   "403 key",
		"/studies?PatientID=F1&includefield=all":        "403 key",
		"/studies?PatientID=F1&includefield=StudyID,StudyDate&includefield=ContentLabel": "/rs/studies?PatientID=F1&includefield=StudyID&includefield=StudyDate&includefield=ContentLabel&limit=50",
		"/studies?PatientID=F1&RequestAttributesSequence.ScheduledProcedureStepID=1":     "/rs/studies?PatientID=F1&RequestAttributesSequence.ScheduledProcedureStepID=1&limit=50",
		"/studies?PatientID=F1&PatientID=F2":                                             "400 query",
		"/studies?PatientID=F1;limit=5":                                                  "400 query",
		"/studies?PatientID=F%00":                                                        "400 query",
		"/studies?PatientID=F%0d%0aX:y":                                                  "400 query",
		"/studies?PatientID=%ff":                                                         "400 query",
		"/studies?PatientID=F1&nonsense=1":                                               "400 query",
		"/studies?PatientID=F1&fuzzymatching=perhaps":                                    "400 query",
		"/studies?PatientID=F1&fuzzymatching=true":                                       "/rs/studies?PatientID=F1&limit=50",
		"/studies?PatientID=" + strings.Repeat("x", 300):                                 "400 query",
		"/studies?PatientID=F1&x=" + strings.Repeat("x", 9000):                           "400 query",
	} {
		asked = ""
		rsp, answer := g.get(query, "")
		got := asked
		if rsp.StatusCode != 200 {
			var p Problem
			_ = json.Unmarshal([]byte(answer), &p)
			got = fmt.Sprint(rsp.StatusCode, " ", p.Code)
			if asked != "" {
				t.Errorf("%s: the archive was asked %s", query, asked)
			}
			if strings.Contains(answer, "F1") {
				t.Errorf("%s: the answer repeats a value", query)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if rsp.Header.Get("Set-Cookie") != "" || rsp.Header.Get("Server") != "" {
			t.Errorf("%s: headers of the archive: %v", query, rsp.Header)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.notes {
		if s := fmt.Sprintf("%+v", n); strings.Contains(s, "F1") || strings.Contains(s, "Fic*") {
			t.Errorf("a value is noted: %s", s)
		}
	}
}

func TestArchivesThatMisbehave(t *testing.T) {
	big := strings.Repeat(`{"00080018":{"vr":"UI","Value":["1.2.3"]}},`, 100_000)
	part := func(media, content string) string {
		return "--x\r\nContent-Type: " + media + "\r\n\r\n" + content + "\r\n--x--"
	}
	const multi = `multipart/related; type="application/dicom"; boundary=x`
	one := string(file(uid(1), ct(uid(1), 10)))
	at := "/studies/" + study1 + "/series/" + series1 + "/instances/" + uid(1)
	for name, c := range map[string]struct {
		path   string
		status int
		media  string
		body   string
		want   string
	}{
		"an error":                               {"/studies?PatientID=F1", 500, "text/plain", "Fictional^Petra", "502 upstream"},
		"another place":                          {"/studies?PatientID=F1", 302, "text/plain", "", "502 upstream"},
		"wrong credentials":                      {"/studies?PatientID=F1", 401, "text/plain", "", "502 upstream"},
		"busy":                                   {"/studies?PatientID=F1", 503, "text/plain", "", "503 upstream"},
		"a page instead of results":              {"/studies?PatientID=F1", 200, "text/html", "<script>", "502 upstream"},
		"results that are cut off":               {"/studies?PatientID=F1", 200, jsonType, `[{"00080018":`, "502 upstream"},
		"results that are no JSON":               {"/studies?PatientID=F1", 200, jsonType, `[{"00080018":}]`, "502 upstream"},
		"results nested without end":             {"/studies?PatientID=F1", 200, jsonType, strings.Repeat("[", 10_000), "502 upstream"},
		"no media type":                          {"/studies?PatientID=F1", 200, "", "[]", "502 upstream"},
		"nothing":                                {"/studies?PatientID=F1", 204, "", "", "204 "},
		"more results than were asked for":       {"/studies?PatientID=F1&limit=2", 200, jsonType, "[" + big + "{}]", "200 2"},
		"metadata without end":                   {at + "/metadata", 200, jsonType, "[" + big + "{}]", "aborted"},
		"an instance that is none":               {at, 200, multi, part(dicomType, "<html>"), "451 withheld"},
		"another instance than was asked for":    {"/studies/" + study1 + "/series/" + series1 + "/instances/1.2.3", 200, multi, part(dicomType, one), "451 withheld"},
		"an instance of another study":           {"/studies/1.2.3", 200, multi, part(dicomType, one), "451 withheld"},
		"an instance that is cut off":            {at, 200, multi, part(dicomType, one)[:500], "502 upstream"},
		"a page among instances":                 {at, 200, multi, part("text/html", one), "502 upstream"},
		"an answer without parts":                {at, 200, multi, "--x--", "404 not-found"},
		"a rendering that is a page":             {at + "/rendered", 200, "text/html", "<script>", "502 upstream"},
		"frames in a type that was not asked":    {at + "/frames/1", 200, `multipart/related; type="text/html"; boundary=x`, part("text/html", "x"), "502 upstream"},
		"bulk data that is a document":           {at + "/bulkdata/00420011", 200, "application/pdf", "%PDF", "502 upstream"},
		"an answer that is larger than may be":   {at, 200, multi, part(dicomType, one+strings.Repeat("x", 3<<20)), "413 too-large"},
		"a compressed answer":                    {"/studies?PatientID=F1", 200, jsonType + "+gzip", "", "502 upstream"},
		"an address that leads around":           {at + "/metadata", 200, jsonType, `[{"7FE00010":{"vr":"OW","BulkDataURI":"file:///etc/passwd"},"00081190":{"vr":"UR","Value":["http://evil.example/x"]}}]`, `[{"7FE00010":{"vr":"OW"},"00081190":{"vr":"UR","Value":[null]}}]`},
		"an address with a query":                {at + "/metadata", 200, jsonType, `[{"7FE00010":{"BulkDataURI":"http://pacs/studies/1.2/series/1/instances/2/bulkdata/1?x=y","vr":"OW"}}]`, `[{"7FE00010":{"vr":"OW"}}]`},
		"an address with a path that climbs out": {at + "/metadata", 200, jsonType, `[{"7FE00010":{"BulkDataURI":"http://pacs/studies/1.2/series/1/instances/2/bulkdata/../../x","vr":"OW"}}]`, `[{"7FE00010":{"vr":"OW"}}]`},
		"strings with escapes and numbers":       {at + "/metadata", 200, jsonType, ` [ { "00100010" : {"vr":"PN","Value":[{"Alphabetic":"a\"\u00e9\\"}]} , "00280010":{"vr":"US","Value":[1,-2.5e3,null,true]} } ] `, `[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"a\"\u00e9\\"}]},"00280010":{"vr":"US","Value":[1,-2.5e3,null,true]}}]`},
	} {
		t.Run(name, func(t *testing.T) {
			archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = []string{strings.TrimSuffix(c.media, "+gzip")}
				if strings.HasSuffix(c.media, "+gzip") {
					w.Header().Set("Content-Encoding", "gzip")
				}
				part1 := strings.HasSuffix(c.path, "/rendered") || strings.Contains(c.path, "/frames/") || strings.Contains(c.path, "/bulkdata/")
				if part1 && !strings.HasSuffix(r.URL.Path, c.path) {
					w.Header().Set("Content-Type", multi)
					_, _ = io.WriteString(w, part(dicomType, one))
					return
				}
				w.Header().Set("Location", "http://evil.example/")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer archive.Close()
			g, _ := proxied(t, archive.URL, func(c *Config, _ *Deps) { c.Retrieve.MaxBytes, c.Retrieve.SpoolBytes = 2<<20, 3<<20 })
			r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			rsp, err := g.client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer rsp.Body.Close()
			b, err := io.ReadAll(rsp.Body)
			answer := string(b)
			var p Problem
			var list []any
			got := answer
			switch {
			case err != nil:
				got = "aborted"
			case rsp.StatusCode != 200:
				_ = json.Unmarshal(b, &p)
				got = fmt.Sprint(rsp.StatusCode, " ", p.Code)
			case !strings.HasPrefix(c.want, "["):
				if err := json.Unmarshal(b, &list); err != nil {
					t.Fatal(err)
				}
				got = fmt.Sprint("200 ", len(list))
			}
			if got != c.want {
				t.Errorf("%.300s, want %s\n%.300s", got, c.want, answer)
			}
			if strings.Contains(answer, "Petra") {
				t.Error("the archive's words are repeated")
			}
		})
	}
}

func TestAnArchiveThatIsSlow(t *testing.T) {
	hang := make(chan struct{})
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "metadata") {
			w.Header().Set("Content-Type", jsonType)
			_, _ = io.WriteString(w, "[{")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer archive.Close()
	defer close(hang)
	g, _ := proxied(t, archive.URL, func(c *Config, _ *Deps) { c.Upstream.Wait = 100 * time.Millisecond })
	for path, want := range map[string]int{"/studies/1.2.3": 504, "/studies/1.2.3/metadata": 502} {
		if rsp, answer := g.get(path, ""); rsp.StatusCode != want {
			t.Errorf("%s: %d %s", path, rsp.StatusCode, answer)
		}
	}
	down, _ := proxied(t, "http://127.0.0.1:1", nil)
	if rsp, answer := down.get("/studies/1.2.3", ""); rsp.StatusCode != 502 || !strings.Contains(answer, "cannot be reached") {
		t.Errorf("an archive that is down: %d %s", rsp.StatusCode, answer)
	}
}

func TestOnlySomeResourcesAreGiven(t *testing.T) {
	g, _ := proxied(t, "http://127.0.0.1:1", func(c *Config, _ *Deps) { c.Retrieve.Resources = []string{Instances} })
	at := "/studies/1.2/series/1.3/instances/1.4"
	for path, want := range map[string]string{
		at: "502 upstream", at + "/metadata": "403 resource", at + "/frames/1": "403 resource", at + "/rendered": "403 resource", at + "/bulkdata/1": "403 resource",
		at + "?x=y": "400 query", "/studies/1.2/rendered": "403 resource",
	} {
		rsp, answer := g.get(path, "")
		var p Problem
		_ = json.Unmarshal([]byte(answer), &p)
		if got := fmt.Sprint(rsp.StatusCode, " ", p.Code); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	g.bind("ct-or-3", "qido")
	if rsp, _ := g.get(at, ""); rsp.StatusCode != 403 {
		t.Errorf("a device that may not retrieve: %d", rsp.StatusCode)
	}
}

// TestTheFirewallStandsInTheWay retrieves under the policy that is shipped.
func TestTheFirewallStandsInTheWay(t *testing.T) {
	clean, program := file(uid(1), ct(uid(1), 1000)), file(uid(1), ct(uid(1), 1000))
	copy(program, "MZ\x90\x00")
	var give []byte
	archive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", dicomType)
		_, _ = w.Write(give)
	}))
	defer archive.Close()
	g, _ := proxied(t, archive.URL, func(_ *Config, d *Deps) { d.Inspector = firewall.New(nil, firewall.Deps{}) })
	at := "/studies/" + study1 + "/series/" + series1 + "/instances/" + uid(1)
	give = program
	if rsp, answer := g.get(at, dicomType); rsp.StatusCode != 451 || !strings.Contains(answer, "preamble") {
		t.Errorf("a preamble that is a program: %d %s", rsp.StatusCode, answer)
	}
	if rsp, answer := g.get(at+"/frames/1", ""); rsp.StatusCode != 451 {
		t.Errorf("frames of it: %d %s", rsp.StatusCode, answer)
	}
	give = clean
	if rsp, answer := g.get(at, dicomType); rsp.StatusCode != 200 || answer != string(clean) {
		t.Errorf("a clean instance: %d, %d bytes: %.300s", rsp.StatusCode, len(answer), answer)
	}
}
