// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ntlm"
	"github.com/asepsis/asepsis/wire/smb"
)

// smbAuth is what is known of the authentication under way.
type smbAuth struct {
	mechanisms []string
	kerberos   bool
	challenge  *ntlm.Message
	answer     *ntlm.Message
	os         string
	account    string
	domain     string
	legacy     bool
	plain      bool
}

func (s *smbStream) negotiated(c *analyze.Conn, status uint32, n *smb.Negotiate) {
	s.signing = n.SigningMode()
	s.guid = n.GUID.String()
	if len(n.Dialects) > 0 {
		s.dialect = n.Dialects[0]
	}
	tok := ntlm.ParseToken(n.Token)
	s.auth.mechanisms = tok.Mechanisms
	if s.guid != "" && !named(n.GUID) {
		c.Evidence(analyze.Server, device.AttrDeviceID, "smb:"+s.guid, "smb.negotiate.server-guid", device.Claimed)
	}
	c.Evidence(analyze.Server, device.AttrHostname, hostName(n.Server), "smb.negotiate.server", device.Claimed)
	msg := "SMB dialect " + s.dialect + " agreed, signing " + s.signing
	if s.dialect == "" {
		msg = "SMB negotiation"
	}
	d := &event.SMB{Command: "NEGOTIATE", ClientDialects: s.offered, Domain: str(n.Domain)}
	s.emit(c, 99, status, d, msg)
}

// named reports a GUID that Samba makes of the server's name, padded with
// zeros: two servers of one name would be taken for one.
func named(g smb.GUID) bool { return g[12]|g[13]|g[14]|g[15] == 0 }

// token reads a security token of either side.
func (s *smbStream) token(c *analyze.Conn, side analyze.Side, b []byte) {
	if len(b) == 0 {
		return
	}
	t := ntlm.ParseToken(b)
	s.auth.kerberos = s.auth.kerberos || t.Kerberos
	m := t.Message
	if m == nil {
		return
	}
	switch m.Type {
	case ntlm.Challenge:
		s.auth.challenge = m
		c.Evidence(side, device.AttrHostname, hostName(m.ComputerName), "ntlmssp.challenge.computer", device.Claimed)
		c.Evidence(side, device.AttrFQDN, fqdn(m.DNSComputer), "ntlmssp.challenge.dns-computer", device.Claimed)
	case ntlm.Authenticate:
		s.auth.answer = m
		c.Evidence(side, device.AttrHostname, hostName(m.Workstation), "ntlmssp.authenticate.workstation", device.Claimed)
	case ntlm.Negotiate:
		c.Evidence(side, device.AttrHostname, hostName(m.Workstation), "ntlmssp.negotiate.workstation", device.Claimed)
	}
	c.Evidence(side, device.AttrOS, windows(m.Version), "ntlmssp.version", device.Claimed)
}

// windows names the operating system of an NTLM version. 6.1 without a build
// is what Samba and other re-implementations fill in: it says nothing.
func windows(v ntlm.Version) string {
	if v.IsZero() || v.Build == 0 {
		return ""
	}
	return "Windows " + v.String()
}

// loggedOn emits the end of an authentication.
func (s *smbStream) loggedOn(c *analyze.Conn, status uint32, guest, anonymous bool) {
	a := &s.auth
	d := &event.SMB{Command: "SESSION_SETUP", Guest: guest, Domain: str(a.domain), OSVersion: str(a.os), NTLMv1: a.legacy}
	user, how := a.account, ""
	if a.challenge != nil && d.OSVersion == "" {
		d.OSVersion = windows(a.challenge.Version)
	}
	if m := a.answer; m != nil {
		how = "NTLMv2"
		d.Workstation, d.Domain = str(m.Workstation), str(m.Domain)
		user = m.User
		if m.NTLMv1 || m.LMOnly {
			how, d.NTLMv1 = "NTLMv1", true
		}
		anonymous = anonymous || m.Anonymous
		if v := windows(m.Version); v != "" {
			d.OSVersion = v
		}
	} else if a.kerberos {
		how = "Kerberos"
	} else if a.legacy {
		how = "NTLMv1"
	}
	if a.plain {
		how = "password in clear"
	}
	var msg string
	switch {
	case status>>30 == 3:
		msg = "SMB logon refused"
	case anonymous:
		msg = "SMB anonymous session"
	case guest:
		msg = "SMB guest session"
	default:
		msg = "SMB session opened"
	}
	if u := account(c, user); u != "" && !anonymous {
		msg += " for " + str(u)
	}
	if how != "" && !anonymous {
		msg += " with " + how
	}
	if h := machine(user); h != "" {
		c.Evidence(analyze.Client, device.AttrHostname, h, "smb.session-setup.machine-account", device.Claimed)
	}
	s.emit(c, 99, status, d, msg)
	mech := a.mechanisms
	s.auth = smbAuth{mechanisms: mech}
}
