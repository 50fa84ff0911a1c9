// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asepsis/asepsis/see/detect/scene"
)

// Function is a function of the language, for the documentation.
type Function struct {
	Call string // as it is written: "cidr(address, \"10.0.0.0/8\")"
	Doc  string
}

// Functions are the functions of the language, in the order of their names.
func Functions() []Function {
	return []Function{
		{"abs(number)", "The number without its sign; of a whole number or of another."},
		{"cidr(address, \"10.0.0.0/8\")", "The address lies in the network, or in one of the networks of a list. The networks are written out."},
		{"device_at(address)", "ID of the device that has the address now, \"\" for none."},
		{"double(x), int(x), string(x)", "The value as a number, a whole number, a text. A text that is no number is an error."},
		{"entropy(text)", "Shannon entropy in bits per byte, 0 to 8: about 2 to 3.5 for names that people give, above 4 for encoded data."},
		{"first(list)", "The first text of a list, \"\" when it is empty."},
		{"hour(event.time, \"Europe/Berlin\")", "Hour of the day in a time zone, 0 to 23."},
		{"in_list(\"name\", text)", "The text is in the indicator list of that name in rules/lists."},
		{"label_count(name)", "How many labels a host name has: 3 for pacs.hospital.example."},
		{"lower(text), upper(text)", "The letters A to Z in lower or upper case. A comparison of lower(x) with a literal costs nothing more."},
		{"parent_domain(name)", "The name under which a host name was registered, about: its last two labels, or three under such as co.uk."},
		{"size(x)", "How many characters, elements or named values."},
		{"stations(ae_title)", "IDs of the devices that have the AE title."},
		{"text.contains(part), text.startsWith(part), text.endsWith(part)", "The text has the part."},
		{"text.matches(\"expression\")", "The regular expression (RE2) is found in the text. It is written out, at most 512 bytes long."},
		{"weekday(event.time, \"Europe/Berlin\")", "Day of the week in a time zone, 1 for Monday to 7 for Sunday."},
	}
}

// function compiles a call by name, of which called has seen that the arguments are of the types that it takes.
func (c *compiler) function(e *syntax, name string, exprs []*syntax, args []*node) (*node, error) {
	switch name {
	case "size":
		return c.size(e, args[0])
	case "contains", "startsWith", "endsWith":
		return partOf(name, args[0], args[1]), nil
	case "matches":
		return c.matches(exprs[1], args)
	case "lower":
		return c.lower(args[0]), nil
	case "upper":
		return textOf(args, func(v string) string { return mapASCII(v, 'a', 'z') }), nil
	case "parent_domain":
		return textOf(args, ParentDomain), nil
	case "entropy":
		n := joined(kFloat, 100, args...)
		n.d = func(s *scene.Scene, f *frame) float64 { return Entropy(args[0].s(s, f)) }
		return n, nil
	case "label_count":
		n := joined(kInt, 10, args...)
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(labels(args[0].s(s, f))) }
		return n, nil
	case "first":
		n := joined(kText, 2, args...)
		n.s = func(s *scene.Scene, f *frame) string {
			if l := args[0].ss(s, f); len(l) > 0 {
				return l[0]
			}
			return ""
		}
		return n, nil
	case "abs":
		return abs(args[0]), nil
	case "cidr":
		return c.cidr(exprs[1], args)
	case "in_list":
		return c.inList(exprs[0], args)
	case "stations":
		n := joined(kTexts, 20, args...)
		n.ss = func(s *scene.Scene, f *frame) []string {
			return s.Stations(args[0].s(s, f))
		}
		return n, nil
	case "device_at":
		return deviceAt(args[0]), nil
	case "hour", "weekday":
		return c.clock(exprs[1], name, args)
	case "int", "double", "string":
		return c.convert(e, name, args[0])
	}
	panic("BUG: a function that is known and not compiled: " + name)
}

func textOf(args []*node, fn func(string) string) *node {
	n := joined(kText, 15, args...)
	n.s = func(s *scene.Scene, f *frame) string { return fn(args[0].s(s, f)) }
	return n
}

func (c *compiler) size(e *syntax, x *node) (*node, error) {
	n := joined(kInt, 2, x)
	switch x.kind {
	case kText:
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(utf8.RuneCountInString(x.s(s, f))) }
	case kTexts:
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(len(x.ss(s, f))) }
	case kInts:
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(x.is(s, f).len()) }
	case kObjects:
		n.i = func(s *scene.Scene, f *frame) int64 {
			return int64(x.os(s, f).n)
		}
	case kAttrs:
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(len(x.kv(s, f))) }
	case kCounts:
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(len(x.counts(s, f))) }
	default:
		return nil, c.place(e, "", "%s has no size", kindName(x.kind, x.of))
	}
	return n, nil
}

func partOf(name string, l, r *node) *node {
	n := joined(kBool, 8, l, r)
	test := strings.Contains
	switch name {
	case "startsWith":
		test = strings.HasPrefix
	case "endsWith":
		test = strings.HasSuffix
	}
	x, y := l.s, r.s
	if l.folded != nil && r.lit != nil {
		x, test = l.folded, foldedTests[name]
	}
	if r.lit != nil {
		v := r.lit.s
		n.b = func(s *scene.Scene, f *frame) bool { return test(x(s, f), v) }
		return n
	}
	n.b = func(s *scene.Scene, f *frame) bool { return test(x(s, f), y(s, f)) }
	return n
}

func (c *compiler) matches(at *syntax, args []*node) (*node, error) {
	if args[1].lit == nil {
		return nil, c.place(at, "", "the regular expression must be written out, so that it is compiled once")
	}
	text := args[1].lit.s
	if len(text) > maxPattern {
		return nil, c.place(at, "", "the regular expression is longer than %d bytes", maxPattern)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, c.place(at, "the syntax is RE2's: no look-around and no back references", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	n := joined(kBool, 300, args[0])
	x := args[0].s
	n.b = func(s *scene.Scene, f *frame) bool { return re.MatchString(x(s, f)) }
	return n, nil
}

func (c *compiler) lower(x *node) *node {
	n := textOf([]*node{x}, func(v string) string { return mapASCII(v, 'A', 'Z') })
	n.folded = x.s
	return n
}

func abs(x *node) *node {
	if x.kind == kFloat {
		n := joined(kFloat, 1, x)
		n.d = func(s *scene.Scene, f *frame) float64 { return math.Abs(x.d(s, f)) }
		return n
	}
	n := joined(kInt, 1, x)
	n.i = func(s *scene.Scene, f *frame) int64 {
		v := x.i(s, f)
		if v == math.MinInt64 {
			return math.MaxInt64
		}
		return max(v, -v)
	}
	return n
}

// addressOf reads a text as an address.
func addressOf(x *node) func(*scene.Scene, *frame) netip.Addr {
	if x.addr != nil {
		return x.addr
	}
	return func(s *scene.Scene, f *frame) netip.Addr {
		v := x.s(s, f)
		if v == "" || len(v) > 64 {
			return netip.Addr{}
		}
		a, err := netip.ParseAddr(v)
		if err != nil {
			return netip.Addr{}
		}
		return a.Unmap().WithZone("")
	}
}

func (c *compiler) cidr(at *syntax, args []*node) (*node, error) {
	if args[1].lit == nil {
		return nil, c.place(at, "", "networks must be written out")
	}
	var nets []netip.Prefix
	texts := args[1].lit.ss
	if args[1].kind == kText {
		texts = []string{args[1].lit.s}
	}
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, c.place(at, "write an address and how many bits count: 10.0.0.0/8", "%q is not a network", t)
		}
		if p != p.Masked() {
			return nil, c.place(at, "write "+p.Masked().String(), "%q has bits beyond its length", t)
		}
		nets = append(nets, p)
	}
	n, x := joined(kBool, 3+len(nets), args[0]), addressOf(args[0])
	n.b = func(s *scene.Scene, f *frame) bool {
		a := x(s, f)
		for _, p := range nets {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return n, nil
}

func deviceAt(x *node) *node {
	n, of := joined(kText, 20, x), addressOf(x)
	n.s = func(s *scene.Scene, f *frame) string {
		if s.World == nil {
			return ""
		}
		if a := of(s, f); a.IsValid() {
			if d := s.World.DeviceAt(s.Site(), a); d != nil {
				return d.ID
			}
		}
		return ""
	}
	return n
}

func (c *compiler) inList(at *syntax, args []*node) (*node, error) {
	if args[0].lit == nil {
		return nil, c.place(at, "", "the name of the list must be written out")
	}
	name, lists := args[0].lit.s, c.env.lists
	if lists == nil || !lists.Has(name) {
		var known []string
		if lists != nil {
			known = lists.Names()
		}
		return nil, c.place(at, nearHint(name, known), "there is no list %q", name)
	}
	n, x := joined(kBool, 30, args[1]), args[1].s
	n.b = func(s *scene.Scene, f *frame) bool { v := x(s, f); return v != "" && lists.Contains(name, v) }
	return n, nil
}

func (c *compiler) clock(at *syntax, name string, args []*node) (*node, error) {
	if args[1].lit == nil {
		return nil, c.place(at, "", "the time zone must be written out")
	}
	zone, err := time.LoadLocation(args[1].lit.s)
	if err != nil || args[1].lit.s == "Local" {
		return nil, c.place(at, "write a zone of the IANA database: Europe/Berlin, UTC", "there is no time zone %q", args[1].lit.s)
	}
	n, x := joined(kInt, 30, args[0]), args[0].i
	if name == "hour" {
		n.i = func(s *scene.Scene, f *frame) int64 { return int64(time.Unix(0, x(s, f)).In(zone).Hour()) }
		return n, nil
	}
	n.i = func(s *scene.Scene, f *frame) int64 {
		if d := time.Unix(0, x(s, f)).In(zone).Weekday(); d != time.Sunday {
			return int64(d)
		}
		return 7
	}
	return n, nil
}

func (c *compiler) convert(e *syntax, name string, x *node) (*node, error) {
	switch {
	case name == "string" && (x.kind == kText || x.kind == kInt || x.kind == kFloat || x.kind == kBool):
		if x.kind == kText {
			return x, nil
		}
		n := joined(kText, 20, x)
		n.s = func(s *scene.Scene, f *frame) string { return string(x.appendText(nil, s, f)) }
		return n, nil
	case name == "double" && (x.kind == kInt || x.kind == kFloat):
		n := joined(kFloat, 0, x)
		n.d = asFloat(x)
		return n, nil
	case name == "double" && x.kind == kText:
		n := joined(kFloat, 20, x).failing()
		n.d = func(s *scene.Scene, f *frame) float64 {
			v, err := strconv.ParseFloat(x.s(s, f), 64)
			if err != nil {
				f.fail(ErrConvert)
			}
			return v
		}
		return n, nil
	case name == "int" && x.kind == kInt:
		return x, nil
	case name == "int" && x.kind == kFloat:
		n := joined(kInt, 0, x).failing()
		n.i = func(s *scene.Scene, f *frame) int64 {
			v := x.d(s, f)
			if math.IsNaN(v) || v >= math.MaxInt64 || v <= math.MinInt64 {
				f.fail(ErrOverflow)
				return 0
			}
			return int64(v)
		}
		return n, nil
	case name == "int" && x.kind == kText:
		n := joined(kInt, 20, x).failing()
		n.i = func(s *scene.Scene, f *frame) int64 {
			v, err := strconv.ParseInt(x.s(s, f), 10, 64)
			if err != nil {
				f.fail(ErrConvert)
			}
			return v
		}
		return n, nil
	}
	return nil, c.place(e, "", "%s cannot be made with %s()", kindName(x.kind, x.of), name)
}
