// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"testing"

	"github.com/asepsis/asepsis/core/device"
)

func TestVendorsAreFoundUnderTheirManyNames(t *testing.T) {
	for _, c := range []struct{ text, name, brand string }{
		{"Hospira Plum A+", "ICU Medical", "Hospira"},
		{"ICU Medical, Inc.", "ICU Medical", ""},
		{"GE Medical System(China) Co., Ltd.", "GE HealthCare", ""},
		{"GE", "GE HealthCare", ""},
		{"GEMS", "GE HealthCare", ""},
		{"General Electric Water & Process Technologies", "General Electric", ""},
		{"SIEMENS HEALTHINEERS", "Siemens Healthineers", ""},
		{"SIEMENS", "Siemens", ""},
		{"Dräger", "Dräger", ""},
		{"Draeger Medical Systems, Inc.", "Dräger", ""},
		{"Drägerwerk AG & Co. KG aA", "Dräger", ""},
		{"B.Braun Melsungen AG", "B. Braun", ""},
		{"Carefusion", "BD", "CareFusion"},
		{"ALARIS MEDICAL SYSTEMS, INC.", "BD", "Alaris"},
		{"Hill-Rom", "Baxter", "Hillrom"},
		{"TRUMPF Medical", "Baxter", "Trumpf Medical"},
		{"TRUMPF Laser GmbH + Co. KG", "TRUMPF", ""},
		{"Maquet Critical Care AB", "Getinge", "Maquet"},
		{"TOSHIBA_MEC", "Canon Medical", "Toshiba Medical"},
		{"Oculus VR, LLC", "Meta", ""},
		{"Philips Medical Systems - Cardiac and Monitoring Systems (CM", "Philips", ""},
		{"Phillips Medical", "Philips", ""},
		{"Karl Storz Imaging", "Karl Storz", ""},
		{"Shenzhen Mindray Bio-Medical Electronics", "Mindray", ""},
		{"FUJIFILM Corporation", "Fujifilm", ""},
		{"FUJITSU LIMITED", "Fujitsu", ""},
		{"Fujian Newland Computer Ltd. Co.", "", ""},
		{"Metallwerke Huber", "", ""},
		{"Storage Systems Inc", "", ""},
		{"", "", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			v, ok := FindVendor(c.text)
			if v.Name != c.name || v.Brand != c.brand || ok != (c.name != "") {
				t.Errorf("got %q (%q), want %q (%q)", v.Name, v.Brand, c.name, c.brand)
			}
		})
	}
}

func TestProductsAreFoundInWhatDevicesState(t *testing.T) {
	for _, c := range []struct {
		name, text, maker, model string
		class                    device.Class
	}{
		{"a pump in an HL7 field", "Hospira Plum A+", "", "Plum A+", device.ClassInfusionPump},
		{"a CT in a DICOM model name", "SOMATOM Definition Edge", "Siemens Healthineers", "SOMATOM", device.ClassCT},
		{"a headset in a user agent", "Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 OculusBrowser/31.0", "", "Quest 3", device.ClassXRHeadset},
		{"an everyday word with its maker in the text", "Oculus Quest", "", "Oculus Quest", device.ClassXRHeadset},
		{"an everyday word with its maker from elsewhere", "Primus", "Dräger", "Primus", device.ClassAnaesthesia},
		{"an everyday word without its maker counts for nothing", "Primus", "", "", ""},
		{"an everyday word of another maker counts for nothing", "Venue", "Dell", "", ""},
		{"nothing known", "X-9000", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := FindProduct(c.text, c.maker)
			if p.Model != c.model || p.Class != c.class {
				t.Errorf("got %q %q, want %q %q", p.Model, p.Class, c.model, c.class)
			}
		})
	}
}

func TestStripVendor(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Hospira Plum A+", "Plum A+"},
		{"Dräger Evita V500", "Evita V500"},
		{"GE Medical Systems LOGIQ E9", "LOGIQ E9"},
		{"Plum A+ by Hospira", "Plum A+ by Hospira"},
		{"Hospira", "Hospira"},
		{"", ""},
	} {
		if got := StripVendor(c.in); got != c.want {
			t.Errorf("StripVendor(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestImplementationsAreNamed(t *testing.T) {
	for _, c := range []struct{ name, uid, version, vendor, toolkit string }{
		{"DCMTK by its root", "1.2.276.0.7230010.3.0.3.6.7", "", "", "DCMTK"},
		{"Orthanc on DCMTK's root, by its version name", "1.2.276.0.7230010.3.0.3.6.7", "ORTHANC_1.10.1", "", "Orthanc"},
		{"GE", "1.2.840.113619.6.281", "", "GE HealthCare", ""},
		{"pynetdicom", "1.2.826.0.1.3680043.9.3811.2.0.2", "PYNETDICOM_202", "", "pynetdicom"},
		{"a root ends at a dot", "1.2.840.1136199.1", "", "", ""},
		{"unknown", "1.2.3.4", "X", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := FindImplementation(c.uid, c.version)
			if got.Vendor != c.vendor || got.Toolkit != c.toolkit {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestBadDataIsRefused(t *testing.T) {
	good := []byte("- {name: A, kind: medical, match: [a]}\n")
	for _, c := range []struct{ name, v, p, i string }{
		{"an unknown field", "- {name: A, colour: red}\n", "", ""},
		{"a name claimed by two vendors", "- {name: A, kind: it, match: [x]}\n- {name: B, kind: it, match: [x]}\n", "", ""},
		{"a product of an unknown vendor", string(good), "- {vendor: Z, class: ct, models: [q]}\n", ""},
		{"a product of an unknown class", string(good), "- {vendor: A, class: toaster, models: [q]}\n", ""},
		{"an implementation of an unknown vendor", string(good), "", "- {root: 1.2, vendor: Z}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			read, err := decode([]byte(c.v), []byte(c.p), []byte(c.i))
			if err == nil {
				_, err = build(read)
			}
			if err == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	f.Add("Hospira Plum A+")
	f.Add("Dräger\x00Evita®")
	f.Fuzz(func(t *testing.T, s string) {
		if len(Words(s)) > maxWords {
			t.Fatal("too many words")
		}
		v, ok := FindVendor(s)
		if ok && KindOf(v.Name) != v.Kind {
			t.Fatalf("vendor %q has two kinds", v.Name)
		}
		FindProduct(s, "")
		if out := StripVendor(s); len(out) > len(s) {
			t.Fatal("StripVendor grew its input")
		}
	})
}

func BenchmarkFindVendor(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		FindVendor("Philips Medical Systems - Cardiac and Monitoring")
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := build(builtin()); err != nil {
			b.Fatal(err)
		}
	}
}
