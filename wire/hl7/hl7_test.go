// SPDX-License-Identifier: Apache-2.0

package hl7

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const oru = "MSH|^~\\&|MONITOR|ICU|EHR|HOSP|20260101120000||ORU^R01^ORU_R01|M1|P|2.6|||||USA|UNICODE UTF-8\r" +
	"PID|1||135769^^^HOSP^MR~999^^^SSA^SS||MOUSE^MICKEY||19281118|M\r" +
	"PV1|1|I|ICU^12^A\r" +
	"OBR|1|A1|B1|182777000^monitoring of patient^SCT\r" +
	"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4.147842|80|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||||||ABC123^^0123456789ABCDEF^EUI-64\r" +
	"OBX|2|ST|X^a\\T\\b&sub\\E\\two^L||line\\.br\\two\\X4142\\||||||F\r"

func parse(t testing.TB, s string) *Message {
	t.Helper()
	m := new(Message)
	if err := m.Parse([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return m
}

func text(f Field) string {
	b, _ := f.AppendText(nil, 1<<20)
	return string(b)
}

func TestPartsOfAMessage(t *testing.T) {
	m := parse(t, oru)
	msh, pid, obx := m.Segments[0], m.Segments[1], m.Segments[4]
	for _, c := range []struct{ name, got, want string }{
		{"MSH-1 is the separator", text(msh.Field(1)), "|"},
		{"MSH-2 is not parted or unescaped", text(msh.Field(2)), `^~\&`},
		{"MSH-2 has no components", string(msh.Field(2).Comp(1).Raw()), `^~\&`},
		{"MSH-3", text(msh.Field(3)), "MONITOR"},
		{"MSH-9.2", text(msh.Field(9).Comp(2)), "R01"},
		{"MSH-18", text(msh.Field(18)), "UNICODE UTF-8"},
		{"MSH-19 is absent", text(msh.Field(19)), ""},
		{"PID-3.1 of the first repetition", text(pid.Field(3).Comp(1)), "135769"},
		{"PID-3.4 of the second repetition", text(pid.Field(3).Rep(2).Comp(4)), "SSA"},
		{"a repetition that is not there", text(pid.Field(3).Rep(3).Comp(1)), ""},
		{"OBX-18 is field 18", text(obx.Field(18).Comp(3)), "0123456789ABCDEF"},
		{"a subcomponent with an escaped delimiter", text(m.Segments[5].Field(3).Comp(2).Sub(1)), "a&b"},
		{"the next subcomponent", text(m.Segments[5].Field(3).Comp(2).Sub(2)), `sub\two`},
		{"formatting and hexadecimal", text(m.Segments[5].Field(5)), "line\ntwoAB"},
		{"field 0", text(pid.Field(0)), ""},
		{"a field far beyond", text(pid.Field(MaxFields + 1)), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	if n := pid.Field(3).Reps(); n != 2 {
		t.Errorf("PID-3 has %d repetitions, want 2", n)
	}
	if n := pid.Field(3).Comps(); n != 5 {
		t.Errorf("PID-3 has %d components, want 5", n)
	}
	for _, s := range m.Segments {
		for i, f := range s.Fields(nil) {
			if got := s.Field(i + 1); !bytes.Equal(got.Raw(), f.Raw()) {
				t.Errorf("%s-%d: Field gives %q, Fields %q", s.Name(), i+1, got.Raw(), f.Raw())
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     string // delimiters, or the error
	}{
		{"the usual", `MSH|^~\&|A`, `|^~\&`},
		{"five encoding characters of 2.7", `MSH|^~\&#|A`, `|^~\&#`},
		{"others", `MSH#@*!%#A`, `#@*!%`},
		{"an old sender with two", `MSH|^~|A`, `|^~`},
		{"one", `MSH|^|A`, `|^`},
		{"the header alone", "MSH|^~\\&\r", `|^~\&`},
		{"white space before", " \r\nMSH|^~\\&|A", `|^~\&`},
		{"a file header", `FHS|^~\&|A`, `|^~\&`},
		{"six encoding characters", `MSH|^~\&#$|A`, "hl7: offset 9: too many encoding characters"},
		{"none", `MSH||A`, "hl7: offset 4: encoding characters missing"},
		{"two the same", `MSH|^^\&|A`, "hl7: offset 5: encoding characters are not distinct separators"},
		{"letters", `MSHABCDEF`, "hl7: offset 3: field separator is not a separator"},
		{"a letter among them", `MSH|^~A&|`, "hl7: offset 6: encoding characters are not distinct separators"},
		{"another segment", `PID|^~\&|`, "hl7: offset 0: does not begin with MSH, FHS or BHS"},
		{"cut", "  MSH", "hl7: offset 5: header is cut"},
	} {
		var m Message
		got := ""
		if err := m.Parse([]byte(c.in)); err != nil {
			got = err.Error()
		} else {
			got = m.Delimiters.String()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSegmentEndsOfEveryKindGiveTheSameMessage(t *testing.T) {
	want := parse(t, oru)
	for _, end := range []string{"\n", "\r\n", "\r\r", "\n\r"} {
		m := parse(t, strings.ReplaceAll(oru, "\r", end))
		if !bytes.Equal(m.Append(nil), want.Append(nil)) {
			t.Errorf("segments ended with %q differ", end)
		}
	}
	m := parse(t, oru+"free text\rX|1\r")
	if m.Odd != 2 || len(m.Segments) != len(want.Segments) {
		t.Errorf("%d odd lines and %d segments, want 2 and %d", m.Odd, len(m.Segments), len(want.Segments))
	}
}

func TestEscapes(t *testing.T) {
	for _, c := range []struct {
		in, want string
		bad      int
	}{
		{`\F\\S\\T\\R\\E\`, `|^&~\`, 0},
		{`\P\`, `#`, 0},
		{`a\H\b\N\c`, "abc", 0},
		{`\X0D0A\x`, "\r\nx", 0},
		{`\X4\x`, `\X4\x`, 1},
		{`\X4G\`, `\X4G\`, 2},
		{`\C2842\x\M2A3B4C\y`, "\x1b(Bx\x1b*;Ly", 0},
		{`\C28\x`, `\C28\x`, 1 + 1},
		{`\Zlocal\x`, "x", 0},
		{`a\.br\b\.sp2\c\.in+3\d`, "a\nb\ncd", 0},
		{`open\`, `open\`, 1},
		{`C:\\dir`, `C:\\dir`, 1},
		{`\Q\`, `\Q\`, 2},
	} {
		m := parse(t, `MSH|^~\&#|`+"\rNTE|1||"+c.in)
		got, bad := m.Segments[1].Field(3).AppendText(nil, 1000)
		if string(got) != c.want || (bad == 0) != (c.bad == 0) {
			t.Errorf("%s: got %q with %d bad, want %q with %d", c.in, got, bad, c.want, c.bad)
		}
	}
}

func TestBatches(t *testing.T) {
	batch := "FHS|^~\\&|A\rBHS|^~\\&|A\r" + oru + "MSH#^~\\&#OTHER#X\rPID#1##7^^^H\r" + "BTS|2\rFTS|1\r"
	m := parse(t, batch)
	if !m.IsBatch() {
		t.Error("not taken for a batch")
	}
	var got []string
	for one := range m.Messages() {
		pid, _ := one.Find("PID")
		got = append(got, text(one.Header().Field(3))+":"+text(pid.Field(3).Comp(1)))
	}
	if s := strings.Join(got, " "); s != "MONITOR:135769 OTHER:7" {
		t.Errorf("messages %q", s)
	}
	if m := parse(t, oru); m.IsBatch() {
		t.Error("a message alone was taken for a batch")
	}
	if m := parse(t, oru+oru); !m.IsBatch() {
		t.Error("two messages without batch headers were taken for one")
	}
}

func TestLimitsOnePastTheEdge(t *testing.T) {
	m := parse(t, "MSH|^~\\&|A\r"+strings.Repeat("OBX|1\r", MaxSegments-1))
	if m.Truncated || len(m.Segments) != MaxSegments {
		t.Errorf("at the edge: %d segments, truncated %v", len(m.Segments), m.Truncated)
	}
	m = parse(t, "MSH|^~\\&|A\r"+strings.Repeat("OBX|1\r", MaxSegments))
	if !m.Truncated || len(m.Segments) != MaxSegments {
		t.Errorf("one past: %d segments, truncated %v", len(m.Segments), m.Truncated)
	}
	m = parse(t, "MSH|^~\\&|A\rZZZ"+strings.Repeat("|x", MaxFields+1)+"\rZZY|"+strings.Repeat("x~", MaxReps)+"x|"+strings.Repeat("x^", MaxParts)+"x")
	if n := len(m.Segments[1].Fields(nil)); n != MaxFields {
		t.Errorf("%d fields, want %d", n, MaxFields)
	}
	if f := m.Segments[1]; f.Field(MaxFields).Empty() || !f.Field(MaxFields+1).Empty() {
		t.Error("the last field within the bound is there and the next is not")
	}
	if n := m.Segments[2].Field(1).Reps(); n != MaxReps {
		t.Errorf("%d repetitions, want %d", n, MaxReps)
	}
	if n := m.Segments[2].Field(2).Comps(); n != MaxParts {
		t.Errorf("%d components, want %d", n, MaxParts)
	}
}

func TestBuilder(t *testing.T) {
	var b Builder
	b.Header("MSH", "APP", "F|C", Raw("A^B"))
	b.Segment("PID", "1", Comps("a^b", "c\rd"), [][]string{{"x"}, {"y", "z"}})
	want := "MSH|^~\\&|APP|F\\F\\C|A^B\rPID|1|a\\S\\b^c\\X0D\\d|x~y^z\r"
	if string(b.Bytes()) != want {
		t.Errorf("got %q, want %q", b.Bytes(), want)
	}
	m := parse(t, want)
	if got := text(m.Segments[1].Field(2).Comp(2)); got != "c\rd" {
		t.Errorf("came back as %q", got)
	}
}

// corpus is what the differential tests compare on.
var corpus = []string{
	oru,
	"MSH|^~\\&|SENDING|FAC|REC|FAC|20110613083617||ADT^A01|934576120110613083617|P|2.3||||\rEVN|A01|20110613083617|||\rPID|1||135769||MOUSE^MICKEY^||19281118|M|||123 Main St.^^Lake Buena Vista^FL^32830||\rPV1|1|O|||||^^||^^|||\r",
	"MSH|^~\\&|SCH|OR|EHR|HOSP|20260301||SIU^S12|S1|P|2.5\rSCH|A1^APP|F1^APP|||||OK|||||^^60^20260302080000^20260302090000|||||||||||||Booked\rAIL|1||OR-3^^^HOSP|||20260302080000\r",
	"MSH|^~\\&|A|B|C|D|20260101||ACK^A01|X1|P|2.3\rMSA|AE|934|no such patient\rERR|^^^207&Application internal error&HL70357\r",
	"MSH#@*!%#A#B#C#D#20260101##ADT@A08#X2#P#2.5\rPID#1##77@@@H*78@@@H\r",
}

// TestFieldsEqualPythonHL7 compares every field, repetition, component and
// subcomponent with those of Debian's python3-hl7.
func TestFieldsEqualPythonHL7(t *testing.T) {
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import hl7").Run() != nil {
		t.Skip("python3-hl7 is not installed")
	}
	const script = `
import hl7, json, sys
out = []
for m in json.load(sys.stdin):
    segs = []
    for s in hl7.parse(m):
        fields = []
        for f in list(s)[1:]:
            reps = []
            for r in (f if isinstance(f, hl7.Field) else [f]):
                comps = []
                for c in (r if isinstance(r, hl7.Repetition) else [r]):
                    comps.append([str(x) for x in (c if isinstance(c, hl7.Component) else [c])])
                reps.append(comps)
            fields.append(reps)
        segs.append([str(s[0]), fields])
    out.append(segs)
json.dump(out, sys.stdout)
`
	in, err := json.Marshal(corpus)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs [][][2]json.RawMessage
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	for i, src := range corpus {
		m := parse(t, src)
		if len(m.Segments) != len(theirs[i]) {
			t.Errorf("message %d: %d segments, theirs %d", i, len(m.Segments), len(theirs[i]))
			continue
		}
		for j, s := range m.Segments {
			var name string
			var fields [][][][]string
			if json.Unmarshal(theirs[i][j][0], &name) != nil || json.Unmarshal(theirs[i][j][1], &fields) != nil {
				t.Fatal("their output is not of the form expected")
			}
			if name != s.Name() {
				t.Errorf("message %d segment %d: %s, theirs %s", i, j, s.Name(), name)
			}
			if n := len(s.Fields(nil)); n != len(fields) {
				t.Errorf("message %d %s: %d fields, theirs %d", i, name, n, len(fields))
			}
			for k, reps := range fields {
				if name == "MSH" && k < 2 {
					continue // their MSH-1 and MSH-2 are parted into nothing
				}
				for r, comps := range reps {
					for c, subs := range comps {
						for u, want := range subs {
							got := string(s.Field(k + 1).Rep(r + 1).Comp(c + 1).Sub(u + 1).Raw())
							if got != want {
								t.Errorf("message %d %s-%d[%d].%d.%d: %q, theirs %q", i, name, k+1, r+1, c+1, u+1, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// TestFieldsEqualTshark compares with Wireshark's dissector on real captures.
// It lists a segment as its name and its fields that are not empty, MSH-1 left out.
func TestFieldsEqualTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	files, _ := filepath.Glob("../../../shared/captures/tapirx/HL7-*.pcap")
	own, _ := filepath.Glob("../../testdata/captures/hl7-*.pcap")
	if files = append(files, own...); len(files) == 0 {
		t.Skip("no captures of HL7 here: ../shared/captures/tapirx, testdata/captures")
	}
	compared := 0
	for _, f := range files {
		args := []string{"-r", f, "-Y", "hl7", "-T", "fields", "-E", "separator=/t", "-E", "aggregator=\x1e", "-e", "tcp.payload", "-e", "hl7.field"}
		for _, port := range []string{"2575", "2577", "2578", "2579", "6661", "42042"} {
			args = append(args, "-d", "tcp.port=="+port+",hl7")
		}
		cmd := exec.Command("tshark", args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, line := range strings.Split(string(out), "\n") {
			payload, fields, _ := strings.Cut(line, "\t")
			b, err := hex.DecodeString(payload)
			if err != nil || len(b) < 8 || b[0] != 0x0b || bytes.IndexByte(b, 0x1c) != len(b)-2 {
				continue // only frames that one packet holds are shown with their bytes
			}
			m := parse(t, string(b[1:len(b)-2]))
			if m.IsBatch() || string(m.Header().Field(18).Raw()) == "8859/1" || m.Field != '|' {
				continue // it reads batches as one message, text as UTF-8, and '|' as the separator whatever MSH-1 says
			}
			segs := m.Segments
			if b[len(b)-3] != '\r' {
				segs = segs[:len(segs)-1] // it leaves out a last segment without a carriage return
			}
			var got []string
			for _, s := range segs {
				got = append(got, s.Name())
				for i, fl := range s.Fields(nil) {
					if v := string(fl.Raw()); v != "" && (s.Name() != "MSH" || i > 0) {
						got = append(got, v)
					}
				}
			}
			if want := strings.Split(fields, "\x1e"); strings.Join(got, "\x1e") != strings.Join(want, "\x1e") {
				t.Errorf("%s:\n ours %q\ntheirs %q", f, got, want)
			}
			compared++
		}
	}
	if compared == 0 {
		t.Fatal("nothing was compared")
	}
	t.Logf("%d messages compared", compared)
}

// FuzzHL7: what is parsed, written and parsed again is the same; Field and
// Fields agree; escaping a value and reading it gives the value.
func FuzzHL7(f *testing.F) {
	for _, s := range corpus {
		f.Add([]byte(s), "v|^&~\\\r")
	}
	f.Add([]byte("FHS|^~\\&|A\rBHS|^~\\&|A\r"+oru+"MSH#^~\\&#OTHER#X\rPID#1##7^^^H\rBTS|2\rFTS|1\r"), "\\X41\\")
	f.Fuzz(func(t *testing.T, b []byte, value string) {
		var m Message
		if err := m.Parse(b); err != nil {
			if len(m.Segments) != 0 {
				t.Fatal("an error and segments")
			}
			return
		}
		once := m.Append(nil)
		var again Message
		if err := again.Parse(once); err != nil {
			t.Fatalf("%q: written %q is not read: %v", b, once, err)
		}
		if twice := again.Append(nil); !bytes.Equal(once, twice) {
			t.Fatalf("%q: written %q, then %q", b, once, twice)
		}
		n := 0
		for one := range m.Messages() {
			n += len(one.Segments)
			for _, s := range one.Segments[:min(len(one.Segments), 20)] {
				fields := s.Fields(nil)
				for i := range fields[:min(len(fields), 20)] {
					fl := s.Field(i + 1)
					if !bytes.Equal(fl.Raw(), fields[i].Raw()) {
						t.Fatalf("%q: %s-%d is %q and %q", b, s.Name(), i+1, fl.Raw(), fields[i].Raw())
					}
					if out, _ := fl.AppendText(nil, 100); len(out) > 100 {
						t.Fatal("text grew")
					}
					_ = fl.Comp(fl.Comps()).Sub(fl.Comp(1).Subs())
				}
			}
		}
		if n > len(m.Segments) {
			t.Fatal("messages hold more segments than the batch")
		}
		if m.Escape != 0 {
			out, bad := Field{&m.Delimiters, m.AppendEscaped(nil, []byte(value))}.AppendText(nil, 1<<20)
			if string(out) != value || bad != 0 {
				t.Fatalf("%q came back as %q with %d bad", value, out, bad)
			}
		}
	})
}

func BenchmarkParseORU(b *testing.B) {
	msg := []byte(oru + strings.Repeat("OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4.147842|80|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r", 40))
	var m Message
	fields := make([]Field, 0, 32)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if m.Parse(msg) != nil {
			b.Fatal()
		}
		for _, s := range m.Segments {
			if s.Is("OBX") {
				fields = s.Fields(fields[:0])
			}
		}
	}
}
