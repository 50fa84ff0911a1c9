// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strings"

	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// Bounds of what is kept of a target.
const (
	maxSegments   = 32
	maxParameters = 32
)

// RedactTarget makes a request target fit for events and reports whether its
// query names a credential. What remains is what tells an application's shape:
//
//   - User information ("user:password@") is removed.
//   - Of a query, parameter names remain, values never: "?_id=&name=". A part
//     without "=" is a value and becomes "~".
//   - A path segment that follows a resource of persons (isPersonal: "patient",
//     "encounter" ...) becomes a pseudonym of kind PatientID, unless it begins
//     with "$" or "_", as operations do in FHIR.
//   - Any other segment that looks like an identifier becomes a pseudonym of
//     kind Other: five or more digits in all, a DICOM UID (kind Study),
//     hexadecimal or base64-like tokens of 16 and more characters with digits,
//     and anything with "@", "^" or "|". An extension of up to five letters is
//     kept.
//   - Matrix parameters (";jsessionid=...") keep their names.
//   - Fragments are removed.
//
// Segments are percent-decoded before they are replaced, so that the pseudonym
// equals that of the same identifier elsewhere.
func RedactTarget(c *analyze.Conn, target string) (path string, token bool) {
	target = target[:min(len(target), 4096)]
	target, _, _ = strings.Cut(target, "#")
	target, query, hasQuery := strings.Cut(target, "?")
	origin := ""
	if i := strings.Index(target, "://"); i > 0 && i < 12 && !strings.Contains(target[:i], "/") {
		rest := target[i+3:]
		host, p, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			host, token = host[at+1:], strings.Contains(host[:at], ":")
		}
		origin, target = target[:i+3]+host, "/"+p
	}
	var sb strings.Builder
	sb.WriteString(origin)
	personal := false
	segments := 0
	for seg := range strings.SplitSeq(target, "/") {
		if segments > 0 {
			sb.WriteByte('/')
		}
		if segments++; segments > maxSegments {
			sb.WriteString("~")
			break
		}
		seg, matrix, hasMatrix := strings.Cut(seg, ";")
		plain := unescape(seg)
		sb.WriteString(redactSegment(c, plain, personal))
		personal = isPersonal(plain)
		if hasMatrix {
			name, _, _ := strings.Cut(matrix, "=")
			if !identifying(name) && len(name) <= 32 {
				sb.WriteString(";" + name + "=")
				token = token || isCredential(name)
			}
		}
	}
	if hasQuery {
		n := 0
		for part := range strings.SplitSeq(query, "&") {
			sep := byte('&')
			if n == 0 {
				sep = '?'
			}
			if n++; n > maxParameters {
				sb.WriteString("&~")
				break
			}
			sb.WriteByte(sep)
			name, _, found := strings.Cut(part, "=")
			name = unescape(name)
			switch {
			case !found || identifying(name) || len(name) > 48:
				sb.WriteByte('~')
			default:
				sb.WriteString(name + "=")
			}
			token = token || found && isCredential(name)
		}
	}
	return analyze.CleanN([]byte(sb.String()), 1024), token
}

// RedactTopic does for a topic of MQTT, or another name made of segments, what
// RedactTarget does for a path.
func RedactTopic(c *analyze.Conn, topic string) string {
	topic = topic[:min(len(topic), 1024)]
	var sb strings.Builder
	personal := false
	n := 0
	for seg := range strings.SplitSeq(topic, "/") {
		if n > 0 {
			sb.WriteByte('/')
		}
		if n++; n > maxSegments {
			sb.WriteString("~")
			break
		}
		if seg == "+" || seg == "#" {
			sb.WriteString(seg)
			personal = false
			continue
		}
		sb.WriteString(redactSegment(c, seg, personal))
		personal = isPersonal(seg)
	}
	return analyze.Clean([]byte(sb.String()))
}

func redactSegment(c *analyze.Conn, seg string, personal bool) string {
	if seg == "" {
		return ""
	}
	if personal && seg[0] != '$' && seg[0] != '_' {
		return c.Pseudonym(pseudonym.PatientID, seg)
	}
	if isUID(seg) {
		return c.Pseudonym(pseudonym.Study, seg)
	}
	if identifying(seg) {
		ext := ""
		if i := strings.LastIndexByte(seg, '.'); i > 0 && isExtension(seg[i+1:]) {
			seg, ext = seg[:i], seg[i:]
		}
		if !identifying(seg) && ext != "" {
			return seg + ext
		}
		return c.Pseudonym(pseudonym.Other, seg) + ext
	}
	return seg
}

// isPersonal reports a resource whose members are persons, or belong to one, in
// the usual interfaces: FHIR, DICOMweb, IHE, and what vendors call it.
func isPersonal(seg string) bool {
	switch strings.ToLower(seg) {
	case "patient", "patients", "person", "persons", "people", "subject", "subjects", "relatedperson", "practitioner", "practitioners",
		"encounter", "encounters", "visit", "visits", "admission", "admissions", "episode", "episodes", "episodeofcare",
		"case", "cases", "mrn", "pid", "patientid", "patient-id", "patient_id", "ssn", "nhs", "accession", "accessions",
		"order", "orders", "appointment", "appointments", "specimen", "specimens", "sample", "samples", "account", "accounts",
		"user", "users", "nurse", "surgeon", "staff":
		return true
	}
	return false
}

// identifying reports a string that looks like an identifier rather than a
// word of an interface.
func identifying(s string) bool {
	if len(s) > 64 {
		return true
	}
	digits, run, runDigits, hex := 0, 0, 0, 0
	for i := range len(s) {
		c := s[i]
		digit := c >= '0' && c <= '9'
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case c == '@' || c == '^' || c == '|' || c == ',' || c >= 0x80:
			return true
		case !digit && !letter:
			run, runDigits, hex = 0, 0, 0
			continue
		case digit:
			digits++
			runDigits++
		}
		run++
		if digit || c|0x20 <= 'f' {
			hex++
		}
		if run >= 16 && (runDigits >= 2 || hex == run) {
			return true
		}
	}
	return digits >= 5
}

// isUID reports a DICOM unique identifier (PS3.5 §9.1).
func isUID(s string) bool {
	if len(s) < 10 || len(s) > 64 || strings.Count(s, ".") < 3 {
		return false
	}
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func isExtension(s string) bool {
	if len(s) == 0 || len(s) > 5 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}

// isCredential reports the name of a parameter that carries a secret.
func isCredential(name string) bool {
	switch strings.ToLower(name) {
	case "access_token", "id_token", "refresh_token", "token", "auth_token", "authtoken", "oauth_token", "bearer", "jwt",
		"api_key", "api-key", "apikey", "key", "auth", "authorization", "password", "passwd", "pwd", "pass", "passphrase", "secret", "client_secret",
		"session", "sessionid", "session_id", "jsessionid", "phpsessid", "sid", "ticket", "signature", "sig", "x-amz-signature", "x-amz-security-token", "sas", "code":
		return true
	}
	return false
}

// unescape undoes percent-encoding; what is malformed stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if h, l := unhex(s[i+1]), unhex(s[i+2]); h >= 0 && l >= 0 {
				out = append(out, byte(h<<4|l))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
