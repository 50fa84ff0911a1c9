// SPDX-License-Identifier: Apache-2.0

package related

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of a header field's value.
const (
	maxMediaType  = 1024
	maxParameters = 16
)

// ErrMediaType: a value is no media type.
var ErrMediaType = errors.New("no media type")

// ParseMediaType reads the value of a Content-Type field or one range of an Accept field.
// Type and parameter names are in lower case. Unlike RFC 9110 §5.6.6 it takes a media type
// as a parameter's value without quotes, type=application/dicom, which many DICOMweb clients
// send. A parameter that comes twice is an error.
func ParseMediaType(s string) (media string, parameters map[string]string, err error) {
	bad := func(what string) (string, map[string]string, error) {
		return "", nil, fmt.Errorf("%w: %s", ErrMediaType, what)
	}
	if len(s) > maxMediaType {
		return bad("it is too long")
	}
	head, rest, more := strings.Cut(s, ";")
	media = strings.ToLower(strings.Trim(head, " \t"))
	kind, sub, ok := strings.Cut(media, "/")
	if !ok || !isToken(kind, "") || !isToken(sub, "") {
		return bad("type/subtype is missing")
	}
	for more {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			break
		}
		var name, value string
		if name, rest, ok = strings.Cut(rest, "="); !ok {
			return bad("a parameter has no value")
		}
		name = strings.ToLower(strings.Trim(name, " \t"))
		rest = strings.TrimLeft(rest, " \t")
		if !isToken(name, "") {
			return bad("a parameter's name")
		}
		if strings.HasPrefix(rest, `"`) {
			if value, rest, ok = quoted(rest[1:]); !ok {
				return bad("a quoted value does not end")
			}
			if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ';' {
				return bad("something follows a quoted value")
			}
			rest, more = strings.CutPrefix(rest, ";")
		} else {
			value, rest, more = strings.Cut(rest, ";")
			if value = strings.Trim(value, " \t"); !isToken(value, "/:=?") {
				return bad("a parameter's value")
			}
		}
		if parameters == nil {
			parameters = make(map[string]string)
		}
		if _, twice := parameters[name]; twice || len(parameters) == maxParameters {
			return bad("a parameter twice, or too many")
		}
		parameters[name] = value
	}
	return media, parameters, nil
}

// quoted reads the rest of a quoted-string (RFC 9110 §5.6.4).
func quoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c < ' ' && c != '\t' || c == 0x7F:
			return "", "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isToken reports a token of RFC 9110 §5.6.2, with more characters allowed.
func isToken(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 || strings.IndexByte(more, c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

// maxBoundary is more than the 70 characters of RFC 2046: Orthanc's boundaries have 73.
const maxBoundary = 200

// validBoundary holds a boundary to the characters of RFC 2046 §5.1.1.
func validBoundary(b string) bool {
	if b == "" || len(b) > maxBoundary || strings.HasSuffix(b, " ") {
		return false
	}
	for i := range len(b) {
		c := b[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("'()+_,-./:=? ", c) >= 0) {
			return false
		}
	}
	return true
}
