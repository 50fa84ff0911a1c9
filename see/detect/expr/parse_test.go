// SPDX-License-Identifier: Apache-2.0

package expr

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/rules"
)

// grammarSeeds are corners of the grammar, right and wrong.
var grammarSeeds = []string{
	`1 + 2 * 3 == 7 && (1 + 2) * 3 == 9`, `10 - 4 - 3 == 3`, `100 / 10 / 5 == 2`, `7 % 4 * 2 == 6`, `-5 + 5 == 0`, `- 5 == -5`, `--5 == 5`, `---5 == -5`,
	`1 - -1 == 2`, `1--1 == 2`, `!!true`, `!!!false`, `!true == false`, `-9223372036854775808 < 0`, `9223372036854775808 > 0`, `--9223372036854775808 > 0`,
	`-0x8000000000000000 < 0`, `0x1F == 31`, `0xFG == 15`, `0x == 0`, `007 == 7`, `1. == 1.0`, `.5 == 0.5`, `5.e == 1`, `1e3 == 1000.0`, `1e+3 == 1E3`, `1e-3 < .01`,
	`1e999 > 0.0`, `1e == 1`, `1u == 1u`, `0x1u == 1u`, `-1.5 < -1`, `-.5 < 0`, `1in[1]`, `1 < 1.5`, `1 == 1.0`, `1 + 1.0 == 2.0`, `1.5 % 2.0 == 1.0`,

	`"a" == 'a'`, `"""a"b""" == 'a"b'`, `'''a'b''' == "a'b"`, `r"\d" == "\\d"`, `R'\' == "\\"`, `r"""\"a""" == "\\\"a"`, `"\x41\u0042\U00000043\104" == "ABCD"`,
	`"\377" == "\u00ff"`, `"\ud800" == ""`, `"\U00110000" == ""`, `"\xg1" == ""`, `"\400" == ""`, `"\q" == ""`, "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\\"\\'\\`\" != ''",
	"\"a\nb\" == ''", "'''a\r\nb\rc\nd''' == \"a\\nb\\nc\\nd\"", "r'''a\r\nb\rc''' == \"a\\nb\\nc\"", `"" "a"`, `""""`, `"""""" == ""`, `"""a"""" == ""`, `"é日😀".size() == 3`,
	`b"a" == b"a"`, `br"a" == b"a"`, `rb"a" == ""`, `"a`, `r"a`, `"\`, `"""a`, "'a\tb' == 'a\\tb'",

	"true // false", "true // a\n && // b\ntrue", `/ true`, "true\f&&\ttrue\r\n&& true", "true\v&& true", `true ? false : true ? true : false`, `true ? true ? false : true : false`,
	`true ? (true ? false : true) : false`, `true || true ? true : false`, `1 < 2 == true`, `1 == 1 == true`, `1 < 2 < 3`, `1 in [1] == true`, `true && false || true`,
	`true || false && false`, `#`, `true;`, `true)`, `(true`, `[1`, `"a"[`, `()`, `op.`, `!`, `-`, `- true == true`, `!1`, `-"a" == ""`, `1 + "a" == ""`, `true < false`,
	`true ? 1 : "a"`, `1 ? true : false`, `true & true`, `true and true`, `op.results = 7`, `ä == 1`, `aä`, "\xff == 1", "'\xff' == ''",

	`[1, 2,] == [1, 2]`, `[,] == []`, `[1,,2] == []`, `[] == []`, `[] == ["a"]`, `size([]) == 0`, `[[1]] == [[1]]`, `[1, "a"] == []`, `[1.5] == [1.5]`, `[true] == [true]`,
	`["a"][0] == "a"`, `["a"][0][0] == "a"`, `1 in []`, `op in []`, `[].exists(x, x == "a")`, `[].map(x, x) == []`, `[].all(x, x)`, `["b"].map(x, [x])[0][0] == "b"`,
	`"a" in "abc"`, `op in op`, `1 in ["a"]`, `in_case in [true]`, `true ? [] : ["a"]`, `(true ? ["a"] : [])[0] == "a"`,

	`size("a",) == 1`, `size() == 0`, `size("a", "b") == 1`, `"a".size() == 1`, `"a".lower() == "a"`, `contains("ab", "a")`, `matches("ab", "a")`, `"ab".matches("^a")`,
	`"a".contains("a").contains("b")`, `lower(1) == ""`, `string(1.5) == "1.5"`, `string(op) == ""`, `bool("true")`, `int(true) == 1`, `int("1") + int(2.5) == 3`, `double("x") == 1.0`,
	`dyn(1) == 1`, `type(1) == int`, `uint(1) == 1u`, `duration("1s") == duration("1s")`, `abs(1u) == 1`, `cidr(src.ip, [])`, `nothing(1)`, `as(1)`,

	`has(op.modality)`, `has(op)`, `has(has(op.modality))`, `has((op.modality))`, `has(op.query_keys[0])`, `has(app.attr["x"])`, `op.has(modality)`, `has(op.modality, op.modality)`,
	`!has(hl7.schedule.room)`, `has(op.nothing)`,

	`op.query_keys.exists(op, op == "7")`, `op.query_keys.exists(op, op.results == 7)`, `op.query_keys.exists(__result__, __result__ == "7")`, `op.query_keys.exists(in, true)`,
	`op.query_keys.exists(if, true)`, `op.query_keys.exists(x.y, true)`, `op.query_keys.exists("x", true)`, `op.query_keys.exists(x)`, `op.query_keys.exists(x, y, true)`,
	`op.query_keys.exists((x), x == "7")`, `exists(op.query_keys, x, true)`, `op.query_keys.map(x, true, x) == op.query_keys`, `op.query_keys.map(x, x, x) == []`, `op.query_keys.filter(x, size(x)) == []`,
	`op.query_keys.exists(x, op.query_keys.exists(x, x == "7"))`, `op.query_keys.all(a, op.query_keys.all(b, op.query_keys.all(c, op.query_keys.all(d, a != b || c == d || true))))`,
	`op.results.exists(x, true)`, `op.query_keys.exists(int, int == "7")`, `op.query_keys.existsOne(x, x == "7")`, `op.query_keys.exists(x, op.query_keys.exists(y, x == y) && x == "7")`,
	`op.query_keys.map(x, size(x)).exists_one(n, n == 1)`, `app.attr.map(k, k).size() > 0`, `assoc.dimse_operations.all(k, assoc.dimse_operations[k] > 3)`, `op.query_keys.exists(k, k.exists(x, true))`,

	`.op.results == 7`, `op.?results == 7`, "op.`results` == 7", `op.results.x == 1`, `op.if == 1`, `op.in == 1`, `op . results == 7`, `op.results()`, `op{}`, `asepsis.op{} == op`,
	`{} == {}`, `{"a": 1}["a"] == 1`, `null == null`, `op == null`, `if == 1`, `nothing == 1`, `op == op`, `op.query_keys`, `app.attr.n == "12"`, `app.attr[0] == ""`, `op.query_keys["a"] == ""`,
}

// TestTheGrammarIsThatOfCEL holds corners of the grammar, and what becomes of the
// rules' expressions when a token is left out, put in or put in the place of another, against CEL.
func TestTheGrammarIsThatOfCEL(t *testing.T) {
	env, err := NewEnv(WithLists(everyList{}))
	if err != nil {
		t.Fatal(err)
	}
	o, scenes := newOracle(t), oracleScenes()
	accepted := 0
	for _, text := range grammarSeeds {
		agree(t, env, o, text, scenes)
		if _, err := env.Bool(nil, text); err == nil {
			accepted++
		}
	}
	if accepted < 70 || accepted > len(grammarSeeds)-70 {
		t.Errorf("%d of %d corners are accepted; want at least 70 of both", accepted, len(grammarSeeds))
	}
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same changes each time
	all := append(ruleExpressions(t), oracleSeeds...)
	for range 600 {
		text := all[r.IntN(len(all))]
		src, err := scan(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		a, b := src.tokens[r.IntN(len(src.tokens))], src.tokens[r.IntN(len(src.tokens))]
		switch r.IntN(3) {
		case 0:
			text = text[:a.at] + " " + text[a.end:]
		case 1:
			text = text[:a.end] + " " + text[b.at:b.end] + " " + text[a.end:]
		case 2:
			text = text[:a.at] + " " + text[b.at:b.end] + " " + text[a.end:]
		}
		agree(t, env, o, text, scenes[:1])
	}
}

// TestWhatOnlyCELAcceptsIsKnown lists by example what of CEL is left out: every other
// corner is accepted by both or refused by both.
func TestWhatOnlyCELAcceptsIsKnown(t *testing.T) {
	leftOut := []string{
		"u == ", "b\"", "null", "{", "dyn(", "type(", "uint(", "duration(", "bool(", "abs(1u)", // types that are not there
		".op.", "has(has(", "existsOne", "[1.5]", "[true]", "[[1]]", "[x]", "op.`", // forms that are not there
		"op in []", "in_case in", "true < false", "[].all(x, x)", "op == op", "\xff", "[,]",
	}
	env, err := NewEnv(WithLists(everyList{}))
	if err != nil {
		t.Fatal(err)
	}
	o := newOracle(t)
	for _, text := range grammarSeeds {
		tree, iss := o.env.Compile(text)
		_, err := env.value(nil, text)
		if iss.Err() != nil || err == nil || tree == nil {
			continue
		}
		known := false
		for _, l := range leftOut {
			known = known || strings.Contains(text, l)
		}
		if !known {
			t.Errorf("%s: CEL accepts it, and here it is %v", text, err)
		}
	}
}

// TestEveryRuleMeansToCELWhatItMeansHere holds the expressions of all rules that are shipped.
func TestEveryRuleMeansToCELWhatItMeansHere(t *testing.T) {
	env, err := NewEnv(WithLists(everyList{}))
	if err != nil {
		t.Fatal(err)
	}
	o, scenes := newOracle(t), oracleScenes()
	all := ruleExpressions(t)
	if len(all) < 150 {
		t.Fatalf("%d expressions were found in the rules; want at least 150", len(all))
	}
	for _, text := range all {
		if _, err := env.value(nil, text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		agree(t, env, o, text, scenes)
	}
}

// everyList knows every list and finds nothing in it.
type everyList struct{}

func (everyList) Has(string) bool              { return true }
func (everyList) Contains(string, string) bool { return false }
func (everyList) Names() []string              { return nil }

// ruleExpressions are the expressions in the rules that are shipped.
func ruleExpressions(t *testing.T) []string {
	t.Helper()
	var out []string
	seen := map[string]bool{}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, v := range x {
				walk(k, v)
			}
		case []any:
			for _, v := range x {
				walk(key, v)
			}
		case string:
			if (key == "when" || key == "expr") && !seen[x] {
				seen[x] = true
				out = append(out, x)
			}
		}
	}
	files, err := fs.Glob(rules.FS, "*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasPrefix(name, "lists/") {
			continue
		}
		b, err := fs.ReadFile(rules.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := yaml.Unmarshal(b, &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		delete(doc, "samples")
		walk("", doc)
	}
	return out
}

func TestAPartOfAConditionIsShownAsItIsWrittenOnOneLine(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	b, err := env.Bool([]event.Class{event.ClassDICOMOperation}, "( op.results > 5 ||\n\t(in_case && src.known) ) // many\n  && !( op.modality in [\n'CT', \"MR\" ])&&(((op.results<9)))")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range b.parts {
		got = append(got, p.text)
	}
	want := "op.results > 5 || (in_case && src.known)|!(op.modality in ['CT', \"MR\"])|op.results<9"
	if strings.Join(got, "|") != want {
		t.Errorf("have %q, want %q", strings.Join(got, "|"), want)
	}
}

func TestAnErrorSaysItsLineAndColumnInCharacters(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][2]int{
		`op.modality == "ä" && op.nothing`:      {1, 26},
		"op.modality == \"ä\"\n  && op.nothing": {2, 9},
		`"a" < 1`:                               {1, 5},
		`op.results == 7 ==`:                    {1, 19},
		`op.results == "abc`:                    {1, 15},
		`lower(7) == ""`:                        {1, 1},
		`op.modality.lower() == ""`:             {1, 13},
		`(op.results == 7`:                      {1, 17},
	} {
		_, err := env.Bool([]event.Class{event.ClassDICOMOperation}, text)
		var e *Error
		if !errors.As(err, &e) || e.Line != want[0] || e.Column != want[1] {
			t.Errorf("%q: %v; want line %d, column %d", text, err, want[0], want[1])
		}
	}
}

func TestALongExpressionIsNotADeepOne(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"disjunction": strings.TrimSuffix(strings.Repeat("in_case||", MaxLength/9), "||"),
		"sum":         strings.TrimSuffix(strings.Repeat("1+", MaxLength/2-8), "+") + "==2040",
		"signs":       strings.Repeat("!", MaxLength-8) + "in_case",
		"choices":     strings.Repeat("in_case?true:", maxDepth-1) + "false",
		"list":        "1 in [" + strings.Repeat("1,", MaxLength/2-8) + "]",
	} {
		b, err := env.Bool(nil, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := b.Eval(oracleScenes()[0]); err != nil || !got {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := env.Bool(nil, strings.Repeat("in_case?true:", maxDepth)+"false"); err == nil {
		t.Error("a choice in a choice, 64 times, is accepted")
	}
}
