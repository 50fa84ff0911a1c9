// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"errors"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ber"
	"github.com/asepsis/asepsis/wire/ldap"
	"github.com/asepsis/asepsis/wire/ntlm"
)

func probeLDAP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(ldap.Looks(head))
}

func probeCLDAP(_ *analyze.Conn, _ analyze.Dir, payload []byte) analyze.Match {
	if yes, _ := ldap.Looks(payload); yes {
		return analyze.Yes
	}
	return analyze.No
}

// Bounds of one LDAP connection.
const (
	maxLDAPMessage = 8 << 10 // of each message that is read
	maxLDAPWaiting = 64
	maxLDAPShapes  = 64 // different searches of which an event is emitted
)

// ldapState is what TCP and UDP share.
type ldapState struct {
	announced bool
	waiting   map[int64]ldapRequest
	shapes    map[string]bool
	ops       map[uint32]uint64
	entries   uint64
	skipped   uint64 // searches like ones that were emitted
	sasl      bool   // a SASL bind succeeded: a security layer may follow
}

type ldapRequest struct {
	m       *ldap.Message
	time    int64
	entries uint64
}

func newLDAPState() ldapState {
	return ldapState{waiting: map[int64]ldapRequest{}, shapes: map[string]bool{}, ops: map[uint32]uint64{}}
}

// Held implements analyze.Holder: requests that wait, at their greatest.
func (s *ldapState) Held() int { return maxLDAPMessage * len(s.waiting) }

// ldapStream reads LDAP over TCP.
type ldapStream struct{ ldapState }

var _ analyze.Stream = (*ldapStream)(nil)

func (s *ldapStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := int64(0)
	for len(data) > 0 {
		_, total, err := ber.Peek(data)
		if errors.Is(err, ber.ErrTruncated) {
			break
		}
		if err != nil || data[0] != 0x30 || total > 1<<28 {
			return used, s.confused(c)
		}
		if len(data) < min(total, maxLDAPMessage) {
			break
		}
		m, _, err := ldap.Parse(data[:min(total, maxLDAPMessage)])
		if err != nil {
			return used, s.confused(c)
		}
		used += int64(total)
		if v := s.message(c, dir, m); v != analyze.More {
			return used, v
		}
		if total > len(data) {
			break
		}
		data = data[total:]
	}
	return used, analyze.More
}

// confused ends reading: after a SASL bind it is the security layer.
func (s *ldapStream) confused(c *analyze.Conn) analyze.Verdict {
	if s.sasl {
		c.Encrypted = true
		return analyze.Done
	}
	if s.announced {
		return analyze.Done
	}
	return analyze.Reject
}

func (s *ldapStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *ldapStream) Close(c *analyze.Conn, why analyze.End) { s.close(c) }

func (s *ldapState) message(c *analyze.Conn, dir analyze.Dir, m *ldap.Message) analyze.Verdict {
	fromClient := ldap.FromClient(m.Op)
	if !s.announced {
		s.announced = true
		if fromClient {
			setClient(c, dir)
		} else {
			setClient(c, dir.Other())
		}
		c.Service(c.App)
	}
	if fromClient {
		if len(s.ops) < 32 {
			s.ops[m.Op]++
		}
		if m.Op == ldap.UnbindRequest || m.Op == ldap.AbandonRequest {
			return analyze.More
		}
		if _, ok := s.waiting[m.ID]; ok || len(s.waiting) < maxLDAPWaiting {
			if m.Op == ldap.BindRequest {
				s.credentials(c, analyze.Client, m.Credentials)
			}
			kept := *m
			kept.Credentials = nil
			for i := range kept.Filter { // values point into the packet: keep those that name a host
				f := &kept.Filter[i]
				if !strings.EqualFold(f.Attribute, "Host") && !strings.EqualFold(f.Attribute, "DnsDomain") || !f.Equality {
					f.Value = nil
				} else {
					f.Value = append([]byte(nil), f.Value[:min(len(f.Value), 256)]...)
				}
			}
			s.waiting[m.ID] = ldapRequest{m: &kept, time: c.Now}
		}
		return analyze.More
	}
	rq, asked := s.waiting[m.ID]
	switch m.Op {
	case ldap.SearchEntry:
		s.entries++
		if asked {
			rq.entries++
			s.waiting[m.ID] = rq
			s.entry(c, rq.m, m)
		}
		return analyze.More
	case ldap.SearchReference, ldap.IntermediateAnswer:
		return analyze.More
	}
	if m.Op == ldap.BindResponse {
		s.credentials(c, analyze.Server, m.Credentials)
	}
	if !asked {
		return analyze.More
	}
	delete(s.waiting, m.ID)
	return s.answered(c, rq, m)
}

// credentials reads NTLM within SASL for what it says of hosts.
func (s *ldapState) credentials(c *analyze.Conn, side analyze.Side, b []byte) {
	m := ntlm.ParseToken(b).Message
	if m == nil {
		return
	}
	c.Evidence(side, device.AttrHostname, hostName(m.ComputerName), "ntlmssp.challenge.computer", device.Claimed)
	c.Evidence(side, device.AttrFQDN, fqdn(m.DNSComputer), "ntlmssp.challenge.dns-computer", device.Claimed)
	c.Evidence(side, device.AttrHostname, hostName(m.Workstation), "ntlmssp.authenticate.workstation", device.Claimed)
	c.Evidence(side, device.AttrOS, windows(m.Version), "ntlmssp.version", device.Claimed)
}

// entry takes what the root DSE and a domain controller's ping tell.
func (s *ldapState) entry(c *analyze.Conn, rq, m *ldap.Message) {
	if rq.DN != "" || rq.Scope != 0 || m.DN != "" {
		return
	}
	for _, a := range m.Values {
		if len(a.Values) == 0 {
			continue
		}
		v := analyze.Clean(a.Values[0])
		switch strings.ToLower(a.Name) {
		case "vendorname":
			c.Evidence(analyze.Server, device.AttrBanner, v, "ldap.rootdse.vendorName", device.Claimed)
		case "vendorversion":
			c.Evidence(analyze.Server, device.AttrBanner, v, "ldap.rootdse.vendorVersion", device.Claimed)
		case "dnshostname":
			c.Evidence(analyze.Server, device.AttrFQDN, fqdn(v), "ldap.rootdse.dnsHostName", device.Claimed)
		case "isglobalcatalogready", "domaincontrollerfunctionality":
			c.Evidence(analyze.Server, device.AttrClass, string(device.ClassServer), "ldap.rootdse", device.Claimed)
		case "netlogon":
			s.controller(c, a.Values[0])
		}
	}
}

func (s *ldapState) controller(c *analyze.Conn, b []byte) {
	dc, err := ldap.ParseController(b)
	if err != nil {
		return
	}
	const src = "cldap.netlogon"
	c.Evidence(analyze.Server, device.AttrFQDN, fqdn(dc.Host), src, device.Claimed)
	c.Evidence(analyze.Server, device.AttrHostname, hostName(strings.TrimLeft(dc.NetBIOSName, `\`)), src, device.Claimed)
	c.Evidence(analyze.Server, device.AttrClass, string(device.ClassServer), src, device.Claimed)
	var kv attrs
	kv.add("domain", dc.Domain)
	kv.add("forest", dc.Forest)
	kv.add("domain_controller", dc.Host)
	kv.add("netbios_domain", dc.NetBIOSDomain)
	kv.add("controller_site", dc.ControllerSite)
	kv.add("client_site", dc.ClientsSite)
	c.Emit(&event.Event{Activity: response, Status: event.StatusSuccess, Message: "Domain controller " + dc.Host + " answered for domain " + dc.Domain,
		Detail: &event.Application{Name: c.App, Operation: "NETLOGON_PING", Attributes: kv}})
}

// answered emits an operation with its result.
func (s *ldapState) answered(c *analyze.Conn, rq ldapRequest, m *ldap.Message) analyze.Verdict {
	q := rq.m
	name := ldap.OperationName(q.Op)
	var kv attrs
	e := &event.Event{Time: rq.time, Activity: request, Status: outcome(m.Code == 0 || m.Code == 10 || m.Code == 14), StatusCode: strconv.FormatInt(m.Code, 10), StatusDetail: ldap.ResultName(m.Code)}
	d := &event.Application{Name: c.App, Operation: strings.ToUpper(name)}
	if d.Name == "" {
		d.Name = "ldap"
	}
	v := analyze.More
	switch q.Op {
	case ldap.BindRequest:
		if m.Code == 14 { // saslBindInProgress: the next request goes on
			return analyze.More
		}
		e.Activity = session
		d.Version = strconv.FormatInt(q.Version, 10)
		kv.add("bind_dn", redactDN(c, q.DN))
		switch {
		case q.Simple && q.HasPassword:
			kv.add("mechanism", "simple")
			kv.flag("simple_credentials_in_clear", !c.Encrypted)
			e.Message = "LDAP bind with a password in clear"
		case q.Simple:
			kv.add("mechanism", "anonymous")
			e.Message = "LDAP anonymous bind"
		default:
			kv.add("mechanism", str(q.Mechanism))
			e.Message = "LDAP bind with " + str(q.Mechanism)
			s.sasl = s.sasl || m.Code == 0
		}
	case ldap.SearchRequest:
		kv.add("base", redactDN(c, q.DN))
		kv.add("scope", ldap.ScopeName(q.Scope))
		key := ldap.ScopeName(q.Scope)
		for _, f := range q.Filter {
			kv.add("filter_attribute", str(f.Attribute))
			key += "?" + f.Attribute
			if strings.EqualFold(f.Attribute, "Host") && len(f.Value) > 0 && q.DN == "" {
				c.Evidence(analyze.Client, device.AttrHostname, hostName(analyze.Clean(f.Value)), "cldap.filter.host", device.Claimed)
			}
		}
		for _, a := range q.Attributes {
			kv.add("requested_attribute", str(a))
			key += "!" + a
		}
		key = key[:min(len(key), 1024)]
		if m.Code == 0 && (s.shapes[key] || len(s.shapes) >= maxLDAPShapes) {
			s.skipped++
			return v
		}
		s.shapes[key] = true
		kv.add("entries", strconv.FormatUint(rq.entries, 10))
		e.Message = "LDAP search returned " + entries(rq.entries)
	case ldap.ExtendedRequest:
		kv.add("oid", q.OID)
		e.Message = "LDAP extended operation " + q.OID
		if q.OID == ldap.OIDStartTLS {
			e.Message = "LDAP StartTLS"
			d.Operation = "STARTTLS"
			if m.Code == 0 {
				v = analyze.Handoff
			}
		}
	default:
		kv.add("entry", redactDN(c, q.DN))
		e.Message = "LDAP " + name
	}
	if e.Status == event.StatusFailure {
		e.Message += " refused: " + e.StatusDetail
	}
	d.Attributes = kv
	e.Detail = d
	c.Emit(e)
	return v
}

// redactDN keeps the parts of a distinguished name that are the tree (dc, o, ou,
// c, l, st) and replaces the values of all others, which name people and hosts.
func redactDN(c *analyze.Conn, dn string) string {
	if dn == "" {
		return ""
	}
	if !strings.Contains(dn, "=") { // Active Directory takes "user@domain" and "DOMAIN\user" as well
		return account(c, dn)
	}
	var sb strings.Builder
	n := 0
	for part := range strings.SplitSeq(dn[:min(len(dn), 512)], ",") {
		if n++; n > 16 {
			break
		}
		if n > 1 {
			sb.WriteByte(',')
		}
		k, v, _ := strings.Cut(part, "=")
		k = strings.TrimSpace(k)
		switch strings.ToLower(k) {
		case "dc", "o", "ou", "c", "l", "st":
			sb.WriteString(str(k) + "=" + str(v))
		default:
			if low := strings.ToLower(v); low == "users" || low == "computers" || low == "configuration" || low == "schema" || low == "system" || low == "subschema" || low == "config" || low == "monitor" || low == "admin" || low == "administrator" || low == "manager" {
				sb.WriteString(str(k) + "=" + str(v))
				continue
			}
			sb.WriteString(str(k) + "=" + c.Pseudonym(pseudonym.Person, v))
		}
	}
	return sb.String()
}

func (s *ldapState) close(c *analyze.Conn) {
	if !s.announced {
		return
	}
	var kv attrs
	total := uint64(0)
	for op := range uint32(ldap.IntermediateAnswer) {
		if n := s.ops[op]; n > 0 {
			kv.count(ldap.OperationName(op)+"_requests", n)
			total += n
		}
	}
	kv.count("entries", s.entries)
	kv.count("searches_alike", s.skipped)
	name := c.App
	if name == "" {
		name = "ldap"
	}
	c.Emit(&event.Event{Activity: session, Message: "LDAP connection: " + plural(total, "request") + ", " + entries(s.entries),
		Detail: &event.Application{Name: name, Operation: "SESSION", Attributes: kv}})
}

func entries(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatUint(n, 10) + " entries"
}

// cldapFlow reads LDAP over UDP.
type cldapFlow struct{ ldapState }

var _ analyze.Datagram = (*cldapFlow)(nil)

func (s *cldapFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	for n := 0; len(payload) > 0 && n < 16; n++ { // an answer: the entry and the result in one datagram
		m, total, err := ldap.Parse(payload)
		if err != nil {
			if s.announced {
				return analyze.More
			}
			return analyze.Reject
		}
		s.message(c, dir, m)
		payload = payload[min(total, len(payload)):]
	}
	return analyze.More
}

func (s *cldapFlow) Close(*analyze.Conn, analyze.End) {}
