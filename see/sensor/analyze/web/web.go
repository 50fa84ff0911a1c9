// SPDX-License-Identifier: Apache-2.0

// Package web holds the analysers of TLS, HTTP and what runs beside them: QUIC,
// SSH, MQTT, RTSP, SIP, STUN, TURN and WebRTC, RTP.
//
// # What they emit
//
//   - tls: one event per handshake (event.TLS), with JA4 and, up to TLS 1.2, both
//     certificate chains. Then the flow is cut off: nothing readable follows.
//   - http: one event per exchange (event.HTTP), HTTP/1 and HTTP/2 in clear text.
//     Each exchange is shown to the interpreters, which recognise applications.
//   - quic: the hello inside Initial packets, as event.TLS.
//   - ssh: identification, algorithms and HASSH (event.SSH).
//   - stun, dtls, rtp: one analyser for what shares a UDP flow (RFC 7983). With a
//     DTLS handshake beside STUN it is "webrtc".
//   - mqtt, rtsp, sip: event.Application.
//
// # Patients and people
//
// Paths and queries of HTTP, topics of MQTT and URIs of RTSP can name patients.
// See RedactTarget for exactly what is replaced. User names (MQTT, STUN, SIP
// user parts, e-mail addresses in certificates) are pseudonyms of kind Person.
// Credentials are never emitted, nor hashed.
//
// # Memory
//
// For each flow at most: TLS, 64 KiB for a handshake message under way in each
// direction and 640 KiB of certificates per chain, as far as they were sent,
// until the handshake ends; HTTP, maxHeld for exchanges under way and one head
// and body in each direction; QUIC, 32 KiB; the others some KiB.
package web

import (
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
)

// Protocols returns the analysers of this package. The interpreters are asked
// about every HTTP exchange, in order, until one names the application.
func Protocols(interpreters ...analyze.Interpreter) []analyze.Protocol {
	return []analyze.Protocol{
		{Name: "tls", Probe: probeTLS, NewStream: func(*analyze.Conn) analyze.Stream { return new(tlsStream) }},
		{Name: "http", Probe: probeHTTP, NewStream: func(c *analyze.Conn) analyze.Stream { return newHTTP(c, interpreters) }},
		{Name: "ssh", Probe: probeSSH, NewStream: func(*analyze.Conn) analyze.Stream { return new(sshStream) }},
		{Name: "mqtt", Probe: probeMQTT, NewStream: func(*analyze.Conn) analyze.Stream { return new(mqttStream) }},
		{Name: "rtsp", Probe: probeRTSP, NewStream: func(*analyze.Conn) analyze.Stream { return newRTSP() }},
		{Name: "sip", Probe: probeSIP, NewStream: func(*analyze.Conn) analyze.Stream { return newSIPStream() }},
		{Name: "stun", Probe: probeTURN, NewStream: func(*analyze.Conn) analyze.Stream { return new(turnStream) }},

		{Name: "quic", Probe: probeQUIC, NewDatagram: func(*analyze.Conn) analyze.Datagram { return new(quicFlow) }},
		{Name: "stun", Probe: probeSTUN, NewDatagram: func(*analyze.Conn) analyze.Datagram { return new(mediaFlow) }},
		{Name: "dtls", Probe: probeDTLS, NewDatagram: func(*analyze.Conn) analyze.Datagram { return new(mediaFlow) }},
		{Name: "rtp", Rank: -20, Probe: probeRTP, NewDatagram: func(*analyze.Conn) analyze.Datagram { return new(mediaFlow) }},
		{Name: "sip", Probe: probeSIP, NewDatagram: func(*analyze.Conn) analyze.Datagram { return new(sipFlow) }},
	}
}

// str makes a string from the wire fit for events.
func str(s string) string { return analyze.CleanString(s) }

// attrs collects attributes of an event.Application; empty values are left out.
type attrs []event.KV

func (a *attrs) add(name, value string) {
	if value != "" {
		*a = append(*a, event.KV{Name: name, Value: value})
	}
}

// setClient makes the side that sends in direction d the client.
func setClient(c *analyze.Conn, d analyze.Dir) {
	if c.SideOf(d) != analyze.Client {
		c.Flip()
	}
}
