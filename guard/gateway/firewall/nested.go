// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/wire/dicom"
)

// A sequence of the standard may be sent as UN of a defined length (PS3.5 §6.2.2 note 2): its value is then items in implicit VR little
// endian. Readers that know the element read them, so they are inspected as a data set that has this sequence alone. Within it there is
// no UN for what the dictionary knows, so that this happens once and not in itself.

// beginNested begins to inspect the value of a sequence that is sent as UN.
func (x *inspection) beginNested(t *dicom.Token) {
	n := &inspection{a: x.a, policy: x.policy, deps: &Deps{}, verdicts: x.verdicts, started: true}
	n.tok.Reset(dicom.Syntax{}, dicom.Limits{Depth: max(1, dicom.MaxDepth-int(t.Depth)), Elements: uint32(min(x.policy.max[structureElements], 1<<32-1))})
	n.levels = []level{{chars: x.chars}}
	n.quiet = true
	x.nested = n
	n.feed([]byte{byte(t.Tag >> 16), byte(t.Tag >> 24), byte(t.Tag), byte(t.Tag >> 8), 0xFF, 0xFF, 0xFF, 0xFF})
}

// nest takes the next bytes of it.
func (x *inspection) nest(b []byte, last bool) {
	n := x.nested
	if n == nil {
		return
	}
	n.feed(b)
	if last && !n.done {
		n.feed([]byte{0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0})
	}
	if !last && !n.Stop() {
		return
	}
	x.nested = nil
	x.more += n.more
	for r, c := range n.count {
		if c > 0 {
			x.met[r], x.metAny = true, true
		}
	}
	path := x.path(&x.val.t)
	prefix := path[:len(path)-len(x.val.t.Tag.String())]
	for _, h := range n.hits {
		r, _ := ruleNamed(h.Rule)
		switch {
		case h.Verdict == instance.Sanitise: // the whole is taken away
			x.marking(r, actRemove)
			h.Path = path
		case h.Path != "":
			h.Path = prefix + h.Path
		}
		x.add(h, r)
	}
	if !n.Stop() && (n.broke || n.tok.End() != nil) {
		x.hit(vrConfusion, "a sequence that is sent as unknown, and cannot be read")
	}
}
