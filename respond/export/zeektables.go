// SPDX-License-Identifier: Apache-2.0

package export

import (
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/event"
)

// tableOf returns the log that an event goes to, nil for none.
func tableOf(e *event.Event) *zeekTable {
	switch e.Detail.(type) {
	case *event.Connection:
		if e.Activity == 1 || e.Activity == 6 { // Zeek's conn.log has ended connections only
			return nil
		}
		return &connTable
	case *event.TLS:
		return &sslTable
	case *event.HTTP:
		return &httpTable
	case *event.DNS:
		return &dnsTable
	case *event.DHCP:
		return &dhcpTable
	case *event.SSH:
		return &sshTable
	case *event.SMB:
		return &smbTable
	case *event.RDP:
		return &rdpTable
	case *event.FTP:
		return &ftpTable
	case *event.NTP:
		return &ntpTable
	case *event.DICOMAssociation:
		return &dicomTable
	case *event.DICOMOperation:
		return &dicomOpsTable
	case *event.HL7Message:
		return &hl7Table
	case *event.MedicalDevice:
		return &medicalTable
	case *event.Rest:
		return &restTable
	case *event.Application:
		return &appTable
	case *event.DeviceEvidence:
		return &devicesTable
	}
	return nil
}

func table(path string, cols ...zeekColumn) zeekTable {
	return zeekTable{path, slices.Concat(flowColumns(), cols)}
}

func proto(e *event.Event) any {
	if e.Flow == nil {
		return nil
	}
	switch e.Flow.Proto {
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 1, 58:
		return "icmp"
	}
	return "unknown_transport"
}

func kvs(in []event.KV) []string {
	if in == nil {
		return nil
	}
	out := make([]string, len(in))
	for i, kv := range in {
		out[i] = kv.Name + "=" + kv.Value
	}
	return out
}

var (
	connTable = table("conn",
		zeekColumn{"proto", "enum", proto},
		with("service", "string", func(c *event.Connection) any { return c.App }),
		with("duration", "interval", func(c *event.Connection) any { return zeekInterval(c.End - c.Start) }),
		with("orig_bytes", "count", func(c *event.Connection) any { return c.PayloadOut }),
		with("resp_bytes", "count", func(c *event.Connection) any { return c.PayloadIn }),
		with("conn_state", "string", func(c *event.Connection) any { return c.State }),
		with("missed_bytes", "count", func(c *event.Connection) any { return c.Missed }),
		with("history", "string", func(c *event.Connection) any { return c.History }),
		with("orig_pkts", "count", func(c *event.Connection) any { return c.PacketsOut }),
		with("orig_ip_bytes", "count", func(c *event.Connection) any { return c.BytesOut }),
		with("resp_pkts", "count", func(c *event.Connection) any { return c.PacketsIn }),
		with("resp_ip_bytes", "count", func(c *event.Connection) any { return c.BytesIn }),
		zeekColumn{"orig_l2_addr", "string", ofFlow(func(f *event.Flow) any {
			if f.Src.MAC.IsZero() {
				return nil
			}
			return f.Src.MAC.String()
		})},
		zeekColumn{"resp_l2_addr", "string", ofFlow(func(f *event.Flow) any {
			if f.Dst.MAC.IsZero() {
				return nil
			}
			return f.Dst.MAC.String()
		})},
		zeekColumn{"vlan", "int", ofFlow(func(f *event.Flow) any {
			if len(f.VLANs) == 0 {
				return nil
			}
			return f.VLANs[len(f.VLANs)-1]
		})},
		zeekColumn{"community_id", "string", ofFlow(func(f *event.Flow) any { return f.CommunityID })},
	)
	sslTable = table("ssl",
		with("version", "string", func(t *event.TLS) any { return t.Version }),
		with("cipher", "string", func(t *event.TLS) any { return t.Cipher }),
		with("server_name", "string", func(t *event.TLS) any { return t.SNI }),
		with("resumed", "bool", func(t *event.TLS) any { return t.Resumed }),
		with("last_alert", "string", func(t *event.TLS) any { return t.Alert }),
		with("next_protocol", "string", func(t *event.TLS) any { return t.ALPN }),
		with("established", "bool", func(t *event.TLS) any { return t.Complete }),
		with("ja4", "string", func(t *event.TLS) any { return t.JA4 }),
		with("subject", "string", func(t *event.TLS) any {
			return leaf(t.ServerChain, func(c *event.Certificate) string { return c.Subject })
		}),
		with("issuer", "string", func(t *event.TLS) any {
			return leaf(t.ServerChain, func(c *event.Certificate) string { return c.Issuer })
		}),
		with("client_subject", "string", func(t *event.TLS) any {
			return leaf(t.ClientChain, func(c *event.Certificate) string { return c.Subject })
		}),
	)
	httpTable = table("http",
		with("method", "string", func(h *event.HTTP) any { return h.Method }),
		with("host", "string", func(h *event.HTTP) any { return h.Host }),
		with("uri", "string", func(h *event.HTTP) any { return h.Path }),
		with("referrer", "string", func(h *event.HTTP) any { return h.Referrer }),
		with("version", "string", func(h *event.HTTP) any { return h.Version }),
		with("user_agent", "string", func(h *event.HTTP) any { return h.UserAgent }),
		with("request_body_len", "count", func(h *event.HTTP) any { return known(h.RequestLength) }),
		with("response_body_len", "count", func(h *event.HTTP) any { return known(h.ResponseLength) }),
		with("status_code", "count", func(h *event.HTTP) any {
			if h.Status == 0 {
				return nil
			}
			return h.Status
		}),
		with("server", "string", func(h *event.HTTP) any { return h.Server }),
		with("auth_scheme", "string", func(h *event.HTTP) any { return h.AuthScheme }),
		with("resp_mime_types", "string", func(h *event.HTTP) any { return h.ResponseType }),
	)
	dnsTable = table("dns",
		zeekColumn{"proto", "enum", proto},
		with("trans_id", "count", func(d *event.DNS) any { return d.ID }),
		with("query", "string", func(d *event.DNS) any { return d.Query }),
		with("qclass_name", "string", func(d *event.DNS) any { return d.QClass }),
		with("qtype_name", "string", func(d *event.DNS) any { return d.Type }),
		zeekColumn{"rcode", "count", func(e *event.Event) any {
			if e.Activity == 1 {
				return nil
			}
			return e.Detail.(*event.DNS).RCode
		}},
		with("rcode_name", "string", func(d *event.DNS) any { return d.RCodeName }),
		with("AA", "bool", func(d *event.DNS) any { return slices.Contains(d.Flags, "AA") }),
		with("TC", "bool", func(d *event.DNS) any { return slices.Contains(d.Flags, "TC") }),
		with("RD", "bool", func(d *event.DNS) any { return slices.Contains(d.Flags, "RD") }),
		with("RA", "bool", func(d *event.DNS) any { return slices.Contains(d.Flags, "RA") }),
		with("answers", "vector[string]", func(d *event.DNS) any {
			var out []string
			for _, a := range d.Answers {
				out = append(out, a.RData)
			}
			return out
		}),
	)
	dhcpTable = table("dhcp",
		with("mac", "string", func(d *event.DHCP) any { return d.ClientMAC }),
		with("assigned_addr", "string", func(d *event.DHCP) any { return d.ClientIP }),
		with("host_name", "string", func(d *event.DHCP) any { return d.Hostname }),
		with("client_fqdn", "string", func(d *event.DHCP) any { return d.FQDN }),
		with("domain", "string", func(d *event.DHCP) any { return d.Domain }),
		with("lease_time", "interval", func(d *event.DHCP) any { return zeekInterval(int64(d.LeaseSeconds) * 1e9) }),
		with("msg_type", "string", func(d *event.DHCP) any { return strings.TrimPrefix(d.Type, "DHCP") }),
		with("vendor_class", "string", func(d *event.DHCP) any { return d.VendorClass }),
		with("param_list", "string", func(d *event.DHCP) any { return d.ParameterList }),
		with("server_addr", "string", func(d *event.DHCP) any { return d.ServerID }),
	)
	sshTable = table("ssh",
		with("client", "string", func(s *event.SSH) any { return s.ClientVersion }),
		with("server", "string", func(s *event.SSH) any { return s.ServerVersion }),
		with("cipher_alg", "string", func(s *event.SSH) any { return s.Cipher }),
		with("mac_alg", "string", func(s *event.SSH) any { return s.MAC }),
		with("kex_alg", "string", func(s *event.SSH) any { return s.KexAlgorithm }),
		with("host_key_alg", "string", func(s *event.SSH) any { return s.HostKeyAlg }),
		with("hassh", "string", func(s *event.SSH) any { return s.HASSH }),
		with("hasshServer", "string", func(s *event.SSH) any { return s.HASSHServer }),
	)
	smbTable = table("smb_cmd",
		with("command", "string", func(s *event.SMB) any { return s.Command }),
		with("status", "string", func(s *event.SMB) any { return s.NTStatus }),
		with("version", "string", func(s *event.SMB) any { return s.Dialect }),
		with("tree", "string", func(s *event.SMB) any { return s.Share }),
		with("tree_service", "string", func(s *event.SMB) any { return s.ShareType }),
		with("file", "string", func(s *event.SMB) any { return s.File }),
		with("domain", "string", func(s *event.SMB) any { return s.Domain }),
		with("workstation", "string", func(s *event.SMB) any { return s.Workstation }),
		with("signing", "string", func(s *event.SMB) any { return s.Signing }),
	)
	rdpTable = table("rdp",
		with("cookie", "string", func(r *event.RDP) any { return r.Cookie }),
		with("result", "string", func(r *event.RDP) any { return r.Failure }),
		with("security_protocol", "string", func(r *event.RDP) any { return r.SelectedSecurity }),
		with("requested_protocols", "vector[string]", func(r *event.RDP) any { return r.RequestedSecurity }),
		with("client_name", "string", func(r *event.RDP) any { return r.ClientName }),
		with("client_build", "string", func(r *event.RDP) any { return r.ClientBuild }),
	)
	ftpTable = table("ftp",
		with("command", "string", func(f *event.FTP) any { return f.Command }),
		with("arg", "string", func(f *event.FTP) any { return f.Arg }),
		with("reply_code", "count", func(f *event.FTP) any { return f.Code }),
		with("reply_msg", "string", func(f *event.FTP) any { return f.Reply }),
		with("data_channel.resp_p", "port", func(f *event.FTP) any { return f.DataPort }),
	)
	ntpTable = table("ntp",
		with("version", "count", func(n *event.NTP) any { return n.Version }),
		zeekColumn{"mode", "count", func(e *event.Event) any { return e.Activity }},
		with("stratum", "count", func(n *event.NTP) any { return n.Stratum }),
		with("root_delay", "interval", func(n *event.NTP) any { return zeekInterval(n.Delay * 1e9) }),
		with("root_disp", "interval", func(n *event.NTP) any { return zeekInterval(n.Dispersion * 1e9) }),
		with("ref_id", "string", func(n *event.NTP) any { return n.ReferenceID }),
	)
	dicomTable = table("dicom",
		zeekColumn{"event", "string", func(e *event.Event) any {
			return name(e.Activity, "request", "accept", "reject", "release", "abort", "close")
		}},
		with("calling_ae", "string", func(d *event.DICOMAssociation) any { return d.CallingAE }),
		with("called_ae", "string", func(d *event.DICOMAssociation) any { return d.CalledAE }),
		with("impl_uid", "string", func(d *event.DICOMAssociation) any { return d.ImplUID }),
		with("impl_version", "string", func(d *event.DICOMAssociation) any { return d.ImplVersion }),
		with("resp_impl_uid", "string", func(d *event.DICOMAssociation) any { return d.AcceptorImplUID }),
		with("resp_impl_version", "string", func(d *event.DICOMAssociation) any { return d.AcceptorImplVersion }),
		with("abstract_syntaxes", "vector[string]", func(d *event.DICOMAssociation) any {
			var out []string
			for _, c := range d.Contexts {
				if c.AbstractName != "" {
					out = append(out, c.AbstractName)
				} else {
					out = append(out, c.AbstractSyntax)
				}
			}
			return out
		}),
		with("contexts_accepted", "count", func(d *event.DICOMAssociation) any { return d.ContextsAccepted }),
		with("user_identity", "string", func(d *event.DICOMAssociation) any { return d.UserIdentityType }),
		with("reason", "string", func(d *event.DICOMAssociation) any { return d.RejectReason + d.AbortReason }),
		with("objects", "count", func(d *event.DICOMAssociation) any { return d.Objects }),
		with("object_bytes", "count", func(d *event.DICOMAssociation) any { return d.ObjectBytes }),
	)
	dicomOpsTable = table("dicom_ops",
		with("command", "string", func(d *event.DICOMOperation) any { return d.Command }),
		with("calling_ae", "string", func(d *event.DICOMOperation) any { return d.CallingAE }),
		with("called_ae", "string", func(d *event.DICOMOperation) any { return d.CalledAE }),
		with("sop_class", "string", func(d *event.DICOMOperation) any { return d.SOPClass }),
		with("sop_instance", "string", func(d *event.DICOMOperation) any { return d.SOPInstance }),
		with("study", "string", func(d *event.DICOMOperation) any { return d.StudyInstance }),
		with("modality", "string", func(d *event.DICOMOperation) any { return d.Modality }),
		zeekColumn{"status", "string", func(e *event.Event) any { return e.StatusCode }},
		with("status_name", "string", func(d *event.DICOMOperation) any { return d.StatusName }),
		with("move_destination", "string", func(d *event.DICOMOperation) any { return d.MoveDestination }),
		with("query_level", "string", func(d *event.DICOMOperation) any { return d.QueryLevel }),
		with("query_keys", "vector[string]", func(d *event.DICOMOperation) any { return d.QueryKeys }),
		with("results", "count", func(d *event.DICOMOperation) any { return d.Results }),
		with("bytes", "count", func(d *event.DICOMOperation) any { return d.Bytes }),
	)
	hl7Table = table("hl7",
		with("type", "string", func(h *event.HL7Message) any { return h.Type }),
		with("trigger", "string", func(h *event.HL7Message) any { return h.Trigger }),
		with("control_id", "string", func(h *event.HL7Message) any { return h.ControlID }),
		with("version", "string", func(h *event.HL7Message) any { return h.Version }),
		with("sending_app", "string", func(h *event.HL7Message) any { return h.SendingApp }),
		with("sending_facility", "string", func(h *event.HL7Message) any { return h.SendingFacility }),
		with("receiving_app", "string", func(h *event.HL7Message) any { return h.ReceivingApp }),
		with("receiving_facility", "string", func(h *event.HL7Message) any { return h.ReceivingFacility }),
		with("segments", "vector[string]", func(h *event.HL7Message) any { return h.Segments }),
		with("ack", "string", func(h *event.HL7Message) any { return h.AckCode }),
		with("devices", "vector[string]", func(h *event.HL7Message) any {
			var out []string
			for _, d := range h.Devices {
				out = append(out, strings.TrimSpace(d.UDI+" "+d.DeviceID+" "+d.EUI64))
			}
			return out
		}),
		with("bytes", "count", func(h *event.HL7Message) any { return h.Bytes }),
	)
	medicalTable = table("medical",
		with("standard", "string", func(m *event.MedicalDevice) any { return m.Standard }),
		with("message", "string", func(m *event.MedicalDevice) any { return m.Message }),
		with("endpoint", "string", func(m *event.MedicalDevice) any { return m.Endpoint }),
		with("vendor", "string", func(m *event.MedicalDevice) any { return m.Vendor }),
		with("model", "string", func(m *event.MedicalDevice) any { return m.Model }),
		with("serial", "string", func(m *event.MedicalDevice) any { return m.Serial }),
		with("records", "count", func(m *event.MedicalDevice) any { return m.Records }),
		with("naks", "count", func(m *event.MedicalDevice) any { return m.Naks }),
	)
	restTable = table("rest",
		with("api", "string", func(r *event.Rest) any { return r.API }),
		with("interaction", "string", func(r *event.Rest) any { return r.Interaction }),
		with("resource", "string", func(r *event.Rest) any { return r.Resource }),
		with("operation", "string", func(r *event.Rest) any { return r.Operation }),
		with("query_keys", "vector[string]", func(r *event.Rest) any { return r.SearchKeys }),
		with("status_code", "count", func(r *event.Rest) any { return r.HTTPStatus }),
		with("objects", "count", func(r *event.Rest) any { return r.Objects }),
		with("bytes", "count", func(r *event.Rest) any { return r.Bytes }),
	)
	appTable = table("app",
		with("name", "string", func(a *event.Application) any { return a.Name }),
		with("version", "string", func(a *event.Application) any { return a.Version }),
		with("operation", "string", func(a *event.Application) any { return a.Operation }),
		with("attributes", "vector[string]", func(a *event.Application) any { return kvs(a.Attributes) }),
	)
	devicesTable = zeekTable{"known_devices", []zeekColumn{
		{"ts", "time", func(e *event.Event) any { return zeekTime(e.Time) }},
		with("mac", "string", func(d *event.DeviceEvidence) any {
			if d.Evidence.Subject.MAC.IsZero() {
				return nil
			}
			return d.Evidence.Subject.MAC.String()
		}),
		with("host", "addr", func(d *event.DeviceEvidence) any {
			if !d.Evidence.Subject.IP.IsValid() {
				return nil
			}
			return d.Evidence.Subject.IP.String()
		}),
		with("attribute", "string", func(d *event.DeviceEvidence) any { return string(d.Evidence.Attribute) }),
		with("value", "string", func(d *event.DeviceEvidence) any { return d.Evidence.Value }),
		with("source", "string", func(d *event.DeviceEvidence) any { return d.Evidence.Source }),
		with("confidence", "count", func(d *event.DeviceEvidence) any { return d.Evidence.Confidence }),
	}}
)

func leaf(chain []event.Certificate, f func(*event.Certificate) string) any {
	if len(chain) == 0 {
		return nil
	}
	return f(&chain[0])
}

func known(n int64) any {
	if n < 0 {
		return nil
	}
	return n
}

// name returns the n-th name, counted from one.
func name(n uint8, names ...string) any {
	if n == 0 || int(n) > len(names) {
		return nil
	}
	return names[n-1]
}
