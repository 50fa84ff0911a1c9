// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/mqtt"
)

// maxTopics bounds the topics kept of one connection, each way.
const maxTopics = 32

func probeMQTT(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	yes, maybe := mqtt.Looks(head)
	if !yes && !maybe && c.MidStream {
		yes, maybe = mqtt.LooksWithin(head)
	}
	switch {
	case yes:
		return analyze.Yes
	case maybe:
		return analyze.Maybe
	}
	return analyze.No
}

// mqttStream follows one client's connection to a broker. Of one whose CONNECT was not
// seen, topics are told and which side is the client, as soon as a packet shows it.
type mqttStream struct {
	r          [2]mqtt.Reader
	began      int64
	client     analyze.Dir
	connect    *mqtt.Packet
	announced  bool
	published  topics
	received   topics
	subscribed topics
	roles      bool // who is the client is certain
	messages   [2]uint64
	bytes      [2]uint64
	wildcard   bool
	reason     uint8
}

// topics is a bounded set in the order of appearance.
type topics struct {
	names []string
	more  bool
}

func (t *topics) add(s string) {
	for _, n := range t.names {
		if n == s {
			return
		}
	}
	if len(t.names) >= maxTopics {
		t.more = true
		return
	}
	t.names = append(t.names, s)
}

func (t *topics) attrs(kv *attrs, name string) {
	for _, n := range t.names {
		kv.add(name, n)
	}
	if t.more {
		kv.add(name+"s_more", "true")
	}
}

var _ analyze.Stream = (*mqttStream)(nil)

func (m *mqttStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if m.began == 0 {
		m.began = c.Now
		if c.SideOf(analyze.ToServer) == analyze.Server {
			m.client = analyze.ToClient
		}
	}
	used := int64(0)
	for len(data) > 0 {
		n, p, ok, err := m.r[dir].Next(data)
		used += n
		if err != nil {
			return used, analyze.Reject
		}
		data = data[min(n, int64(len(data))):]
		if !ok {
			break
		}
		m.packet(c, dir, &p)
	}
	return used, analyze.More
}

// Gap gives up: packets have no mark by which to find the next one.
func (m *mqttStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (m *mqttStream) packet(c *analyze.Conn, dir analyze.Dir, p *mqtt.Packet) {
	if m.connect == nil {
		m.within(c, dir, p)
	}
	switch p.Type {
	case mqtt.Connect:
		if m.connect != nil {
			return
		}
		m.connect, m.client, m.roles = p, dir, true
		m.r[0].Level, m.r[1].Level = p.Level, p.Level
		setClient(c, dir)
		if id := str(p.ClientID); ownID(id) {
			c.Evidence(analyze.Client, device.AttrDeviceID, id, "mqtt.client-id", device.Claimed)
		}
	case mqtt.ConnAck:
		if m.connect != nil && !m.announced {
			c.Service("mqtt")
			m.announce(c, p)
		}
	case mqtt.Publish:
		t := RedactTopic(c, p.Topic)
		if t != "" {
			if dir == m.client {
				m.published.add(t)
			} else {
				m.received.add(t)
			}
		}
		m.messages[dir]++
		m.bytes[dir] += uint64(max(0, p.Payload))
	case mqtt.Subscribe:
		for _, f := range p.Filters {
			m.subscribed.add(RedactTopic(c, f.Topic))
			m.wildcard = m.wildcard || f.Topic == "#"
		}
	case mqtt.Disconnect:
		m.reason = p.Code
	}
}

// within looks for who is the client on a connection whose CONNECT was not seen
// (§2.2.1: directions of flow).
func (m *mqttStream) within(c *analyze.Conn, dir analyze.Dir, p *mqtt.Packet) {
	if m.roles || !c.MidStream {
		return
	}
	switch p.Type {
	case mqtt.Subscribe, mqtt.Unsubscribe, mqtt.PingReq, mqtt.Disconnect: // a broker of version 5 may disconnect, too: then nothing follows
	case mqtt.SubAck, mqtt.UnsubAck, mqtt.PingResp:
		dir = dir.Other()
	default:
		return
	}
	m.roles = true
	if m.client != dir {
		m.client = dir
		m.published, m.received = m.received, m.published
	}
	setClient(c, dir)
	c.Service("mqtt")
}

// announce emits the connection, with the broker's answer if there was one.
func (m *mqttStream) announce(c *analyze.Conn, ack *mqtt.Packet) {
	m.announced = true
	p := m.connect
	var kv attrs
	kv.add("client_id", RedactTopic(c, p.ClientID))
	kv.add("clean_session", strconv.FormatBool(p.Clean))
	kv.add("keep_alive_seconds", strconv.Itoa(int(p.KeepAlive)))
	if p.HasUser {
		kv.add("user_pseudonym", c.Pseudonym(pseudonym.Person, p.UserName))
	}
	auth := "none"
	switch {
	case p.HasPassword:
		auth = "password in clear"
	case p.HasUser:
		auth = "user name"
	}
	kv.add("authentication", auth)
	if p.Will {
		kv.add("will_topic", RedactTopic(c, p.WillTopic))
	}
	e := &event.Event{Time: m.began, Activity: 4, Detail: &event.Application{Name: "mqtt", Version: mqtt.Version(p.Level), Operation: "CONNECT", Attributes: kv},
		Message: "MQTT client connected"}
	if ack == nil {
		e.Message = "MQTT connection attempt without answer"
	} else {
		e.StatusCode = strconv.Itoa(int(ack.Code))
		e.StatusDetail = mqtt.CodeName(p.Level, ack.Code)
		e.Status = event.StatusSuccess
		if ack.Code != 0 {
			e.Status = event.StatusFailure
			e.Message = "MQTT connection refused: " + e.StatusDetail
		}
	}
	c.Emit(e)
}

func (m *mqttStream) Close(c *analyze.Conn, _ analyze.End) {
	switch {
	case m.connect == nil && !c.MidStream:
		return
	case m.connect == nil:
		m.connect = new(mqtt.Packet)
	case !m.announced:
		m.announce(c, nil)
	}
	if len(m.published.names)+len(m.received.names)+len(m.subscribed.names) == 0 {
		return
	}
	var kv attrs
	kv.add("client_id", RedactTopic(c, m.connect.ClientID))
	m.published.attrs(&kv, "published_topic")
	m.subscribed.attrs(&kv, "topic_filter")
	m.received.attrs(&kv, "received_topic")
	if m.wildcard {
		kv.add("subscribes_everything", "true")
	}
	up, down := m.client, m.client.Other()
	kv.add("messages_published", strconv.FormatUint(m.messages[up], 10))
	kv.add("messages_received", strconv.FormatUint(m.messages[down], 10))
	kv.add("bytes_published", strconv.FormatUint(m.bytes[up], 10))
	kv.add("bytes_received", strconv.FormatUint(m.bytes[down], 10))
	if m.reason != 0 {
		kv.add("disconnect_reason", strconv.Itoa(int(m.reason)))
	}
	c.Emit(&event.Event{Activity: 4, Detail: &event.Application{Name: "mqtt", Version: mqtt.Version(m.connect.Level), Operation: "SESSION", Attributes: kv},
		Message: "MQTT session: " + strconv.FormatUint(m.messages[up], 10) + " messages published, " + strconv.FormatUint(m.messages[down], 10) + " received"})
}

// ownID reports a client identifier that somebody chose, unlike those that
// libraries make up for each connection.
func ownID(id string) bool {
	for _, p := range []string{"auto-", "mosq-", "mosqpub|", "mosqsub|", "mqttjs_", "paho", "mqtt-explorer-"} {
		if strings.HasPrefix(strings.ToLower(id), p) {
			return false
		}
	}
	return len(id) >= 3
}
