// SPDX-License-Identifier: Apache-2.0

package event

// unmapped writes what OCSF 1.8.0 has no attribute for. The names are part of
// the contract; docs/events.md lists them.
func (w *writer) unmapped(e *Event, t *classTable, unknownActivity bool) {
	mark := len(w.b)
	w.key("unmapped")
	w.open()
	empty := len(w.b)
	if unknownActivity {
		w.num("activity_id", int64(e.Activity))
	}
	if f := e.Flow; f != nil {
		if len(f.VLANs) > 1 { // the endpoints carry the innermost
			w.key("vlan_ids")
			w.openList()
			for _, v := range f.VLANs {
				w.comma()
				w.b = appendInt(w.b, int64(v))
			}
			w.closeList()
		}
		w.str("tunnel", f.Tunnel)
		w.size("src_hops", uint64(f.SrcHops))
		w.size("dst_hops", uint64(f.DstHops))
		if f.Guessed && !(t.uid == ClassNetwork || t.extension && t.network) {
			w.flag("is_src_dst_assignment_known", false)
		}
	}
	if !(t.extension && t.network) {
		w.yes("is_encrypted", e.Encrypted)
	}
	switch d := e.Detail.(type) {
	case *Connection:
		w.str("conn_state", d.State)
		w.size("payload_bytes_out", d.PayloadOut)
		w.size("payload_bytes_in", d.PayloadIn)
		w.size("tcp_flags_out", uint64(d.TCPFlagsOut))
		w.size("tcp_flags_in", uint64(d.TCPFlagsIn))
		w.yes("is_evicted", d.Evicted)
		w.yes("is_mid_stream", d.MidStream)
	case *TLS:
		w.str("alpn", d.ALPN)
		w.str("tls_alert", d.Alert)
		w.str("quic_version", d.QUICVersion)
		w.yes("is_resumed", d.Resumed)
		w.yes("is_client_certificate_requested", d.ClientCertAsked)
		w.flag("is_handshake_complete", d.Complete)
		w.chain("server_certificates", d.ServerChain)
		w.chain("client_certificates", d.ClientChain)
	case *HTTP:
		if !knownMethod(d.Method) {
			w.str("http_method", d.Method)
		}
		w.str("auth_scheme", d.AuthScheme)
		w.str("upgrade", d.Upgrade)
		w.yes("has_credential_in_url", d.TokenInURL)
		w.str("default_credential", d.DefaultCredential)
		w.strs("suspicious", d.Suspicious)
		if d.RequestLength >= 1<<31 {
			w.num("request_body_length", d.RequestLength)
		}
		if d.ResponseLength >= 1<<31 {
			w.num("response_body_length", d.ResponseLength)
		}
		w.flag("is_response_seen", d.ResponseSeen)
	case *DNS:
		w.strs("dns_flags", d.Flags)
		w.answerNames(d.Answers)
		if d.Questions > 1 {
			w.num("question_count", int64(d.Questions))
		}
		w.yes("is_truncated", d.Truncated)
		if d.Query == "" {
			w.num("transaction_id", int64(d.ID))
		}
	case *DHCP:
		w.num("dhcp_version", int64(d.Version))
		w.str("message_type", d.Type)
		w.str("client_mac", d.ClientMAC)
		w.str("client_id", d.ClientID)
		w.str("client_ip", d.ClientIP)
		w.str("server_id", d.ServerID)
		w.str("hostname", d.Hostname)
		w.str("fqdn", d.FQDN)
		w.str("vendor_class", d.VendorClass)
		w.str("user_class", d.UserClass)
		w.str("parameter_list", d.ParameterList)
		w.strs("routers", d.Routers)
		w.strs("dns_servers", d.DNSServers)
		w.str("domain", d.Domain)
		w.str("relay", d.Relay)
	case *SSH:
		w.str("client_version", d.ClientVersion)
		w.str("server_version", d.ServerVersion)
		w.str("kex_algorithm", d.KexAlgorithm)
		w.str("host_key_algorithm", d.HostKeyAlg)
		w.str("cipher", d.Cipher)
		w.str("mac_algorithm", d.MAC)
	case *SMB:
		w.str("renamed_to", d.RenamedTo)
		w.yes("is_ransom_note", d.RansomNote)
		w.str("ntlm_domain", d.Domain)
		w.str("ntlm_workstation", d.Workstation)
		w.str("os_version", d.OSVersion)
		w.str("signing", d.Signing)
		w.yes("is_smb_encrypted", d.Encrypted)
		w.yes("is_ntlmv1", d.NTLMv1)
		w.yes("is_guest", d.Guest)
		w.str("server_guid", d.ServerGUID)
		w.strs("suspicious", d.Suspicious)
	case *RDP:
		w.strs("requested_security", d.RequestedSecurity)
		w.str("selected_security", d.SelectedSecurity)
		w.str("negotiation_failure", d.Failure)
		w.str("client_name", d.ClientName)
		w.str("client_build", d.ClientBuild)
	case *FTP:
		w.yes("is_cleartext_login", d.Cleartext)
		w.str("default_credential", d.DefaultCredential)
	case *NTP:
		w.num("stratum", int64(d.Stratum))
		w.str("reference_id", d.ReferenceID)
		if d.OffsetMS != 0 {
			w.num("clock_offset_ms", d.OffsetMS)
		}
	}
	if len(w.b) == empty {
		w.b = w.b[:mark]
		return
	}
	w.close()
}

// chain writes certificates in full, leaf first.
func (w *writer) chain(name string, certs []Certificate) {
	if len(certs) == 0 {
		return
	}
	w.key(name)
	w.openList()
	for i := range certs {
		w.comma()
		w.open()
		w.tagged(&certs[i])
		w.close()
	}
	w.closeList()
}

// answerNames writes the owner name of each answer, which OCSF's dns_answer
// has no place for, in the order of the answers.
func (w *writer) answerNames(a []DNSAnswer) {
	if len(a) == 0 {
		return
	}
	w.key("answer_names")
	w.openList()
	for i := range a {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, a[i].Name)
	}
	w.closeList()
}
