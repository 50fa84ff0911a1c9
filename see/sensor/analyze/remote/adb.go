// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/adb"
)

func probeADB(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(adb.Looks(head))
}

// adbStream follows a debugging connection.
type adbStream struct {
	announced     bool
	authenticated bool // AUTH was seen
	signed        bool
	services      names
	opens         uint64
	bytes         [2]uint64
	device        adb.Identity
	version       string
	tls           [2]bool
	connected     bool
}

var _ analyze.Stream = (*adbStream)(nil)

func (s *adbStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := int64(0)
	for len(data) >= adb.HeaderSize {
		h, err := adb.ParseHeader(data)
		if err != nil {
			return used, analyze.Reject
		}
		want := 0
		if h.Command == adb.CNXN || h.Command == adb.OPEN {
			want = min(h.Length, adb.MaxIdentity)
		}
		if len(data) < adb.HeaderSize+want {
			break
		}
		s.message(c, dir, h, data[adb.HeaderSize:adb.HeaderSize+want])
		n := adb.HeaderSize + h.Length
		used += int64(n)
		if h.Command == adb.STLS {
			s.tls[dir] = true
			if s.tls[0] && s.tls[1] && n <= len(data) {
				return used, analyze.Handoff
			}
		}
		if n > len(data) {
			break
		}
		data = data[n:]
	}
	return used, analyze.More
}

func (s *adbStream) announce(c *analyze.Conn) {
	if !s.announced {
		s.announced = true
		c.Service("adb")
	}
}

func (s *adbStream) message(c *analyze.Conn, dir analyze.Dir, h adb.Header, body []byte) {
	switch h.Command {
	case adb.CNXN:
		s.identity(c, dir, h, adb.ParseIdentity(body))
	case adb.AUTH:
		if !s.announced && h.Arg0 == adb.AuthToken { // the device asks
			setClient(c, dir.Other())
		}
		s.announce(c)
		s.authenticated = true
		if h.Arg0 != adb.AuthToken {
			s.signed = true
		}
	case adb.STLS:
		if !s.announced {
			setClient(c, dir.Other()) // the device asks first
		}
		s.announce(c)
		if !s.tls[0] && !s.tls[1] {
			c.Emit(&event.Event{Activity: session, Status: event.StatusSuccess, Message: "ADB connection continues in TLS",
				Detail: &event.Application{Name: "adb", Version: adb.Version(h), Operation: "STLS"}})
		}
	case adb.OPEN:
		if !s.announced {
			setClient(c, dir)
		}
		s.announce(c)
		s.opens++
		kind, arg := adb.Service(body)
		if !s.services.add(kind) {
			return
		}
		var kv attrs
		kv.add("service", kind)
		kv.flag("with_command", arg != "")
		kv.flag("from_device", c.SideOf(dir) == analyze.Server)
		c.Emit(&event.Event{Activity: request, Message: "ADB service " + kind + " opened", Detail: &event.Application{Name: "adb", Operation: "OPEN", Attributes: kv}})
	case adb.WRTE:
		s.bytes[dir] += uint64(h.Length)
	}
}

// identity takes a CNXN. The host sends one first; that of the device means
// that the connection is accepted.
func (s *adbStream) identity(c *analyze.Conn, dir analyze.Dir, h adb.Header, id adb.Identity) {
	host := id.Type == "host"
	if !s.announced {
		if host {
			setClient(c, dir)
		} else {
			setClient(c, dir.Other())
		}
	}
	s.announce(c)
	if host || s.connected {
		return
	}
	s.connected = true
	s.device = id
	s.version = adb.Version(h)
	const src = "adb.cnxn.identity"
	c.Evidence(analyze.Server, device.AttrModel, id.Model, src, device.Structured)
	c.Evidence(analyze.Server, device.AttrSerial, id.Serial, src, device.Claimed)
	if id.Product != "" || id.Model != "" {
		c.Evidence(analyze.Server, device.AttrOS, "Android", src, device.Claimed)
	}
	vendor, class := adbDevice(id)
	c.Evidence(analyze.Server, device.AttrVendor, vendor, src, device.Hint)
	c.Evidence(analyze.Server, device.AttrClass, string(class), src, device.Hint)
	var kv attrs
	kv.add("system_type", id.Type)
	kv.add("product", id.Product)
	kv.add("model", id.Model)
	kv.add("device", id.Device)
	auth := "none"
	if s.signed {
		auth = "key"
	} else if s.authenticated {
		auth = "asked"
	}
	kv.add("authentication", auth)
	kv.list("feature", id.Features[:min(len(id.Features), maxNames)])
	msg := "ADB connection to " + id.Model
	if id.Model == "" {
		msg = "ADB connection to a " + id.Type
	}
	if auth == "none" {
		msg += " without authentication"
	}
	c.Emit(&event.Event{Activity: session, Status: event.StatusSuccess, Message: msg, Detail: &event.Application{Name: "adb", Version: s.version, Operation: "CNXN", Attributes: kv}})
}

// adbDevice tells what products' names say of vendor and class. Names are those
// of ro.product.name, .model and .device.
func adbDevice(id adb.Identity) (vendor string, class device.Class) {
	all := strings.ToLower(id.Product + " " + id.Model + " " + id.Device)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(all, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("quest", "hollywood", "seacliff", "eureka", "monterey", "panther_xr", "oculus", "pacific"):
		return "Meta", device.ClassXRHeadset
	case has("magic leap", "demophon", "magicleap"):
		return "Magic Leap", device.ClassXRHeadset
	case has("pico"):
		return "Pico", device.ClassXRHeadset
	case has("vive focus", "vive_focus", "vive xr"):
		return "HTC", device.ClassXRHeadset
	case has("vuzix", "blade2", "m4000"):
		return "Vuzix", device.ClassXRHeadset
	case has("hmt-1", "navigator 5", "realwear"):
		return "RealWear", device.ClassXRHeadset
	case has("glass enterprise", "glass_enterprise"):
		return "Google", device.ClassXRHeadset
	case has("pixel"):
		return "Google", device.ClassMobile
	case strings.HasPrefix(id.Model, "SM-") || strings.HasPrefix(id.Model, "SM_"):
		return "Samsung", device.ClassMobile
	case has("zebra", "tc51", "tc52", "tc56", "tc57", "tc21", "tc26"):
		return "Zebra", device.ClassMobile
	}
	return "", ""
}

// Gap gives up unless the hole is where content is passed over anyway.
func (s *adbStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *adbStream) Close(c *analyze.Conn, why analyze.End) {
	if !s.announced || s.opens == 0 || why == analyze.Handed {
		return
	}
	var kv attrs
	kv.list("service", s.services)
	kv.count("streams_opened", s.opens)
	kv.count("bytes_to_device", s.bytes[clientDir(c)])
	kv.count("bytes_from_device", s.bytes[clientDir(c).Other()])
	c.Emit(&event.Event{Activity: session, Message: "ADB connection: " + plural(s.opens, "stream") + " opened", Detail: &event.Application{Name: "adb", Version: s.version, Operation: "SESSION", Attributes: kv}})
}
