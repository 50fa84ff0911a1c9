// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/core/pseudonym"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/kerberos"
)

func probeKerberosTCP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	n, err := kerberos.FrameSize(head)
	switch {
	case err != nil || n > 65536+4:
		return analyze.No
	case n == 0 || len(head) < min(n, 16):
		return analyze.Maybe
	}
	if kerberos.Looks(head[4:min(n, len(head))]) {
		return analyze.Yes
	}
	return analyze.No
}

func probeKerberosUDP(_ *analyze.Conn, _ analyze.Dir, payload []byte) analyze.Match {
	if kerberos.Looks(payload) {
		return analyze.Yes
	}
	return analyze.No
}

// maxKerberosMessage is how much of a message is read; tickets with a large PAC
// are longer, what is of interest is in front.
const maxKerberosMessage = 8 << 10

// kerberosState pairs requests with replies.
type kerberosState struct {
	announced bool
	request   *kerberos.Message
	time      int64
}

type kerberosStream struct{ kerberosState }

var _ analyze.Stream = (*kerberosStream)(nil)

func (s *kerberosStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := int64(0)
	for {
		n, err := kerberos.FrameSize(data)
		if err != nil {
			return used, analyze.Reject
		}
		if n == 0 || len(data) < min(n, maxKerberosMessage) {
			return used, analyze.More
		}
		m, err := kerberos.Parse(data[4:min(n, maxKerberosMessage)])
		if err != nil {
			return used, analyze.Reject
		}
		s.message(c, dir, m)
		used += int64(n)
		if n > len(data) {
			return used, analyze.More
		}
		data = data[n:]
	}
}

func (s *kerberosStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.Done }

func (s *kerberosStream) Close(c *analyze.Conn, _ analyze.End) { s.emit(c, nil) }

type kerberosFlow struct{ kerberosState }

var _ analyze.Datagram = (*kerberosFlow)(nil)

func (s *kerberosFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, _ int) analyze.Verdict {
	m, err := kerberos.Parse(payload)
	if err != nil {
		if s.announced {
			return analyze.More
		}
		return analyze.Reject
	}
	s.message(c, dir, m)
	return analyze.More
}

func (s *kerberosFlow) Close(c *analyze.Conn, _ analyze.End) { s.emit(c, nil) }

func (s *kerberosState) message(c *analyze.Conn, dir analyze.Dir, m *kerberos.Message) {
	asks := m.Type == kerberos.ASReq || m.Type == kerberos.TGSReq || m.Type == kerberos.APReq
	if !s.announced {
		s.announced = true
		if asks {
			setClient(c, dir)
		} else {
			setClient(c, dir.Other())
		}
		c.Service("kerberos")
	}
	if asks {
		s.emit(c, nil) // the one before was not answered, or this is it again
		s.request, s.time = m, c.Now
		c.Evidence(analyze.Client, device.AttrHostname, hostName(m.Workstation), "kerberos.request.addresses", device.Claimed)
	} else {
		s.emit(c, m)
	}
	client := m.Client
	if len(client.Components) == 1 {
		c.Evidence(analyze.Client, device.AttrHostname, machine(client.Components[0]), "kerberos.cname", device.Claimed)
	} else if len(client.Components) == 2 && client.Components[0] == "host" {
		c.Evidence(analyze.Client, device.AttrFQDN, fqdn(client.Components[1]), "kerberos.cname", device.Claimed)
	}
}

// shown is a principal fit for events: services and machines in clear, people
// as pseudonyms.
func shown(c *analyze.Conn, p kerberos.Principal) string {
	if len(p.Components) == 0 {
		return ""
	}
	if len(p.Components) > 1 {
		switch strings.ToLower(p.Components[0]) {
		case "krbtgt", "kadmin", "host", "ldap", "cifs", "http", "nfs", "dns", "gc", "mssqlsvc", "termsrv", "rpcss", "wsman", "postgres", "imap", "smtp", "ftp", "dicom", "restrictedkrbhost", "exchangemdb":
			return str(p.String())
		}
		return c.Pseudonym(pseudonym.Person, p.String())
	}
	return account(c, p.Components[0])
}

// emit emits the waiting request with its answer, which may be nil, or an answer
// alone.
func (s *kerberosState) emit(c *analyze.Conn, m *kerberos.Message) {
	q := s.request
	s.request = nil
	if q == nil && m == nil {
		return
	}
	e := &event.Event{Activity: request, Detail: nil}
	d := &event.Application{Name: "kerberos", Version: "5"}
	var kv attrs
	any := q
	if any == nil {
		any = m
		e.Activity = response
	} else {
		e.Time = s.time
	}
	d.Operation = kerberos.TypeName(any.Type)
	client, service, realm := any.Client, any.Service, any.Realm
	if m != nil {
		if len(client.Components) == 0 {
			client = m.Client
		}
		if len(service.Components) == 0 {
			service = m.Service
		}
		if realm == "" {
			realm = m.Realm
		}
	}
	kv.add("realm", str(realm))
	kv.add("client", shown(c, client))
	kv.add("service", shown(c, service))
	weak := false
	if q != nil {
		all := len(q.EncTypes) > 0
		for i, t := range q.EncTypes {
			if i < 16 {
				kv.add("etype_offered", kerberos.EncTypeName(t))
			}
			all = all && (kerberos.Weak(t) || t < 0)
		}
		weak = all
		for _, p := range q.PreAuth {
			if p == 2 {
				kv.add("pre_authentication", "timestamp")
			} else if p == 16 || p == 14 {
				kv.add("pre_authentication", "pkinit")
			} else if p == 136 {
				kv.add("pre_authentication", "fast")
			}
		}
	}
	what := "Kerberos " + d.Operation
	if sv := shown(c, service); sv != "" {
		what += " for " + sv
	}
	switch {
	case m == nil:
		e.Message = what + " without an answer"
	case m.Type == kerberos.Error:
		e.StatusCode, e.Status = kerberos.ErrorName(m.Code), event.StatusFailure
		kv.add("error", e.StatusCode)
		e.Message = what + " refused: " + e.StatusCode
		if m.Code == 25 { // KDC_ERR_PREAUTH_REQUIRED is how each logon begins
			e.Status = event.StatusUnknown
			e.Message = what + ": pre-authentication required"
		}
	default:
		e.Status = event.StatusSuccess
		kv.add("ticket_etype", kerberos.EncTypeName(m.TicketEncType))
		kv.add("session_etype", kerberos.EncTypeName(m.EncType))
		weak = weak || kerberos.Weak(m.TicketEncType) || kerberos.Weak(m.EncType)
		e.Message = what + " granted with " + kerberos.EncTypeName(m.TicketEncType)
	}
	kv.flag("weak_encryption", weak)
	d.Attributes = kv
	e.Detail = d
	c.Emit(e)
}
