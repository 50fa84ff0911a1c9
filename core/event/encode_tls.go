// SPDX-License-Identifier: Apache-2.0

package event

import "strings"

// leaf returns the server's certificate when it can be written as OCSF's
// certificate object, which needs an issuer and a serial number.
func leaf(d *TLS) *Certificate {
	if len(d.ServerChain) == 0 || d.ServerChain[0].Issuer == "" || d.ServerChain[0].SerialNumber == "" {
		return nil
	}
	return &d.ServerChain[0]
}

func (w *writer) tls(d *TLS) {
	w.key("tls")
	w.open()
	w.str("version", or(d.Version, "unknown"))
	w.str("cipher", d.Cipher)
	w.strs("client_ciphers", d.ClientCiphers)
	w.str("sni", d.SNI)
	if n := alertNumber(d.Alert); n >= 0 {
		w.num("alert", int64(n))
	}
	if c := leaf(d); c != nil {
		w.key("certificate")
		w.certificate(c)
		w.key("certificate_chain") // OCSF: the serial numbers, leaf first
		w.openList()
		for i := range d.ServerChain {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.b = appendString(w.b, d.ServerChain[i].SerialNumber)
		}
		w.closeList()
	}
	if len(d.ClientALPN) > 0 || len(d.ClientVersions) > 0 {
		w.key("tls_extension_list")
		w.openList()
		w.tlsExtension(tlsALPN, d.ClientALPN)
		w.tlsExtension(tlsSupportedVersions, d.ClientVersions)
		w.closeList()
	}
	w.close()
	if d.JA4 != "" {
		w.key("ja4_fingerprint_list")
		w.openList()
		w.open()
		w.caption("type_id", 1, "type", captionJA4(1))
		w.str("value", d.JA4)
		if a, rest, ok := strings.Cut(d.JA4, "_"); ok {
			b, c, _ := strings.Cut(rest, "_")
			w.str("section_a", a)
			w.str("section_b", b)
			w.str("section_c", c)
		}
		w.close()
		w.closeList()
	}
}

// TLS extension numbers (IANA).
const (
	tlsALPN              = 16
	tlsSupportedVersions = 43
)

func (w *writer) tlsExtension(id int, values []string) {
	if len(values) > 0 {
		w.comma()
		w.open()
		w.caption("type_id", id, "type", captionTLSExtension(id))
		w.strs("data", values)
		w.close()
	}
}

func (w *writer) certificate(c *Certificate) {
	w.open()
	w.str("serial_number", c.SerialNumber)
	w.str("subject", c.Subject)
	w.str("issuer", c.Issuer)
	if c.NotBefore != 0 {
		w.num("created_time", c.NotBefore)
	}
	if c.NotAfter != 0 {
		w.num("expiration_time", c.NotAfter)
	}
	w.flag("is_self_signed", c.SelfSigned)
	if c.SHA256 != "" {
		w.key("fingerprints")
		w.openList()
		w.hash(hashSHA256, c.SHA256)
		w.closeList()
	}
	if len(c.SANs) > 0 {
		w.key("sans")
		w.openList()
		for _, s := range c.SANs {
			w.comma()
			w.open()
			w.str("name", or(s, "-"))
			w.str("type", sanType(s))
			w.close()
		}
		w.closeList()
	}
	w.close()
}

// sanType tells the kind of a subject alternative name (RFC 5280 §4.2.1.6) by
// its form.
func sanType(s string) string {
	switch {
	case s != "" && strings.Trim(s, "0123456789.") == "", strings.Contains(s, ":") && strings.Trim(s, "0123456789abcdefABCDEF:.") == "":
		return "IP"
	case strings.Contains(s, "://"):
		return "URI"
	case strings.Contains(s, "@"):
		return "Email"
	}
	return "DNS"
}

// alertNumber returns the number of a TLS alert given as "fatal
// handshake_failure" (RFC 8446 §6, RFC 5246 §7.2), -1 when it has none.
func alertNumber(s string) int {
	switch s[strings.LastIndexByte(s, ' ')+1:] {
	case "close_notify":
		return 0
	case "unexpected_message":
		return 10
	case "bad_record_mac":
		return 20
	case "decryption_failed":
		return 21
	case "record_overflow":
		return 22
	case "decompression_failure":
		return 30
	case "handshake_failure":
		return 40
	case "no_certificate":
		return 41
	case "bad_certificate":
		return 42
	case "unsupported_certificate":
		return 43
	case "certificate_revoked":
		return 44
	case "certificate_expired":
		return 45
	case "certificate_unknown":
		return 46
	case "illegal_parameter":
		return 47
	case "unknown_ca":
		return 48
	case "access_denied":
		return 49
	case "decode_error":
		return 50
	case "decrypt_error":
		return 51
	case "protocol_version":
		return 70
	case "insufficient_security":
		return 71
	case "internal_error":
		return 80
	case "inappropriate_fallback":
		return 86
	case "user_canceled":
		return 90
	case "no_renegotiation":
		return 100
	case "missing_extension":
		return 109
	case "unsupported_extension":
		return 110
	case "unrecognized_name":
		return 112
	case "bad_certificate_status_response":
		return 113
	case "unknown_psk_identity":
		return 115
	case "certificate_required":
		return 116
	case "no_application_protocol":
		return 120
	}
	return -1
}
