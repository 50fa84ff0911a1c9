// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"fmt"
	"time"
)

// Source is what an index that is made from CISA's files says of its origin.
const Source = "CISA ICS Medical Advisories (CSAF, US government work, TLP:WHITE) and Known Exploited Vulnerabilities (CC0)"

// Ship makes the index that the program carries: of the day of its newest part, so that
// the same files give the same bytes.
func Ship(dir string) ([]byte, *Index, error) {
	x, err := Gather(dir, func(string, []byte) error { return nil })
	if err != nil {
		return nil, nil, err
	}
	if len(x.KEV.CVEs) == 0 {
		return nil, nil, fmt.Errorf("%s: has no KEV catalogue", dir)
	}
	made := x.Date()
	if r := x.Released(); r.After(made) {
		made = r
	}
	x.Source, x.Made = Source, made.UTC().Format(time.RFC3339)
	packed, err := x.Encode()
	return packed, x, err
}
