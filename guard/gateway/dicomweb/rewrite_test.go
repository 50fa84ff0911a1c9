// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAddressesBecomeTheGateways(t *testing.T) {
	const own = "https://gw/dicom-web"
	for in, want := range map[string]string{
		"http://pacs:8042/dicom-web/studies/1.2":                                   own + "/studies/1.2",
		"https://anything/aets/X/rs/studies/1.2/series/1.3/instances/1.4/frames/1": own + "/studies/1.2/series/1.3/instances/1.4/frames/1",
		"/studies/1.2/series/1.3/instances/1.4/bulkdata/00420011":                  own + "/studies/1.2/series/1.3/instances/1.4/bulkdata/00420011",
		"http://pacs/studies/1.2/series/1.3/instances/1.4/bulk/a/1/7fe00010":       own + "/studies/1.2/series/1.3/instances/1.4/bulk/a/1/7fe00010",
		"http://pacs/studies/1.2/series/1.3/instances/1.4/bulkdata/../../x":        "",
		"http://pacs/studies/1.2/series/1.3/instances/1.4/bulkdata/%2e%2e":         "",
		"http://pacs/studies/1.2?x=y":                                              "",
		"http://pacs/studies/1.2#x":                                                "",
		"http://u:p@pacs/studies/1.2":                                              "",
		"http://pacs/instances/1/pixel":                                            "",
		"file:///etc/passwd":                                                       "",
		"javascript:alert(1)":                                                      "",
		"":                                                                         "",
		"http://pacs/studies/" + strings.Repeat("1", 5000):                         "",
	} {
		if got := address(in, own); got != want {
			t.Errorf("%.80s: %s, want %s", in, got, want)
		}
	}
}

func TestXMLKeepsEverythingButAddresses(t *testing.T) {
	const own = "https://gw/dicom-web"
	for in, want := range map[string]string{
		`<?xml version="1.0"?><NativeDicomModel><DicomAttribute tag="00081190" vr="UR"><Value number="1">http://pacs/studies/1.2</Value></DicomAttribute><DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>A&amp;B</FamilyName></Alphabetic></PersonName></DicomAttribute></NativeDicomModel>`: `<?xml version="1.0"?><NativeDicomModel><DicomAttribute tag="00081190" vr="UR"><Value number="1">` + own + `/studies/1.2</Value></DicomAttribute><DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>A&amp;B</FamilyName></Alphabetic></PersonName></DicomAttribute></NativeDicomModel>`,
		`<NativeDicomModel><DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="http://pacs/studies/1.2/series/1.3/instances/1.4/bulkdata/x"/></DicomAttribute></NativeDicomModel>`:                                                                                                                                               `<NativeDicomModel><DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="` + own + `/studies/1.2/series/1.3/instances/1.4/bulkdata/x"/></DicomAttribute></NativeDicomModel>`,
		`<NativeDicomModel><DicomAttribute tag="7FE00010" vr="OW"><BulkData uri='file:///etc/passwd'/></DicomAttribute></NativeDicomModel>`:                                                                                                                                                                                        `<NativeDicomModel><DicomAttribute tag="7FE00010" vr="OW"><BulkData uri=''/></DicomAttribute></NativeDicomModel>`,
		`<NativeDicomModel><DicomAttribute tag="00080018" vr="UI"><Value number="1">http://pacs/studies/1.2</Value></DicomAttribute></NativeDicomModel>`:                                                                                                                                                                           `<NativeDicomModel><DicomAttribute tag="00080018" vr="UI"><Value number="1">http://pacs/studies/1.2</Value></DicomAttribute></NativeDicomModel>`,
		`<NativeDicomModel/>`: `<NativeDicomModel/>`,
		`<html/>`:             "",
		`<NativeDicomModel>`:  "",
		`<!DOCTYPE a SYSTEM "b"><NativeDicomModel/>`: "",
	} {
		got, err := rewriteXML([]byte(in), own)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s\n became %s, %v\n   want %s", in, got, err, want)
		}
	}
}

// FuzzJSON holds the rewriter to writing what the standard library reads as the same, but for addresses, however
// the bytes come.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`[{"00081190":{"vr":"UR","Value":["http://pacs/studies/1.2"]},"7FE00010":{"BulkDataURI":"x","vr":"OW"}}]`))
	f.Add([]byte(` [ 1 , -2.5e+3 , null, "a\u00e9\n", {} , [ ] ] `))
	f.Add([]byte(`{"BulkDataURI":"/studies/1/series/2/instances/3/bulkdata/4"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out, slow bytes.Buffer
		_, err := rewriteJSON(&out, bytes.NewReader(in), "https://gw", 1000)
		_, err2 := rewriteJSON(&slow, iotest.OneByteReader(bytes.NewReader(in)), "https://gw", 1000)
		if (err == nil) != (err2 == nil) || err == nil && out.String() != slow.String() {
			t.Fatalf("%q, %v; in pieces %q, %v", out.String(), err, slow.String(), err2)
		}
		if err != nil {
			return
		}
		if !json.Valid(in) && !errors.Is(err, errEnough) {
			t.Fatalf("what is no JSON was passed on: %q", in)
		}
		if !json.Valid(out.Bytes()) {
			t.Fatalf("%q became %q, which is no JSON", in, out.String())
		}
		var again bytes.Buffer
		if _, err := rewriteJSON(&again, bytes.NewReader(out.Bytes()), "https://gw", 1000); err != nil || again.String() != out.String() {
			t.Fatalf("%q, read again, becomes %q, %v", out.String(), again.String(), err)
		}
	})
}

// FuzzStored holds the reading of Store Instances Responses to ending, with a verdict or an error.
func FuzzStored(f *testing.F) {
	f.Add(true, []byte(`{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2"]}}]}}`))
	f.Add(false, []byte(`<NativeDicomModel><DicomAttribute tag="00081198"><Item><DicomAttribute tag="00081155"><Value>1.2</Value></DicomAttribute></Item></DicomAttribute></NativeDicomModel>`))
	f.Fuzz(func(t *testing.T, isJSON bool, in []byte) {
		media := xmlType
		if isJSON {
			media = jsonType
		}
		v, err := parseStored(media, in)
		if err == nil && v.of("1.2").Stored && !bytes.Contains(in, []byte("1.2")) && !bytes.Contains(in, []byte(`\u`)) && !bytes.Contains(in, []byte("&#")) {
			t.Fatalf("an instance is stored that is not listed: %q", in)
		}
	})
}

// FuzzTarget holds paths to one spelling: what is understood is written again as it was.
func FuzzTarget(f *testing.F) {
	f.Add("/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1,2")
	f.Add("/dicom-web/studies/1.2/series/1.3/instances/1.4/bulkdata/a/b")
	f.Add("/dicom-web/studies/%2e%2e/x")
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		target, p := targetOf("GET", u, "/dicom-web")
		if p == nil && u.RawQuery == "" && "/dicom-web"+target.path() != u.EscapedPath() {
			t.Fatalf("%q was understood as %q", path, target.path())
		}
		if p == nil && strings.Contains(target.path(), "..") {
			t.Fatalf("%q climbs", path)
		}
	})
}
