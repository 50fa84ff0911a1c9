// SPDX-License-Identifier: Apache-2.0

// Package knowledge holds what the program ships about published vulnerabilities: the
// medical advisories of CISA (ICSMA, CSAF) in compact form and the catalogue of known
// exploited vulnerabilities. README.md says where it is from, of which day, and under
// which terms.
//
// The index is made by scripts/gen-knowledge and read by see/advisory. It is data alone:
// nothing here is decoded.
package knowledge

import _ "embed"

//go:embed index.json.gz
var index []byte

// Index returns the shipped index, packed. Nobody may change it.
func Index() []byte { return index }
