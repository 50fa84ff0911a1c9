// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/vnc"
)

func probeVNC(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(vnc.Looks(head))
}

// vncStream follows a handshake.
type vncStream struct {
	s    vnc.Session
	held [2][]byte // what came before its turn; bounded by MaxPending as it is left unconsumed
	done bool
}

var _ analyze.Stream = (*vncStream)(nil)

// Data keeps what a side sends before its turn in held: the sensor presents it
// again only with more bytes of that side, which may never come.
func (s *vncStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if len(s.held[dir])+len(data) > 2*vnc.MaxText {
		return 0, analyze.Reject
	}
	if s.s.ServerVersion == "" && len(s.held[0])+len(s.held[1]) == 0 && c.SideOf(dir) == analyze.Client {
		c.Flip() // the server speaks first
	}
	s.held[dir] = append(s.held[dir], data...)
	for progress := true; progress && !s.s.Done(); {
		progress = false
		for d := range s.held {
			n, err := s.s.Next(c.SideOf(analyze.Dir(d)) == analyze.Server, s.held[d])
			if err != nil {
				s.finish(c)
				return int64(len(data)), analyze.Reject
			}
			if n > 0 {
				s.held[d], progress = s.held[d][n:], true
			}
		}
	}
	if !s.s.Done() {
		return int64(len(data)), analyze.More
	}
	s.finish(c)
	if s.s.State() == vnc.Secured {
		// What this call brought behind the handshake belongs to TLS.
		rest := min(len(s.held[dir]), len(data))
		return int64(len(data) - rest), analyze.Handoff
	}
	return int64(len(data)), analyze.Done
}

func (s *vncStream) Gap(c *analyze.Conn, _ analyze.Dir, _ int64) analyze.Verdict {
	s.finish(c)
	return analyze.Done
}

func (s *vncStream) Close(c *analyze.Conn, _ analyze.End) { s.finish(c) }

func (s *vncStream) finish(c *analyze.Conn) {
	if s.done || s.s.ServerVersion == "" {
		return
	}
	s.done = true
	v := &s.s
	c.Service("vnc")
	var kv attrs
	kv.add("server_version", v.ServerVersion)
	kv.add("client_version", v.ClientVersion)
	for i, t := range v.Offered {
		if i == 16 {
			break
		}
		kv.add("security_offered", vnc.SecurityName(t))
	}
	chosen := ""
	if v.Chosen != 0 {
		chosen = vnc.SecurityName(v.Chosen)
		kv.add("security_chosen", chosen)
	}
	if v.Subtype != 0 {
		chosen = vnc.SecurityName(v.Subtype)
		kv.add("vencrypt_subtype", chosen)
	}
	open := v.Chosen == vnc.None && v.State() == vnc.Open
	kv.flag("without_authentication", open)
	e := &event.Event{Activity: session, Detail: &event.Application{Name: "vnc", Version: v.ServerVersion, Operation: "HANDSHAKE"}}
	if v.Authenticated != nil {
		e.Status = outcome(*v.Authenticated)
	} else if v.State() == vnc.Open {
		e.Status = event.StatusSuccess
	} else if v.State() == vnc.Refused {
		e.Status = event.StatusFailure
		e.StatusDetail = v.Reason
	}
	if v.Width > 0 {
		kv.add("screen", strconv.Itoa(int(v.Width))+"x"+strconv.Itoa(int(v.Height)))
	}
	if h := vncHost(v.Name); h != "" {
		kv.add("desktop_host", h)
		c.Evidence(analyze.Server, device.AttrHostname, h, "vnc.server-init.name", device.Hint)
	}
	e.Detail.(*event.Application).Attributes = kv
	switch {
	case open:
		e.Message = "VNC session opened without authentication"
	case e.Status == event.StatusFailure:
		e.Message = "VNC authentication refused"
	case e.Status == event.StatusSuccess:
		e.Message = "VNC session opened with " + chosen
	case chosen != "":
		e.Message = "VNC handshake with " + chosen
	default:
		e.Message = "VNC handshake not finished"
	}
	c.Emit(e)
	c.Evidence(analyze.Server, device.AttrBanner, "RFB "+v.ServerVersion, "vnc.protocol-version", device.Claimed)
}

// vncHost finds the host in the name of a desktop: "host:1", "user's desktop
// (host:1)" or "QEMU (host)". The rest may name a person.
func vncHost(name string) string {
	if i := strings.LastIndexByte(name, '('); i >= 0 && strings.HasSuffix(name, ")") {
		name = name[i+1 : len(name)-1]
	}
	h, display, ok := strings.Cut(name, ":")
	if ok && h != "" {
		if _, err := strconv.ParseFloat(display, 32); err == nil {
			return hostName(h)
		}
	}
	return ""
}
