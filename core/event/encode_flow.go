// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Values of the enumerations that the encoder decides on.
const (
	directionUnknown  = 0
	directionInbound  = 1
	directionOutbound = 2
	directionLateral  = 3
	directionLocal    = 4

	boundaryLocalhost = 1
	boundaryInternal  = 2
	boundaryExternal  = 3

	observedByNeither = 3 // the sensor is neither source nor destination
)

// flow writes what the network class of OCSF has: endpoints, connection,
// observation point and, in a Connection, traffic and times.
func (w *writer) flow(e *Event, t *classTable, p *Producer) {
	f := e.Flow
	if f == nil {
		// OCSF wants one endpoint at least.
		w.b = append(w.b, `,"src_endpoint":{"name":"unknown"}`...)
	} else {
		hostname := ""
		if d, ok := e.Detail.(*DHCP); ok && fromClient(e.Activity) {
			hostname = d.Hostname
		}
		vlan := -1
		if n := len(f.VLANs); n > 0 {
			vlan = int(f.VLANs[n-1])
		}
		w.endpoint("src_endpoint", f.Src, vlan, hostname)
		w.endpoint("dst_endpoint", f.Dst, vlan, "")
		w.connection(e, p)
	}
	if t.network && p.Sensor != "" {
		w.caption("observation_point_id", observedByNeither, "observation_point", captionObservationPoint(observedByNeither))
		w.key("network_observation_point")
		w.open()
		w.str("name", p.Sensor)
		w.close()
	}
	if _, own := e.Detail.(*Application); !own {
		app := e.Protocol
		if c, ok := e.Detail.(*Connection); ok {
			app = c.App
		}
		w.str("app_protocol_name", app)
	}
	if f != nil && (t.uid == ClassNetwork || t.extension && t.network) {
		w.flag("is_src_dst_assignment_known", !f.Guessed)
	}
	if t.extension && t.network {
		w.yes("is_encrypted", e.Encrypted)
	}
}

// fromClient reports whether a DHCP message of this activity comes from the client.
func fromClient(activity uint8) bool {
	switch activity {
	case 1, 3, 4, 7, 8: // Discover, Request, Decline, Release, Inform
		return true
	}
	return false
}

func (w *writer) endpoint(name string, e Endpoint, vlan int, hostname string) {
	w.key(name)
	w.open()
	w.addr("ip", e.IP)
	if e.Port != 0 {
		w.num("port", int64(e.Port))
	}
	w.mac("mac", e.MAC)
	w.str("hostname", hostname)
	switch { // an endpoint needs an identifier, and OCSF does not count the MAC as one
	case e.IP.IsValid() || hostname != "":
	case !e.MAC.IsZero():
		w.mac("uid", e.MAC)
	default:
		w.str("name", "unknown")
	}
	if vlan >= 0 {
		w.key("vlan_uid")
		w.b = append(w.b, '"')
		w.b = appendInt(w.b, int64(vlan))
		w.b = append(w.b, '"')
	}
	w.close()
}

func (w *writer) connection(e *Event, p *Producer) {
	f := e.Flow
	w.key("connection_info")
	w.open()
	if f.ID != 0 {
		w.key("uid")
		w.b = append(w.b, '"')
		w.b = strconv.AppendUint(w.b, f.ID, 10)
		w.b = append(w.b, '"')
	}
	if f.Src.IP.IsValid() {
		w.num("protocol_num", int64(f.Proto))
		w.str("protocol_name", protocolName(f.Proto))
		ver := 4
		if f.Src.IP.Is6() && !f.Src.IP.Is4In6() {
			ver = 6
		}
		w.caption("protocol_ver_id", ver, "protocol_ver", captionIPVersion(ver))
	}
	dir, boundary := p.direction(f.Src.IP, f.Dst.IP)
	w.caption("direction_id", dir, "direction", captionDirection(dir))
	if boundary != 0 {
		w.caption("boundary_id", boundary, "boundary", captionBoundary(boundary))
	}
	w.str("community_uid", f.CommunityID)
	if c, ok := e.Detail.(*Connection); ok {
		if flags := c.TCPFlagsOut | c.TCPFlagsIn; flags != 0 {
			w.num("tcp_flags", int64(flags))
		}
		w.str("flag_history", c.History)
	}
	w.close()
}

// direction derives direction_id and boundary_id from where the ends are.
func (p *Producer) direction(src, dst netip.Addr) (direction, boundary int) {
	if !src.IsValid() || !dst.IsValid() {
		return directionUnknown, 0
	}
	if src.IsLoopback() && dst.IsLoopback() {
		return directionLocal, boundaryLocalhost
	}
	switch in, out := p.internal(src), p.internal(dst); {
	case in && out:
		return directionLateral, boundaryInternal
	case in:
		return directionOutbound, boundaryExternal
	case out:
		return directionInbound, boundaryExternal
	}
	return directionUnknown, boundaryExternal
}

// protocolName returns the IANA name of an IP protocol in lower case, "" for
// the rare ones.
func protocolName(n uint8) string {
	switch n {
	case 0:
		return "hopopt"
	case 1:
		return "icmp"
	case 2:
		return "igmp"
	case 4:
		return "ipv4"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 41:
		return "ipv6"
	case 47:
		return "gre"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case 58:
		return "ipv6-icmp"
	case 89:
		return "ospfigp"
	case 103:
		return "pim"
	case 112:
		return "vrrp"
	case 132:
		return "sctp"
	}
	return ""
}

// summary writes traffic and times of a finished or running flow.
func (w *writer) summary(c *Connection) {
	if c.Start != 0 {
		w.num("start_time", c.Start/int64(time.Millisecond))
	}
	if c.End != 0 {
		w.num("end_time", c.End/int64(time.Millisecond))
	}
	if c.Start != 0 && c.End >= c.Start {
		w.num("duration", (c.End-c.Start)/int64(time.Millisecond))
	}
	w.key("traffic")
	w.open()
	w.num("packets", int64(clampLong(c.PacketsOut+c.PacketsIn)))
	w.num("packets_out", int64(clampLong(c.PacketsOut)))
	w.num("packets_in", int64(clampLong(c.PacketsIn)))
	w.num("bytes", int64(clampLong(c.BytesOut+c.BytesIn)))
	w.num("bytes_out", int64(clampLong(c.BytesOut)))
	w.num("bytes_in", int64(clampLong(c.BytesIn)))
	w.size("bytes_missed", c.Missed)
	w.close()
}

// observables repeats the values that analysts search by, with the path of
// each: addresses always, names and fingerprints where the class has them.
func (w *writer) observables(e *Event, t *classTable) {
	mark := len(w.b)
	w.key("observables")
	w.openList()
	empty := len(w.b)
	if f := e.Flow; f != nil && (t.network || t.uid == ClassDeviceEvidence) {
		w.observedEndpoint("src_endpoint", f.Src)
		w.observedEndpoint("dst_endpoint", f.Dst)
		if d, ok := e.Detail.(*DHCP); ok && fromClient(e.Activity) {
			w.observe("src_endpoint.hostname", observableHostname, d.Hostname)
		}
	}
	switch d := e.Detail.(type) {
	case *DNS:
		w.observe("query.hostname", observableHostname, d.Query)
	case *TLS:
		w.observe("tls.sni", observableHostname, d.SNI)
		w.observe("ja4_fingerprint_list.value", observableHash, d.JA4)
		if c := leaf(d); c != nil {
			w.observe("tls.certificate.fingerprints.value", observableHash, c.SHA256)
			w.observe("tls.certificate.serial_number", observableSerial, c.SerialNumber)
		}
	case *HTTP:
		host, _ := splitHost(d.Host)
		w.observe("http_request.url.hostname", observableHostname, host)
		w.observe("http_request.user_agent", observableUserAgent, d.UserAgent)
	case *SSH:
		w.observe("client_hassh.fingerprint.value", observableHash, d.HASSH)
		w.observe("server_hassh.fingerprint.value", observableHash, d.HASSHServer)
	case *MedicalDevice:
		w.observe("serial_number", observableSerial, d.Serial)
	case *DeviceEvidence:
		w.observeMAC("device_evidence.evidence_subject.mac", d.Evidence.Subject.MAC)
		w.observeIP("device_evidence.evidence_subject.ip", d.Evidence.Subject.IP)
	}
	if len(w.b) == empty {
		w.b = w.b[:mark]
		return
	}
	w.closeList()
}

// Observable types (observable.type_id).
const (
	observableHostname  = 1
	observableIP        = 2
	observableMAC       = 3
	observableHash      = 8
	observableUserAgent = 16
	observableSerial    = 37
)

func (w *writer) observed(path string, id int) {
	w.comma()
	w.open()
	w.str("name", path)
	w.caption("type_id", id, "type", captionObservable(id))
}

func (w *writer) observe(path string, id int, v string) {
	if v != "" {
		w.observed(path, id)
		w.str("value", v)
		w.close()
	}
}

func (w *writer) observedEndpoint(name string, e Endpoint) {
	// The two paths are spelt out so that nothing is allocated.
	ip, mac := "src_endpoint.ip", "src_endpoint.mac"
	if strings.HasPrefix(name, "dst") {
		ip, mac = "dst_endpoint.ip", "dst_endpoint.mac"
	}
	w.observeIP(ip, e.IP)
	w.observeMAC(mac, e.MAC)
}

func (w *writer) observeIP(path string, a netip.Addr) {
	if a.IsValid() {
		w.observed(path, observableIP)
		w.addr("value", a)
		w.close()
	}
}

func (w *writer) observeMAC(path string, m [6]byte) {
	if m != [6]byte{} {
		w.observed(path, observableMAC)
		w.mac("value", m)
		w.close()
	}
}
