// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
)

// valueKind is how a field of ours compares.
type valueKind uint8

const (
	text   valueKind = iota
	number           // a whole number
	addr             // an address
	many             // a list: any of it; written with %s for the element's condition
)

// target is a field of ours that stands for one of Sigma's.
type target struct {
	expr string // of many: the loop, with one %s
	kind valueKind
	elem string // of many: the element in the loop
}

// source is a log source of Sigma and what it is here.
type source struct {
	names  []string // "category/dns", "zeek/dns"
	class  string
	when   string // tells the events of the class apart
	fields map[string]target
}

var ends = map[string]target{
	"src_ip": {expr: "src.ip", kind: addr}, "id.orig_h": {expr: "src.ip", kind: addr}, "c-ip": {expr: "src.ip", kind: addr},
	"dst_ip": {expr: "dst.ip", kind: addr}, "id.resp_h": {expr: "dst.ip", kind: addr}, "r-ip": {expr: "dst.ip", kind: addr},
	"src_port": {expr: "src.port", kind: number}, "id.orig_p": {expr: "src.port", kind: number},
	"dst_port": {expr: "dst.port", kind: number}, "id.resp_p": {expr: "dst.port", kind: number}, "r-port": {expr: "dst.port", kind: number},
}

// sources are the log sources that are read. It is never written to.
var sources = [...]source{
	{[]string{"category/dns", "zeek/dns"}, "dns_activity", "", map[string]target{
		"query": {expr: "dns.query"}, "queryname": {expr: "dns.query"}, "dns.question.name": {expr: "dns.query"},
		"record_type": {expr: "dns.type"}, "qtype_name": {expr: "dns.type"}, "rcode_name": {expr: "dns.rcode_name"},
		"answer": {expr: "dns.answers.exists(a, %s)", kind: many, elem: "a.rdata"}, "answers": {expr: "dns.answers.exists(a, %s)", kind: many, elem: "a.rdata"},
	}},
	{[]string{"category/proxy", "category/webserver", "zeek/http"}, "http_activity", "", map[string]target{
		"cs-method": {expr: "http.method"}, "c-method": {expr: "http.method"}, "method": {expr: "http.method"},
		"c-uri": {expr: "http.path"}, "cs-uri": {expr: "http.path"}, "cs-uri-stem": {expr: "http.path"}, "uri": {expr: "http.path"},
		"cs-host": {expr: "http.host"}, "host": {expr: "http.host"}, "r-dns": {expr: "http.host"},
		"c-useragent": {expr: "http.user_agent"}, "cs-user-agent": {expr: "http.user_agent"}, "user_agent": {expr: "http.user_agent"},
		"sc-status": {expr: "http.status", kind: number}, "status_code": {expr: "http.status", kind: number},
		"cs-referrer": {expr: "http.referrer"}, "referrer": {expr: "http.referrer"}, "cs-version": {expr: "http.version"}, "version": {expr: "http.version"},
		"resp_mime_types": {expr: "http.response_type"}, "sc-content-type": {expr: "http.response_type"},
	}},
	{[]string{"category/firewall", "zeek/conn"}, "network_activity", `event.kind == "conn"`, map[string]target{
		"proto": {expr: "flow.transport"}, "service": {expr: "conn.app"}, "conn_state": {expr: "conn.state"}, "history": {expr: "conn.history"},
		"orig_bytes": {expr: "conn.payload_out", kind: number}, "resp_bytes": {expr: "conn.payload_in", kind: number},
		"orig_pkts": {expr: "conn.packets_out", kind: number}, "resp_pkts": {expr: "conn.packets_in", kind: number},
	}},
	{[]string{"zeek/ssl"}, "network_activity", `event.kind == "tls"`, map[string]target{
		"server_name": {expr: "tls.sni"}, "version": {expr: "tls.version"}, "cipher": {expr: "tls.cipher"}, "ja4": {expr: "tls.ja4"}, "next_protocol": {expr: "tls.alpn"},
		"subject": {expr: "tls.server_chain.exists(c, %s)", kind: many, elem: "c.subject"}, "issuer": {expr: "tls.server_chain.exists(c, %s)", kind: many, elem: "c.issuer"},
	}},
	{[]string{"zeek/smb_files", "zeek/smb_mapping"}, "smb_activity", "", map[string]target{
		"path": {expr: "smb.share"}, "name": {expr: "smb.file"}, "action": {expr: "event.activity"}, "share_type": {expr: "smb.share_type"},
	}},
	{[]string{"zeek/ssh"}, "ssh_activity", "", map[string]target{
		"client": {expr: "ssh.client_version"}, "server": {expr: "ssh.server_version"}, "cipher_alg": {expr: "ssh.cipher"}, "kex_alg": {expr: "ssh.kex_algorithm"}, "hassh": {expr: "ssh.hassh"},
	}},
	{[]string{"zeek/rdp"}, "rdp_activity", "", map[string]target{
		"client_name": {expr: "rdp.client_name"}, "client_build": {expr: "rdp.client_build"}, "security_protocol": {expr: "rdp.selected_security"},
	}},
	{[]string{"zeek/ftp"}, "ftp_activity", "", map[string]target{
		"command": {expr: "ftp.command"}, "arg": {expr: "ftp.arg"}, "reply_code": {expr: "ftp.code", kind: number}, "reply_msg": {expr: "ftp.reply"},
	}},
	{[]string{"zeek/dhcp"}, "dhcp_activity", "", map[string]target{
		"host_name": {expr: "dhcp.hostname"}, "client_fqdn": {expr: "dhcp.fqdn"}, "domain": {expr: "dhcp.domain"}, "server_addr": {expr: "dhcp.server_id"}, "mac": {expr: "dhcp.client_mac"},
	}},
}

// SourceNames are the log sources that can be imported.
func SourceNames() []string {
	var out []string
	for _, s := range sources {
		out = append(out, s.names...)
	}
	slices.Sort(out)
	return out
}

// Mapping lists a source's fields, "query = dns.query", for the documentation.
func Mapping(sourceName string) (class string, fields []string) {
	for _, s := range sources {
		if slices.Contains(s.names, sourceName) {
			for name, t := range s.fields {
				e := t.expr
				if t.kind == many {
					e = strings.ReplaceAll(e, "%s", t.elem)
				}
				fields = append(fields, name+" = "+e)
			}
			slices.Sort(fields)
			return s.class, fields
		}
	}
	return "", nil
}

// EndFields lists the fields that every source has, for the documentation.
func EndFields() []string {
	var out []string
	for name, t := range ends {
		out = append(out, name+" = "+t.expr)
	}
	slices.Sort(out)
	return out
}

func (im *importer) source(d *node) (*source, error) {
	l := d.get("logsource")
	if l == nil || l.kind != mapping {
		return nil, im.fail(d, "there is no logsource")
	}
	for _, p := range l.pairs {
		if !slices.Contains([]string{"category", "product", "service", "definition"}, p.name) {
			return nil, im.fail(p.value, "logsource: the field %q is not supported", p.name)
		}
	}
	name := "category/" + l.text("category")
	switch product := l.text("product"); {
	case product == "zeek" && l.text("service") != "":
		name = "zeek/" + l.text("service")
	case product == "zeek" && l.text("category") != "":
	case product != "" || l.text("service") != "":
		name = strings.Join([]string{product, l.text("category"), l.text("service")}, "/")
	}
	for i := range sources {
		if slices.Contains(sources[i].names, name) {
			return &sources[i], nil
		}
	}
	return nil, im.fail(l, "the log source %q is not supported: the network has %s", name, strings.Join(SourceNames(), ", "))
}

// field finds what stands for a field of Sigma.
func (s *source) field(name string) (target, bool) {
	low := strings.ToLower(name)
	if t, ok := s.fields[low]; ok {
		return t, true
	}
	t, ok := ends[low]
	return t, ok
}

func (s *source) fieldNames() []string {
	var out []string
	for n := range s.fields {
		out = append(out, n)
	}
	for n := range ends {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
