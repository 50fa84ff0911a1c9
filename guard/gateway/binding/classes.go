// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"maps"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// storageRoot is the arc of the storage SOP classes (PS3.4 §B.5).
const storageRoot = "1.2.840.10008.5.1.4.1.1."

// groups are names for storage SOP classes that go together, by where they hang below storageRoot.
func groups() map[string][]string {
	return map[string][]string{
		"storage":             {""},
		"ct":                  {"2"},
		"mr":                  {"4"},
		"ultrasound":          {"3", "6"},
		"x-ray":               {"1"},
		"angiography":         {"12", "13.1.1"},
		"nuclear":             {"5", "20", "128", "130"},
		"radiotherapy":        {"481"},
		"secondary-capture":   {"7"},
		"visible-light":       {"77.1"},
		"waveform":            {"9"},
		"structured-report":   {"88"},
		"presentation-state":  {"11"},
		"segmentation":        {"66.4", "66.5", "66.6"},
		"registration":        {"66.1", "66.2", "66.3"},
		"surface":             {"68"},
		"parametric-map":      {"30"},
		"encapsulated":        {"104"},
		"encapsulated-3d":     {"104.3", "104.4", "104.5"},
		"procedure-protocol":  {"200"},
		"real-world-mapping":  {"67"},
		"structured-display":  {"131"},
		"content-assessment":  {"90"},
		"microscopy-drawings": {"91"},
	}
}

// Groups returns the names that stand for several SOP classes, in their order.
func Groups() []string { return slices.Sorted(maps.Keys(groups())) }

// private stands for storage classes that no registry knows: those of manufacturers.
const private = "private"

// classes is which storage SOP classes are meant.
type classes struct {
	uids     map[string]bool
	prefixes []string
	private  bool
}

// parseClasses reads UIDs, keywords of PS3.6 and names of groups. bad is the index of the first that is none of them, or -1.
func parseClasses(list []string) (c classes, bad int) {
	known := groups()
	c.uids = map[string]bool{}
	for i, name := range list {
		switch prefixes, group := known[name]; {
		case name == private:
			c.private = true
		case group:
			c.prefixes = append(c.prefixes, prefixes...)
		case dicom.ValidUID(name):
			c.uids[name] = true
		default:
			return c, i
		}
	}
	if len(list) == 0 {
		c.prefixes = []string{""}
	}
	return c, -1
}

// has reports whether a SOP class is among them. The groups hold registered classes only: one
// that is merely in the arc is nobody's.
func (c *classes) has(uid string) bool {
	if c.uids[uid] {
		return true
	}
	info, registered := dicom.LookupUID(uid)
	if !registered {
		return c.private && dicom.ValidUID(uid) && !strings.HasPrefix(uid, "1.2.840.10008.")
	}
	rest, ok := strings.CutPrefix(uid, storageRoot)
	if !ok || info.Kind != dicom.UIDSOPClass || !dicom.IsStorage(uid) {
		return false
	}
	for _, p := range c.prefixes {
		if p == "" || rest == p || strings.HasPrefix(rest, p+".") {
			return true
		}
	}
	return false
}
