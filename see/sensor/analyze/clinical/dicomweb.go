// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"bytes"
	"encoding/json"
	"mime"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// DICOMweb interprets exchanges of DICOM PS3.18: QIDO-RS, WADO-RS, STOW-RS,
// UPS-RS and WADO-URI.
func DICOMweb(c *analyze.Conn, x *analyze.Exchange) string {
	path, query := target(x)
	d := &event.Rest{API: "dicomweb", Method: analyze.CleanN([]byte(x.Method), 16), HTTPStatus: x.Status, AuthScheme: authScheme(x)}
	e := &event.Event{Time: x.Time, Protocol: "dicomweb", Detail: d}
	if !wadoURI(d, e, query) && !restful(d, e, x, path, query) {
		return ""
	}
	dicomwebEvidence(c, x, d)
	if !c.Full() {
		c.NoteAt(event.ClassFHIR, x.Time, "dicomweb")
		return "dicomweb"
	}
	d.SearchKeys = keys(query)
	d.MediaType = mediaType(firstOf(analyze.Get(x.Response, "content-type"), analyze.Get(x.Request, "content-type")))
	switch e.Activity {
	case 10:
		d.Bytes = uint64(max(x.RequestLength, 0))
		d.MediaType = mediaType(analyze.Get(x.Request, "content-type"))
		d.Objects = parts(x.Request, x.RequestBody)
	case 9:
		d.Bytes = uint64(max(x.ResponseLength, 0))
		d.Objects = parts(x.Response, x.ResponseBody)
		if d.Objects == 0 && x.Status == 200 {
			d.Objects = 1
		}
	case 2:
		d.Bytes = uint64(max(x.ResponseLength, 0))
		d.Objects = results(decode(x.Response, x.ResponseBody))
	}
	status(e, x, "")
	e.Message = "DICOMweb " + d.Interaction + " request"
	switch {
	case e.Activity == 10:
		e.Message = "Objects were stored by DICOMweb STOW-RS"
	case e.Activity == 9:
		e.Message = "Objects were retrieved by DICOMweb " + d.Interaction
	case e.Activity == 2:
		e.Message = "An archive was searched by DICOMweb " + d.Interaction
	}
	c.Emit(e)
	return "dicomweb"
}

func dicomwebEvidence(c *analyze.Conn, x *analyze.Exchange, d *event.Rest) {
	c.Evidence(analyze.Client, device.AttrUses, "dicomweb", "dicomweb", device.Claimed)
	if x.Status > 0 && x.Status < 400 {
		c.Evidence(analyze.Server, device.AttrService, "dicomweb/tcp:"+port(c), "dicomweb", device.Claimed)
		if d.Interaction == "STOW-RS" || d.Interaction == "QIDO-RS" {
			// What stores and answers queries for studies is an archive.
			c.Evidence(analyze.Server, device.AttrClass, string(device.ClassPACS), "dicomweb."+strings.ToLower(d.Interaction), device.Hint)
		}
	}
}

func port(c *analyze.Conn) string {
	p := int(c.Flow().Dst.Port)
	var b [5]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + p%10)
		if p /= 10; p == 0 {
			return string(b[i:])
		}
	}
}

// wadoURI recognises PS3.18 §9: the parameter requestType=WADO with an object.
func wadoURI(d *event.Rest, e *event.Event, query string) bool {
	if !strings.EqualFold(param(query, "requestType"), "WADO") || param(query, "objectUID") == "" {
		return false
	}
	d.Interaction, e.Activity = "WADO-URI", 9
	d.Study, d.Series, d.Instance = uid(param(query, "studyUID")), uid(param(query, "seriesUID")), uid(param(query, "objectUID"))
	d.Resource = "instances"
	return true
}

// uid accepts a DICOM UID (PS3.5 §9.1).
func uid(s string) string {
	if len(s) < 3 || len(s) > 64 || strings.IndexByte(s, '.') < 0 {
		return ""
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return ""
		}
	}
	return s
}

// restful recognises the paths of PS3.18 §10 and §11 below any base. A path
// without a UID is too common: a DICOM media type, a base that names DICOMweb
// or a DICOM keyword in the query must confirm it.
func restful(d *event.Rest, e *event.Event, x *analyze.Exchange, path, query string) bool {
	segs := strings.Split(strings.Trim(path, "/"), "/")
	if len(segs) > 32 {
		return false
	}
	at := -1
	for i, s := range segs {
		if s == "studies" || s == "workitems" || (s == "series" || s == "instances") && at < 0 {
			at = i
			break
		}
	}
	if at < 0 {
		return false
	}
	sure := false
	for _, h := range []string{analyze.Get(x.Request, "accept"), analyze.Get(x.Request, "content-type"), analyze.Get(x.Response, "content-type")} {
		sure = sure || strings.Contains(strings.ToLower(h), "application/dicom")
	}
	base := strings.ToLower(strings.Join(segs[:at], "/"))
	sure = sure || strings.Contains(base, "dicomweb") || strings.Contains(base, "dicom-web") || strings.Contains(base, "qido") || strings.Contains(base, "wado") || strings.Contains(base, "stow")
	for _, k := range keys(query) {
		sure = sure || dicomKey(k)
	}
	last := "" // resource that the path ends with
	detail := ""
	for i := at; i < len(segs); i++ {
		s := segs[i]
		next := ""
		if i+1 < len(segs) {
			next = uid(segs[i+1])
		}
		switch s {
		case "studies":
			d.Study = next
		case "series":
			d.Series = next
		case "instances":
			d.Instance = next
		case "workitems":
		case "metadata", "rendered", "thumbnail", "frames", "bulkdata", "pixeldata":
			detail = s
			continue
		default:
			continue
		}
		last = s
		if next != "" {
			last = ""
			sure = true
			d.Resource = s
			i++
		}
	}
	if !sure {
		return false
	}
	if last != "" {
		d.Resource = last
	}
	switch {
	case segs[at] == "workitems":
		d.Interaction, d.Resource = "UPS-RS", "workitems"
		e.Activity = map[string]uint8{"GET": 1, "POST": 4, "PUT": 4, "DELETE": 5}[x.Method]
		if at == len(segs)-1 && x.Method == "GET" {
			e.Activity = 2
		}
	case x.Method == "POST" && (segs[at] == "studies"):
		d.Interaction, e.Activity = "STOW-RS", 10
	case x.Method == "DELETE":
		d.Interaction, e.Activity = "DELETE", 5
	case last != "":
		d.Interaction, e.Activity = "QIDO-RS", 2
	default:
		d.Interaction, e.Activity = "WADO-RS", 9
		d.Operation = detail
		if detail == "metadata" {
			e.Activity = 1
		}
	}
	return true
}

func dicomKey(k string) bool {
	switch k {
	case "PatientID", "PatientName", "StudyDate", "StudyInstanceUID", "SeriesInstanceUID", "AccessionNumber", "ModalitiesInStudy", "Modality", "includefield", "fuzzymatching", "SOPInstanceUID":
		return true
	}
	if len(k) != 8 { // ggggeeee
		return false
	}
	for i := 0; i < 8; i++ {
		if c := k[i] | 0x20; (k[i] < '0' || k[i] > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// parts counts the parts of a multipart body, as far as the body was kept.
func parts(h []analyze.Header, body []byte) int {
	ct := analyze.Get(h, "content-type")
	mt, p, err := mime.ParseMediaType(ct)
	if err != nil && mt == "" {
		return 0
	}
	if !strings.HasPrefix(mt, "multipart/") {
		if strings.HasPrefix(mt, "application/dicom") && !strings.Contains(mt, "+") && len(body) > 0 {
			return 1
		}
		return 0
	}
	b := p["boundary"]
	if b == "" || len(b) > 70 {
		return 0
	}
	mark := []byte("--" + b)
	n := 0
	for rest := body; ; n++ {
		i := bytes.Index(rest, mark)
		if i < 0 {
			return n
		}
		rest = rest[i+len(mark):]
		if bytes.HasPrefix(rest, []byte("--")) {
			return n
		}
	}
}

// results counts the elements of a JSON array, as far as it was kept.
func results(body []byte) int {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return 0
	}
	n, depth := 0, 0
	for range 1 << 16 {
		t, err := dec.Token()
		if err != nil {
			return n
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth == 0 {
				n++
			}
			depth++
		case json.Delim('}'), json.Delim(']'):
			if depth--; depth < 0 {
				return n
			}
		}
	}
	return n
}
