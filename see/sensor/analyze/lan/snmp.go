// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/finding"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/snmp"
)

// snmpProtocol reports management and what managed devices tell about
// themselves. A walk is thousands of messages: the first of each kind is an
// event, every write and every trap is one, and the flow ends with a summary.
func snmpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "snmp",
		Probe: func(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			missing := 0
			if p := c.Packet; p != nil {
				missing = p.Missing + len(p.Payload) - len(head)
			}
			if snmp.Looks(head, missing) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &snmpFlow{} },
	}
}

type snmpFlow struct {
	seen    once
	counts  [9]uint64
	version string
	served  bool
	lastSet int64 // request identifier of the last write or trap: repetitions are one
	hasSet  bool
}

// wellKnown are communities that products ship with or that manuals show.
var wellKnown = map[string]bool{"public": true, "private": true, "community": true, "admin": true, "manager": true, "snmp": true, "snmpd": true, "default": true, "cisco": true,
	"read": true, "write": true, "monitor": true, "security": true, "secret": true, "password": true, "ilmi": true, "internal": true, "proxy": true, "all private": true,
	"rw": true, "ro": true, "test": true, "guest": true, "system": true, "tivoli": true, "openview": true, "cable-docsis": true, "rmon": true, "hp_admin": true, "": true}

func isPublic(community []byte) bool {
	var buf [24]byte // longer than any of them
	if len(community) > len(buf) {
		return false
	}
	for i, b := range community {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		buf[i] = b
	}
	return wellKnown[string(buf[:len(community)])]
}

func (f *snmpFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	m := analyze.Scratch[snmp.Message](c.Memo(), analyze.ScratchSNMP)
	defer m.Reset() // it points into the payload
	if err := m.Parse(payload, missing); err != nil && missing == 0 {
		return analyze.More
	}
	f.version = m.VersionName()
	trap := m.HasPDU && (m.PDU == snmp.TrapV1 || m.PDU == snmp.TrapV2 || m.PDU == snmp.Inform)
	fromAgent := m.HasPDU && (m.PDU == snmp.Response || m.PDU == snmp.Report)
	if m.HasPDU {
		orient(c, dir, fromAgent)
	}
	if m.HasPDU && m.PDU < len(f.counts) {
		f.counts[m.PDU]++
	}
	s := sender(c, dir)
	switch {
	case trap:
		if m.AgentAddress.IsValid() && usable(m.AgentAddress) && m.AgentAddress != s.IP {
			s = device.Subject{IP: m.AgentAddress, VLAN: c.VLAN}
		}
		fact(c, s, device.AttrUses, "snmp-trap", "snmp.trap", device.Claimed)
	case fromAgent:
		if !f.served {
			f.served = true
			c.Service("snmp")
		}
		snmpEvidence(c, s, m)
	}
	if m.Version == snmp.V3 && len(m.Engine.Raw) > 0 {
		agent := s
		if !trap && m.HasPDU && !fromAgent || !m.HasPDU && c.SideOf(dir) == analyze.Client {
			agent = sender(c, dir.Other()) // the authoritative engine is whoever answers
		}
		fact(c, agent, device.AttrDeviceID, "snmp-engine:"+m.Engine.Hex(), "snmp.engine-id", device.Structured)
		if mac := device.MAC(m.Engine.MAC); m.Engine.HasMAC && !mac.IsGroup() {
			fact(c, agent, device.AttrMAC, mac.String(), "snmp.engine-id", device.Claimed)
		}
		if usable(m.Engine.IP) {
			fact(c, agent, device.AttrIP, m.Engine.IP.String(), "snmp.engine-id", device.Hint)
		}
	}
	f.report(c, dir, m, trap)
	return analyze.More
}

func (f *snmpFlow) report(c *analyze.Conn, dir analyze.Dir, m *snmp.Message, trap bool) {
	op := "encrypted"
	if m.HasPDU {
		op = snmp.PDUName(m.PDU)
	}
	failed := m.HasPDU && m.PDU == snmp.Response && m.ErrorStatus != 0
	write := m.HasPDU && m.PDU == snmp.Set
	if (write || trap) && m.PDU != snmp.TrapV1 {
		if f.hasSet && f.lastSet == m.RequestID {
			return
		}
		f.hasSet, f.lastSet = true, m.RequestID
	}
	if !(trap || write) && !f.seen.first(op, bit(failed), bit(isPublic(m.Community)), bit(m.Authenticated), bit(dir == analyze.ToClient), strings.TrimSpace(string(m.User))) {
		return
	}
	if !c.Full() {
		c.Note(event.ClassApplication)
		return
	}
	attrs := pairs{}
	if m.Version != snmp.V3 {
		attrs.add("community_default", strconv.FormatBool(isPublic(m.Community)))
		attrs.add("community_pseudonym", c.Pseudonym(pseudonym.Other, "snmp-community:"+string(m.Community)))
	} else {
		attrs.add("user_pseudonym", c.Pseudonym(pseudonym.Person, string(m.User)))
		attrs.add("engine_id", m.Engine.Hex())
		attrs.add("security_level", map[[2]bool]string{{false, false}: "noAuthNoPriv", {true, false}: "authNoPriv", {true, true}: "authPriv", {false, true}: "noAuthPriv"}[[2]bool{m.Authenticated, m.Priv}])
		attrs.add("context", m.ContextName)
	}
	var oids []string
	for i, b := range m.Bindings {
		if i == 8 {
			break
		}
		oids = append(oids, b.OID)
	}
	attrs.add("oids", join(oids))
	if m.PDU == snmp.TrapV1 && trap {
		attrs.add("enterprise", m.Enterprise)
		attrs.add("generic_trap", strconv.FormatInt(m.GenericTrap, 10))
		attrs.add("specific_trap", strconv.FormatInt(m.SpecTrap, 10))
	}
	if trap && m.PDU != snmp.TrapV1 {
		for _, b := range m.Bindings {
			if b.OID == "1.3.6.1.6.3.1.1.4.1.0" { // snmpTrapOID.0, RFC 3418
				attrs.add("trap_oid", b.Value)
			}
		}
	}
	activity, from := uint8(request), sender(c, dir).IP
	text := fmt.Sprintf("%s sends an SNMP %s", from, op)
	switch {
	case trap:
		activity = announcement
	case m.HasPDU && (m.PDU == snmp.Response || m.PDU == snmp.Report):
		activity = response
	}
	e := &event.Event{Activity: activity, Message: text, Severity: finding.Info, Detail: &event.Application{Name: "snmp", Version: m.VersionName(), Operation: op, Attributes: attrs}}
	switch {
	case failed:
		e.Status, e.StatusCode = event.StatusFailure, errorStatus(m.ErrorStatus)
	case m.HasPDU && m.PDU == snmp.Response:
		e.Status = event.StatusSuccess
	}
	c.Emit(e)
}

func (f *snmpFlow) Close(c *analyze.Conn, _ analyze.End) {
	var total uint64
	for _, n := range f.counts {
		total += n
	}
	if total <= 8 { // a short exchange was reported in whole
		return
	}
	attrs := pairs{}
	for t, n := range f.counts {
		if n > 0 {
			attrs.add(strings.ReplaceAll(strings.ToLower(snmp.PDUName(t)), "-", "_")+"_count", strconv.FormatUint(n, 10))
		}
	}
	application(c, session, f.version, "summary", fmt.Sprintf("%d SNMP messages between %s and %s", total, c.Ends[0].IP, c.Ends[1].IP), attrs)
}

func errorStatus(v int64) string {
	names := [...]string{"noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength", "wrongEncoding", "wrongValue", "noCreation",
		"inconsistentValue", "resourceUnavailable", "commitFailed", "undoFailed", "authorizationError", "notWritable", "inconsistentName"}
	if v >= 0 && int(v) < len(names) {
		return names[v]
	}
	return strconv.FormatInt(v, 10)
}

// enterprises are makers by IANA private enterprise number, where the number is
// that of the device's maker rather than of its agent's.
var enterprises = map[string]string{"2": "IBM", "9": "Cisco", "11": "HP", "36": "DEC", "43": "3Com", "45": "Avaya", "171": "D-Link", "207": "Allied Telesis", "232": "HPE", "236": "Samsung",
	"253": "Xerox", "318": "APC", "367": "Ricoh", "368": "Axis", "476": "Vertiv", "534": "Eaton", "641": "Lexmark", "674": "Dell", "890": "Zyxel", "1248": "Epson", "1347": "Kyocera", "1588": "Brocade",
	"1602": "Canon", "1916": "Extreme Networks", "1991": "Foundry", "2011": "Huawei", "2435": "Brother", "2620": "Check Point", "2636": "Juniper", "3375": "F5", "3955": "Linksys", "4413": "Broadcom",
	"4526": "Netgear", "5624": "Enterasys", "5951": "Citrix", "6486": "Alcatel-Lucent Enterprise", "6574": "Synology", "6876": "VMware", "8691": "Moxa", "10642": "Zebra", "11863": "TP-Link", "12356": "Fortinet",
	"14823": "Aruba", "14988": "MikroTik", "18334": "Konica Minolta", "24681": "QNAP", "25053": "Ruckus", "25461": "Palo Alto Networks", "25506": "H3C", "30065": "Arista", "41112": "Ubiquiti"}

// snmpEvidence reads the objects by which an agent identifies its device: the
// system group (RFC 3418), ENTITY-MIB (RFC 6933), printer and host resources
// (RFC 3805, 2790), interfaces (RFC 2863). sysContact is a person: left alone.
func snmpEvidence(c *analyze.Conn, s device.Subject, m *snmp.Message) {
	ev := func(attr device.Attribute, value, field string, conf device.Confidence) {
		fact(c, s, attr, clip(value), "snmp."+field, conf)
	}
	for i := range m.Bindings {
		b := &m.Bindings[i]
		if b.Value == "" {
			continue
		}
		switch b.OID {
		case "1.3.6.1.2.1.1.1.0":
			if b.Kind == "string" {
				ev(device.AttrBanner, b.Value, "sysDescr", device.Structured)
				ev(device.AttrOS, osOf(b.Value), "sysDescr", device.Claimed)
			}
		case "1.3.6.1.2.1.1.2.0":
			if rest, ok := strings.CutPrefix(b.Value, "1.3.6.1.4.1."); ok && b.Kind == "oid" {
				number, _, _ := strings.Cut(rest, ".")
				ev(device.AttrVendor, enterprises[number], "sysObjectID", device.Claimed)
			}
		case "1.3.6.1.2.1.1.5.0":
			ev(device.AttrHostname, b.Value, "sysName", device.Structured)
			if strings.Contains(b.Value, ".") {
				ev(device.AttrFQDN, b.Value, "sysName", device.Claimed)
			}
		case "1.3.6.1.2.1.1.6.0":
			ev(device.AttrLocation, b.Value, "sysLocation", device.Structured)
		case "1.3.6.1.2.1.25.3.2.1.3.1":
			ev(device.AttrModel, b.Value, "hrDeviceDescr", device.Hint)
		case "1.3.6.1.2.1.43.5.1.1.17.1":
			ev(device.AttrSerial, b.Value, "prtGeneralSerialNumber", device.Structured)
			ev(device.AttrClass, string(device.ClassPrinter), "prtGeneralSerialNumber", device.Structured)
		case "1.3.6.1.4.1.11.2.3.9.1.1.7.0": // HP's printer status page
			if b.Kind == "string" && strings.HasPrefix(b.Value, "MFG:") {
				ev(device.AttrClass, string(device.ClassPrinter), "printer-id", device.Structured)
			}
		default:
			if rest, ok := strings.CutPrefix(b.OID, "1.3.6.1.2.1.47.1.1.1.1."); ok && b.Kind == "string" {
				column, row, _ := strings.Cut(rest, ".")
				if row != "1" { // parts inside the chassis
					continue
				}
				switch column {
				case "10":
					ev(device.AttrFirmware, b.Value, "entPhysicalSoftwareRev", device.Structured)
				case "11":
					ev(device.AttrSerial, b.Value, "entPhysicalSerialNum", device.Structured)
				case "12":
					ev(device.AttrVendor, b.Value, "entPhysicalMfgName", device.Structured)
				case "13":
					ev(device.AttrModel, b.Value, "entPhysicalModelName", device.Structured)
				}
			}
			if strings.HasPrefix(b.OID, "1.3.6.1.2.1.2.2.1.6.") && len(b.Octets) == 6 {
				if mac := device.MAC(b.Octets); !mac.IsZero() && !mac.IsGroup() {
					ev(device.AttrMAC, mac.String(), "ifPhysAddress", device.Structured)
				}
			}
		}
	}
}
