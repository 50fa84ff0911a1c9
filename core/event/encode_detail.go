// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"strconv"
	"strings"
)

// detail writes the attributes of the event's class. The classes of the
// extension are written from their JSON tags; those of OCSF have their own
// shapes and a function each.
func (w *writer) detail(e *Event) {
	switch d := e.Detail.(type) {
	case nil:
	case *Connection:
		w.summary(d)
	case *TLS:
		w.tls(d)
	case *HTTP:
		w.http(e, d)
	case *DNS:
		w.dns(e, d)
	case *DHCP:
		w.dhcp(d)
	case *SSH:
		w.str("protocol_ver", sshVersion(d))
		w.hassh("client_hassh", d.HASSH)
		w.hassh("server_hassh", d.HASSHServer)
	case *SMB:
		w.smb(d)
	case *RDP:
		w.str("identifier_cookie", d.Cookie)
	case *FTP:
		w.str("command", d.Command)
		w.str("name", d.Arg)
		if d.Code != 0 {
			w.key("codes")
			w.openList()
			w.b = appendInt(w.b, int64(d.Code))
			w.closeList()
		}
		if d.Reply != "" {
			w.key("command_responses")
			w.openList()
			w.b = appendString(w.b, d.Reply)
			w.closeList()
		}
		if d.DataPort != 0 {
			w.num("port", int64(d.DataPort))
		}
	case *NTP:
		w.ntp(d)
	case *DeviceEvidence:
		w.evidence(&d.Evidence)
	default:
		w.tagged(d)
	}
}

// Fingerprint algorithms (fingerprint.algorithm_id).
const (
	hashMD5    = 1
	hashSHA256 = 3
)

func (w *writer) hash(id int, v string) {
	w.open()
	w.caption("algorithm_id", id, "algorithm", captionHash(id))
	w.str("value", v)
	w.close()
}

func (w *writer) hassh(name, v string) {
	if v != "" {
		w.key(name)
		w.open()
		w.key("fingerprint")
		w.hash(hashMD5, v)
		w.close()
	}
}

// sshVersion takes the protocol version out of "SSH-2.0-OpenSSH_9.2".
func sshVersion(d *SSH) string {
	s := or(d.ServerVersion, d.ClientVersion)
	rest, ok := strings.CutPrefix(s, "SSH-")
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, "-")
	return v
}

func (w *writer) http(e *Event, d *HTTP) {
	w.key("http_request")
	w.open()
	if knownMethod(d.Method) {
		w.str("http_method", d.Method)
	}
	if host, port := splitHost(d.Host); host != "" || d.Path != "" {
		path, query, _ := strings.Cut(d.Path, "?")
		w.key("url")
		w.open()
		if e.Encrypted {
			w.str("scheme", "https")
		} else {
			w.str("scheme", "http")
		}
		w.str("hostname", host)
		if port != 0 {
			w.num("port", int64(port))
		}
		w.str("path", or(path, "/"))
		w.str("query_string", query)
		w.close()
	}
	w.str("user_agent", d.UserAgent)
	w.str("referrer", d.Referrer)
	w.str("version", d.Version)
	if d.RequestLength >= 0 && d.RequestLength < 1<<31 {
		w.num("body_length", d.RequestLength)
	}
	if d.ContentType != "" {
		w.key("http_headers")
		w.openList()
		w.header("Content-Type", d.ContentType)
		w.closeList()
	}
	w.close()
	if d.Status == 0 {
		return
	}
	w.key("http_response")
	w.open()
	w.num("code", int64(d.Status))
	w.str("content_type", d.ResponseType)
	if d.ResponseLength >= 0 && d.ResponseLength < 1<<31 {
		w.num("body_length", d.ResponseLength)
	}
	if d.Server != "" || d.WWWAuthenticate != "" {
		w.key("http_headers")
		w.openList()
		w.header("Server", d.Server)
		w.header("WWW-Authenticate", d.WWWAuthenticate)
		w.closeList()
	}
	w.close()
}

func (w *writer) header(name, v string) {
	if v != "" {
		w.comma()
		w.open()
		w.str("name", name)
		w.str("value", v)
		w.close()
	}
}

// knownMethod reports whether OCSF's enumeration has the method.
func knownMethod(m string) bool {
	switch m {
	case "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE":
		return true
	}
	return false
}

// splitHost splits "host:port", "[v6]:port" or a host alone.
func splitHost(s string) (host string, port uint16) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.Count(s, ":") > 1 && !strings.Contains(s, "]:") {
		return strings.Trim(s, "[]"), 0
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return s, 0
	}
	return strings.Trim(s[:i], "[]"), uint16(n)
}

func (w *writer) dns(e *Event, d *DNS) {
	if d.Query != "" {
		w.key("query")
		w.open()
		w.str("hostname", d.Query)
		w.str("type", d.Type)
		w.str("class", d.QClass)
		w.num("packet_uid", int64(d.ID))
		if c := captionOpcode(int(d.Opcode)); c != "" {
			w.caption("opcode_id", int(d.Opcode), "opcode", c)
		} else {
			w.num("opcode_id", activityOther)
			w.key("opcode")
			w.b = append(w.b, '"')
			w.b = appendInt(w.b, int64(d.Opcode))
			w.b = append(w.b, '"')
		}
		w.close()
	}
	const query, response = 1, 2
	switch e.Activity {
	case query:
		w.num("query_time", e.Time/1e6)
	case response:
		w.num("response_time", e.Time/1e6)
	}
	if e.Activity != query {
		if c := captionRCode(d.RCode); c != "" && d.RCode != activityOther {
			w.caption("rcode_id", d.RCode, "rcode", c)
		} else {
			w.num("rcode_id", activityOther)
			w.str("rcode", or(d.RCodeName, strconv.Itoa(d.RCode)))
		}
	}
	if len(d.Answers) > 0 {
		w.key("answers")
		w.openList()
		for i := range d.Answers {
			a := &d.Answers[i]
			w.comma()
			w.open()
			w.key("rdata")
			w.b = appendString(w.b, a.RData)
			w.str("type", a.Type)
			w.str("class", a.Class)
			w.num("ttl", int64(min(a.TTL, 1<<31-1)))
			w.close()
		}
		w.closeList()
	}
}

func (w *writer) dhcp(d *DHCP) {
	w.str("transaction_uid", d.Transaction)
	if d.LeaseSeconds > 0 {
		w.num("lease_dur", int64(min(d.LeaseSeconds, 1<<31-1)))
	}
	w.flag("is_renewal", d.Renewal)
	if a, err := netip.ParseAddr(d.Relay); err == nil {
		w.key("relay")
		w.open()
		w.addr("ip", a)
		w.close()
	}
}

func (w *writer) smb(d *SMB) {
	w.str("command", d.Command)
	w.strs("client_dialects", d.ClientDialects)
	w.str("dialect", d.Dialect)
	w.str("share", d.Share)
	switch d.ShareType {
	case "disk":
		w.caption("share_type_id", 1, "share_type", captionShareType(1))
	case "pipe":
		w.caption("share_type_id", 2, "share_type", captionShareType(2))
	case "printer":
		w.caption("share_type_id", 3, "share_type", captionShareType(3))
	case "":
	default:
		w.caption("share_type_id", activityOther, "share_type", d.ShareType)
	}
	if d.File != "" {
		w.key("file")
		w.open()
		w.str("name", or(d.File[strings.LastIndexAny(d.File, `\/`)+1:], d.File))
		w.str("path", d.File)
		w.caption("type_id", 0, "type", captionFileType(0))
		w.close()
	}
	if d.NTStatus != "" {
		w.key("response")
		w.open()
		w.str("error", d.NTStatus)
		w.close()
	}
}

func (w *writer) ntp(d *NTP) {
	w.key("version")
	w.b = append(w.b, '"')
	w.b = appendInt(w.b, int64(d.Version))
	w.b = append(w.b, '"')
	id := int(d.Stratum) // RFC 5905 §7.3, figure 11
	switch {
	case id >= 2 && id <= 15:
		id = 2
	case id > 16:
		id = 17
	}
	w.caption("stratum_id", id, "stratum", captionStratum(id))
	w.num("precision", int64(d.Precision))
	w.num("delay", milliseconds(d.Delay))
	w.num("dispersion", milliseconds(d.Dispersion))
}

func milliseconds(seconds float64) int64 {
	ms := seconds * 1000
	if !(ms > -1<<31 && ms < 1<<31) { // also NaN
		return 0
	}
	return int64(ms)
}
