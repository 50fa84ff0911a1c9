// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/asepsis/asepsis/core/event"
)

// attributes writes the named values of a protocol that has no class of its own.
func (f *fieldSet) attributes(l []event.KV) {
	if len(l) == 0 {
		return
	}
	f.group("Details")
	for _, kv := range l {
		f.text(kv.Name, worded(kv.Name), kv.Value)
	}
}

// worded makes a label of a name: "client_id" becomes "Client ID".
func worded(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		switch w {
		case "id", "ip", "mac", "uid", "tls", "vlan", "mtu", "url", "os", "udi", "oid", "qos", "snmp", "dns":
			words[i] = strings.ToUpper(w)
		default:
			if i == 0 && w != "" {
				words[i] = strings.ToUpper(w[:1]) + w[1:]
			}
		}
	}
	return strings.Join(words, " ")
}

func (f *fieldSet) connection(d *event.Connection) {
	f.group("Connection")
	f.text("app", "Protocol by content", d.App)
	f.text("state", "State", stateText(d.State))
	if d.End > d.Start {
		f.text("duration", "Lasted", time.Duration(d.End-d.Start).Round(time.Millisecond).String())
	}
	f.text("start", "Start", zeroIsEmpty(d.Start))
	f.text("end", "End", zeroIsEmpty(d.End))
	f.bytes("bytes_out", "Sent", d.BytesOut)
	f.bytes("bytes_in", "Received", d.BytesIn)
	f.count("packets_out", "Packets sent", d.PacketsOut)
	f.count("packets_in", "Packets received", d.PacketsIn)
	f.bytes("missed", "Not captured", d.Missed)
	f.text("history", "History", d.History)
	f.yes("mid_stream", "The opening was not seen", d.MidStream)
	f.yes("evicted", "Ended by the sensor's memory bound", d.Evicted)
}

func msOrEmpty(ms int64) string { return zeroIsEmpty(ms * 1_000_000) }

func zeroIsEmpty(ns int64) string {
	if ns == 0 {
		return ""
	}
	return stamp(ns)
}

// stateText says what a connection state in Zeek's letters means.
func stateText(s string) string {
	meaning := map[string]string{
		"S0": "attempted, no answer", "S1": "established, not ended", "SF": "established and ended normally", "REJ": "refused", "S2": "established, closed by the client only",
		"S3": "established, closed by the server only", "RSTO": "established, reset by the client", "RSTR": "established, reset by the server",
		"RSTOS0": "attempted, then reset by the client", "RSTRH": "answered, then reset by the server", "SH": "attempted and closed by the client, no answer",
		"SHR": "answered and closed by the server, opening not seen", "OTH": "seen from its middle only",
	}[s]
	if meaning == "" {
		return s
	}
	return meaning + " (" + s + ")"
}

func (f *fieldSet) tls(d *event.TLS) {
	f.group("TLS handshake")
	f.text("sni", "Server name", d.SNI)
	f.text("version", "Version", d.Version)
	f.text("cipher", "Cipher suite", d.Cipher)
	f.text("alpn", "Application protocol", d.ALPN)
	f.text("alert", "Alert", d.Alert)
	if !d.Complete {
		f.text("complete", "Completed", "not as far as can be seen")
	}
	f.yes("resumed", "Resumed", d.Resumed)
	f.yes("client_cert_asked", "Client certificate asked for", d.ClientCertAsked)
	f.text("ja4", "JA4", d.JA4)
	f.texts("client_versions", "Offered versions", d.ClientVersions)
	f.texts("client_alpn", "Offered application protocols", d.ClientALPN)
	f.texts("client_ciphers", "Offered cipher suites", d.ClientCiphers)
	f.text("quic_version", "QUIC version", d.QUICVersion)
	f.certificates("Certificate of the server", d.ServerChain)
	f.certificates("Certificate of the client", d.ClientChain)
}

func (f *fieldSet) certificates(title string, chain []event.Certificate) {
	for i := range chain {
		c := &chain[i]
		f.group(title)
		if i > 0 {
			f.groups[len(f.groups)-1].Title = fmt.Sprintf("%s, issuer %d", title, i)
		}
		f.text("subject", "Subject", c.Subject)
		f.text("issuer", "Issuer", c.Issuer)
		f.texts("sans", "Names", c.SANs)
		if c.NotAfter != 0 {
			f.text("expiration_time", "Valid until", stamp(c.NotAfter*int64(time.Millisecond)))
		}
		if c.NotBefore != 0 {
			f.text("created_time", "Valid from", stamp(c.NotBefore*int64(time.Millisecond)))
		}
		f.yes("is_self_signed", "Self-signed", c.SelfSigned)
		f.text("key_type", "Key", c.KeyType)
		f.text("signature_algorithm", "Signature", c.Signature)
		f.text("serial_number", "Serial number", c.SerialNumber)
		f.text("fingerprint_sha256", "SHA-256", c.SHA256)
	}
}

func (f *fieldSet) http(d *event.HTTP) {
	f.group("HTTP exchange")
	f.text("method", "Method", d.Method)
	f.text("host", "Host", d.Host)
	f.text("path", "Path", d.Path)
	switch {
	case d.Status > 0:
		f.text("status_code", "Answered with", itoa(d.Status))
	case !d.ResponseSeen:
		f.text("status_code", "Answered with", "no answer was seen")
	}
	f.text("user_agent", "User agent", d.UserAgent)
	f.text("server", "Server", d.Server)
	f.text("auth_scheme", "Authorization", d.AuthScheme)
	f.text("default_credential", "Credential as delivered", d.DefaultCredential)
	f.texts("suspicious", "Attack patterns", d.Suspicious)
	f.text("www_authenticate", "Asked for", d.WWWAuthenticate)
	f.yes("token_in_url", "A credential is in the address", d.TokenInURL)
	f.text("content_type", "Request type", d.ContentType)
	f.bytes("request_length", "Request size", uint64(max(d.RequestLength, 0)))
	f.text("response_type", "Response type", d.ResponseType)
	f.bytes("response_length", "Response size", uint64(max(d.ResponseLength, 0)))
	f.text("referrer", "Referrer", d.Referrer)
	f.text("upgrade", "Upgrade", d.Upgrade)
	f.text("version", "HTTP version", d.Version)
}

func (f *fieldSet) dns(d *event.DNS) {
	f.group("DNS")
	f.text("query", "Name", d.Query)
	f.text("type", "Type", d.Type)
	f.text("rcode_name", "Answer", d.RCodeName)
	f.texts("flags", "Flags", d.Flags)
	if d.QClass != "IN" {
		f.text("qclass", "Class", d.QClass)
	}
	f.text("id", "Transaction", itoa(d.ID))
	f.group("Records")
	for i, a := range d.Answers {
		name := a.Type
		if a.Name != "" && a.Name != d.Query {
			name = a.Name + " " + a.Type
		}
		f.text(fmt.Sprintf("answer_%d", i), name, fmt.Sprintf("%s (for %d s)", a.RData, a.TTL))
	}
	f.yes("truncated", "There were more records", d.Truncated)
}

func (f *fieldSet) dhcp(d *event.DHCP) {
	f.group("DHCP")
	f.text("type", "Message", d.Type)
	f.text("hostname", "Host name", d.Hostname)
	f.text("fqdn", "Full name", d.FQDN)
	f.text("client_ip", "Address", d.ClientIP)
	f.text("client_mac", "MAC of the client", d.ClientMAC)
	f.text("server_id", "Server", d.ServerID)
	f.text("relay", "Relay", d.Relay)
	if d.LeaseSeconds > 0 {
		f.text("lease_seconds", "Lease", (time.Duration(d.LeaseSeconds) * time.Second).String())
	}
	f.yes("renewal", "Renewal", d.Renewal)
	f.text("vendor_class", "Vendor class", d.VendorClass)
	f.text("user_class", "User class", d.UserClass)
	f.text("parameter_list", "Parameters asked for", d.ParameterList)
	f.texts("routers", "Routers", d.Routers)
	f.texts("dns_servers", "DNS servers", d.DNSServers)
	f.text("domain", "Domain", d.Domain)
	f.text("client_id", "Client identifier", d.ClientID)
	f.text("transaction", "Transaction", d.Transaction)
}

func (f *fieldSet) ssh(d *event.SSH) {
	f.group("SSH connection")
	f.text("client_version", "Client", d.ClientVersion)
	f.text("server_version", "Server", d.ServerVersion)
	f.text("kex_algorithm", "Key exchange", d.KexAlgorithm)
	f.text("host_key_algorithm", "Host key", d.HostKeyAlg)
	f.text("cipher", "Cipher", d.Cipher)
	f.text("mac", "Integrity", d.MAC)
	f.text("hassh", "HASSH of the client", d.HASSH)
	f.text("hassh_server", "HASSH of the server", d.HASSHServer)
}

func (f *fieldSet) smb(d *event.SMB) {
	f.group("SMB")
	f.text("command", "Command", d.Command)
	f.text("share", "Share", d.Share)
	f.text("share_type", "Kind of share", d.ShareType)
	f.text("file", "File", d.File)
	f.text("renamed_to", "Renamed to", d.RenamedTo)
	f.yes("ransom_note", "Name of a ransom note", d.RansomNote)
	f.text("nt_status", "Status", d.NTStatus)
	f.text("dialect", "Dialect", d.Dialect)
	f.texts("client_dialects", "Offered dialects", d.ClientDialects)
	f.text("signing", "Signing", d.Signing)
	f.yes("encrypted", "Encrypted", d.Encrypted)
	f.yes("ntlmv1", "NTLMv1 was used", d.NTLMv1)
	f.yes("guest", "As a guest", d.Guest)
	f.text("domain", "Domain", d.Domain)
	f.text("workstation", "Workstation", d.Workstation)
	f.text("os_version", "Operating system", d.OSVersion)
	f.text("server_guid", "Server GUID", d.ServerGUID)
}

func (f *fieldSet) rdp(d *event.RDP) {
	f.group("Remote desktop")
	f.text("client_name", "Client", d.ClientName)
	f.text("client_build", "Client build", d.ClientBuild)
	f.text("cookie", "User (pseudonym)", d.Cookie)
	f.text("selected_security", "Security", d.SelectedSecurity)
	f.texts("requested_security", "Offered security", d.RequestedSecurity)
	f.text("failure", "Failure", d.Failure)
}

func (f *fieldSet) ftp(d *event.FTP) {
	f.group("FTP")
	f.text("command", "Command", d.Command)
	f.text("argument", "Argument", d.Arg)
	if d.Code > 0 {
		f.text("reply", "Reply", strings.TrimSpace(fmt.Sprintf("%d %s", d.Code, d.Reply)))
	}
	f.yes("cleartext", "Credentials went over in clear", d.Cleartext)
	f.text("default_credential", "Credential as delivered", d.DefaultCredential)
	if d.DataPort > 0 {
		f.text("data_port", "Data port", itoa(d.DataPort))
	}
}

func (f *fieldSet) ntp(d *event.NTP) {
	f.group("NTP")
	f.text("version", "Version", itoa(uint16(d.Version)))
	f.text("stratum", "Stratum", itoa(uint16(d.Stratum)))
	f.text("reference_id", "Reference", d.ReferenceID)
	if d.OffsetMS != 0 {
		f.text("offset_ms", "Off the sensor's clock by", (time.Duration(d.OffsetMS) * time.Millisecond).String())
	}
	f.text("delay", "Root delay", fmt.Sprintf("%.6f s", d.Delay))
	f.text("dispersion", "Root dispersion", fmt.Sprintf("%.6f s", d.Dispersion))
}

func (f *fieldSet) application(d *event.Application) {
	f.group(strings.ToUpper(d.Name))
	f.text("operation", "Operation", d.Operation)
	f.text("app_protocol_version", "Version", d.Version)
	f.attributes(d.Attributes)
}

func (f *fieldSet) evidence(d *event.DeviceEvidence) {
	e := &d.Evidence
	f.group("Evidence about a device")
	f.text("attribute", "Attribute", worded(string(e.Attribute)))
	f.text("value", "Value", e.Value)
	f.text("source", "Source", e.Source)
	f.text("confidence", "Confidence", fmt.Sprintf("%d %%", e.Confidence))
	f.count("count", "Seen", e.Count)
	f.text("first", "First", zeroIsEmpty(e.First))
	f.text("last", "Last", zeroIsEmpty(e.Last))
	if e.Subject.VLAN != 0 {
		f.text("vlan", "VLAN", itoa(e.Subject.VLAN))
	}
}

func (f *fieldSet) health(d *event.SensorHealth) {
	f.group("Sensor")
	f.text("sensor_name", "Sensor", d.Sensor)
	f.text("interface_name", "Interface", d.Interface)
	f.text("blind_spot", "Cannot be seen", d.What)
	f.text("blind_spot_reason", "Why", d.Why)
	f.text("blind_spot_hint", "What to do", d.Hint)
	f.count("packets", "Packets", d.Packets)
	f.bytes("bytes", "Bytes", d.Bytes)
	f.count("packets_dropped", "Packets lost", d.Dropped)
	f.count("packets_undecoded", "Packets not understood", d.Undecoded)
	f.count("flows_active", "Open flows", d.Flows)
	f.count("flows_evicted", "Flows given up", d.FlowsEvicted)
	f.count("streams_evicted", "Streams given up", d.StreamsEvicted)
	f.count("stream_gaps", "Holes in streams", d.Gaps)
	f.bytes("stream_gap_bytes", "Bytes in holes", d.GapBytes)
	f.count("flows_one_sided", "Flows seen from one side", d.OneSided)
	f.count("flows_mid_stream", "Flows seen from their middle", d.MidStream)
	f.count("events_dropped", "Events lost", d.EventsDropped)
	f.count("analyser_panics", "Analyser faults", d.AnalyserPanics)
	f.count("analyser_over_budget", "Analyses over budget", d.AnalyserBudget)
}

func (f *fieldSet) theatreActivity(d *event.TheatreActivity) {
	f.group("Theatre")
	f.text("theatre_uid", "Theatre", d.Theatre)
	f.text("case_state", "State", d.State)
	f.text("prev_case_state", "Before", d.Before)
	f.text("case_source", "Known from", d.Source)
	f.text("conflict_reason", "Conflict", d.Conflict)
	f.text("slot_start_time", "Start", msOrEmpty(d.Start))
	f.text("slot_end_time", "End", msOrEmpty(d.End))
	f.text("appointment_pseudonym", "Appointment", d.AppointmentRef)
}
