// SPDX-License-Identifier: Apache-2.0

package dicomweb

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/guard/gateway/dicomweb/related"
)

// Media types of PS3.18 §8.7.3.
const (
	dicomType   = "application/dicom"
	jsonType    = "application/dicom+json"
	xmlType     = "application/dicom+xml"
	relatedType = "multipart/related"
	octetType   = "application/octet-stream"
)

const (
	maxAccept = 4 << 10
	maxRanges = 64
)

// mediaRange is one range of an Accept field.
type mediaRange struct {
	media  string // "multipart/related"
	inner  string // type parameter of multipart/related
	syntax string // transfer-syntax parameter
	q      float64
}

// ranges reads the Accept fields of a request, best first. None means that everything will do.
func ranges(r *http.Request) ([]mediaRange, *Problem) {
	bad := problem(http.StatusBadRequest, "accept", "the Accept field cannot be read", "write media types as PS3.18 §8.7.3 has them")
	field := strings.Join(r.Header.Values("Accept"), ",")
	if len(field) > maxAccept {
		return nil, bad
	}
	var out []mediaRange
	for _, one := range split(field) {
		if strings.TrimSpace(one) == "" {
			continue
		}
		media, p, err := related.ParseMediaType(one)
		if err != nil || len(out) == maxRanges {
			return nil, bad
		}
		m := mediaRange{media: media, inner: strings.ToLower(p["type"]), syntax: p["transfer-syntax"], q: 1}
		if v, ok := p["q"]; ok {
			if m.q, err = strconv.ParseFloat(v, 64); err != nil || !(m.q >= 0 && m.q <= 1) {
				return nil, bad
			}
		}
		if m.q > 0 {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		if field != "" {
			return nil, bad
		}
		out = []mediaRange{{media: "*/*", q: 1}}
	}
	slices.SortStableFunc(out, func(a, b mediaRange) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	return out, nil
}

// split cuts a list at the commas that are not in quotes.
func split(s string) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

func notAcceptable(have string) *Problem {
	return problem(http.StatusNotAcceptable, "accept", "none of the media types that the client accepts can be given", "accept "+have)
}

// documentType chooses between JSON and XML for an answer that is one document.
func documentType(r *http.Request) (string, *Problem) {
	list, p := ranges(r)
	if p != nil {
		return "", p
	}
	for _, m := range list {
		switch m.media {
		case jsonType, "application/json", "*/*", "application/*":
			return jsonType, nil
		case xmlType, "application/xml", "text/xml":
			return xmlType, nil
		}
	}
	return "", notAcceptable(jsonType + " or " + xmlType)
}
