// SPDX-License-Identifier: Apache-2.0

package http1

import (
	"bytes"
	"strconv"
	"strings"
)

// startLine reads a start line of the protocol, "HTTP" or "RTSP" or "SIP".
func startLine(line []byte, protocol string, response bool) (h Head, ok bool) {
	if response {
		v, rest, found := bytes.Cut(line, space)
		if !found {
			v, rest = line, nil
		}
		version, ok := versionOf(v, protocol)
		if !ok || len(rest) < 3 {
			return h, false
		}
		status := 0
		for _, c := range rest[:3] {
			if c < '0' || c > '9' {
				return h, false
			}
			status = status*10 + int(c-'0')
		}
		if len(rest) > 3 && rest[3] != ' ' || status < 100 {
			return h, false
		}
		return Head{Version: version, Status: status, Reason: string(bytes.TrimSpace(rest[3:]))}, true
	}
	first := bytes.IndexByte(line, ' ')
	last := bytes.LastIndexByte(line, ' ')
	if first <= 0 || last <= first {
		return h, false
	}
	version, ok := versionOf(line[last+1:], protocol)
	if !ok || !isMethod(line[:first]) {
		return h, false
	}
	target := bytes.TrimSpace(line[first+1 : last])
	if len(target) == 0 {
		return h, false
	}
	return Head{Version: version, Method: string(line[:first]), Target: string(target)}, true
}

var space = []byte{' '}

// versionOf reads "HTTP/1.1" and returns "1.1".
func versionOf(b []byte, protocol string) (string, bool) {
	n := len(protocol)
	if len(b) != n+4 || string(b[:n]) != protocol || b[n] != '/' || b[n+1] < '1' || b[n+1] > '2' || b[n+2] != '.' || b[n+3] < '0' || b[n+3] > '9' {
		return "", false
	}
	if protocol == "HTTP" && b[n+1] != '1' {
		return "", false
	}
	switch string(b[n+1:]) {
	case "1.1":
		return "1.1", true
	case "1.0":
		return "1.0", true
	}
	return string(b[n+1:]), true
}

// isMethod reports whether b is a token of capital letters, as every
// registered method is.
func isMethod(b []byte) bool {
	if len(b) == 0 || len(b) > 24 {
		return false
	}
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isToken reports whether b is a token (RFC 9110 §5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

// field takes one line of the header section.
func (p *Parser) field(line []byte) {
	h := &p.head
	if line[0] == ' ' || line[0] == '\t' {
		h.Anomalies |= Folded
		if n := len(h.Fields); n > 0 && p.kept+len(line) <= MaxHead && len(p.text)-p.begin(n-1)+len(line) <= 2*MaxLine {
			p.kept += len(line)
			p.text = append(append(p.text, ' '), bytes.TrimSpace(line)...)
			p.ends[n-1] = len(p.text)
		}
		return
	}
	name, value, found := bytes.Cut(line, []byte{':'})
	if !found {
		h.Anomalies |= MalformedField
		return
	}
	if t := bytes.TrimRight(name, " \t"); len(t) != len(name) {
		h.Anomalies |= SpaceBeforeColon
		name = t
	}
	if !isToken(name) {
		h.Anomalies |= MalformedField
		return
	}
	if len(h.Fields) >= MaxFields || p.kept+len(line) > MaxHead {
		h.Anomalies |= TruncatedHead
		return
	}
	p.kept += len(line)
	if h.Fields == nil {
		h.Fields = make([]Field, 0, usualFields)
	}
	p.text = append(p.text, bytes.TrimSpace(value)...)
	p.ends = append(p.ends, len(p.text))
	h.Fields = append(h.Fields, Field{Name: fieldName(name)})
}

const (
	usualFields = 8
	sharedText  = 1 << 10
	idleRoom    = 2 << 10 // what a parser keeps between messages
)

// begin returns where in the text the value of a field begins.
func (p *Parser) begin(i int) int {
	if i == 0 {
		return 0
	}
	return p.ends[i-1]
}

// settle makes strings of the values that were read since it was called last:
// parts of one, unless keeping one of them would keep alive much more than itself.
func (p *Parser) settle() {
	if len(p.ends) == 0 {
		return
	}
	h := &p.head
	shared := ""
	if len(p.text) <= sharedText {
		shared = string(p.text)
	}
	for i, end := range p.ends {
		switch begin := p.begin(i); {
		case begin == end:
		case shared != "":
			h.Fields[i].Value = shared[begin:end]
		default:
			h.Fields[i].Value = string(p.text[begin:end])
		}
	}
	if p.state == inHead {
		return
	}
	p.text, p.ends = p.text[:0], p.ends[:0]
	if cap(p.text) > idleRoom {
		p.text = nil
	}
}

// fieldName lowers a name and returns a shared string for the usual ones, in
// either of the usual spellings.
func fieldName(b []byte) string {
	switch string(b) {
	case "Host", "host":
		return "host"
	case "User-Agent", "user-agent":
		return "user-agent"
	case "Accept", "accept":
		return "accept"
	case "Accept-Encoding", "accept-encoding":
		return "accept-encoding"
	case "Accept-Language", "accept-language":
		return "accept-language"
	case "Content-Type", "content-type":
		return "content-type"
	case "Content-Length", "content-length":
		return "content-length"
	case "Connection", "connection":
		return "connection"
	case "Server", "server":
		return "server"
	case "Date", "date":
		return "date"
	case "Cookie", "cookie":
		return "cookie"
	case "Referer", "referer":
		return "referer"
	case "Authorization", "authorization":
		return "authorization"
	case "Transfer-Encoding", "transfer-encoding":
		return "transfer-encoding"
	case "Last-Modified", "last-modified":
		return "last-modified"
	case "ETag", "etag":
		return "etag"
	case "Cache-Control", "cache-control":
		return "cache-control"
	case "CSeq":
		return "cseq"
	}
	return strings.ToLower(string(b))
}

// bodyKind is how the end of a body is found (RFC 9112 §6.3).
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyFixed
	bodyChunked
	bodyUntilClose
	bodyTunnel
)

// framing decides how the body of the head just read ends. request is the
// method that a response answers, "" when unknown.
func (p *Parser) framing(request string) (bodyKind, int64) {
	h := &p.head
	length, lengths, hosts, coded, chunked := int64(-1), 0, 0, false, false
	for i := range h.Fields {
		f := &h.Fields[i]
		switch f.Name {
		case "content-length", "l": // "l" is SIP's compact form
			if f.Name == "l" && p.protocol() != "SIP" {
				continue
			}
			// RFC 9110 §8.6: a list of equal values counts as one.
			for v := range strings.SplitSeq(f.Value, ",") {
				v = strings.TrimSpace(v)
				n, err := strconv.ParseInt(v, 10, 64)
				if err != nil || n < 0 || v[0] == '+' || n > 1<<56 {
					h.Anomalies |= BadLength
					continue
				}
				if lengths > 0 && n != length {
					h.Anomalies |= DuplicateLength
				} else {
					length = n
				}
				lengths++
			}
		case "transfer-encoding":
			coded = true
			v := strings.ToLower(f.Value)
			if v != "chunked" {
				h.Anomalies |= OddTransferCoding
			}
			if i := strings.LastIndexByte(v, ','); i >= 0 {
				v = strings.TrimSpace(v[i+1:])
			}
			chunked = v == "chunked"
		case "host":
			hosts++
		}
	}
	if hosts > 1 {
		h.Anomalies |= DuplicateHost
	}
	if coded && lengths > 0 {
		h.Anomalies |= LengthAndChunked
	}
	if coded && h.Version == "1.0" {
		h.Anomalies |= ChunkedInHTTP10
	}
	if p.protocol() != "HTTP" {
		if length > 0 {
			return bodyFixed, length
		}
		return bodyNone, 0
	}
	if p.Response {
		switch {
		case h.Status == 101, request == "CONNECT" && h.Status/100 == 2:
			return bodyTunnel, 0
		case h.Status/100 == 1, h.Status == 204:
			if coded || length > 0 {
				h.Anomalies |= LengthOnBodyless
			}
			return bodyNone, 0
		case h.Status == 304, request == "HEAD":
			return bodyNone, 0
		}
	}
	switch {
	case chunked:
		return bodyChunked, 0
	case coded && p.Response:
		return bodyUntilClose, 0
	case length > 0:
		return bodyFixed, length
	case length == 0:
		return bodyNone, 0
	case p.Response:
		return bodyUntilClose, 0
	}
	return bodyNone, 0
}
