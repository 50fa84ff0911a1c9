// SPDX-License-Identifier: Apache-2.0

package naming_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/asepsis/asepsis/see/advisory/naming"
)

func TestMakersAreKnownUnderTheirManyNames(t *testing.T) {
	for _, l := range [][]string{
		{"Philips", "Phillips", "Koninklijke Philips N.V.", "Philips Medical Systems", "PHILIPS"},
		{"GE HealthCare", "GE Healthcare", "General Electric (GE)", "GE", "General Electric", "Datex-Ohmeda", "GE Medical Systems"},
		{"BD", "Becton, Dickinson and Company (BD)", "Becton Dickinson", "CareFusion", "Alaris"},
		{"B. Braun", "B. Braun Medical", "B. Braun Melsungen AG", "BBraun"},
		{"Baxter", "Hillrom", "Hill-Rom", "Welch Allyn", "Baxter International Inc.", "Hillrom and ELI, Baxter International Inc."},
		{"Medtronic", "Medtronic ", "Medtronic, Inc."},
		{"ICU Medical", "Hospira", "Smiths Medical", "ICU Medical, Inc."},
		{"Siemens Healthineers", "Siemens", "SIEMENS"},
		{"Dräger", "Draeger", "Drägerwerk AG & Co. KGaA"},
		{"Abbott", "Abbott Laboratories", "St. Jude Medical"},
		{"Example Medical", "Example Medical, Inc.", "EXAMPLE MEDICAL GmbH"},
	} {
		want, _ := naming.FindMaker(l[0])
		for _, s := range l[1:] {
			if got, ok := naming.FindMaker(s); !ok || got.Key != want.Key {
				t.Errorf("%q is %q, want %q", s, got.Key, want.Key)
			}
		}
	}
}

func TestSeveralMakersAtOnePlaceAreParted(t *testing.T) {
	for text, want := range map[string]string{
		"BMC Medical, 3B Medical":            "bmc medical|3b medical",
		"Silex Technology and GE Healthcare": "silex technology|ge healthcare",
		"Becton, Dickinson and Company (BD)": "bd",
		"Natus Medical, Inc. (Natus)":        "natus",
		"SOOIL Developments Co, Ltd.":        "sooil",
		"Johnson & Johnson":                  "johnson johnson",
		"":                                   "",
		", and":                              "",
	} {
		var keys []string
		for _, m := range naming.Makers(text) {
			keys = append(keys, m.Key)
		}
		if got := strings.Join(keys, "|"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestNamesOfModelsAreComparedByWords(t *testing.T) {
	for _, tt := range []struct {
		product, device string
		want            naming.Fit
	}{
		{"Alaris 8015 PC unit", "Alaris 8015 PC Unit", naming.Same},
		{"Alaris 8015 PC unit", "PCU 8015", naming.Same},
		{"Alaris Point-of-Care Unit (PCU) Model 8015", "Alaris PCU 8015", naming.Same},
		{"Alaris PC Unit", "Alaris PCU 8015", naming.Family},
		{"Alaris 8000 PC unit", "PCU 8015", naming.None},
		{"IntelliVue patient monitor MX400-MX850", "IntelliVue MX800", naming.Same},
		{"IntelliVue patient monitor MX400-MX850", "IntelliVue MX40", naming.None},
		{"IntelliVue patient monitor MX400-MX850", "IntelliVue", naming.Maybe},
		{"IntelliBridge EC40/80", "IntelliBridge EC 80", naming.Same},
		{"IntelliBridge EC 40 Hub", "IntelliBridge EC80", naming.None},
		{"PageWriter TC10 TC20 TC30 Cardiographs", "PageWriter TC20", naming.Same},
		{"PageWriter TC10 TC20 TC30 Cardiographs", "PageWriter TC50", naming.None},
		{"Discovery XR656", "Discovery XR656 Plus", naming.Maybe},
		{"Plum A", "Plum A+", naming.Maybe},
		{"Plum A+", "Plum A", naming.Maybe},
		{"Plum 360", "Plum A+", naming.None},
		{"Optima CT680 Expert", "Optima CT680", naming.Maybe},
		{"Ultrasound EPIQ/Affiniti", "Affiniti 70", naming.Family},
		{"Ultrasound CX", "CX50", naming.Maybe},
		{"LOGIQ, not including LOGIQ 100 Pro", "LOGIQ 100 Pro", naming.None},
		{"Patient Information Center iX (PICiX)", "PIC iX", naming.Same},
		{"Xhibit Telemetry Receiver (XTR) Model number 96280", "XTR", naming.Same},
		{"SpaceStation with SpaceCom module (integrated as part number 8713142U)", "SpaceStation", naming.Same},
		{"Welch Allyn Connex Spot Monitor (CSM)", "Connex Spot Monitor", naming.Same},
		{"Siemens PET/CT Systems Windows XP-Based", "SOMATOM CT", naming.None},
		{"Vue PACS", "Vue Motion", naming.None},
		{"Vue PACS", "", naming.None},
	} {
		t.Run(tt.product+" and "+tt.device, func(t *testing.T) {
			siemens, _ := naming.FindMaker("Siemens")
			if got := naming.ParseProduct(tt.product).Without(siemens).Match(naming.NewDevice(tt.device, "Alaris")); got != tt.want {
				t.Errorf("fits %d, want %d: %+v", got, tt.want, naming.ParseProduct(tt.product))
			}
		})
	}
}

func TestWhatIsSaidBesideTheNameIsKept(t *testing.T) {
	for text, want := range map[string]string{
		"SpaceStation with SpaceCom module (integrated as part number 8713142U)": "integrated as part number 8713142U|with SpaceCom module",
		"Siemens SPECT Systems Windows XP-Based":                                 "Windows XP-Based",
		"Alaris PC Unit":                                                         "",
	} {
		if got := strings.Join(naming.ParseProduct(text).Conditions, "|"); got != want {
			t.Errorf("%q has the conditions %q, want %q", text, got, want)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"Alaris 8015 PC Unit", "MX800/700/600 ((865240/41/42) WLAN", "Plum A+", "EC40/80", "MX400-MX850", "LOGIQ, not including LOGIQ 100 Pro", "point of care unit", "(((", "a/b/c/d/e/f/g/h 1/2/3/4/5/6", "IntelliVue Information Center iX"} {
		f.Add(s, "Alaris PCU 8015")
	}
	f.Fuzz(func(t *testing.T, product, device string) {
		once := naming.Words(product)
		if twice := naming.Words(strings.Join(once, " ")); !slices.Equal(once, twice) {
			t.Errorf("Words(%q) is %q and then %q", product, once, twice)
		}
		p := naming.ParseProduct(product)
		if len(p.Names) > 40 {
			t.Errorf("%q has %d names", product, len(p.Names))
		}
		p.Match(naming.NewDevice(device, "Alaris"))
		naming.Makers(product)
	})
}
