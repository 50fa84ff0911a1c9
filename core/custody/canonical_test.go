// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// The numbers of RFC 8785, appendix B.
func TestNumbersOfTheRFCAreWrittenAsItSays(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got, err := appendNumber(nil, math.Float64frombits(bits)); err != nil || string(got) != want {
			t.Errorf("%016x: %s, %v, want %s", bits, got, err, want)
		}
	}
	for _, bits := range []uint64{0x7fffffffffffffff, 0x7ff0000000000000} {
		if got, err := appendNumber(nil, math.Float64frombits(bits)); err == nil {
			t.Errorf("%016x was written as %s", bits, got)
		}
	}
}

// The examples of RFC 8785 §3.2.2 to §3.2.4.
func TestExamplesOfTheRFC(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"literals, numbers and escapes": {
			`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		"names by UTF-16 code units": {
			`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			`{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var v any
			d := json.NewDecoder(strings.NewReader(c.in))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			got, err := Canonical(v, 4)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
			if _, err := Decode([]byte(c.want), 4); err != nil {
				t.Errorf("its own form is refused: %v", err)
			}
		})
	}
}

func TestWhatIsNotCanonicalIsRefusedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a space":                     {`{"a": 1}`, "byte 5 differs"},
		"a name twice":                {`{"a":1,"a":2}`, "byte 5 differs"},
		"names out of order":          {`{"b":1,"a":2}`, "byte 2 differs"},
		"a number with a zero behind": {`[1.50]`, "byte 4 differs"},
		"minus zero":                  {`[-0]`, "byte 1 differs"},
		"an exponent where none is":   {`[1e3]`, "byte 2 differs"},
		"a whole number too long":     {`[9007199254740993]`, "byte 16 differs"},
		"an escape that is not due":   {`["\u0041"]`, "byte 2 differs"},
		"an escaped slash":            {`["\/"]`, "byte 2 differs"},
		"an upper-case escape":        {`["\u001F"]`, "byte 7 differs"},
		"half a surrogate pair":       {`["\ud800"]`, "byte 2 differs"},
		"bytes that are not UTF-8":    {"[\"\xff\"]", "byte 2 differs"},
		"something behind":            {`{} {}`, "byte 2 differs"},
		"nothing":                     {``, "ends too soon"},
		"half":                        {`{"a":`, "ends too soon"},
		"no JSON":                     {`{'a':1}`, "syntax error at byte 2"},
		"too deep":                    {strings.Repeat("[", 5) + strings.Repeat("]", 5), "nested more than 4 deep"},
		"a number beyond all":         {`[1e400]`, "out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := Decode([]byte(c.in), 4); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v, want an error with %q", v, err, c.want)
			}
		})
	}
	if _, err := Canonical(map[string]any{"n": uint64(1 << 53)}, 2); err == nil {
		t.Error("a whole number beyond 2^53-1 was written")
	}
}

// stringify is RFC 8785 in the language that it was written for.
const stringify = `
const s = v => v === null || typeof v !== "object" ? JSON.stringify(v)
  : Array.isArray(v) ? "[" + v.map(s).join(",") + "]"
  : "{" + Object.keys(v).sort().map(k => JSON.stringify(k) + ":" + s(v[k])).join(",") + "}";
const lines = require("fs").readFileSync(0, "utf8").split("\n");
lines.pop();
for (const l of lines) console.log(s(JSON.parse(l)));`

func TestNodeWritesTheSame(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the canonical form is not compared with ECMAScript's")
	}
	r := rand.New(rand.NewPCG(1, 2))
	var in bytes.Buffer
	var want []string
	for range 3000 {
		v := randomValue(r, 4)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Canonical(v, 8)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(b, '\n'))
		want = append(want, string(c))
	}
	cmd := exec.Command(node, "-e", stringify)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("node %s\nhere %s", got[i], want[i])
		}
	}
}

func TestPythonReadsTheSame(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the canonical form is not read by another parser")
	}
	r := rand.New(rand.NewPCG(3, 4))
	var in bytes.Buffer
	for range 1000 {
		v := randomValue(r, 4)
		c, err := Canonical(v, 8)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&in, "%s\n%s\n", c, b)
	}
	cmd := exec.Command(python, "-c", "import json,sys\nl=sys.stdin.buffer.read().decode().split('\\n')\nassert len(l)==2001\nfor a,b in zip(l[0:-1:2],l[1::2]):\n  assert json.loads(a)==json.loads(b),a\n")
	cmd.Stdin = &in
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(10); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n < 4:
		for {
			if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
	case n == 4:
		return float64(r.IntN(1e6)) / 1000
	case n < 7 || depth == 0:
		return randomText(r)
	case n < 9:
		m := map[string]any{}
		for range r.IntN(6) {
			m[randomText(r)] = randomValue(r, depth-1)
		}
		return m
	}
	l := []any{}
	for range r.IntN(6) {
		l = append(l, randomValue(r, depth-1))
	}
	return l
}

func randomText(r *rand.Rand) string {
	ranges := [][2]rune{{0, 0x20}, {0x20, 0x7f}, {0x80, 0x800}, {0x2020, 0x2030}, {0xe000, 0xffff}, {0x10000, 0x10ffff}}
	var b strings.Builder
	for range r.IntN(5) {
		w := ranges[r.IntN(len(ranges))]
		if c := w[0] + r.Int32N(w[1]-w[0]); utf8.ValidRune(c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x",null,true],"b":{}}`))
	f.Add([]byte(`["\u001f\n€😀"]`))
	f.Add([]byte(`-0`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b, 16)
		if err != nil {
			return
		}
		c, err := Canonical(v, 16)
		if err != nil || !bytes.Equal(c, b) {
			t.Fatalf("%q was accepted, and is written %q, %v", b, c, err)
		}
	})
}
