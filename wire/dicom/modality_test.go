// SPDX-License-Identifier: Apache-2.0

package dicom

import "testing"

func TestAModalityIsADefinedTermOrNothing(t *testing.T) {
	for in, want := range map[string]string{
		"CT": "CT", "CT ": "CT", "US\x00": "US", "RTSTRUCT": "RTSTRUCT", "VF": "VF", "ANN": "ANN", "XC": "XC",
		"": "", " ": "", "ct": "", "C": "", "CT MR": "", "MR\\CT": "", "4711": "", "MEIER": "", "RT": "", "OPTBSV OPTENF": "",
	} {
		if got := Modality(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
