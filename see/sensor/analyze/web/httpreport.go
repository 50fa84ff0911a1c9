// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"encoding/base64"
	"net"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/credentials"
	"github.com/asepsis/asepsis/wire/http1"
	"github.com/asepsis/asepsis/wire/printable"
)

// reporter turns exchanges into events and evidence.
type reporter struct {
	interpreters []analyze.Interpreter
	service      bool
	agents       [4]string // User-Agents reported, so that a poller's is not repeated
	servers      [4]string
	hosts        [4]string
}

// fresh remembers s and reports whether it is new. Four values per connection
// are enough to keep repetition down; the inventory folds the rest.
func fresh(seen *[4]string, s string) bool {
	if s == "" {
		return false
	}
	for i := range seen {
		if seen[i] == s {
			return false
		}
		if seen[i] == "" {
			seen[i] = s
			return true
		}
	}
	seen[len(s)&3] = s
	return true
}

func (r *reporter) report(c *analyze.Conn, x *exchange) {
	for _, i := range r.interpreters {
		if app := i(c, &x.x); app != "" {
			c.App = app
			break
		}
	}
	if !r.service && x.requestSeen && x.responseSeen {
		r.service = true
		c.Service("http")
	}
	q, a := x.x.Request, x.x.Response
	host, agent, server := str(x.x.Host), str(analyze.Get(q, "user-agent")), str(analyze.Get(a, "server"))
	r.evidence(c, x, host, agent, server)
	if !c.Full() {
		c.NoteAt(event.ClassHTTP, x.x.Time, "http")
		return
	}
	d := &event.HTTP{
		Method: str(x.x.Method), Version: x.version, Host: host,
		UserAgent: agent, ContentType: str(analyze.Get(q, "content-type")), RequestLength: x.x.RequestLength,
		Status: x.x.Status, ResponseType: str(analyze.Get(a, "content-type")), ResponseLength: x.x.ResponseLength,
		Server: server, AuthScheme: scheme(analyze.Get(q, "authorization")),
		WWWAuthenticate: challenge(analyze.Get(a, "www-authenticate")), ResponseSeen: x.responseSeen,
	}
	if d.Status == 101 || d.Status == 0 || d.Status == 426 {
		d.Upgrade = str(analyze.Get(a, "upgrade"))
		if d.Upgrade == "" {
			d.Upgrade = str(analyze.Get(q, "upgrade"))
		}
	}
	if !x.responseSeen {
		d.ResponseLength = -1
	}
	if d.AuthScheme == "Basic" {
		d.DefaultCredential = basicKnown(analyze.Get(q, "authorization"))
	}
	d.Suspicious = suspicious(&x.x)
	d.Path, d.TokenInURL = RedactTarget(c, x.x.Target)
	if ref := analyze.Get(q, "referer"); ref != "" {
		ref, _, _ = strings.Cut(ref, "?")
		d.Referrer, _ = RedactTarget(c, ref)
	}
	e := &event.Event{Time: x.x.Time, Activity: activity(x.x.Method), Protocol: "http", Detail: d, Severity: finding.Info}
	switch {
	case x.responseSeen && d.Status < 400:
		e.Status = event.StatusSuccess
	case x.responseSeen:
		e.Status = event.StatusFailure
	}
	if x.responseSeen {
		e.StatusCode = strconv.Itoa(d.Status)
	}
	if x.anomalies&http1.Ambiguous != 0 {
		e.Severity = finding.Low
		e.StatusDetail = str("ambiguous framing: " + strings.Join((x.anomalies&http1.Ambiguous).Names(), "; "))
	}
	e.Message = httpMessage(d)
	c.Emit(e)
}

func httpMessage(d *event.HTTP) string {
	if d.Method == "" {
		return "HTTP " + strconv.Itoa(d.Status) + " without a visible request"
	}
	m := "HTTP " + d.Method
	if d.Host != "" {
		m += " at " + d.Host
	}
	if d.ResponseSeen {
		return m + " answered " + strconv.Itoa(d.Status)
	}
	return m + " without a visible answer"
}

func (r *reporter) evidence(c *analyze.Conn, x *exchange, host, agent, server string) {
	if fresh(&r.agents, agent) {
		c.Evidence(analyze.Client, device.AttrUserAgent, agent, "http.user-agent", device.Claimed)
	}
	// Behind a proxy, banner and name are those of another machine.
	proxied := strings.Contains(x.x.Target, "://") || x.x.Method == "CONNECT" || analyze.Get(x.x.Response, "via") != ""
	if proxied {
		return
	}
	if fresh(&r.servers, server) {
		c.Evidence(analyze.Server, device.AttrBanner, server, "http.server", device.Claimed)
		if p := str(analyze.Get(x.x.Response, "x-powered-by")); p != "" {
			c.Evidence(analyze.Server, device.AttrBanner, p, "http.x-powered-by", device.Claimed)
		}
	}
	if strings.Contains(host, ":") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	if host = strings.ToLower(strings.TrimSuffix(host, ".")); x.responseSeen && analyze.IsHostName(host) && fresh(&r.hosts, host) {
		// The client's name for the server.
		attr := device.AttrHostname
		if strings.Contains(host, ".") {
			attr = device.AttrFQDN
		}
		c.Evidence(analyze.Server, attr, host, "http.host", device.Hint)
	}
}

// scheme returns the authentication scheme of an Authorization field, and
// never anything of the credential.
func scheme(v string) string {
	s, _, ok := strings.Cut(v, " ")
	if !ok || len(s) > 24 {
		if v == "" {
			return ""
		}
		return "other" // without a scheme in front, everything is credential
	}
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' {
			return "other"
		}
	}
	switch strings.ToLower(s) {
	case "basic":
		return "Basic"
	case "bearer":
		return "Bearer"
	case "digest":
		return "Digest"
	case "negotiate":
		return "Negotiate"
	case "ntlm":
		return "NTLM"
	}
	return str(s)
}

// challenge keeps scheme and realm of a WWW-Authenticate field.
func challenge(v string) string {
	s := scheme(v + " ")
	if s == "" || s == "other" {
		return ""
	}
	low := printable.LowerASCII(v)
	i := strings.Index(low, "realm=")
	if i < 0 {
		return s
	}
	realm := v[i+6:]
	if strings.HasPrefix(realm, `"`) {
		realm, _, _ = strings.Cut(realm[1:], `"`)
	} else {
		realm, _, _ = strings.Cut(realm, ",")
	}
	return str(s + ` realm="` + realm + `"`)
}

func activity(method string) uint8 {
	switch method {
	case "CONNECT":
		return 1
	case "DELETE":
		return 2
	case "GET":
		return 3
	case "HEAD":
		return 4
	case "OPTIONS":
		return 5
	case "POST":
		return 6
	case "PUT":
		return 7
	case "TRACE":
		return 8
	case "PATCH":
		return 9
	}
	return 99
}

// basicKnown names the published credential that a Basic authorization is (RFC
// 7617), "" for none.
func basicKnown(v string) string {
	_, v, _ = strings.Cut(v, " ")
	var buf [2*credentials.MaxLength + 1]byte
	if base64.StdEncoding.DecodedLen(len(v)) > len(buf) {
		return ""
	}
	n, err := base64.StdEncoding.Decode(buf[:], []byte(v))
	if err != nil {
		return ""
	}
	user, password, ok := bytes.Cut(buf[:n], []byte(":"))
	if !ok {
		return ""
	}
	return credentials.Known("http", user, password)
}
