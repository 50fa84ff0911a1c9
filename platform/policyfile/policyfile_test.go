// SPDX-License-Identifier: Apache-2.0

package policyfile_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/policyfile"
)

var update = flag.Bool("update", false, "write the expected errors anew")

func TestAGoodPolicyIsRead(t *testing.T) {
	p, err := policyfile.Load("testdata/hospital.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Spec(); len(s.Zones) != 4 || len(s.Conduits) != 5 || s.Conduits[1].Expires.String() != "2027-03-31" || s.Services[0].Ports[1].String() != "11112-11115" {
		t.Errorf("%+v", s)
	}
}

func TestABadPolicyIsRefusedWithTheLineOfEachError(t *testing.T) {
	for _, file := range []string{"testdata/wrong.bad.yaml", "testdata/meaning.bad.yaml"} {
		_, err := policyfile.Load(file)
		var all config.Errors
		if !errors.As(err, &all) {
			t.Fatalf("%s: %v", file, err)
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, rerr := os.ReadFile(golden)
		if rerr != nil {
			t.Fatal(rerr)
		}
		if got := err.Error() + "\n"; got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", filepath.Base(file), got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"hospital.good.yaml", "wrong.bad.yaml", "meaning.bad.yaml"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policyfile.Parse("fuzz", data)
		if (p == nil) == (err == nil) {
			t.Fatal("neither a policy nor an error, or both")
		}
		if p != nil {
			p.Lint(0)
		}
	})
}
