// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/http1"
	"github.com/asepsis/asepsis/wire/rtsp"
)

func probeRTSP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matchOf(rtsp.Looks(head))
}

// maxPending bounds the RTSP and SIP requests without answer.
const maxPending = 16

// rtspRequest waits for its response.
type rtspRequest struct {
	time         int64
	dir          analyze.Dir
	method, cseq string
	uri          string
	token        bool
	agent, auth  string
	transport    string
	version      string
}

// rtspStream follows one control connection.
type rtspStream struct {
	dialogue
	pending []rtspRequest
	service bool
	roles   bool
	agents  [4]string
	servers [4]string
}

var _ analyze.Stream = (*rtspStream)(nil)

func newRTSP() *rtspStream {
	return &rtspStream{dialogue: newDialogue(rtsp.NewParser)}
}

func (r *rtspStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	return r.read(c, dir, data, r)
}

// heard implements listener.
func (r *rtspStream) heard(c *analyze.Conn, dir analyze.Dir, p *http1.Parser) {
	h := p.Head()
	if h.Status == 0 {
		q := rtspRequest{time: c.Now, dir: dir, cseq: str(h.Get("cseq")), agent: str(h.Get("user-agent"))}
		if c.Full() {
			q.method, q.auth, q.transport, q.version = str(h.Method), scheme(h.Get("authorization")), str(h.Get("transport")), h.Version
			q.uri, q.token = RedactTarget(c, h.Target)
		}
		switch h.Method {
		case "DESCRIBE", "SETUP", "PLAY", "RECORD":
			if !r.roles {
				r.roles = true
				setClient(c, dir)
			}
		}
		if fresh(&r.agents, q.agent) {
			c.Evidence(c.SideOf(dir), device.AttrUserAgent, q.agent, "rtsp.user-agent", device.Claimed)
		}
		if len(r.pending) == maxPending {
			r.emit(c, r.pending[0], nil, nil)
			r.pending = r.pending[1:]
		}
		r.pending = append(r.pending, q)
		return
	}
	if s := str(h.Get("server")); fresh(&r.servers, s) {
		c.Evidence(c.SideOf(dir), device.AttrBanner, s, "rtsp.server", device.Claimed)
	}
	if !r.service {
		r.service = true
		c.Service("rtsp")
	}
	cseq := str(h.Get("cseq"))
	for i, q := range r.pending {
		if q.dir != dir && q.cseq == cseq {
			r.pending = append(r.pending[:i], r.pending[i+1:]...)
			r.emit(c, q, h, p.Body())
			return
		}
	}
	r.emit(c, rtspRequest{time: c.Now, dir: dir.Other(), cseq: cseq, version: h.Version}, h, p.Body())
}

func (r *rtspStream) emit(c *analyze.Conn, q rtspRequest, h *http1.Head, body []byte) {
	if !c.Full() {
		c.NoteAt(event.ClassApplication, q.time, c.App)
		return
	}
	var kv attrs
	kv.add("uri", q.uri)
	kv.add("user_agent", q.agent)
	kv.add("auth_scheme", q.auth)
	kv.add("transport", q.transport)
	if q.token {
		kv.add("credential_in_uri", "true")
	}
	e := &event.Event{Time: q.time, Activity: 2, Detail: &event.Application{Name: "rtsp", Version: q.version, Operation: q.method}}
	e.Message = "RTSP " + q.method
	if q.method == "" {
		e.Message = "RTSP answer without a visible request"
	}
	if h != nil {
		kv.add("server", str(h.Get("server")))
		kv.add("www_authenticate", challenge(h.Get("www-authenticate")))
		kv.add("methods", str(h.Get("public")))
		if strings.HasPrefix(h.Get("content-type"), "application/sdp") {
			if d, ok := rtsp.ParseSDP(body); ok {
				kv.add("media", str(d.Summary(analyze.MaxString)))
				kv.add("session_name", RedactTopic(c, str(d.Session)))
				kv.add("tool", str(d.Tool))
			}
		}
		e.Activity = 3
		e.StatusCode, e.StatusDetail = strconv.Itoa(h.Status), str(h.Reason)
		e.Status = event.StatusSuccess
		if h.Status >= 400 {
			e.Status = event.StatusFailure
		}
		e.Message += " answered " + e.StatusCode
	}
	e.Detail.(*event.Application).Attributes = kv
	c.Emit(e)
}

func (r *rtspStream) Close(c *analyze.Conn, _ analyze.End) {
	for _, q := range r.pending {
		r.emit(c, q, nil, nil)
	}
	r.pending = nil
	frames, bytes := 0, int64(0)
	for _, p := range r.parser {
		frames += p.Frames
		bytes += p.FrameBytes
	}
	if frames > 0 {
		var kv attrs
		kv.add("interleaved_frames", strconv.Itoa(frames))
		kv.add("interleaved_bytes", strconv.FormatInt(bytes, 10))
		c.Emit(&event.Event{Activity: 4, Detail: &event.Application{Name: "rtsp", Operation: "STREAM", Attributes: kv},
			Message: "RTSP stream of " + strconv.Itoa(frames) + " interleaved frames"})
	}
}
