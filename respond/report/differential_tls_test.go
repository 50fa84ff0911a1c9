// SPDX-License-Identifier: Apache-2.0

package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
)

const tlsFields = "per handshake: negotiated version, chosen cipher suite, server name, cipher suites and ALPN offered, serial numbers and subject common names of both chains, alert; JA4 computed anew from tshark's fields"

var tlsComparison = comparison{
	name:   "tls",
	fields: "TLS and DTLS, " + tlsFields,
	ours: func(events []*event.Event) []string {
		return tlsOurs(events, func(e *event.Event, d *event.TLS) bool { return d.QUICVersion == "" })
	},
	theirs: func(packets []*dissected) []string { return tlsTheirs(packets, false) },
}

var quicComparison = comparison{
	name:   "quic",
	fields: "QUIC, " + tlsFields,
	ours: func(events []*event.Event) []string {
		return tlsOurs(events, func(e *event.Event, d *event.TLS) bool { return d.QUICVersion != "" })
	},
	theirs: func(packets []*dissected) []string { return tlsTheirs(packets, true) },
}

func tlsOurs(events []*event.Event, want func(*event.Event, *event.TLS) bool) (out []string) {
	details(events, func(e *event.Event, d *event.TLS) {
		if !want(e, d) {
			return
		}
		var serials, names []string
		for _, c := range slices.Concat(d.ServerChain, d.ClientChain) {
			serials = append(serials, c.SerialNumber)
			names = append(names, commonName(c.Subject))
		}
		out = append(out, fmt.Sprintf("hello %q %v alpn %v ja4 %s", d.SNI, d.ClientCiphers, d.ClientALPN, d.JA4),
			fmt.Sprintf("answer %s %s", d.Version, d.Cipher), fmt.Sprintf("certificates %v %q", serials, names))
		if d.Alert != "" {
			out = append(out, "alert "+d.Alert)
		}
	})
	return out
}

func commonName(subject string) string {
	for rdn := range strings.SplitSeq(subject, ",") {
		if cn, ok := strings.CutPrefix(strings.TrimSpace(rdn), "CN="); ok {
			return cn
		}
	}
	return ""
}

// theirHandshake is what tshark says of one connection.
type theirHandshake struct {
	client, server *node
	over           string
	serials, names []string
	alert          string
	order          int
}

func tlsTheirs(packets []*dissected, quic bool) (out []string) {
	convs := map[string]*theirHandshake{}
	for _, p := range packets {
		id, _ := p.conversation()
		for _, n := range p.protos {
			over := ""
			switch {
			case n.name == "tls" && !quic && strings.HasPrefix(id, "tcp"):
				over = "t"
			case n.name == "dtls" && !quic:
				over = "d"
			case n.name == "quic" && quic:
				over = "q"
			default:
				continue
			}
			c := convs[id]
			if c == nil {
				c = &theirHandshake{order: len(convs)}
				convs[id] = c
			}
			c.over = over
			prefix := map[string]string{"t": "tls", "d": "dtls", "q": "tls"}[over]
			n.walk(func(h *node) {
				if h.name != prefix+".handshake" {
					return
				}
				switch h.get(prefix + ".handshake.type") {
				case "1":
					// The first that is whole: it is repeated with a cookie, or after a
					// HelloRetryRequest, and in DTLS it may come in fragments.
					if c.client == nil || len(c.client.all(prefix+".handshake.ciphersuite")) == 0 {
						c.client = h
					}
				case "2":
					c.server = h // the last: after a HelloRetryRequest the true one
				case "11":
					for _, cert := range h.all(prefix + ".handshake.certificate") {
						c.certificate(cert, h)
					}
				}
			})
			for _, a := range n.all(prefix + ".alert_message") {
				if level, desc := a.all(prefix+".alert_message.level"), a.all(prefix+".alert_message.desc"); len(level) > 0 && len(desc) > 0 && c.alert == "" {
					c.alert = alertName(level[0], desc[0])
				}
			}
		}
	}
	for _, c := range convs {
		if c.client == nil && c.server == nil {
			continue
		}
		out = append(out, c.hello(), c.answer(), fmt.Sprintf("certificates %v %q", c.serials, c.names))
		if c.alert != "" {
			out = append(out, "alert "+c.alert)
		}
	}
	return out
}

// certificate takes the serial number and the subject's common name.
func (c *theirHandshake) certificate(cert, _ *node) {
	for _, s := range cert.all("x509af.serialNumber") {
		c.serials = append(c.serials, strings.TrimLeft(s.value, "0"))
		break
	}
	name := ""
	if subjects := cert.all("x509af.subject"); len(subjects) > 0 {
		for _, rdn := range subjects[0].all("x509if.RelativeDistinguishedName_item_element") {
			if rdn.get("x509if.oid") == "2.5.4.3" {
				rdn.walk(func(k *node) {
					if strings.HasPrefix(k.name, "x509sat.") && len(k.kids) == 0 {
						name = k.show
					}
				})
			}
		}
	}
	c.names = append(c.names, name)
}

// alertName reads "Level: Fatal (2)" and "Description: Handshake Failure (40)".
func alertName(level, desc *node) string {
	word := func(n *node) string {
		_, s, _ := strings.Cut(n.showname, ": ")
		s, _, _ = strings.Cut(s, " (")
		return strings.ReplaceAll(strings.ToLower(s), " ", "_")
	}
	return word(level) + " " + word(desc)
}

// grease reports a value of RFC 8701 §2.
func grease(v int) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// suiteName reads "Cipher Suite: TLS_AES_128_GCM_SHA256 (0x1301)".
func suiteName(n *node) string {
	s := strings.TrimPrefix(n.showname, "Cipher Suite: ")
	s, _, _ = strings.Cut(s, " (")
	if s == "Unknown" {
		return fmt.Sprintf("0x%04x", number(n.show))
	}
	return s
}

func (c *theirHandshake) prefix() string {
	if c.over == "d" {
		return "dtls."
	}
	return "tls."
}

func (c *theirHandshake) hello() string {
	h := c.client
	if h == nil {
		h = &node{}
	}
	var suites []string
	var ids []string
	for _, s := range h.all(c.prefix() + "handshake.ciphersuite") {
		if !grease(number(s.show)) {
			suites = append(suites, suiteName(s))
			ids = append(ids, fmt.Sprintf("%04x", number(s.show)))
		}
	}
	alpn := slices.DeleteFunc(h.shows(c.prefix()+"handshake.extensions_alpn_str"), func(s string) bool { return len(s) == 2 && grease(int(s[0])<<8|int(s[1])) })
	ja4 := ""
	if c.client != nil {
		ja4 = c.ja4(ids)
	}
	return fmt.Sprintf("hello %q %v alpn %v ja4 %s", h.get(c.prefix()+"handshake.extensions_server_name"), suites, alpn, ja4)
}

// ja4 computes the fingerprint as its specification says, from tshark's fields.
func (c *theirHandshake) ja4(suites []string) string {
	h := c.client
	var exts, kept, sigs []string
	for _, e := range h.all(c.prefix() + "handshake.extension.type") {
		v := number(e.show)
		if grease(v) {
			continue
		}
		x := fmt.Sprintf("%04x", v)
		exts = append(exts, x)
		if v != 0 && v != 16 {
			kept = append(kept, x)
		}
	}
	// Delegated credentials (34) and signature_algorithms_cert (50) list algorithms of their own.
	h.walk(func(k *node) {
		if k.name == "" && strings.HasPrefix(k.show, "Extension: signature_algorithms (") {
			for _, s := range k.all(c.prefix() + "handshake.sig_hash_alg") {
				if !grease(number(s.show)) {
					sigs = append(sigs, fmt.Sprintf("%04x", number(s.show)))
				}
			}
		}
	})
	version := number(h.get(c.prefix() + "handshake.version"))
	best := 0
	for _, v := range h.all(c.prefix() + "handshake.extensions.supported_version") {
		if n := number(v.show); !grease(n) && (best == 0 || n > best && c.over != "d" || n < best && c.over == "d") {
			best = n
		}
	}
	if best != 0 {
		version = best
	}
	names := map[int]string{0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0xfeff: "d1", 0xfefd: "d2", 0xfefc: "d3"}
	sni := "i"
	if slices.Contains(exts, "0000") {
		sni = "d"
	}
	alpn := "00"
	if l := h.shows(c.prefix() + "handshake.extensions_alpn_str"); len(l) > 0 && l[0] != "" {
		alpn = l[0][:1] + l[0][len(l[0])-1:]
	}
	hash := func(s string) string {
		if s == "" {
			return "000000000000"
		}
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])[:12]
	}
	sorted := slices.Sorted(slices.Values(suites))
	slices.Sort(kept)
	list := strings.Join(kept, ",")
	if len(sigs) > 0 {
		list += "_" + strings.Join(sigs, ",")
	}
	return c.over + or(names[version], "00") + sni + two(len(suites)) + two(len(exts)) + alpn + "_" + hash(strings.Join(sorted, ",")) + "_" + hash(list)
}

func two(n int) string {
	s := strconv.Itoa(min(n, 99))
	if len(s) < 2 {
		s = "0" + s
	}
	return s
}

func (c *theirHandshake) answer() string {
	h := c.server
	if h == nil {
		return "answer  "
	}
	version := h.get(c.prefix() + "handshake.extensions.supported_version")
	if version == "" {
		version = h.get(c.prefix() + "handshake.version")
	}
	names := map[int]string{0x0304: "TLSv1.3", 0x0303: "TLSv1.2", 0x0302: "TLSv1.1", 0x0301: "TLSv1.0", 0x0300: "SSLv3", 0xfeff: "DTLSv1.0", 0xfefd: "DTLSv1.2", 0xfefc: "DTLSv1.3"}
	suite := ""
	for _, s := range h.all(c.prefix() + "handshake.ciphersuite") {
		suite = suiteName(s)
	}
	return fmt.Sprintf("answer %s %s", names[number(version)], suite)
}
