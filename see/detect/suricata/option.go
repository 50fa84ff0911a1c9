// SPDX-License-Identifier: Apache-2.0

package suricata

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// buffer is a sticky buffer and the field that it is here.
type buffer struct {
	class, kind string
	field       string // with %s for the condition of an element, where it is a list
	elem        string
}

// buffers are the sticky buffers that the sensor keeps. It is never written to.
var buffers = map[string]buffer{
	"dns.query": {"dns_activity", "", "dns.query", ""}, "dns_query": {"dns_activity", "", "dns.query", ""},
	"dns.answer.name": {"dns_activity", "", "dns.answers.exists(a, %s)", "a.name"},
	"tls.sni":         {"network_activity", "tls", "tls.sni", ""}, "tls_sni": {"network_activity", "tls", "tls.sni", ""},
	"tls.cert_subject": {"network_activity", "tls", "tls.server_chain.exists(c, %s)", "c.subject"},
	"tls.cert_issuer":  {"network_activity", "tls", "tls.server_chain.exists(c, %s)", "c.issuer"},
	"tls.cert_serial":  {"network_activity", "tls", "tls.server_chain.exists(c, %s)", "c.serial_number"},
	"tls.alpn":         {"network_activity", "tls", "tls.client_alpn.exists(x, %s)", "x"},
	"ja4.hash":         {"network_activity", "tls", "tls.ja4", ""},
	"http.uri":         {"http_activity", "", "http.path", ""}, "http.uri.raw": {"http_activity", "", "http.path", ""},
	"http.host": {"http_activity", "", "http.host", ""}, "http.host.raw": {"http_activity", "", "http.host", ""},
	"http.user_agent": {"http_activity", "", "http.user_agent", ""}, "http.method": {"http_activity", "", "http.method", ""},
	"http.server": {"http_activity", "", "http.server", ""}, "http.referer": {"http_activity", "", "http.referrer", ""},
	"http.content_type": {"http_activity", "", "http.content_type", ""}, "http.stat_code": {"http_activity", "", "string(http.status)", ""},
	"ssh.software": {"ssh_activity", "", "ssh.client_version", ""}, "ssh.hassh": {"ssh_activity", "", "ssh.hassh", ""}, "ssh.hassh.server": {"ssh_activity", "", "ssh.hassh_server", ""},
	"smb.share": {"smb_activity", "", "smb.share", ""}, "smb.named_pipe": {"smb_activity", "", "smb.file", ""}, "smb.ntlmssp_domain": {"smb_activity", "", "smb.domain", ""},
	"ftp.command": {"ftp_activity", "", "ftp.command", ""}, "ftp.reply": {"ftp_activity", "", "ftp.reply", ""},
}

// Buffers lists the sticky buffers that can be imported, with the fields that they are.
func Buffers() []string {
	var out []string
	for n, b := range buffers {
		f := b.field
		if b.elem != "" {
			f = strings.ReplaceAll(f, "%s", b.elem)
		}
		out = append(out, n+" = "+f)
	}
	slices.Sort(out)
	return out
}

// content is one content of the current buffer.
type content struct {
	text                      string
	not, nocase, starts, ends bool
	follows                   bool // distance:0: after the one before
}

// threshold is how often it must happen.
type threshold struct {
	counts bool // false: only the number of alerts is limited, which grouping does
	track  string
	count  int
	window time.Duration
}

func (t *threshold) by(answers bool) []string {
	src, dst := "src.ip", "dst.ip"
	if answers {
		src, dst = dst, src
	}
	switch t.track {
	case "by_dst":
		return []string{dst}
	case "by_both":
		return []string{src, dst}
	}
	return []string{src}
}

// options that say nothing about what is found.
var ignored = []string{"gid", "target", "fast_pattern", "prefilter"}

func (im *importer) option(o option) error {
	if b, ok := buffers[o.name]; ok {
		return im.begin(o.name, b)
	}
	switch o.name {
	case "msg":
		im.msg = unescaped(o.value)
	case "sid":
	case "rev":
		im.rev = cut(o.value, 10)
	case "classtype", "priority", "reference", "metadata":
		im.meta = append(im.meta, o)
	case "flow":
		return im.flow(o.value)
	case "content":
		return im.content(o)
	case "nocase", "startswith", "endswith", "distance", "bsize":
		return im.modifier(o)
	case "pcre":
		return im.pcre(o)
	case "dotprefix":
		im.dotPrefix = true
	case "to_lowercase":
		return errors.New(`the option "to_lowercase" is not supported: use nocase`)
	case "threshold", "detection_filter":
		return im.threshold(o)
	case "app-layer-protocol":
		im.conds = append(im.conds, "event.protocol == "+strconv.Quote(strings.ToLower(o.value)))
	case "tls.version", "ssl_version":
		return im.tlsVersion(o)
	default:
		if !slices.Contains(ignored, o.name) {
			return fmt.Errorf("the option %q is not supported", cut(o.name, 40))
		}
	}
	return nil
}

func unescaped(s string) string {
	return strings.NewReplacer(`\;`, ";", `\"`, `"`, `\\`, `\`, `\:`, ":").Replace(s)
}

// begin makes a buffer the one that content is about.
func (im *importer) begin(name string, b buffer) error {
	if err := im.flush(); err != nil {
		return err
	}
	if im.class != "" && (im.class != b.class || im.kind != b.kind) {
		return fmt.Errorf("the buffer %q beside one of another protocol is not supported", name)
	}
	im.class, im.kind, im.buffer = b.class, b.kind, &b
	if name == "ssh.software" && im.answers {
		im.buffer.field = "ssh.server_version"
	}
	return nil
}

func (im *importer) flow(value string) error {
	for w := range strings.SplitSeq(value, ",") {
		switch w := strings.TrimSpace(w); w {
		case "established", "stateless", "to_server", "from_client", "only_stream", "no_stream":
		case "to_client", "from_server":
			im.answers = true
			if im.buffer != nil && im.buffer.field == "ssh.client_version" {
				im.buffer.field = "ssh.server_version"
			}
		default:
			return fmt.Errorf("flow:%s is not supported", w)
		}
	}
	return nil
}

func (im *importer) content(o option) error {
	if im.buffer == nil {
		return errors.New("content on the payload of packets is not supported: the sensor keeps none")
	}
	t, err := decode(o.value)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if t == "" || !o.quoted {
		return errors.New("content is empty, or not in quotes")
	}
	im.contents = append(im.contents, &content{text: t, not: o.not})
	return nil
}

func (im *importer) modifier(o option) error {
	if o.name == "bsize" {
		n, err := strconv.Atoi(o.value)
		if err != nil || im.buffer == nil || im.buffer.elem != "" {
			return fmt.Errorf("bsize:%s is not supported", o.value)
		}
		im.conds = append(im.conds, fmt.Sprintf("size(%s) == %d", im.buffer.field, n))
		return nil
	}
	if len(im.contents) == 0 {
		return fmt.Errorf("%s without a content", o.name)
	}
	c := im.contents[len(im.contents)-1]
	switch o.name {
	case "nocase":
		c.nocase = true
	case "startswith":
		c.starts = true
	case "endswith":
		c.ends = true
	case "distance":
		if o.value != "0" || len(im.contents) < 2 || c.not {
			return fmt.Errorf("distance:%s is not supported", o.value)
		}
		c.follows = true
	}
	return nil
}

// flush turns the contents of the current buffer into conditions.
func (im *importer) flush() error {
	b, list := im.buffer, im.contents
	dot := im.dotPrefix
	im.contents, im.dotPrefix = nil, false
	if b == nil {
		return nil
	}
	field, wrap := b.field, func(s string) string { return s }
	if b.elem != "" {
		field = b.elem
		wrap = func(s string) string { return strings.Replace(b.field, "%s", s, 1) }
	}
	for i := 0; i < len(list); i++ {
		c := list[i]
		group := []*content{c}
		for i+1 < len(list) && list[i+1].follows {
			i++
			group = append(group, list[i])
		}
		var cond string
		switch {
		case dot:
			if len(list) != 1 || !c.ends || !strings.HasPrefix(c.text, ".") {
				return errors.New("dotprefix is supported with one content that begins with a dot and endswith")
			}
			name := strings.ToLower(c.text)
			cond = fmt.Sprintf("(lower(%s) == %s || lower(%s).endsWith(%s))", field, strconv.Quote(name[1:]), field, strconv.Quote(name))
		case len(group) > 1:
			cond = inOrder(field, group)
		default:
			cond = c.test(field)
		}
		cond = wrap(cond)
		if c.not {
			cond = "!" + cond
		}
		im.conds = append(im.conds, cond)
	}
	return nil
}

func (c *content) test(field string) string {
	text := c.text
	if c.nocase {
		field, text = "lower("+field+")", strings.ToLower(text)
	}
	switch {
	case c.starts && c.ends:
		return "(" + field + " == " + strconv.Quote(text) + ")"
	case c.starts:
		return field + ".startsWith(" + strconv.Quote(text) + ")"
	case c.ends:
		return field + ".endsWith(" + strconv.Quote(text) + ")"
	}
	return field + ".contains(" + strconv.Quote(text) + ")"
}

// inOrder is one content after the other.
func inOrder(field string, list []*content) string {
	var b strings.Builder
	b.WriteString("(?s)")
	for i, c := range list {
		if i > 0 {
			b.WriteString(".*")
		} else if c.starts {
			b.WriteByte('^')
		}
		p := regexp.QuoteMeta(c.text)
		if c.nocase {
			p = "(?i:" + p + ")"
		}
		b.WriteString(p)
	}
	if list[len(list)-1].ends {
		b.WriteByte('$')
	}
	return field + ".matches(" + strconv.Quote(b.String()) + ")"
}

func (im *importer) pcre(o option) error {
	if im.buffer == nil {
		return errors.New("pcre on the payload of packets is not supported: the sensor keeps none")
	}
	end := strings.LastIndexByte(o.value, '/')
	if len(o.value) < 2 || o.value[0] != '/' || end == 0 {
		return errors.New("pcre: want /expression/flags")
	}
	text, flags := o.value[1:end], o.value[end+1:]
	set := ""
	for _, f := range flags {
		if !strings.ContainsRune("ism", f) {
			return fmt.Errorf("pcre: the flag %q is not supported", f)
		}
		set += string(f)
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, `\/`, "/"), `\;`, ";")
	if set != "" {
		text = "(?" + set + ")" + text
	}
	if _, err := regexp.Compile(text); err != nil {
		return fmt.Errorf("pcre: not an expression of RE2: %w", err)
	}
	b := im.buffer
	field := b.field
	if b.elem != "" {
		field = b.elem
	}
	cond := field + ".matches(" + strconv.Quote(text) + ")"
	if b.elem != "" {
		cond = strings.Replace(b.field, "%s", cond, 1)
	}
	if o.not {
		cond = "!" + cond
	}
	im.conds = append(im.conds, cond)
	return nil
}

func (im *importer) tlsVersion(o option) error {
	v, ok := map[string]string{"1.0": "TLSv1.0", "1.1": "TLSv1.1", "1.2": "TLSv1.2", "1.3": "TLSv1.3"}[o.value]
	if !ok || im.class != "" && im.kind != "tls" {
		return fmt.Errorf("%s:%s is not supported", o.name, cut(o.value, 20))
	}
	im.class, im.kind = "network_activity", "tls"
	im.conds = append(im.conds, "tls.version == "+strconv.Quote(v))
	return nil
}

func (im *importer) threshold(o option) error {
	t := &threshold{counts: true}
	for part := range strings.SplitSeq(o.value, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		value = strings.TrimSpace(value)
		switch name {
		case "type":
			switch value {
			case "limit":
				t.counts = false
			case "threshold", "both":
			default:
				return fmt.Errorf("%s: the type %q is not supported", o.name, value)
			}
		case "track":
			if !slices.Contains([]string{"by_src", "by_dst", "by_both"}, value) {
				return fmt.Errorf("%s: track %s is not supported", o.name, value)
			}
			t.track = value
		case "count", "seconds":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 1_000_000 {
				return fmt.Errorf("%s: %q is not a number from 1 to 1000000", o.name, value)
			}
			if name == "count" {
				t.count = n
			} else {
				t.window = time.Duration(n) * time.Second
			}
		default:
			return fmt.Errorf("%s: %q is not supported", o.name, cut(name, 40))
		}
	}
	if t.track == "" || t.count == 0 || t.window == 0 {
		return fmt.Errorf("%s: want track, count and seconds", o.name)
	}
	if o.name == "detection_filter" {
		t.count++ // it fires beyond the count
	}
	if im.limit != nil {
		return fmt.Errorf("%s: a second threshold", o.name)
	}
	im.limit = t
	return nil
}
