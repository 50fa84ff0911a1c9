// SPDX-License-Identifier: Apache-2.0

// Package sip reads SIP messages (RFC 3261) as far as an inventory of
// telephones needs them: start line, who speaks to whom, user agent, and the
// media that an INVITE proposes.
//
// Messages have the form of HTTP and are read by package http1, whose limits
// hold; a datagram is one message.
//
// # What is not done
//
// Transactions and dialogs are not followed. Bodies other than session
// descriptions are not looked at.
package sip

import (
	"strings"

	"github.com/asepsis/asepsis/wire/http1"
	"github.com/asepsis/asepsis/wire/rtsp"
)

// Message is one SIP request or response.
type Message struct {
	Head  *http1.Head
	Media rtsp.Description
	SDP   bool
}

// NewParser makes a parser for one direction of a SIP stream.
func NewParser() *http1.Parser { return &http1.Parser{Protocol: "SIP", Either: true} }

// Looks tells whether b begins a SIP message.
func Looks(b []byte) http1.Answer { return http1.Looks(b, "SIP") }

// Parse reads the message in a datagram.
func Parse(b []byte) (Message, error) {
	p := NewParser()
	for {
		n, ev, err := p.Next(b)
		if err != nil {
			return Message{}, err
		}
		b = b[min(n, int64(len(b))):]
		switch ev {
		case http1.GotMessage:
			return FromParser(p), nil
		case http1.None:
			if h := p.Head(); h.Status != 0 || h.Method != "" {
				return FromParser(p), nil // cut by the snap length
			}
			return Message{}, http1.ErrNotHTTP
		}
	}
}

// FromParser makes a Message of what a parser of NewParser has read.
func FromParser(p *http1.Parser) Message {
	m := Message{Head: p.Head()}
	if strings.HasPrefix(m.Get("content-type", "c"), "application/sdp") {
		m.Media, m.SDP = rtsp.ParseSDP(p.Body())
	}
	return m
}

// Get returns the first value of a field, by its name or its compact form (RFC
// 3261 §7.3.3).
func (m Message) Get(name, compact string) string {
	if v := m.Head.Get(name); v != "" || compact == "" {
		return v
	}
	return m.Head.Get(compact)
}

// Method returns the method of a request, or of the request that a response
// answers (CSeq).
func (m Message) Method() string {
	if m.Head.Method != "" {
		return m.Head.Method
	}
	f := strings.Fields(m.Get("cseq", ""))
	if len(f) == 2 {
		return f[1]
	}
	return ""
}

// Address takes a From, To or Contact value or a request URI apart: user part
// and host with port. Display names are dropped.
func Address(v string) (user, host string) {
	if i := strings.IndexByte(v, '<'); i >= 0 {
		v = v[i+1:]
		if j := strings.IndexByte(v, '>'); j >= 0 {
			v = v[:j]
		}
	}
	scheme, rest, ok := strings.Cut(v, ":")
	if !ok {
		return "", ""
	}
	if strings.EqualFold(scheme, "tel") {
		user, _, _ = strings.Cut(rest, ";")
		return user, ""
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = rest[:i], rest[i+1:]
		user, _, _ = strings.Cut(user, ":") // a password in a URI stays here
	}
	return user, rest
}
