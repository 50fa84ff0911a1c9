// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/eapol"
	"github.com/asepsis/asepsis/wire/printable"
	"github.com/asepsis/asepsis/wire/radius"
)

// radiusProtocol reports who was let into the network, where, and into which
// VLAN. A request is joined with its answer; the rounds of one login are one
// event, its outcome.
func radiusProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "radius",
		Probe: func(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			missing := 0
			if p := c.Packet; p != nil {
				missing = p.Missing + len(p.Payload) - len(head)
			}
			if radius.Looks(head, missing) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram {
			return &radiusFlow{open: map[uint8]*login{}, methods: map[string]string{}}
		},
	}
}

// login is a request that waits for its answer.
type login struct {
	at     int64
	m      *radius.Message
	method string // EAP method of this round
}

type radiusFlow struct {
	open    map[uint8]*login
	methods map[string]string // EAP method in use by station
	served  bool
}

func isRequest(code uint8) bool {
	switch code {
	case radius.AccessRequest, radius.AccountingRequest, radius.StatusServer, radius.DisconnectRequest, radius.CoARequest, 13:
		return true
	}
	return false
}

func (f *radiusFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m, err := radius.Parse(payload)
	if err != nil && missing == 0 {
		return analyze.More
	}
	orient(c, dir, !isRequest(m.Code))
	if isRequest(m.Code) {
		if len(f.open) >= maxStations {
			for id, l := range f.open { // any: all are unanswered
				f.emit(c, l, nil)
				delete(f.open, id)
				break
			}
		}
		if old := f.open[m.ID]; old != nil && (old.m.CallingStation != m.CallingStation || old.m.Code != m.Code) {
			f.emit(c, old, nil)
		}
		l := &login{at: c.Now, m: m, method: f.method(m)}
		m.EAP = eapIdentity(m.EAP)
		f.open[m.ID] = l
		f.evidence(c, dir, m)
		return analyze.More
	}
	l := f.open[m.ID]
	delete(f.open, m.ID)
	if !f.served && l != nil {
		f.served = true
		c.Service("radius")
	}
	if m.Code == radius.AccessChallenge {
		if l != nil {
			if e, err := eapol.ParseEAP(m.EAP); err == nil && e.Method > 3 {
				f.remember(l.m.CallingStation, eapol.MethodName(e.Method))
			}
		}
		return analyze.More
	}
	f.emit(c, l, m)
	if l != nil && m.Code == radius.AccessAccept {
		if s, ok := station(c, l.m); ok && m.TunnelGroup != "" {
			fact(c, s, device.AttrVLAN, vlanID(m.TunnelGroup), "radius.tunnel-private-group-id", device.Structured)
		}
	}
	return analyze.More
}

// vlanID is a VLAN's number, "" when a name was assigned.
func vlanID(s string) string {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil && n > 0 && n < 4095 {
		return strconv.FormatUint(n, 10)
	}
	return ""
}

// method finds the EAP method of a round and remembers it for its station.
func (f *radiusFlow) method(m *radius.Message) string {
	if e, err := eapol.ParseEAP(m.EAP); err == nil && e.Code == eapol.EAPResponse && e.Method > 3 {
		f.remember(m.CallingStation, eapol.MethodName(e.Method))
	}
	return f.methods[m.CallingStation]
}

func (f *radiusFlow) remember(station, method string) {
	if _, ok := f.methods[station]; ok || len(f.methods) < maxStations {
		f.methods[station] = method
	}
}

// eapIdentity keeps of an EAP message only an identity, which copies it out of
// the packet.
func eapIdentity(b []byte) []byte {
	if e, err := eapol.ParseEAP(b); err == nil && len(e.Identity) > 0 {
		return append([]byte(nil), e.Identity...)
	}
	return nil
}

// station is the subject for the device that logs in.
func station(c *analyze.Conn, m *radius.Message) (device.Subject, bool) {
	mac, ok := radius.StationMAC(m.CallingStation)
	if !ok || device.MAC(mac).IsZero() || device.MAC(mac).IsGroup() {
		return device.Subject{}, false
	}
	s := device.Subject{MAC: mac}
	if usable(m.FramedIP) {
		s.IP = m.FramedIP
	}
	return s, true
}

func (f *radiusFlow) evidence(c *analyze.Conn, dir analyze.Dir, m *radius.Message) {
	if m.Code != radius.AccessRequest && m.Code != radius.AccountingRequest {
		return
	}
	nas := sender(c, dir)
	if usable(m.NASIP) && m.NASIP != nas.IP { // a proxy is between, or the NAS has several addresses
		nas = device.Subject{IP: m.NASIP}
	}
	if m.NASIdentifier != "" {
		fact(c, nas, device.AttrHostname, m.NASIdentifier, "radius.nas-identifier", device.Claimed)
	}
	if m.CallingStation != "" && (m.NASPortType == "ethernet" || m.NASPortType == "wireless-802.11") {
		fact(c, nas, device.AttrClass, string(device.ClassNetwork), "radius.nas", device.Claimed)
	}
	if mac, ok := radius.StationMAC(m.CalledStation); ok {
		fact(c, nas, device.AttrMAC, device.MAC(mac).String(), "radius.called-station-id", device.Hint)
	}
	s, ok := station(c, m)
	if !ok {
		return
	}
	fact(c, s, device.AttrMAC, s.MAC.String(), "radius.calling-station-id", device.Structured)
	fact(c, s, device.AttrIP, addr(m.FramedIP), "radius.framed-ip-address", device.Claimed)
	if port := radiusPort(m); port != "" && m.NASPortType != "wireless-802.11" {
		name := m.NASIdentifier
		if name == "" {
			name = addr(nas.IP)
		}
		fact(c, s, device.AttrSwitchPort, clip(name+"|"+port), "radius.nas-port", device.Structured)
	}
	_, host, fqdn := identity(c, m.UserName)
	fact(c, s, device.AttrHostname, host, "radius.user-name", device.Claimed)
	fact(c, s, device.AttrFQDN, fqdn, "radius.user-name", device.Claimed)
}

func radiusPort(m *radius.Message) string {
	if m.NASPortID != "" {
		return m.NASPortID
	}
	if m.HasNASPort {
		return strconv.FormatUint(uint64(m.NASPort), 10)
	}
	return ""
}

// emit reports a request with its answer; either may be missing.
func (f *radiusFlow) emit(c *analyze.Conn, l *login, answer *radius.Message) {
	attrs := pairs{}
	e := &event.Event{Activity: response}
	var who, op string
	if l != nil {
		m := l.m
		e.Time = l.at
		op = radius.CodeName(m.Code)
		shown, _, _ := identity(c, m.UserName)
		attrs.add("user", shown)
		if len(m.EAP) > 0 {
			outer, _, _ := identity(c, printable.Text(m.EAP, 253))
			attrs.add("eap_identity", outer)
		}
		attrs.add("calling_station", m.CallingStation)
		attrs.add("called_station", m.CalledStation)
		attrs.add("ssid", radius.StationSSID(m.CalledStation))
		attrs.add("nas_identifier", m.NASIdentifier)
		attrs.add("nas_ip", addr(m.NASIP))
		attrs.add("nas_port", radiusPort(m))
		attrs.add("nas_port_type", m.NASPortType)
		attrs.add("framed_ip", addr(m.FramedIP))
		attrs.add("credential", m.PasswordIn)
		method := l.method
		if method == "" {
			method = f.methods[m.CallingStation]
		}
		attrs.add("eap_method", method)
		attrs.add("accounting_status", m.AcctStatus)
		attrs.add("accounting_session", m.AcctSession)
		if m.Code == radius.AccessRequest {
			attrs.add("request_message_authenticator", strconv.FormatBool(m.MessageAuthenticator))
		}
		if m.ProxyState {
			attrs.add("proxy_state", "true")
		}
		if who = m.CallingStation; who == "" {
			who = "a station"
		}
		delete(f.methods, methodDone(answer, m.CallingStation))
	}
	if answer == nil {
		e.Activity = request
		e.Message = fmt.Sprintf("RADIUS %s for %s was not answered", op, who)
	} else {
		op = radius.CodeName(answer.Code)
		if answer.Code == radius.AccessAccept || answer.Code == radius.AccessReject {
			attrs.add("response_message_authenticator", strconv.FormatBool(answer.MessageAuthenticator))
		}
		attrs.add("assigned_vlan", answer.TunnelGroup)
		attrs.add("filter", answer.FilterID)
		if answer.SessionTimeout > 0 {
			attrs.add("session_timeout_seconds", strconv.FormatUint(uint64(answer.SessionTimeout), 10))
		}
		if answer.ErrorCause != 0 {
			attrs.add("error_cause", strconv.FormatUint(uint64(answer.ErrorCause), 10))
		}
		if who == "" {
			who = "a station"
		}
		e.Message = fmt.Sprintf("RADIUS %s for %s", op, who)
		switch answer.Code {
		case radius.AccessAccept, radius.AccountingResponse, 41, 44:
			e.Status = event.StatusSuccess
		case radius.AccessReject, 42, 45:
			e.Status = event.StatusFailure
		}
		if answer.TunnelGroup != "" {
			e.Message += ", VLAN " + answer.TunnelGroup
		}
	}
	e.Message = clip(e.Message)
	e.Detail = &event.Application{Name: "radius", Operation: op, Attributes: attrs}
	c.Emit(e)
}

// methodDone is the station whose login is over.
func methodDone(answer *radius.Message, station string) string {
	if answer != nil && (answer.Code == radius.AccessAccept || answer.Code == radius.AccessReject) {
		return station
	}
	return "\x00"
}

func (f *radiusFlow) Close(c *analyze.Conn, _ analyze.End) {
	for id := range 256 { // in a fixed order
		if l := f.open[uint8(id)]; l != nil {
			f.emit(c, l, nil)
		}
	}
	f.open = nil
}
