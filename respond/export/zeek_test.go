// SPDX-License-Identifier: Apache-2.0

package export

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/core/event"
)

// zeekFile is a log as a program reads it that knows only Zeek's format.
type zeekFile struct {
	path          string
	fields, types []string
	rows          [][]string
}

var escaped = regexp.MustCompile(`\\x[0-9a-f]{2}`)

func unescape(s string) string {
	return escaped.ReplaceAllStringFunc(s, func(x string) string {
		n, _ := strconv.ParseUint(x[2:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// readZeek parses a log by its own header and checks every value by its type.
func readZeek(t *testing.T, name string) zeekFile {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("%s does not end with a line", name)
	}
	var z zeekFile
	closed := false
	for i, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if closed {
			t.Fatalf("%s:%d: a line behind #close", name, i+1)
		}
		key, rest, _ := strings.Cut(l, "\t")
		switch key {
		case `#separator \x09`:
		case "#set_separator", "#empty_field", "#unset_field", "#open":
		case "#path":
			z.path = rest
		case "#fields":
			z.fields = strings.Split(rest, "\t")
		case "#types":
			z.types = strings.Split(rest, "\t")
		case "#close":
			closed = true
		default:
			if strings.HasPrefix(l, "#") {
				t.Fatalf("%s:%d: header %q", name, i+1, l)
			}
			row := strings.Split(l, "\t")
			if len(row) != len(z.fields) || len(row) != len(z.types) {
				t.Fatalf("%s:%d: %d columns, %d fields, %d types: %q", name, i+1, len(row), len(z.fields), len(z.types), l)
			}
			for j, v := range row {
				if !validZeek(z.types[j], v) {
					t.Errorf("%s:%d: %s is %q, which is no %s", name, i+1, z.fields[j], v, z.types[j])
				}
			}
			z.rows = append(z.rows, row)
		}
	}
	if !closed {
		t.Fatalf("%s has no #close", name)
	}
	if len(z.fields) == 0 || z.fields[0] != "ts" || z.path+".log" != filepath.Base(name) {
		t.Fatalf("%s: header %+v", name, z)
	}
	sorted := slices.Sorted(slices.Values(z.fields))
	if n := len(slices.Compact(sorted)); n != len(z.fields) {
		t.Errorf("%s: a field is there twice: %v", name, z.fields)
	}
	return z
}

func validZeek(typ, v string) bool {
	if v == "-" {
		return true
	}
	if inner, ok := strings.CutPrefix(typ, "vector["); ok {
		if v == "(empty)" {
			return true
		}
		for e := range strings.SplitSeq(v, ",") {
			if !validZeek(strings.TrimSuffix(inner, "]"), e) {
				return false
			}
		}
		return true
	}
	var err error
	switch typ {
	case "time", "interval":
		whole, frac, ok := strings.Cut(v, ".")
		if _, err = strconv.ParseInt(whole, 10, 64); err != nil || !ok || len(frac) != 6 {
			return false
		}
		_, err = strconv.ParseUint(frac, 10, 32)
	case "addr":
		_, err = netip.ParseAddr(v)
	case "port":
		_, err = strconv.ParseUint(v, 10, 16)
	case "count":
		_, err = strconv.ParseUint(v, 10, 64)
	case "int":
		_, err = strconv.ParseInt(v, 10, 64)
	case "bool":
		return v == "T" || v == "F"
	case "string", "enum":
		return v != "" && !strings.ContainsAny(v, "\x00\r\n\t")
	default:
		return false
	}
	return err == nil
}

func (z zeekFile) column(name string) (out []string) {
	i := slices.Index(z.fields, name)
	for _, r := range z.rows {
		out = append(out, unescape(r[i]))
	}
	return out
}

// writeZeek writes events as logs with a fixed clock.
func writeZeek(t *testing.T, dir string, events ...*event.Event) {
	t.Helper()
	z, err := NewZeek(dir)
	if err != nil {
		t.Fatal(err)
	}
	z.now = func() time.Time { return time.Unix(1_800_000_000, 0) }
	for _, e := range events {
		z.Emit(e)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEveryLogOfEveryCaptureIsReadableByItsHeader(t *testing.T) {
	logs := map[string]int{}
	for _, name := range recorded {
		dir := t.TempDir()
		writeZeek(t, dir, eventsOf(t, name)...)
		files, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no logs (%v)", name, err)
		}
		for _, f := range files {
			z := readZeek(t, f)
			logs[z.path] += len(z.rows)
			if len(z.rows) == 0 {
				t.Errorf("%s: %s has no rows", name, z.path)
			}
		}
	}
	for _, path := range []string{"conn", "dns", "http", "ssl", "dhcp", "ssh", "ntp", "dicom", "dicom_ops", "hl7", "medical", "rest", "app", "known_devices"} {
		if logs[path] == 0 {
			t.Errorf("no capture gives a %s.log", path)
		}
	}
}

func TestLogsAreAsReviewed(t *testing.T) {
	for _, x := range []struct{ capture, log string }{
		{"dicom-find.pcap", "dicom"}, {"dicom-find.pcap", "dicom_ops"}, {"dicom-find.pcap", "conn"}, {"dns/dns.pcap", "dns"}, {"tls/tls12-mtls.pcap", "ssl"}, {"dhcp/dhcpv4.pcap", "dhcp"},
	} {
		t.Run(x.capture+" "+x.log, func(t *testing.T) {
			dir := t.TempDir()
			writeZeek(t, dir, eventsOf(t, x.capture)...)
			b, err := os.ReadFile(filepath.Join(dir, x.log+".log"))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(filepath.Base(x.capture), ".pcap")+"."+x.log+".log", string(b))
		})
	}
}

func TestValuesThatWouldBreakALineApartAreEscaped(t *testing.T) {
	names := []string{"a\tb", "a\nb", `a\b`, `a\x09b`, "-", "#close", "(empty)", "ends with \\", "\x00\x1f\x7f", "grün", "a,b"}
	var events []*event.Event
	for _, n := range names {
		e := query(n)
		e.Detail.(*event.DNS).Answers = []event.DNSAnswer{{Type: "TXT", RData: n}, {Type: "TXT", RData: "x,y"}}
		e.Activity = 6
		events = append(events, e)
	}
	dir := t.TempDir()
	writeZeek(t, dir, events...)
	z := readZeek(t, filepath.Join(dir, "dns.log"))
	if got := z.column("query"); !slices.Equal(got, names) {
		t.Errorf("read back %q", got)
	}
	i := slices.Index(z.fields, "answers")
	for k, r := range z.rows {
		parts := strings.Split(r[i], ",")
		if len(parts) != 2 || unescape(parts[0]) != names[k] || unescape(parts[1]) != "x,y" {
			t.Errorf("answers %q of %q", r[i], names[k])
		}
	}
}

func TestUnsetAndEmptyDiffer(t *testing.T) {
	for _, x := range []struct {
		v    any
		want string
	}{
		{nil, "-"}, {"", "-"}, {"-", `\x2d`}, {[]string(nil), "-"}, {[]string{}, "(empty)"}, {[]string{"-"}, `\x2d`}, {[]string{"(empty)"}, `\x28empty)`}, {"(empty)", `\x28empty)`},
		{true, "T"}, {false, "F"}, {uint16(104), "104"}, {zeekTime(1_700_000_000_123_456_789), "1700000000.123456"}, {zeekInterval(1_500), "0.000001"}, {zeekInterval(-1_500_000_000), "-1.500000"},
	} {
		if got := string(appendField(nil, x.v)); got != x.want {
			t.Errorf("%#v is written %q, want %q", x.v, got, x.want)
		}
	}
}

func TestADiskThatIsFullSurfacesAtClose(t *testing.T) {
	t.Run("the directory went away", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "logs")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		z, err := NewZeek(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		z.Emit(query("a"))
		z.Emit(query("b"))
		if z.Close() == nil {
			t.Error("nothing was written and nothing said")
		}
	})
	t.Run("no space", func(t *testing.T) {
		const dev = "/dev/full"
		if _, err := os.Stat(dev); err != nil {
			t.Skip("/dev/full is not here")
		}
		dir := t.TempDir()
		if err := os.Symlink(dev, filepath.Join(dir, "dns.log")); err != nil {
			t.Fatal(err)
		}
		z, err := NewZeek(dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			z.Emit(query("pump-7.lindenhof.example"))
		}
		if z.Close() == nil {
			t.Error("nothing was written and nothing said")
		}
	})
}

func TestZeekWantsADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Join(t.TempDir(), "nothing")} {
		if _, err := NewZeek(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
