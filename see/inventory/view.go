// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"crypto/sha256"
	"encoding/base32"
	"net/netip"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/core/device"
)

// element is the smallest thing that is surely one device: a MAC that is its
// own, one holder's time at an address without a known MAC, or a device that
// messages name.
type element struct {
	key    string
	rank   int // of its key for making IDs, best first
	mac    device.MAC
	ip     netip.Addr
	seq    uint16
	nodes  []*node
	named  *named
	sender int  // the element that named it, -1
	many   bool // its messages name several devices, which are not itself
	router string
	split  int   // a person set it apart: elements of different splits never join by evidence
	parent int   // union-find
	set    []int // of a representative: the others of its set
	joined []join
}

// join is why two elements are one device.
type join struct {
	why  string
	conf device.Confidence
}

// component is one device of a view.
type component struct {
	id        string
	aliases   []string
	elements  []int
	nodes     []*node
	named     []*named
	via       int // element that named it, -1
	many      bool
	router    string
	joined    []join
	conflicts []device.Conflict
	peers     peers
	edited    *edited
	external  bool
}

// view is a decision about all nodes at one moment: which of them are one
// device. It is replaced, never changed.
type view struct {
	change    uint64
	at        int64
	elems     []element
	comps     []component
	byID      map[string]int
	byNode    map[*node]int
	byMAC     map[device.MAC]int
	conflicts map[int][]device.Conflict // by element, before joining
}

// mint is the ID that was first given for a key.
type mint struct {
	ID  string `json:"id"`
	Seq uint64 `json:"seq"`
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID makes the ID for a key: the same key gives the same ID everywhere.
func newID(key string) string {
	sum := sha256.Sum256([]byte("asepsis device\x00" + key))
	return "dev-" + idEncoding.EncodeToString(sum[:10])
}

func (v *view) idOf(n *node) string {
	if n == nil {
		return ""
	}
	if c, ok := v.byNode[n]; ok && c >= 0 {
		return v.comps[c].id
	}
	return ""
}

// current returns the view of everything observed so far.
func (i *Inventory) current() *view {
	if i.view == nil || i.view.change != i.change {
		i.view = i.build()
	}
	return i.view
}

// build decides anew which nodes belong together. The order of observation
// does not matter beyond what claims say about time.
func (i *Inventory) build() *view {
	v := &view{change: i.change, at: i.now, byID: map[string]int{}, byNode: map[*node]int{}, byMAC: map[device.MAC]int{}, conflicts: map[int][]device.Conflict{}}
	addrs := make([]*address, 0, len(i.addrs))
	for _, a := range i.addrs {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, func(a, b *address) int { return a.ip.Compare(b.ip) })
	infos := i.survey(addrs)
	i.elements(v, addrs, infos)
	i.children(v)
	i.joinAddresses(v)
	i.joinIdentifiers(v)
	i.joinPeople(v)
	i.components(v)
	i.countPeers(v)
	return v
}

// root finds the representative of an element's set.
func (v *view) root(e int) int {
	for v.elems[e].parent != e {
		v.elems[e].parent = v.elems[v.elems[e].parent].parent
		e = v.elems[e].parent
	}
	return e
}

// union joins two sets. The lower index stays the representative.
func (v *view) union(a, b int, why string, conf device.Confidence) {
	a, b = v.root(a), v.root(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
	}
	v.elems[b].parent = a
	v.elems[a].set = append(append(v.elems[a].set, b), v.elems[b].set...)
	v.elems[b].set = nil
	v.elems[a].joined = append(append(v.elems[a].joined, v.elems[b].joined...), join{why, conf})
	v.elems[b].joined = nil
}

// contradict reports that two elements have different values of something
// that one device has one of.
func (v *view) contradict(a, b int) bool {
	for _, attr := range []device.Attribute{device.AttrSerial, device.AttrEUI64, device.AttrUDI, device.AttrHostname, device.AttrAETitle} {
		x, y := v.values(a, attr), v.values(b, attr)
		if len(x) == 0 || len(y) == 0 {
			continue
		}
		common := false
		for s := range x {
			if y[s] {
				common = true
			}
		}
		if !common {
			return true
		}
	}
	return false
}

func (v *view) values(e int, attr device.Attribute) map[string]bool {
	var out map[string]bool
	v.elems[e].each(func(f *fact) {
		if f.attr == attr && f.conf >= device.Claimed {
			if out == nil {
				out = map[string]bool{}
			}
			out[strings.ToLower(f.value)] = true
		}
	})
	return out
}

// each calls do with every fact about the element itself. What its messages
// say about other devices is left out.
func (e *element) each(do func(*fact)) {
	for _, n := range e.nodes {
		for k := range n.facts {
			f := &n.facts[k]
			if ofOthers(f, e.many) {
				continue
			}
			do(f)
		}
	}
	if e.named != nil {
		for k := range e.named.facts {
			do(&e.named.facts[k])
		}
	}
}

// ofOthers reports that a fact was said by a device about another: one of
// several that its HL7 messages or FHIR writes name.
func ofOthers(f *fact, many bool) bool {
	switch f.attr {
	case device.AttrUDI, device.AttrEUI64, device.AttrVendor, device.AttrModel, device.AttrSerial, device.AttrDeviceID, device.AttrFirmware, device.AttrClass, device.AttrRegistration:
	default:
		return false
	}
	if !many {
		return false
	}
	if strings.HasPrefix(f.source, "fhir.device") {
		return true
	}
	return strings.HasPrefix(f.source, "hl7.") && !strings.HasPrefix(f.source, "hl7.sft") && !strings.HasPrefix(f.source, "hl7.msh") && f.source != "hl7.devices-behind"
}
