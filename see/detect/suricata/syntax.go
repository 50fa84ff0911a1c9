// SPDX-License-Identifier: Apache-2.0

package suricata

import (
	"errors"
	"fmt"
	"strings"
)

// header is what stands before the brackets.
type header struct {
	action, proto, src, sport, dst, dport string
	both                                  bool // <>
}

// option is one keyword with its value, as written, without quotes around the whole.
type option struct {
	name, value string
	not         bool // content:!"..."
	quoted      bool
}

// split takes a rule apart: action protocol source port -> destination port (options)
func split(text string) (header, []option, error) {
	var h header
	head, rest, ok := strings.Cut(text, "(")
	if !ok || !strings.HasSuffix(strings.TrimSpace(rest), ")") {
		return h, nil, errors.New("there are no options in brackets")
	}
	rest = strings.TrimSuffix(strings.TrimSpace(rest), ")")
	words := fields(head)
	if len(words) != 7 {
		return h, nil, fmt.Errorf("want action, protocol, source, port, direction, destination and port, have %d words", len(words))
	}
	h = header{action: words[0], proto: words[1], src: words[2], sport: words[3], dst: words[5], dport: words[6]}
	switch words[4] {
	case "->":
	case "<>":
		h.both = true
	default:
		return h, nil, fmt.Errorf("the direction %q is not supported", words[4])
	}
	var opts []option
	for _, part := range splitOptions(rest) {
		name, value, has := strings.Cut(part, ":")
		o := option{name: strings.TrimSpace(name)}
		if has {
			value = strings.TrimSpace(value)
			if v, not := strings.CutPrefix(value, "!"); not && strings.HasPrefix(strings.TrimSpace(v), `"`) {
				o.not, value = true, strings.TrimSpace(v)
			}
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value, o.quoted = value[1:len(value)-1], true
			}
			o.value = value
		}
		opts = append(opts, o)
		if len(opts) > maxOptions {
			return h, nil, fmt.Errorf("more than %d options", maxOptions)
		}
	}
	return h, opts, nil
}

// fields splits at space, but not within square brackets.
func fields(s string) []string {
	var out []string
	depth, begin := 0, -1
	for i, c := range s {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		}
		space := (c == ' ' || c == '\t') && depth <= 0
		switch {
		case space && begin >= 0:
			out = append(out, s[begin:i])
			begin = -1
		case !space && begin < 0:
			begin = i
		}
	}
	if begin >= 0 {
		out = append(out, s[begin:])
	}
	return out
}

// splitOptions splits at semicolons that no backslash and no quotes protect.
func splitOptions(s string) []string {
	var out []string
	var b strings.Builder
	inQuotes := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			b.WriteByte(c)
			i++
			b.WriteByte(s[i])
		case c == '"':
			inQuotes = !inQuotes
			b.WriteByte(c)
		case c == ';' && !inQuotes:
			if t := strings.TrimSpace(b.String()); t != "" {
				out = append(out, t)
			}
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	if t := strings.TrimSpace(b.String()); t != "" {
		out = append(out, t)
	}
	return out
}

// decode reads a content: |41 42| is bytes in hexadecimal, a backslash protects.
func decode(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			if i++; i >= len(s) {
				return "", errors.New("a backslash at the end")
			}
			b.WriteByte(s[i])
		case '|':
			end := strings.IndexByte(s[i+1:], '|')
			if end < 0 {
				return "", errors.New("bytes that do not end: |")
			}
			digits := strings.ReplaceAll(s[i+1:i+1+end], " ", "")
			if len(digits)%2 != 0 {
				return "", errors.New("half a byte between | and |")
			}
			for k := 0; k < len(digits); k += 2 {
				var v byte
				if _, err := fmt.Sscanf(digits[k:k+2], "%02x", &v); err != nil || v >= 0x80 {
					return "", fmt.Errorf("the byte %q is not supported: texts are compared, not bytes", digits[k:k+2])
				}
				b.WriteByte(v)
			}
			i += end + 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}
