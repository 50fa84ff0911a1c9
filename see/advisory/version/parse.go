// SPDX-License-Identifier: Apache-2.0

package version

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// MaxExpression bounds the text of a range, in bytes.
const MaxExpression = 1024

// Expression is what a text about versions says.
type Expression struct {
	Set Set
	// Conditions must hold besides: "with Wireless Battery Modules v17".
	Conditions []string
	// Notes say nothing about what is affected: "end-of-life 2011".
	Notes []string
}

// ErrNoVersion says that a text names no versions: it may be the name of a model.
var ErrNoVersion = errors.New("names no version")

var (
	// phrases are replaced one after the other.
	phrases = []struct {
		re *regexp.Regexp
		to string
	}{
		{regexp.MustCompile(`[\x{2264}]`), " <= "},
		{regexp.MustCompile(`[\x{2265}]`), " >= "},
		{regexp.MustCompile(`[\x{2013}\x{2014}]`), " - "},
		{regexp.MustCompile(`\b(all|any)( \w+)? (versions|revisions|releases|models)?\s*(prior to|before|earlier than|up to but not including)\b`), " < "},
		{regexp.MustCompile(`\b(versions? |revisions? |releases? )?(prior to|before|earlier than|older than|lower than|less than)\b`), " < "},
		{regexp.MustCompile(`\b(up to and including|up to|through and including)\b`), " <= "},
		{regexp.MustCompile(`\b(later than|newer than|after|greater than)\b`), " > "},
		{regexp.MustCompile(`\s*\b(and|or)\s+(all\s+)?(prior|earlier|below|lower|older|previous|under)(\s+(versions?|revisions?|releases?))?\b`), " =<"},
		{regexp.MustCompile(`\s*\b(and|or)\s+(all\s+)?(later|newer|above|higher|up|subsequent)(\s+(versions?|revisions?|releases?))?\b`), " =>"},
		{regexp.MustCompile(`\b(through to|through|thru|until)\b`), " - "},
		{regexp.MustCompile(`\bto\b`), " - "},
		{regexp.MustCompile(`\bfrom\b|\bbetween\b`), " "},
		{regexp.MustCompile(`\b(software|firmware|sw|fw)\b`), " "},
		{regexp.MustCompile(`\b(versions?|revisions?|releases?|ver\.|rev\.?)(\s|:|$)`), " "},
		{regexp.MustCompile(`\b(all|every)\b`), " * "},
		{regexp.MustCompile(`\bservice pack\s*`), " sp"},
		{regexp.MustCompile(`\b(sp|sr|mr|build|patch|hotfix|update)\s+(\d)`), " $1$2"},
		{regexp.MustCompile(`(\d)[_ ]+mr[_ ]+build_?\s*(\d)`), "${1}_mr_build_$2"},
		{regexp.MustCompile(`(\d)[_ ]+(sp|sr|build)_?\s*(\d)`), "${1}_${2}_$3"},
		{regexp.MustCompile(`\s/\s`), " | "},
	}
	condition = regexp.MustCompile(`(?i)\b(with|without|running|running on|used with|on windows|installed|windows \w+|model|shipped|distributed|manufactured|part #|part number|serial|sn )\b.*$`)
	ver       = regexp.MustCompile(`^(v|r|ver|rev)?[a-z]{0,4}-?\d[0-9a-z._\-+]*$|^[a-z]$|^[a-z]\.[0-9a-z.]+$|^[a-z]{2,3} \d+$`)
	hardware  = regexp.MustCompile(`^(version \w+),? firmware ([^,]+)(?:,.*)?$`)
	paren     = regexp.MustCompile(`\(([^()]*)\)`)
	aside     = regexp.MustCompile(`(?i)end.of.life|integrated into|global|u\.s\.|united states|discontinued|no longer|impacted by`)
	lexeme    = regexp.MustCompile(`<=|>=|=<|=>|<|>|=|\||,|;|\*|[^\s<>=|,;*]+`)
)

// ParseExpression reads the text of a version range as advisories write it: "<= 1.2",
// ">= 4.01 | <= 4.34", "vers:all/*", "1.1 | 1.5 | 1.6", "2.3.6 and below", "5.x.x",
// "Versions 1.1 to 1.3.2", "Rev J-M", "< july 1 2017". A text that it does not
// understand as a whole is an error, never a part of it.
func ParseExpression(text string) (Expression, error) {
	if len(text) > MaxExpression {
		return Expression{}, fmt.Errorf("is longer than %d bytes", MaxExpression)
	}
	s := strings.ToLower(strings.Join(strings.Fields(strings.ToValidUTF8(text, " ")), " "))
	if rest, ok := strings.CutPrefix(s, "vers:"); ok {
		return parseVers(rest)
	}
	var e Expression
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") && strings.Count(s, "(") == 1 {
		s = s[1 : len(s)-1]
	}
	for _, m := range paren.FindAllStringSubmatch(s, -1) {
		if what := strings.TrimSpace(m[1]); aside.MatchString(what) {
			e.Notes = append(e.Notes, what)
		} else if what != "" {
			e.Conditions = append(e.Conditions, what)
		}
	}
	s = paren.ReplaceAllString(s, " ")
	if at := strings.IndexByte(s, '('); at >= 0 { // never closed
		e.Conditions, s = append(e.Conditions, strings.TrimSpace(s[at+1:])), s[:at]
	}
	if d := day(s); d != "" {
		e.Set.Date = d
		return e, nil
	}
	// "version b, firmware a.01.09, part #: ...": of hardware, software and parts the software counts.
	if m := hardware.FindStringSubmatch(s); m != nil {
		e.Conditions = append(e.Conditions, "hardware "+m[1])
		s = m[2]
	}
	if at := condition.FindStringIndex(s); at != nil {
		e.Conditions = append(e.Conditions, strings.TrimSpace(s[at[0]:]))
		s = s[:at[0]]
	}
	for _, p := range phrases {
		s = p.re.ReplaceAllString(s, p.to)
	}
	tokens, err := lex(s)
	if err != nil {
		return e, err
	}
	if e.Set, err = assemble(tokens); err != nil {
		return e, err
	}
	if e.Set.Empty() {
		return e, ErrNoVersion
	}
	return e, nil
}

// token is an operator or, with op "", a version.
type token struct{ op, version string }

func lex(s string) ([]token, error) {
	words := lexeme.FindAllString(s, 200)
	var out []token
	for n := 0; n < len(words); n++ {
		w := words[n]
		switch w {
		case "<", "<=", ">", ">=", "=<", "=>", "=", "*", "|", ",", ";", "-":
			out = append(out, token{op: w})
			continue
		case "and", "or", "&":
			out = append(out, token{op: "|"})
			continue
		}
		w = strings.Trim(w, ".:")
		// "hd 16", "lpi 3.5": a line and its version.
		if n+1 < len(words) && len(w) >= 2 && len(w) <= 3 && !strings.ContainsAny(w, "0123456789") && isDigit(words[n+1][0]) {
			out = append(out, token{version: w + " " + strings.Trim(words[n+1], ".:")})
			n++
			continue
		}
		// "j-m": two revisions.
		if len(w) == 3 && w[1] == '-' && ver.MatchString(w[:1]) && ver.MatchString(w[2:]) && !isDigit(w[0]) {
			out = append(out, token{version: w[:1]}, token{op: "-"}, token{version: w[2:]})
			continue
		}
		if !ver.MatchString(w) {
			return nil, fmt.Errorf("%w: %q is not understood", ErrNoVersion, w)
		}
		// "3.0 d15", "1.8.4 sp01", "1.1.3 mr build11": what belongs to the version before.
		if k := len(out); k > 0 && out[k-1].version != "" && !isDigit(w[0]) && strings.ContainsAny(w, "0123456789") && isDigit(lastDigitStart(out[k-1].version)) {
			out[k-1].version += " " + w
			continue
		}
		out = append(out, token{version: w})
	}
	return out, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// lastDigitStart returns the first byte of a version behind its v.
func lastDigitStart(s string) byte {
	if s = strings.TrimPrefix(s, "v"); s == "" {
		return 0
	}
	return s[0]
}

// assemble makes intervals of operators and versions.
func assemble(l []token) (Set, error) {
	var s Set
	open := -1 // an interval that still waits for its upper end
	operators := false
	for n := 0; n < len(l); n++ {
		t := l[n]
		next := func() string {
			for n+1 < len(l) && l[n+1].op == "=" {
				n++
			}
			if n+1 < len(l) && l[n+1].version != "" {
				n++
				return l[n].version
			}
			return ""
		}
		if t.op != "" && t.op != "|" && t.op != "," && t.op != ";" {
			operators = true
		}
		// Several versions without anything between them are a list only where there is
		// nothing else: "<= S4 A.07" is something that is not understood.
		if t.version != "" && n > 0 && l[n-1].version != "" {
			if operators || !isDigit(t.version[0]) {
				return s, fmt.Errorf("%w: nothing stands between %q and %q", ErrNoVersion, l[n-1].version, t.version)
			}
		}
		switch t.op {
		case "|", ",", ";", "=":
		case "*":
			// "all versions < 2.2": the bound decides.
			if bounded(l) {
				continue
			}
			return Set{All: true}, nil
		case "<", "<=":
			v := next()
			if v == "" {
				return s, fmt.Errorf("%w: nothing stands behind %q", ErrNoVersion, t.op)
			}
			to, all := wild(v)
			up := Interval{To: to, ToOpen: t.op == "<", ToAll: all && t.op == "<="}
			if open >= 0 {
				s.In[open].To, s.In[open].ToOpen, s.In[open].ToAll = up.To, up.ToOpen, up.ToAll
				open = -1
			} else {
				s.In = append(s.In, up)
			}
		case ">", ">=":
			v := next()
			if v == "" {
				return s, fmt.Errorf("%w: nothing stands behind %q", ErrNoVersion, t.op)
			}
			from, _ := wild(v)
			s.In = append(s.In, Interval{From: from, FromOpen: t.op == ">"})
			open = len(s.In) - 1
		case "-", "=<", "=>":
			return s, fmt.Errorf("%w: %q has no version before it", ErrNoVersion, t.op)
		case "":
			v, family := wild(t.version)
			one := Interval{From: v, To: v}
			if family {
				one = Interval{From: v, Family: true}
			}
			if n+1 < len(l) {
				switch l[n+1].op {
				case "=<": // 2.3 and prior
					one = Interval{To: v, ToAll: family}
					n++
				case "=>":
					one = Interval{From: v}
					n++
				case "-", "<", "<=": // from here to there
					op := l[n+1].op
					n++
					up := next()
					if up == "" {
						return s, fmt.Errorf("%w: a range has no end", ErrNoVersion)
					}
					to, all := wild(up)
					one = Interval{From: v, To: to, ToOpen: op == "<", ToAll: all && op != "<"}
				}
			}
			s.In = append(s.In, one)
		}
	}
	return s, nil
}

// shown writes a version as people do: letters large, words with space around them.
func shown(v string) string {
	v = strings.ToUpper(strings.TrimSpace(strings.ReplaceAll(v, "_", " ")))
	if len(v) > 1 && (v[0] == 'V' || v[0] == 'R') && isDigit(v[1]) {
		v = strings.ToLower(v[:1]) + v[1:]
	}
	return strings.Replace(v, "BUILD", "Build", 1)
}

func bounded(l []token) bool {
	for _, t := range l {
		if t.version != "" {
			return true
		}
	}
	return false
}

// wild takes ".x" from the end of a version: it stands for all that begins so.
func wild(v string) (string, bool) {
	v, family := shown(v), false
	for {
		cut := strings.TrimSuffix(strings.TrimSuffix(v, ".X"), ".*")
		if cut == v {
			// C.0x: C.00 to C.09.
			if strings.HasSuffix(v, ".0X") {
				return strings.TrimSuffix(v, "X") + "9", false
			}
			return strings.Trim(v, "."), family
		}
		v, family = cut, true
	}
}

var (
	months   = `(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)`
	dayText  = regexp.MustCompile(`\b` + months + `\b\.?(?:\s*\d{1,2}\b)?(?:,?\s*\d{4})?|\b\d{1,2}/\d{1,2}/\d{4}\b|\b\d{1,2}-` + months + `-\d{4}`)
	usDay    = regexp.MustCompile(`^(\d{1,2})/(\d{1,2})/(\d{4})$`)
	rangeDay = regexp.MustCompile(`\b(through|to|between)\b|-\s*` + months)
)

// day recognises that a text is about when something was made or released, and says it in
// words.
func day(s string) string {
	if condition.MatchString(s) && !strings.Contains(s, "distributed") && !strings.Contains(s, "manufactured") {
		return "" // the day belongs to a condition
	}
	m := dayText.FindString(s)
	if m == "" {
		return ""
	}
	if u := usDay.FindStringSubmatch(m); u != nil {
		if t, err := time.Parse("1/2/2006", m); err == nil {
			m = t.Format(time.DateOnly)
		}
	}
	if rangeDay.MatchString(s) {
		return "made or released " + strings.TrimSpace(s)
	}
	return "made or released before " + strings.TrimSpace(m)
}

// parseVers reads the version range specifier of package URLs, behind "vers:":
// "all/*", "generic/>=1.2|<2", "deb/1.2.3".
func parseVers(s string) (Expression, error) {
	_, list, ok := strings.Cut(s, "/")
	if !ok {
		return Expression{}, fmt.Errorf("%w: vers has no scheme", ErrNoVersion)
	}
	if strings.TrimSpace(list) == "*" {
		return Expression{Set: Set{All: true}}, nil
	}
	if strings.Contains(list, "!=") {
		return Expression{}, fmt.Errorf("%w: vers with != is not supported", ErrNoVersion)
	}
	tokens, err := lex(list)
	if err != nil {
		return Expression{}, err
	}
	set, err := assemble(tokens)
	if err == nil && set.Empty() {
		err = ErrNoVersion
	}
	return Expression{Set: set}, err
}
