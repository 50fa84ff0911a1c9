// SPDX-License-Identifier: Apache-2.0

package deid

import "fmt"

// Option is an option of PS3.15 §E.3.
type Option string

// The options.
const (
	RetainSafePrivate            Option = "retain-safe-private"            // §E.3.10
	RetainUIDs                   Option = "retain-uids"                    // §E.3.9
	RetainDeviceIdentity         Option = "retain-device-identity"         // §E.3.8
	RetainInstitutionIdentity    Option = "retain-institution-identity"    // §E.3.11
	RetainPatientCharacteristics Option = "retain-patient-characteristics" // §E.3.7
	RetainFullDates              Option = "retain-full-dates"              // §E.3.6
	RetainModifiedDates          Option = "retain-modified-dates"          // §E.3.6
	CleanDescriptors             Option = "clean-descriptors"              // §E.3.5
	CleanStructuredContent       Option = "clean-structured-content"       // §E.3.4
	CleanGraphics                Option = "clean-graphics"                 // §E.3.3
	CleanPixelData               Option = "clean-pixel-data"               // §E.3.1
)

// notDone is the option of §E.3.2, which is not offered.
const notDone Option = "clean-recognizable-visual-features"

// method is an entry of PS3.16 CID 7050.
type method struct{ code, meaning string }

// basic is the code of the profile that every copy is made by.
var basic = method{"113100", "Basic Application Confidentiality Profile"}

// methods has the codes of the options, in the order in which a copy lists them.
var methods = []struct {
	option Option
	method
}{
	{CleanPixelData, method{"113101", "Clean Pixel Data Option"}},
	{CleanGraphics, method{"113103", "Clean Graphics Option"}},
	{CleanStructuredContent, method{"113104", "Clean Structured Content Option"}},
	{CleanDescriptors, method{"113105", "Clean Descriptors Option"}},
	{RetainFullDates, method{"113106", "Retain Longitudinal Temporal Information Full Dates Option"}},
	{RetainModifiedDates, method{"113107", "Retain Longitudinal Temporal Information Modified Dates Option"}},
	{RetainPatientCharacteristics, method{"113108", "Retain Patient Characteristics Option"}},
	{RetainDeviceIdentity, method{"113109", "Retain Device Identity Option"}},
	{RetainUIDs, method{"113110", "Retain UIDs Option"}},
	{RetainSafePrivate, method{"113111", "Retain Safe Private Option"}},
	{RetainInstitutionIdentity, method{"113112", "Retain Institution Identity Option"}},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Option) UnmarshalText(text []byte) error {
	for _, m := range methods {
		if string(m.option) == string(text) {
			*o = m.option
			return nil
		}
	}
	if string(text) == string(notDone) {
		return fmt.Errorf("%s is not offered: faces are not removed from images here", notDone)
	}
	return fmt.Errorf("%.40q is no option of PS3.15 annex E: those are retain-safe-private, retain-uids, retain-device-identity, retain-institution-identity, "+
		"retain-patient-characteristics, retain-full-dates, retain-modified-dates, clean-descriptors, clean-structured-content, clean-graphics and clean-pixel-data", text)
}

// MarshalText implements encoding.TextMarshaler.
func (o Option) MarshalText() ([]byte, error) { return []byte(o), nil }
