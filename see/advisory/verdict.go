// SPDX-License-Identifier: Apache-2.0

package advisory

import "fmt"

// Verdict is what can be said of a device and an advisory.
type Verdict uint8

// The verdicts, in the order in which the worst of several counts.
const (
	NotAffected Verdict = iota + 1
	Unknown
	Affected
)

var verdicts = [...]string{"", "not-affected", "unknown", "affected"}

// String returns the name as the API has it.
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, n := range verdicts {
		if n == string(b) && i > 0 {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("verdict %q: want affected, unknown or not-affected", b)
}

// Match is one advisory for one device.
type Match struct {
	Advisory   string   `json:"advisory"`
	Product    string   `json:"product"` // of the advisory, with its versions, in words
	Products   []int    `json:"products,omitempty"`
	Verdict    Verdict  `json:"verdict"`
	Confidence int      `json:"confidence"` // 0 to 100
	Evidence   []string `json:"evidence"`
	Missing    []string `json:"missing,omitempty"` // what would decide it
	CVEs       []string `json:"cves"`
	Part       string   `json:"part,omitempty"` // the component of an SBOM that it is about
	Since      int64    `json:"since"`          // ns: when this verdict was first reached
}

// Matches is the document that a device's verdicts are kept in.
type Matches struct {
	Device    string  `json:"device"`
	Knowledge string  `json:"knowledge"` // fingerprint
	Matches   []Match `json:"matches"`
}
