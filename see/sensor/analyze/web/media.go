// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/rtp"
	"github.com/asepsis/asepsis/wire/stun"
	"github.com/asepsis/asepsis/wire/tlsmeta"
)

func probeSTUN(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	if stun.Looks(head) && (stun.Length(head) == len(head) || len(head) >= analyze.ProbeBytes) {
		return analyze.Yes
	}
	return analyze.No
}

func probeDTLS(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	switch tlsmeta.LooksLikeDTLS(head) {
	case tlsmeta.Handshake:
		return analyze.Yes
	case tlsmeta.Protected:
		// A flow that was established before the capture began.
		return analyze.Yes
	}
	return analyze.No
}

// probeRTP accepts what can be an RTP header of a usual sender. That is weak:
// the protocol has a negative rank, and mediaFlow rejects a flow in which the
// following packets do not continue the sequence.
func probeRTP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	if len(head) < 20 || head[0]&0x2f != 0 { // no padding, no contributing sources
		return analyze.No
	}
	p, err := rtp.Parse(head)
	if err != nil || p.SSRC == 0 || p.Timestamp == 0 {
		return analyze.No
	}
	if p.PayloadType < 96 && rtp.PayloadName(p.PayloadType) == "unassigned" {
		return analyze.No
	}
	return analyze.Yes
}

// mediaFlow follows a UDP flow that STUN, TURN, DTLS, RTP and RTCP may share;
// the first byte tells them apart (RFC 7983 §7).
type mediaFlow struct {
	began   int64
	packets int
	other   int // packets that are none of these

	stun     stunAccount
	channels uint64 // ChannelData messages
	dtls     tlsmeta.DTLSSession
	sawDTLS  bool
	told     bool
	rtp      rtp.Flow
}

var _ analyze.Datagram = (*mediaFlow)(nil)

// stunAccount is what the STUN messages of a flow told.
type stunAccount struct {
	requests, responses, failures uint64
	first                         bool // a request was seen
	software                      [2]string
	turn                          bool
	ice                           bool
	nominated                     bool
	realm                         string
	user                          string
	mapped, relayed               netip.AddrPort
	errorCode                     int
	reason                        string
	transport                     uint8
	lifetime                      uint32
	client                        analyze.Dir
}

func (s *stunAccount) add(dir analyze.Dir, m *stun.Message) {
	switch m.Class {
	case stun.Request:
		s.requests++
		if !s.first {
			s.first, s.client = true, dir
		}
	case stun.Success:
		s.responses++
		s.errorCode, s.reason = 0, ""
	case stun.Failure:
		s.failures++
		s.errorCode, s.reason = m.ErrorCode, m.Reason
	}
	if m.Method != stun.Binding {
		s.turn = true
	}
	s.ice = s.ice || m.ICE
	s.nominated = s.nominated || m.Nominated
	set := func(dst *string, v string) {
		if *dst == "" && v != "" {
			*dst = v
		}
	}
	set(&s.software[dir], m.Software)
	set(&s.realm, m.Realm)
	set(&s.user, m.UserName)
	if m.Mapped.IsValid() {
		s.mapped = m.Mapped
	}
	if m.Relayed.IsValid() {
		s.relayed = m.Relayed
	}
	if m.Transport != 0 {
		s.transport = m.Transport
	}
	if m.Lifetime != 0 {
		s.lifetime = m.Lifetime
	}
}

func (m *mediaFlow) Packet(c *analyze.Conn, dir analyze.Dir, b []byte, missing int) analyze.Verdict {
	if m.began == 0 {
		m.began = c.Now
	}
	m.packets++
	if len(b) == 0 {
		return analyze.More
	}
	known := false
	switch first := b[0]; {
	case first < 4:
		if msg, err := stun.Parse(b); err == nil {
			known = true
			m.stun.add(dir, &msg)
		}
	case first >= 20 && first <= 63:
		if m.dtls.Done() {
			known = true
		} else if known = m.dtls.Packet(int(dir), b); known {
			m.sawDTLS = true
			c.Encrypted = true
			if m.stun.first && m.dtls.Client != nil {
				c.App = "webrtc"
			}
			if m.dtls.Done() {
				m.handshake(c)
			}
		}
	case first >= 64 && first <= 79:
		if _, n, ok := stun.ChannelData(b); ok && n <= len(b)+missing {
			known = true
			m.channels++
			m.stun.turn = true
		}
	case first >= 128 && first <= 191:
		known = m.rtp.Add(int(dir), c.Now, b, len(b)+missing)
	}
	if !known {
		m.other++
	}
	anchored := m.stun.first || m.stun.responses > 0 || m.dtls.Client != nil || m.dtls.Server != nil || m.channels > 0 || m.rtp.Confirmed()
	if !anchored && m.packets >= 12 {
		if m.sawDTLS && m.other == 0 {
			m.told = true
			return analyze.Done // encrypted since before the capture began
		}
		return analyze.Reject
	}
	if m.other > 16 && m.other > m.packets/2 {
		return analyze.Reject
	}
	return analyze.More
}

// handshake emits the DTLS handshake.
func (m *mediaFlow) handshake(c *analyze.Conn) {
	if m.told {
		return
	}
	m.told = true
	emitTLS(c, &m.dtls.Account, tlsmeta.OverDTLS, "dtls", m.began, "")
}

func (m *mediaFlow) Close(c *analyze.Conn, _ analyze.End) {
	m.handshake(c)
	if m.stun.requests+m.stun.responses+m.stun.failures > 0 {
		if c.App != "webrtc" && m.stun.turn {
			c.App = "turn"
		}
		m.stun.emit(c, m.began, m.channels)
	}
	if m.rtp.Confirmed() {
		if c.App == "dtls" || c.App == "stun" {
			c.App = "webrtc"
		}
		m.emitRTP(c)
	}
}

// emit tells of the STUN or TURN messages of a flow.
func (s *stunAccount) emit(c *analyze.Conn, began int64, channels uint64) {
	name := "stun"
	if s.turn {
		name = "turn"
	}
	if s.first && !s.ice {
		setClient(c, s.client)
	}
	if s.responses+s.failures > 0 && !s.ice {
		c.Service(name)
	}
	var kv attrs
	for d, sw := range s.software {
		if v := str(sw); v != "" {
			side, label := c.SideOf(analyze.Dir(d)), "client_software"
			attr := device.AttrUserAgent
			if side == analyze.Server {
				label, attr = "server_software", device.AttrBanner
			}
			kv.add(label, v)
			c.Evidence(side, attr, v, "stun.software", device.Claimed)
		}
	}
	kv.add("realm", str(s.realm))
	if s.user != "" && !s.ice {
		// With ICE this is the concatenation of two random fragments.
		kv.add("user_pseudonym", c.Pseudonym(pseudonym.Person, s.user))
	}
	if s.mapped.IsValid() {
		kv.add("mapped_address", s.mapped.String())
	}
	if s.relayed.IsValid() {
		kv.add("relayed_address", s.relayed.String())
	}
	if s.transport != 0 {
		kv.add("requested_transport", strconv.Itoa(int(s.transport)))
	}
	if s.lifetime != 0 {
		kv.add("lifetime_seconds", strconv.FormatUint(uint64(s.lifetime), 10))
	}
	if s.ice {
		kv.add("ice", "true")
		kv.add("nominated", strconv.FormatBool(s.nominated))
	}
	kv.add("requests", strconv.FormatUint(s.requests, 10))
	kv.add("responses", strconv.FormatUint(s.responses, 10))
	if s.failures > 0 {
		kv.add("failures", strconv.FormatUint(s.failures, 10))
	}
	if channels > 0 {
		kv.add("channel_data", strconv.FormatUint(channels, 10))
	}
	e := &event.Event{Time: began, Activity: 4, Protocol: name, Detail: &event.Application{Name: name, Operation: "session", Attributes: kv}}
	switch {
	case s.errorCode != 0 && s.responses == 0:
		e.Status, e.StatusCode, e.StatusDetail = event.StatusFailure, strconv.Itoa(s.errorCode), str(s.reason)
	case s.responses > 0:
		e.Status = event.StatusSuccess
	}
	e.Message = strings.ToUpper(name) + " session: " + strconv.FormatUint(s.requests, 10) + " requests, " + strconv.FormatUint(s.responses, 10) + " answered"
	c.Emit(e)
}

// emitRTP tells of each source in the flow.
func (m *mediaFlow) emitRTP(c *analyze.Conn) {
	for i := range m.rtp.Streams {
		s := &m.rtp.Streams[i]
		if s.Packets < 4 {
			continue
		}
		var kv attrs
		kv.add("ssrc", fmt.Sprintf("0x%08x", s.SSRC))
		kv.add("payload_type", strconv.Itoa(int(s.PayloadType)))
		kv.add("payload_name", rtp.PayloadName(s.PayloadType))
		dir := "from_client"
		if c.SideOf(analyze.Dir(s.Dir)) == analyze.Server {
			dir = "from_server"
		}
		kv.add("direction", dir)
		kv.add("packets", strconv.FormatUint(s.Packets, 10))
		kv.add("bytes", strconv.FormatUint(s.Bytes, 10))
		kv.add("lost", strconv.FormatUint(s.Lost, 10))
		if s.Reordered > 0 {
			kv.add("reordered", strconv.FormatUint(s.Reordered, 10))
		}
		kv.add("jitter_ms", strconv.FormatFloat(s.JitterMS, 'f', 3, 64))
		kv.add("longest_pause_ms", strconv.FormatFloat(s.MaxGapMS, 'f', 1, 64))
		if d := float64(s.Last-s.First) / 1e9; d > 0 {
			kv.add("packets_per_second", strconv.FormatFloat(float64(s.Packets-1)/d, 'f', 1, 64))
		}
		c.Emit(&event.Event{Time: s.First, Activity: 4, Protocol: "rtp", Detail: &event.Application{Name: "rtp", Operation: "stream", Attributes: kv},
			Message: fmt.Sprintf("media stream of %d packets, %d lost", s.Packets, s.Lost)})
	}
}

func probeTURN(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	if len(head) < stun.HeaderSize {
		for i, want := range []byte{0x21, 0x12, 0xa4, 0x42} {
			if len(head) > 4+i && head[4+i] != want {
				return analyze.No
			}
		}
		if len(head) > 0 && head[0] > 1 {
			return analyze.No
		}
		return analyze.Maybe
	}
	if stun.Looks(head) {
		return analyze.Yes
	}
	return analyze.No
}

// turnStream follows STUN and TURN over TCP, where messages stand back to back
// and ChannelData is padded to four bytes (RFC 8656 §12.5).
type turnStream struct {
	began    int64
	account  stunAccount
	channels uint64
	seen     bool
}

var _ analyze.Stream = (*turnStream)(nil)

// maxSTUN bounds a message over TCP; real ones are below 2 KiB.
const maxSTUN = 8 << 10

func (t *turnStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if t.began == 0 {
		t.began = c.Now
	}
	used := int64(0)
	for len(data) >= 4 {
		if _, n, ok := stun.ChannelData(data); ok && t.seen {
			t.channels++
			t.account.turn = true
			size := 4 + (n+3)&^3
			used += int64(size)
			data = data[min(size, len(data)):]
			continue
		}
		if len(data) < stun.HeaderSize {
			break
		}
		if !stun.Looks(data) || stun.Length(data) > maxSTUN {
			return used, analyze.Reject
		}
		n := stun.Length(data)
		if len(data) < n {
			break
		}
		m, err := stun.Parse(data[:n])
		if err != nil {
			return used, analyze.Reject
		}
		t.seen = true
		t.account.add(dir, &m)
		used += int64(n)
		data = data[n:]
	}
	return used, analyze.More
}

// Gap gives up: nothing marks where the next message begins.
func (t *turnStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (t *turnStream) Close(c *analyze.Conn, _ analyze.End) {
	if !t.seen {
		return
	}
	if t.account.turn {
		c.App = "turn"
	}
	t.account.emit(c, t.began, t.channels)
}
