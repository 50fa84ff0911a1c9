// SPDX-License-Identifier: Apache-2.0

package version_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/see/advisory/version"
)

func TestVersionsOfMedicalDevicesAreOrdered(t *testing.T) {
	for _, l := range [][]string{ // each in its order, all different
		{"9.5", "9.7", "9.13", "9.19", "9.33", "9.33.1", "12.1", "12.1.1", "12.3"},
		{"12.1", "12.1 SP1", "12.1 SP2", "12.2"},
		{"A.03", "A.03.09", "B.02", "B.06.12", "B.06.18", "C.00.04"},
		{"B", "J", "K", "M", "N"},
		{"2.4A", "2.6A", "2.6B", "2.7A"},
		{"U61", "U62"},
		{"012U000040", "012U000061"},
		{"VM4.9", "VM5.0", "VM6.0"},
		{"1.3.0 Build 14", "1.3.1", "1.3.1 Build 13", "1.3.2"},
		{"R4.1", "R4.1L1", "R4.2"},
		{"3.0 D14", "3.0 D15"},
		{"2023.3_Build_9342", "2024.2"},
		{"2.0-beta", "2.0-rc1", "2.0", "2.0.1"},
		{"v17D19", "v20D29", "v20D32", "v22D24"},
		{"2018-1", "2021-1"},
	} {
		for i := range l {
			for j := range l {
				a, b := version.New(l[i]), version.New(l[j])
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				if got := version.Compare(a, b); got != want {
					t.Errorf("Compare(%q, %q) is %d, want %d", l[i], l[j], got, want)
				}
				if !version.Alike(a, b) {
					t.Errorf("%q and %q are taken for different schemes", l[i], l[j])
				}
			}
		}
	}
}

func TestTheSameVersionIsWrittenInManyWays(t *testing.T) {
	for _, l := range [][]string{
		{"12.1", "v12.1", "V 12.1", "Version 12.1", "Rev 12.1", "12.1.0", "12.01", "software version 12.1", "R12.1"},
		{"12.1 SP2", "12.1 Service Pack 2", "12.1SP2", "v12.1-sp2"},
		{"B.02", "b.02", "Rev B.02", "B 02"},
		{"HD 16", "HD16"},
		{"N", "Rev N", "N.0"},
	} {
		for _, s := range l[1:] {
			if version.Compare(version.New(l[0]), version.New(s)) != 0 {
				t.Errorf("%q is not %q", s, l[0])
			}
		}
	}
}

func TestVersionsOfDifferentSchemesAreNotCompared(t *testing.T) {
	for _, p := range [][2]string{{"12.1", "B.02"}, {"U61", "L81"}, {"012U000040", "012L000040"}, {"BT06", "HD23"}, {"", "1.0"}, {"unknown", "1.0"}, {"MMT", "VM5.0"}} {
		if version.Alike(version.New(p[0]), version.New(p[1])) {
			t.Errorf("%q and %q are taken for one scheme", p[0], p[1])
		}
	}
}

// words from which versions are put together, with all that makes them hard.
var words = []string{"1", "2", "10", "0", "00", "007", "A", "B", "sp", "build", "beta", "rc", ".", "-", " ", "_", "v", "r", "U", "rev ", "x", "99999999999999999999", "\xff", "é"}

func arbitrary(r *rand.Rand) version.Version {
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(words[r.IntN(len(words))])
	}
	return version.New(b.String())
}

func TestCompareIsATotalOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		a, b, c := arbitrary(r), arbitrary(r), arbitrary(r)
		ab, ba, bc, ac := version.Compare(a, b), version.Compare(b, a), version.Compare(b, c), version.Compare(a, c)
		if ab != -ba {
			t.Fatalf("%q and %q: %d and %d", a, b, ab, ba)
		}
		if ab <= 0 && bc <= 0 && ac > 0 || ab == 0 && bc == 0 && ac != 0 {
			t.Fatalf("%q <= %q <= %q, and %d", a, b, c, ac)
		}
		if version.Compare(a, a) != 0 || version.Alike(a, b) != version.Alike(b, a) {
			t.Fatalf("%q, %q: not reflexive, or alike in one direction", a, b)
		}
	}
}

func TestRangesAreReadAsAdvisoriesWriteThem(t *testing.T) {
	for _, tt := range []struct {
		text, set  string
		conditions string
		in, out    []string
		unsure     []string
	}{
		{"<= 9.33", "up to 9.33", "", []string{"9.33", "9.5", "v9.33"}, []string{"9.34", "12.1"}, []string{"9.33.1", "B.02", ""}},
		{"< 8.2.2", "before 8.2.2", "", []string{"8.2.1"}, []string{"8.2.2", "8.2.2.1", "9"}, nil},
		{"vers:all/*", "all versions", "", []string{"1", "anything", ""}, nil, nil},
		{"vers:generic/>=1.2|<2.0", "from 1.2 to before 2.0", "", []string{"1.2", "1.9.9"}, []string{"1.1", "2.0"}, nil},
		{">= 4.01 | <= 4.34", "from 4.01 to 4.34", "", []string{"4.1", "4.34"}, []string{"4.0", "4.35", "5"}, nil},
		{"1.1 | 1.5 | 1.6", "1.1, 1.5, 1.6", "", []string{"1.5"}, []string{"1.7"}, []string{"1.2", "1.5.1"}},
		{"Versions 1.1 to 1.3.2", "from 1.1 to 1.3.2", "", []string{"1.2"}, []string{"1.4"}, nil},
		{"2.3.6 and  below", "up to 2.3.6", "", []string{"2.3.6", "1"}, []string{"2.3.7"}, nil},
		{"Software Version 9.33 and prior versions", "up to 9.33", "", []string{"9.1"}, []string{"10"}, nil},
		{"all versions prior to 3.0", "before 3.0", "", []string{"2.9"}, []string{"3.0"}, nil},
		{"5.x.x", "5.x", "", []string{"5.1", "5.9.9"}, []string{"6.0"}, []string{"4.9"}},
		{"<= 11.x", "up to 11.x", "", []string{"11.9", "9"}, []string{"12.0"}, nil},
		{"< 3.x", "before 3", "", []string{"2.9"}, []string{"3.0", "3.1"}, nil},
		{"4.X | 5.X", "4.x, 5.x", "", []string{"4.2", "5.0"}, []string{"6.1"}, []string{"3.0"}},
		{"Rev J-M", "from J to M", "", []string{"K.01", "J"}, []string{"N", "B"}, []string{"1.0"}},
		{"A.01 <= C.0x | 4.0", "from A.01 to C.09, 4.0", "", []string{"B.00", "C.05", "4.0"}, nil, []string{"D.01"}},
		{"<= U61 |<= L81", "up to U61, up to L81", "", []string{"U60", "L81"}, nil, []string{"U62", "1.0"}},
		{"* (end-of-life 2011)", "all versions", "", []string{"1"}, nil, nil},
		{"v8.x model 35700BAX2", "v8.x", "model 35700bax2", []string{"8.1"}, []string{"9.0"}, nil},
		{"9.x (with Wireless Battery Modules >= 22D19)", "9.x", "with wireless battery modules >= 22d19", []string{"9.1"}, nil, nil},
		{"< july 1 2017", "made or released before july 1 2017", "", nil, nil, []string{"1.0", ""}},
		{"<8/30/2024", "made or released before 2024-08-30", "", nil, nil, []string{"1.0"}},
		{">= 2.0", "2.0 and later", "", []string{"2.0", "9"}, []string{"1.9"}, nil},
		{"Version B, Firmware A.01.09, Part #: N/A", "A.01.09", "hardware version b", []string{"A.01.09"}, []string{"A.02"}, nil},
		{"1.3.1 Build 13", "1.3.1 Build 13", "", []string{"1.3.1 build 13"}, []string{"1.3.2"}, []string{"1.3.1"}},
		{"<= 3.0 D15", "up to 3.0 D15", "", []string{"3.0 D14", "2.9"}, []string{"3.0 D16", "3.1"}, nil},
	} {
		t.Run(tt.text, func(t *testing.T) {
			e, err := version.ParseExpression(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Set.String(); got != tt.set {
				t.Errorf("is %q, want %q", got, tt.set)
			}
			if got := strings.Join(e.Conditions, "; "); got != tt.conditions {
				t.Errorf("conditions %q, want %q", got, tt.conditions)
			}
			for want, l := range map[version.Answer][]string{version.In: tt.in, version.Out: tt.out, version.Unsure: tt.unsure} {
				for _, v := range l {
					if got, why := e.Set.Contains(version.New(v)); got != want || (got == version.Unsure) != (why != "") {
						t.Errorf("%q is %d (%s), want %d", v, got, why, want)
					}
				}
			}
		})
	}
}

func TestWhatIsNoRangeIsNotReadByHalf(t *testing.T) {
	for _, s := range []string{"", "IGS", "Accu-Chek Inform II", "<= S4 A.07.107", "882300 Gemini 16 Slice", "653 MCE 3.x", "and prior", "<", "1.0 to", "vers:generic/!=1.0", "vers:", strings.Repeat("9", 2000)} {
		if e, err := version.ParseExpression(s); err == nil {
			t.Errorf("%.60q was read as %q", s, e.Set)
		} else if len(s) < 1000 && !errors.Is(err, version.ErrNoVersion) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseExpression(f *testing.F) {
	for _, s := range []string{"<= 9.33", "vers:all/*", "1.1 | 1.5", "Rev J-M", "v6.x (with Wireless Battery Modules v9 | >= v20D29)", "A.01 <= C.0x | 4.0", "(Release 1.3.2 1.4.0)", "2.3.6 and below", "(", "< july 1 2017"} {
		f.Add(s, "9.33")
	}
	f.Fuzz(func(t *testing.T, text, v string) {
		e, err := version.ParseExpression(text)
		x := version.New(v)
		a, why := e.Set.Contains(x)
		if err != nil {
			return
		}
		if e.Set.Empty() || e.Set.String() == "" {
			t.Errorf("%q is read and names nothing", text)
		}
		if a == version.Unsure && why == "" {
			t.Errorf("%q in %q is unsure without a reason", v, text)
		}
		if y := version.New(x.String()); version.Compare(x, y) != 0 {
			t.Errorf("%q does not read as it is written: %q", v, x)
		}
		if slices.Contains(e.Set.Versions(), "") {
			t.Errorf("%q names a version without text", text)
		}
	})
}
