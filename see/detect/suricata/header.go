// SPDX-License-Identifier: Apache-2.0

package suricata

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/see/detect/rule"
)

// protocols of a rule's header and what they are here: the class of events and
// a condition of its own.
var protocols = map[string]struct{ class, kind, when string }{
	"ip": {"network_activity", "conn", ""}, "tcp": {"network_activity", "conn", `flow.transport == "tcp"`},
	"udp": {"network_activity", "conn", `flow.transport == "udp"`}, "icmp": {"network_activity", "conn", `flow.transport == "icmp"`},
	"tls": {"network_activity", "tls", ""}, "http": {"http_activity", "", ""}, "http1": {"http_activity", "", ""}, "dns": {"dns_activity", "", ""},
	"ssh": {"ssh_activity", "", ""}, "smb": {"smb_activity", "", ""}, "ftp": {"ftp_activity", "", ""}, "rdp": {"rdp_activity", "", ""}, "dhcp": {"dhcp_activity", "", ""},
}

// on makes the selection of events.
func (im *importer) on(h header) (rule.On, error) {
	p, ok := protocols[h.proto]
	if !ok {
		return rule.On{}, fmt.Errorf("the protocol %q is not supported", h.proto)
	}
	class, kind := p.class, p.kind
	transport := p.kind == "conn"
	if im.class != "" {
		if !transport && (im.class != class || im.kind != kind) {
			return rule.On{}, fmt.Errorf("a buffer of another protocol than %s is not supported", h.proto)
		}
		class, kind = im.class, im.kind
	}
	var all []string
	if kind != "" {
		all = append(all, `event.kind == "`+kind+`"`)
	}
	if p.when != "" {
		all = append(all, p.when)
	}
	from, to := "src", "dst"
	if im.answers {
		from, to = to, from
	}
	there, err := im.ends(h, from, to)
	if err != nil {
		return rule.On{}, err
	}
	if h.both && there != "" {
		back, err := im.ends(h, to, from)
		if err != nil {
			return rule.On{}, err
		}
		there = "((" + there + ") || (" + back + "))"
	}
	if there != "" {
		all = append(all, there)
	}
	all = append(all, im.conds...)
	return rule.On{Class: []string{class}, When: strings.Join(all, " && ")}, nil
}

func (im *importer) ends(h header, from, to string) (string, error) {
	var all []string
	for _, e := range []struct {
		text, field string
		fn          func(text, field string, depth int) (string, error)
	}{{h.src, from, im.address}, {h.sport, from + ".port", im.port}, {h.dst, to, im.address}, {h.dport, to + ".port", im.port}} {
		c, err := e.fn(e.text, e.field, 0)
		if err != nil {
			return "", err
		}
		if c != "" {
			all = append(all, c)
		}
	}
	return strings.Join(all, " && "), nil
}

const maxNested = 8

// address makes the condition of an address, a list or a variable; "" for any.
func (im *importer) address(text, field string, depth int) (string, error) {
	if depth > maxNested {
		return "", fmt.Errorf("lists are nested more than %d deep", maxNested)
	}
	if text == "any" {
		return "", nil
	}
	if rest, not := strings.CutPrefix(text, "!"); not {
		c, err := im.address(rest, field, depth+1)
		if err != nil {
			return "", err
		}
		return negate(c), nil
	}
	if name, is := strings.CutPrefix(text, "$"); is {
		if v, given := im.vars[name]; given {
			return im.address(v, field, depth+1)
		}
		switch {
		case name == "HOME_NET", strings.HasSuffix(name, "_SERVERS"):
			return field + ".internal", nil
		case name == "EXTERNAL_NET":
			return "!" + field + ".internal", nil
		}
		return "", fmt.Errorf("the variable %q is not known", name)
	}
	if items, is := listOf(text); is {
		return alternatives(items, func(t string) (string, error) { return im.address(t, field, depth+1) })
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return "cidr(" + field + ".ip, " + strconv.Quote(p.Masked().String()) + ")", nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return "", fmt.Errorf("%q is not an address", text)
	}
	return field + ".ip == " + strconv.Quote(a.String()), nil
}

func (im *importer) port(text, field string, depth int) (string, error) {
	if depth > maxNested {
		return "", fmt.Errorf("lists are nested more than %d deep", maxNested)
	}
	if text == "any" {
		return "", nil
	}
	if rest, not := strings.CutPrefix(text, "!"); not {
		c, err := im.port(rest, field, depth+1)
		if err != nil {
			return "", err
		}
		return negate(c), nil
	}
	if name, is := strings.CutPrefix(text, "$"); is {
		v, given := im.vars[name]
		if !given {
			return "", fmt.Errorf("the variable %q is not known", name)
		}
		return im.port(v, field, depth+1)
	}
	if items, is := listOf(text); is {
		return alternatives(items, func(t string) (string, error) { return im.port(t, field, depth+1) })
	}
	low, high, isRange := strings.Cut(text, ":")
	if !isRange {
		high = low
	}
	if low == "" {
		low = "0"
	}
	if high == "" {
		high = "65535"
	}
	a, err1 := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || a > b {
		return "", fmt.Errorf("%q is not a port", text)
	}
	if a == b {
		return fmt.Sprintf("%s == %d", field, a), nil
	}
	return fmt.Sprintf("(%s >= %d && %s <= %d)", field, a, field, b), nil
}

// negate is not c; not any is never.
func negate(c string) string {
	if c == "" {
		return "false"
	}
	return "!(" + c + ")"
}

// listOf splits "[a, b, [c, d]]".
func listOf(text string) ([]string, bool) {
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return nil, false
	}
	var out []string
	depth, begin := 0, 1
	for i := 1; i < len(text)-1; i++ {
		switch text[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(text[begin:i]))
				begin = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(text[begin:len(text)-1])), true
}

// alternatives joins a list: one of what is in it, and none of what is negated in it.
func alternatives(items []string, one func(string) (string, error)) (string, error) {
	var yes, no []string
	for _, t := range items {
		rest, not := strings.CutPrefix(t, "!")
		c, err := one(rest)
		if err != nil {
			return "", err
		}
		switch {
		case not:
			no = append(no, negate(c))
		case c == "":
			yes = append(yes, "true")
		default:
			yes = append(yes, c)
		}
	}
	if len(yes) > 0 {
		no = append(no, "("+strings.Join(yes, " || ")+")")
	}
	return strings.Join(no, " && "), nil
}
