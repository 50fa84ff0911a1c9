// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asepsis/asepsis/platform/config"
)

var update = flag.Bool("update", false, "write the expected errors anew")

// Sample has every kind of field that a configuration can have.
type Sample struct {
	Name    string            `yaml:"name" doc:"The name of the sensor."`
	Listen  string            `yaml:"listen" doc:"Where to listen."`
	Verbose bool              `yaml:"verbose" doc:"Say more."`
	Workers int               `yaml:"workers" doc:"The number of workers; 0 means one for each core. More than the number of cores seldom helps, since the work is bound by memory."`
	Ratio   float64           `yaml:"ratio" doc:"A part of the whole, from 0 to 1."`
	Memory  config.ByteSize   `yaml:"memory" doc:"The most memory that the flow table takes."`
	Idle    time.Duration     `yaml:"idle_timeout" doc:"How long a flow may be silent."`
	Site    netip.Prefix      `yaml:"site" doc:"The addresses of the site."`
	Key     config.SecretFile `yaml:"key_file" doc:"The file with the key of the site."`
	Inputs  []Input           `yaml:"inputs" doc:"What to read."`
	Zones   map[string]Zone   `yaml:"zones" doc:"The zones by name."`
	Store   *Store            `yaml:"store" doc:"Where events are kept."`
	//lint:ignore U1000 unexported fields are no configuration: that is what it tests
	cache   map[string]int
	Derived string `yaml:"-"`
}

type Input struct {
	Interface string   `yaml:"interface" doc:"A network interface."`
	File      string   `yaml:"file" doc:"A capture file."`
	Snaplen   uint16   `yaml:"snaplen" doc:"Bytes of each packet."`
	Tags      []string `yaml:"tags" doc:"Labels."`
}

type Zone struct {
	VLAN uint16 `yaml:"vlan" doc:"The VLAN ID."`
}

type Store struct {
	Path  string          `yaml:"path" doc:"The directory."`
	Limit config.ByteSize `yaml:"limit" doc:"The most that it may hold."`
}

func Default() Sample {
	return Sample{Name: "sensor", Listen: "127.0.0.1:8080", Ratio: 0.5, Memory: 64 * config.MiB, Idle: 5 * time.Minute,
		Site: netip.MustParsePrefix("10.0.0.0/8"), Inputs: []Input{{Interface: "eth0", Snaplen: 1500}}, Zones: map[string]Zone{"default": {1}},
		Store: &Store{Path: "/var/lib/asepsis", Limit: 10 * config.GiB}}
}

func (s Sample) Validate() error {
	var errs []error
	if s.Workers < 0 {
		errs = append(errs, config.Invalid("workers", "write 0 to use all cores", "must not be negative, is %d", s.Workers))
	}
	if s.Ratio < 0 || s.Ratio > 1 {
		errs = append(errs, fmt.Errorf("sample: %w", config.Invalid("ratio", "", "must be from 0 to 1, is %v", s.Ratio)))
	}
	return errors.Join(errs...)
}

func (i Input) Validate() error {
	if i.Interface != "" && i.File != "" {
		return config.Invalid("file", "make two inputs of it", "an input is an interface or a file, not both")
	}
	return nil
}

func (s *Store) Validate() error {
	if s.Limit < config.MiB {
		return config.Invalid("path", "", "%s is too little for a store in %s", s.Limit, s.Path)
	}
	return nil
}

// testdata is copied, since a checkout does not keep the modes of the secrets.
func testdata(t *testing.T) string {
	dir := t.TempDir()
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) == "fuzz" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o600)
		if filepath.Base(f) == "open.key" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), b, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, filepath.Base(f)), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBadFilesAreRefusedWithTheExactError(t *testing.T) {
	dir := testdata(t)
	files, _ := filepath.Glob(filepath.Join(dir, "*.bad.yaml"))
	if len(files) < 30 {
		t.Fatalf("only %d bad files", len(files))
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".bad.yaml"), func(t *testing.T) {
			got, err := config.Load(f, Default())
			if err == nil {
				t.Fatal("accepted")
			}
			if !reflect.DeepEqual(got, Default()) {
				t.Error("the defaults were changed")
			}
			text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
			text = strings.ReplaceAll(text, dir, "DIR") + "\n"
			name := filepath.Join("testdata", strings.TrimSuffix(filepath.Base(f), ".yaml")+".err")
			if *update {
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, rerr := os.ReadFile(name)
			if rerr != nil {
				t.Fatal(rerr)
			}
			if text != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", text, want)
			}
			var one *config.Error
			if !errors.As(err, &one) {
				t.Errorf("%T holds no *config.Error", err)
			}
		})
	}
}

func TestGoodFilesAreRead(t *testing.T) {
	dir := testdata(t)
	full := Default()
	full.Name, full.Listen, full.Verbose, full.Workers, full.Ratio = "or-3", "127.0.0.1:8443", true, 4, 0.75
	full.Memory, full.Idle, full.Site = 1536*config.MiB, 90*time.Minute, netip.MustParsePrefix("10.10.0.0/16")
	full.Key = config.SecretFile(filepath.Join(dir, "secret.key"))
	full.Inputs = []Input{{Interface: "eth1", Snaplen: 0x1000}, {File: "a capture.pcap", Tags: []string{"one", "two", "three"}}}
	full.Zones = map[string]Zone{"theatre-3": {310}, "lab 2": {20}}
	full.Store = &Store{Path: "/var/lib/asepsis\n", Limit: 20_000_000_000}
	crlf := Default()
	crlf.Workers, crlf.Store = 2, &Store{Path: "/var/lib/asepsis", Limit: 4096 * config.MiB}
	crlf.Store.Limit = 4096
	for name, want := range map[string]Sample{"full": full, "empty": Default(), "comment": Default()} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Load(filepath.Join(dir, name+".good.yaml"), Default())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
	secret, err := full.Key.Read()
	if err != nil || string(secret) != "good secret" {
		t.Errorf("the secret is %q, %v", secret, err)
	}
}

func TestDefaultsAreNotSharedWithWhatIsRead(t *testing.T) {
	d := Default()
	got, err := config.Decode("x", []byte("zones: {a: {vlan: 2}}\nstore: {limit: 1GiB}\n"), d)
	if err != nil {
		t.Fatal(err)
	}
	got.Inputs[0].Interface = "changed"
	got.Zones["default"] = Zone{9}
	got.Store.Path = "changed"
	if !reflect.DeepEqual(d, Default()) {
		t.Errorf("the defaults became %+v", d)
	}
}

func TestShownDefaultsLoadAsTheDefaults(t *testing.T) {
	var b bytes.Buffer
	if err := config.ShowDefaults(&b, Default()); err != nil {
		t.Fatal(err)
	}
	got, err := config.Decode("defaults.yaml", b.Bytes(), Sample{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.Bytes())
	}
	if !reflect.DeepEqual(got, Default()) {
		t.Errorf("got  %+v\nwant %+v\nfrom\n%s", got, Default(), b.Bytes())
	}
	const name = "testdata/defaults.golden.yaml"
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got:\n%s", b.Bytes())
	}
}

func TestTextOfAnyKindSurvivesShowingAndLoading(t *testing.T) {
	for _, s := range []string{"", " ", "plain", "two words", "true", "No", "null", "~", "-", "- a", "a: b", "#x", "a #b", "12", "1e3", "0x10", "64MiB", "30s", "'", `"`, `\`, "line\nbreak", "tab\t", "\x01", "*a", "&a", "!x", "%x", "@x", "`", "{", "[", "a,b", "Großgerät", "2026-03-16", ".inf", "=", "?", "|", ">"} {
		d := Default()
		d.Name, d.Inputs[0].Tags = s, []string{s}
		d.Zones = map[string]Zone{"k" + s: {1}}
		var b bytes.Buffer
		if err := config.ShowDefaults(&b, d); err != nil {
			t.Fatal(err)
		}
		got, err := config.Decode("x", b.Bytes(), Sample{})
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if !reflect.DeepEqual(got, d) {
			t.Errorf("%q became %q, tags %q, zones %v", s, got.Name, got.Inputs[0].Tags, got.Zones)
		}
	}
}

func TestEveryFieldOfTheSampleIsDocumented(t *testing.T) {
	if missing := config.Undocumented(Default()); missing != nil {
		t.Error(missing)
	}
	type inner struct {
		A int `yaml:"a"`
	}
	type bad struct {
		NoTag  int
		Secret config.SecretFile   `yaml:"password" doc:"x"`
		Deep   []map[string]*inner `yaml:"deep" doc:"x"`
		hidden int
	}
	want := []string{"NoTag has no yaml tag", "password is a secret file, but its name does not end with _file", "deep.a has no doc tag"}
	if got := config.Undocumented(bad{hidden: 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a missing file": filepath.Join(dir, "gone.yaml"), "a directory": dir} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(path, Default())
			var e *config.Error
			if !errors.As(err, &e) || e.File != path || !strings.Contains(e.Message, "cannot be read") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	within := []byte("# " + strings.Repeat("x", config.MaxFile-4) + "\n")
	if _, err := config.Decode("x", within, Default()); err != nil {
		t.Errorf("a file of %d bytes: %v", len(within), err)
	}
	if _, err := config.Decode("x", append(within, '\n', '\n'), Default()); err == nil {
		t.Error("a file beyond the limit was read")
	}
	deep := strings.Repeat("[", config.MaxDepth+1) + strings.Repeat("]", config.MaxDepth+1)
	if _, err := config.Decode("x", []byte("name: "+deep), Default()); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("deep brackets: %v", err)
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "field%d: 1\n", i)
	}
	_, err := config.Decode("x", []byte(many.String()), Default())
	var all config.Errors
	if !errors.As(err, &all) || len(all) != 50 {
		t.Errorf("%d errors reported", len(all))
	}
}

func TestByteSizes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want config.ByteSize
		out  string
	}{
		{"0", 0, "0B"}, {"1B", 1, "1B"}, {"4096", 4096, "4KiB"}, {"64MiB", 64 << 20, "64MiB"}, {"64 MiB", 64 << 20, "64MiB"}, {"1.5KiB", 1536, "1536B"},
		{"2GB", 2_000_000_000, "1953125KiB"}, {"1TiB", 1 << 40, "1TiB"}, {"9223372036854775807B", 1<<63 - 1, "9223372036854775807B"},
	} {
		got, err := config.ParseByteSize(tt.in)
		if err != nil || got != tt.want || got.String() != tt.out {
			t.Errorf("%q is %d (%s), %v; want %d (%s)", tt.in, got, got, err, tt.want, tt.out)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "-1MiB", "1e3", "0x10", "+1", "NaN", "Inf", "1 apple", "1mib", "9223372036854775808", "8388608TiB", "1_000"} {
		if got, err := config.ParseByteSize(bad); err == nil {
			t.Errorf("%q is %d, want an error", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := config.Decode("f.yaml", data, Default())
		if err != nil {
			var all config.Errors
			if !errors.As(err, &all) || len(all) == 0 || len(all) > 50 {
				t.Fatalf("%T: %v", err, err)
			}
			for _, e := range all {
				if e.Line > bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+1 || e.Message == "" {
					t.Fatalf("%+v", e)
				}
			}
			return
		}
		// What was read can be shown and read again.
		var b bytes.Buffer
		if err := config.ShowDefaults(&b, got); err != nil {
			t.Fatal(err)
		}
		again, err := config.Decode("again.yaml", b.Bytes(), Sample{})
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.Bytes())
		}
		if again.Name != got.Name || again.Workers != got.Workers || again.Idle != got.Idle || again.Memory != got.Memory || len(again.Inputs) != len(got.Inputs) {
			t.Fatalf("read %+v\nagain %+v\nfrom\n%s", got, again, b.Bytes())
		}
	})
}
