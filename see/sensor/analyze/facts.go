// SPDX-License-Identifier: Apache-2.0

package analyze

import "github.com/asepsis/asepsis/core/device"

// Facts are pieces of evidence that a device tells together each time: all that
// an announcement or a proposal says. Made once and kept in a Memo, they cost little
// more than one piece when they come again. They are not changed once reported.
type Facts struct{ list []Fact }

// Fact is one of them.
type Fact struct {
	Attribute     device.Attribute
	Value, Source string
	Confidence    device.Confidence
}

// Add adds a fact. An empty value is ignored.
func (f *Facts) Add(attr device.Attribute, value, source string, conf device.Confidence) {
	if value != "" {
		f.list = append(f.list, Fact{attr, value, source, conf})
	}
}

// List returns the facts in the order in which they were added.
func (f *Facts) List() []Fact { return f.list }

// Facts reports all of them about one side of the flow.
func (c *Conn) Facts(s Side, f *Facts) { c.FactsFor(c.Subject(s), f) }

// FactsFor reports all of them about a device that need not be an end of the
// flow.
func (c *Conn) FactsFor(sub device.Subject, f *Facts) {
	if h, ok := c.host.(Selective); ok {
		h.Facts(sub, f, c.Now)
		return
	}
	for _, x := range f.list {
		c.EvidenceFor(sub, x.Attribute, x.Value, x.Source, x.Confidence)
	}
}
