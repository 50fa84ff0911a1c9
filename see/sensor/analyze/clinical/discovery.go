// SPDX-License-Identifier: Apache-2.0

package clinical

import (
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/sdc"
)

// Discovery is the analyser of WS-Discovery over UDP, which medical devices,
// printers, cameras and Windows all use.
func Discovery() analyze.Protocol {
	return analyze.Protocol{
		Name:        "ws-discovery",
		Probe:       probeDiscovery,
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &discovery{seed: maphash.MakeSeed()} },
	}
}

func probeDiscovery(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	if !sdc.Looks(head) {
		return analyze.No
	}
	// The discovery namespace stands in the action, in an early header.
	s := head[:min(len(head), 2048)]
	if containsFold(s, sdc.NSDiscovery) || containsFold(s, sdc.NSDiscovery05) {
		return analyze.Yes
	}
	return analyze.No
}

// discovery remembers the last messages: SOAP over UDP sends each up to four
// times (SOAP-over-UDP 1.1 §A).
type discovery struct {
	seed maphash.Seed
	ids  [16]uint64
	next int
	last uint64 // hash of the last whole message with an ID: each is sent several times (SOAP-over-UDP §4)
}

// Close implements analyze.Datagram.
func (*discovery) Close(*analyze.Conn, analyze.End) {}

// Packet implements analyze.Datagram.
func (s *discovery) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	whole := maphash.Bytes(s.seed, payload)
	if s.next > 0 && whole == s.last {
		return analyze.More
	}
	e, err := sdc.Parse(payload)
	if err != nil || !e.IsDiscovery() {
		return analyze.More
	}
	if e.MessageID != "" {
		s.last = whole
		id := maphash.String(s.seed, e.MessageID)
		for _, k := range s.ids {
			if k == id {
				return analyze.More
			}
		}
		s.ids[s.next%len(s.ids)] = id
		s.next++
	}
	announce(c, dir, e, false)
	return analyze.More
}

// announce emits a discovery message, over UDP or HTTP. Hello, ProbeMatches and
// ResolveMatches tell of their sender unless a discovery proxy sends them.
func announce(c *analyze.Conn, dir analyze.Dir, e *sdc.Envelope, proxy bool) {
	medical := e.IsSDC()
	activity, about := uint8(1), true
	switch e.Body.Local {
	case "Probe", "Resolve":
		activity, about = 2, false
	case "Hello", "Bye", "ProbeMatches", "ResolveMatches":
		if len(e.Matches) == 0 {
			return // nothing was found: no news
		}
	default:
		activity, about = 99, false
	}
	if medical {
		c.App = "sdc-discovery"
	}
	side := source(c, dir)
	if !about && medical && e.Body.Local != "Bye" {
		c.Evidence(side, device.AttrUses, "sdc", "sdc.probe", device.Claimed)
	}
	if about && len(e.Matches) == 1 && !proxy {
		matchEvidence(c, side, e, medical)
	}
	if !c.Full() {
		c.Note(event.ClassMedicalDevice)
		return
	}
	d := &event.MedicalDevice{Standard: "ws-discovery", Message: e.Body.Local}
	if medical {
		d.Standard = "sdc"
	}
	ev := &event.Event{Detail: d, Activity: activity}
	for i := range e.Matches {
		m := &e.Matches[i]
		d.Types, d.Scopes = typeNames(d.Types, m.Types), scopeNames(d.Scopes, m.Scopes)
		if i > 0 {
			continue
		}
		d.Endpoint = clean(m.Endpoint)
		d.Secure = m.Secure()
		d.Location = locationOf(m.Scopes)
		if m.MetadataVersion != "" {
			d.Attributes = append(d.Attributes, event.KV{Name: "metadata_version", Value: analyze.CleanN([]byte(m.MetadataVersion), 16)})
		}
		if n := len(m.XAddrs); n > 0 {
			d.Attributes = append(d.Attributes, event.KV{Name: "transport_addresses", Value: fmt.Sprint(n)}, event.KV{Name: "transport_address", Value: clean(m.XAddrs[0])})
		}
	}
	d.Records = len(e.Matches)
	what := "A device"
	if medical {
		what = "A medical device"
	}
	switch {
	case e.Body.Local == "Bye":
		ev.Message = what + " left by WS-Discovery"
	case about:
		ev.Message = what + " announced itself by WS-Discovery"
	default:
		ev.Message = "A system looked for devices by WS-Discovery"
		if medical {
			ev.Message = "A system looked for medical devices by WS-Discovery"
		}
	}
	c.Emit(ev)
}

// matchEvidence tells what a device says of itself.
func matchEvidence(c *analyze.Conn, side analyze.Side, e *sdc.Envelope, medical bool) {
	m := &e.Matches[0]
	c.Evidence(side, device.AttrDeviceID, clean(m.Endpoint), "ws-discovery.endpoint-reference", device.Structured)
	if medical && e.Body.Local != "Bye" {
		c.Evidence(side, device.AttrLocation, locationOf(m.Scopes), "sdc.scope.location", device.Structured)
		if service := serviceOf(m); service != "" {
			c.Evidence(side, device.AttrService, service, "sdc.xaddrs", device.Claimed)
		}
	}
	if cl := classOfScopes(m.Scopes); cl != "" {
		c.Evidence(side, device.AttrClass, string(cl), "sdc.scope.type", device.Structured)
	}
	if cl, why := classOfTypes(m.Types); cl != "" {
		c.Evidence(side, device.AttrClass, string(cl), why, device.Claimed)
	}
}

func clean(s string) string { return analyze.CleanString(s) }

// typeNames are the types with a prefix that people know their namespace by.
func typeNames(list []string, types []sdc.QName) []string {
	for _, t := range types {
		prefix := ""
		switch {
		case strings.HasPrefix(t.Space, sdc.NSDPWS), strings.HasPrefix(t.Space, sdc.NSDPWS06):
			prefix = "dpws:"
		case strings.HasPrefix(t.Space, sdc.NSMDPWS):
			prefix = "mdpws:"
		case strings.HasPrefix(t.Space, sdc.NSPrinterWSD):
			prefix = "wprt:"
		case strings.HasPrefix(t.Space, sdc.NSWindowsWSDP):
			prefix = "pub:"
		case strings.Contains(t.Space, "onvif"):
			prefix = "onvif:"
		}
		list = addOnce(list, clean(prefix+t.Local), 16)
	}
	return list
}

// scopeNames keeps the scopes that name no person: of the sdc.ctxt.* family
// only the location's.
func scopeNames(list, scopes []string) []string {
	for _, s := range scopes {
		l := strings.ToLower(s)
		if strings.HasPrefix(l, "sdc.ctxt.") && !strings.HasPrefix(l, "sdc.ctxt.loc") {
			s = s[:min(len(s), len("sdc.ctxt.xxx"))] // the kind of context, without whose
		}
		list = addOnce(list, clean(s), 16)
	}
	return list
}

func locationOf(scopes []string) string {
	for _, s := range scopes {
		if l, ok := sdc.LocationOf(s); ok {
			return clean(l.String())
		}
	}
	return ""
}

// serviceOf gives the SDC service of the first transport address with a port.
func serviceOf(m *sdc.Match) string {
	for _, x := range m.XAddrs {
		scheme, rest, ok := strings.Cut(x, "://")
		if !ok {
			continue
		}
		host, _, _ := strings.Cut(rest, "/")
		i := strings.LastIndexByte(host, ':')
		if i < 0 || i+1 == len(host) || len(host)-i > 6 {
			continue
		}
		port := host[i+1:]
		for j := 0; j < len(port); j++ {
			if port[j] < '0' || port[j] > '9' {
				port = ""
			}
		}
		if port == "" {
			continue
		}
		if strings.EqualFold(scheme, "https") {
			return "sdc-tls/tcp:" + port
		}
		return "sdc/tcp:" + port
	}
	return ""
}

// classOfScopes reads the type that a provider states in a scope,
// "sdc.cdc.type:/coding system/version/code" (IEEE 11073-20701 §9.3). Other
// coding systems than 11073-10101 are not read.
func classOfScopes(scopes []string) device.Class {
	for _, s := range scopes {
		rest, ok := strings.CutPrefix(strings.ToLower(s), "sdc.cdc.type:/")
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		if len(parts) != 3 || parts[0] != "" && !strings.Contains(parts[0], "10101") {
			continue
		}
		if cl := classOfMDC(parts[2], ""); cl != "" {
			return cl
		}
	}
	return ""
}

// classOfTypes tells what is no medical device by its discovery types.
func classOfTypes(types []sdc.QName) (device.Class, string) {
	for _, t := range types {
		switch {
		case strings.HasPrefix(t.Space, sdc.NSPrinterWSD):
			return device.ClassPrinter, "ws-discovery.types"
		case strings.Contains(t.Space, "onvif.org") && strings.HasPrefix(t.Local, "NetworkVideo"):
			return device.ClassCamera, "ws-discovery.types"
		case strings.HasPrefix(t.Space, sdc.NSWindowsWSDP) && t.Local == "Computer":
			return device.ClassWorkstation, "ws-discovery.types"
		}
	}
	return "", ""
}
