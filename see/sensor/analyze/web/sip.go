// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/http1"
	"github.com/asepsis/asepsis/wire/sip"
)

func probeSIP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matchOf(sip.Looks(head))
}

// maxSIPEvents bounds the events of one flow: telephones keep alive for months.
const maxSIPEvents = 256

// sipReport turns messages into events. It keeps no state but counts.
type sipReport struct {
	events  int
	service bool
	agents  [4]string
	last    string // method and status of the last event, to fold retransmissions
}

func (r *sipReport) message(c *analyze.Conn, dir analyze.Dir, m sip.Message) {
	h := m.Head
	method := str(m.Method())
	request := h.Status == 0
	agent := str(m.Get("user-agent", ""))
	if agent == "" {
		agent = str(m.Get("server", ""))
	}
	if fresh(&r.agents, agent) {
		attr := device.AttrUserAgent
		if !request {
			attr = device.AttrBanner
		}
		c.Evidence(c.SideOf(dir), attr, agent, "sip.user-agent", device.Claimed)
	}
	if request && method == "REGISTER" {
		setClient(c, dir)
		if !automated(agent) {
			// Who registers an address of record takes calls.
			c.Evidence(c.SideOf(dir), device.AttrClass, string(device.ClassPhone), "sip.register", device.Hint)
		}
	}
	if !request && !r.service {
		r.service = true
		c.Service("sip")
	}
	key := str(m.Get("cseq", "")) + " " + strconv.Itoa(h.Status) + str(m.Get("call-id", "i"))
	if r.last == key || r.events >= maxSIPEvents {
		return
	}
	r.last = key
	r.events++
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	var kv attrs
	for _, f := range []struct{ name, compact, label string }{{"from", "f", "from"}, {"to", "t", "to"}, {"contact", "m", "contact"}} {
		user, host := sip.Address(m.Get(f.name, f.compact))
		if user != "" {
			kv.add(f.label+"_pseudonym", c.Pseudonym(pseudonym.Person, unescape(user)))
		}
		kv.add(f.label+"_host", str(host))
	}
	kv.add("user_agent", agent)
	kv.add("auth_scheme", scheme(m.Get("authorization", "")+m.Get("proxy-authorization", "")))
	if w := challenge(m.Get("www-authenticate", "") + m.Get("proxy-authenticate", "")); w != "" {
		kv.add("www_authenticate", w)
	}
	if m.SDP {
		kv.add("media", str(m.Media.Summary(analyze.MaxString)))
	}
	e := &event.Event{Activity: 2, Detail: &event.Application{Name: "sip", Version: h.Version, Operation: method, Attributes: kv}, Message: "SIP " + method}
	if !request {
		e.Activity = 3
		e.StatusCode, e.StatusDetail = strconv.Itoa(h.Status), str(h.Reason)
		switch {
		case h.Status >= 300 && h.Status != 401 && h.Status != 407:
			e.Status = event.StatusFailure
		case h.Status >= 200 && h.Status < 300:
			e.Status = event.StatusSuccess
		}
		e.Message += " answered " + e.StatusCode
	}
	c.Emit(e)
}

// automated reports user agents of test tools and scanners.
func automated(agent string) bool {
	a := strings.ToLower(agent)
	for _, w := range []string{"sipsak", "sipp", "friendly-scanner", "sipvicious", "asterisk", "freeswitch", "kamailio", "opensips"} {
		if strings.Contains(a, w) {
			return true
		}
	}
	return a == ""
}

// sipFlow reads SIP in datagrams.
type sipFlow struct {
	sipReport
	bad, good int
}

var _ analyze.Datagram = (*sipFlow)(nil)

func (s *sipFlow) Packet(c *analyze.Conn, dir analyze.Dir, b []byte, _ int) analyze.Verdict {
	if len(strings.TrimSpace(string(b[:min(len(b), 8)]))) == 0 || len(b) <= 4 {
		return analyze.More // keep-alive (RFC 5626 §3.5.1)
	}
	m, err := sip.Parse(b)
	if err != nil {
		if s.bad++; s.good == 0 || s.bad > 16+s.good {
			return analyze.Reject
		}
		return analyze.More
	}
	s.good++
	s.message(c, dir, m)
	return analyze.More
}

func (s *sipFlow) Close(*analyze.Conn, analyze.End) {}

// sipStream reads SIP over TCP.
type sipStream struct {
	sipReport
	dialogue
}

var _ analyze.Stream = (*sipStream)(nil)

func newSIPStream() *sipStream {
	return &sipStream{dialogue: newDialogue(sip.NewParser)}
}

func (s *sipStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	return s.read(c, dir, data, s)
}

// heard implements listener.
func (s *sipStream) heard(c *analyze.Conn, dir analyze.Dir, p *http1.Parser) {
	s.message(c, dir, sip.FromParser(p))
}

func (s *sipStream) Close(*analyze.Conn, analyze.End) {}
