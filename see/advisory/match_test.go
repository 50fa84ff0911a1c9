// SPDX-License-Identifier: Apache-2.0

package advisory_test

import (
	"strings"
	"testing"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/see/advisory"
)

// dev is a device that states what it is in fields made for that.
func dev(vendor, model, firmware string) *device.Device {
	d := &device.Device{ID: "dev-1", Vendor: vendor, Model: model, Firmware: firmware, Facts: map[device.Attribute]device.Fact{}}
	for a, v := range map[device.Attribute]string{device.AttrVendor: vendor, device.AttrModel: model, device.AttrFirmware: firmware} {
		if v != "" {
			d.Facts[a] = device.Fact{Value: v, Confidence: device.Structured, Sources: []string{"hl7.prt10"}}
		}
	}
	return d
}

func shippedBase(t testing.TB) *advisory.Base {
	t.Helper()
	x, _ := advisory.Shipped()
	return advisory.NewBase(x)
}

// verdictOf returns the match with one advisory, nil for none.
func verdictOf(b *advisory.Base, d *device.Device, id string) *advisory.Match {
	for _, m := range advisory.NewMatcher(b).Device(d) {
		if m.Advisory == id {
			return &m
		}
	}
	return nil
}

func TestDevicesAreMatchedWithTheAdvisoriesThatNameThem(t *testing.T) {
	b := shippedBase(t)
	const none = ""
	for _, tt := range []struct {
		name                    string
		vendor, model, firmware string
		advisory                string
		want                    string
	}{
		{"a pump unit in the range, under another name of its maker", "CareFusion", "Alaris 8015 PC Unit", "9.33", "ICSMA-17-017-02", "affected"},
		{"the same, written with the number last", "BD", "PCU 8015", "9.33", "ICSMA-20-317-01", "affected"},
		{"a later version", "BD", "Alaris PCU 8015", "12.3.1", "ICSMA-20-317-01", "not-affected"},
		{"a build of the last version that is affected has to be asked about", "BD", "Alaris PCU 8015", "9.33.1.7", "ICSMA-20-317-01", "unknown"},
		{"no version is known", "BD", "Alaris PCU 8015", "", "ICSMA-20-317-01", "unknown"},
		{"another number is another model", "BD", "Alaris PCU 8015", "9.33", "ICSMA-17-017-01", none},
		{"a monitor in a run of models", "Philips", "IntelliVue MX800", "M.03", "ICSMA-20-254-01", "affected"},
		{"the number alone, without the family's name", "Philips", "MX800", "M.03", "ICSMA-20-254-01", "affected"},
		{"a later revision letter", "Philips", "IntelliVue MX800", "P.01", "ICSMA-20-254-01", "not-affected"},
		{"a version of another scheme", "Philips", "IntelliVue MX800", "4.0", "ICSMA-20-254-01", "unknown"},
		{"a monitor outside of the run", "Philips", "IntelliVue MX40", "B.06.12", "ICSMA-20-254-01", none},
		{"the telemetry monitor has its own", "Philips", "IntelliVue MX40", "B.06.12", "ICSMA-17-255-01", "affected"},
		{"a misspelt maker in the advisory", "Philips Medical Systems", "IntelliSpace Cardiovascular", "2.2", "ICSMA-18-025-01", "affected"},
		{"a brand of a company that was taken over", "Hillrom", "Welch Allyn Connex Spot Monitor", "1.51", "ICSMA-24-151-02", "affected"},
		{"a family with a wildcard", "GE HealthCare", "B650", "2.0.5", "ICSMA-20-023-01", "affected"},
		{"beyond the wildcard", "GE HealthCare", "B650", "3.1", "ICSMA-20-023-01", "not-affected"},
		{"all versions", "GE Healthcare", "LOGIQ E9", "R6", "ICSMA-20-049-02", "affected"},
		{"an exception", "GE Healthcare", "LOGIQ 100 Pro", "R6", "ICSMA-20-049-02", none},
		{"the device says more than the advisory", "GE Healthcare", "Optima CT660 Plus", "", "ICSMA-20-343-01", "unknown"},
		{"the device says less than the advisory", "GE Healthcare", "Optima CT680", "", "ICSMA-20-343-01", "unknown"},
		{"a condition that nobody can see from outside", "Baxter", "Sigma Spectrum LVP", "6.02.07", "ICSMA-22-251-01", "unknown"},
		{"a condition that is the model's number", "Baxter", "Sigma Spectrum 35700BAX2", "8.00.01", "ICSMA-22-251-01", "affected"},
		{"an operating system that is not known", "Siemens Healthineers", "PET/CT Systems", "", "ICSMA-17-215-01", "unknown"},
		{"any CT of that maker is no PET/CT", "Siemens Healthineers", "SOMATOM go CT", "", "ICSMA-17-215-01", none},
		{"another maker with such a model", "Mindray", "MX800", "M.03", "ICSMA-20-254-01", none},
		{"a day decides", "Philips", "PageWriter TC30", "A.07", "ICSMA-18-228-01", "unknown"},
		{"a syringe pump by its former maker", "Smiths Medical", "Medfusion 4000", "1.5", "ICSMA-17-250-02A", "affected"},
		{"a version that a list does not name, between those that it names", "Smiths Medical", "Medfusion 4000", "1.2", "ICSMA-17-250-02A", "unknown"},
		{"a version after all of a list", "Smiths Medical", "Medfusion 4000", "1.6.1", "ICSMA-17-250-02A", "unknown"},
		{"a version well after a list", "Smiths Medical", "Medfusion 4000", "2.0", "ICSMA-17-250-02A", "not-affected"},
		{"an advisory that says two things", "Philips", "Tasy EMR", "3.02.1000", "ICSMA-19-120-01", "unknown"},
		{"lines of one product for two markets", "B. Braun", "SpaceCom", "L81", "ICSMA-20-296-02", "affected"},
		{"part of a name is not the name", "Philips", "Vue", "12.2", "ICSMA-21-187-01", none},
		{"nothing but a maker", "Philips", "", "1.0", "ICSMA-21-187-01", none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := verdictOf(b, dev(tt.vendor, tt.model, tt.firmware), tt.advisory)
			got := none
			if m != nil {
				got = m.Verdict.String()
			}
			if got != tt.want {
				t.Errorf("%s %s %s with %s is %q, want %q: %+v", tt.vendor, tt.model, tt.firmware, tt.advisory, got, tt.want, m)
			}
			if m == nil {
				return
			}
			if len(m.Evidence) == 0 || m.Confidence < 1 || m.Confidence > 100 {
				t.Errorf("without evidence or confidence: %+v", m)
			}
			if (m.Verdict == advisory.Unknown) != (len(m.Missing) > 0) {
				t.Errorf("unknown says what is missing, and nothing else does: %+v", m)
			}
			if m.Verdict == advisory.Affected && len(m.CVEs) == 0 {
				t.Errorf("affected by nothing: %+v", m)
			}
		})
	}
}

func TestADeviceWhoseMakerIsNotKnownIsNeverAffected(t *testing.T) {
	b := shippedBase(t)
	for _, m := range advisory.NewMatcher(b).Device(dev("", "Vue Motion", "12.1")) {
		if m.Verdict != advisory.Unknown || !strings.Contains(strings.Join(m.Missing, " "), "manufacturer") {
			t.Errorf("%+v", m)
		}
	}
}

func TestEvidenceSaysWhereEachFactIsFrom(t *testing.T) {
	m := verdictOf(shippedBase(t), dev("CareFusion", "Alaris 8015 PC Unit", "9.33"), "ICSMA-17-017-02")
	text := strings.Join(m.Evidence, "\n")
	for _, want := range []string{"hl7.prt10", "(75)", "Becton, Dickinson and Company (BD)", "the same by alias", "up to 9.33"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
