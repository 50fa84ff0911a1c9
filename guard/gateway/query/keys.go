// SPDX-License-Identifier: Apache-2.0

package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/wire/dicom"
)

// key is one attribute of an identifier.
type key struct {
	tag   dicom.Tag
	value string
}

// keys collects the attributes of an identifier with their values.
type keys struct {
	list  []key
	inner []key // in items of sequences
	many  bool  // more than are looked at
}

// maxKeys bounds an identifier.
const maxKeys = 512

var errKeys = fmt.Errorf("it has more than %d attributes", maxKeys)

// Header implements dicom.Visitor.
func (k *keys) Header(t *dicom.Token, _ dicom.Tag) int {
	switch {
	case t.Kind != dicom.Element:
		return 0
	case len(k.list)+len(k.inner) >= maxKeys:
		k.many = true
		return 0
	}
	return 256
}

// Value implements dicom.Visitor.
func (k *keys) Value(t *dicom.Token, parent dicom.Tag, b []byte) {
	e := key{t.Tag, dicom.TrimString(b)}
	if parent != 0 {
		k.inner = append(k.inner, e)
		return
	}
	k.list = append(k.list, e)
}

// parse reads an identifier. What cannot be read to its end, or looked at whole, is none.
func parse(b []byte, syntax string) (*keys, error) {
	s, _ := dicom.SyntaxOf(syntax)
	k := &keys{}
	var x dicom.Extractor
	x.Reset(s, dicom.DefaultLimits(), k)
	if err := x.Feed(b); err != nil {
		return nil, err
	}
	if err := x.Tokenizer().End(); err != nil {
		return nil, err
	}
	if k.many {
		return nil, errKeys
	}
	return k, nil
}

// get returns the value of an attribute, "" where it is not there.
func (k *keys) get(tag dicom.Tag) string {
	for _, e := range k.list {
		if e.tag == tag {
			return e.value
		}
	}
	return ""
}

// twice returns an attribute that stands twice: of two, the archive may look at the other.
func (k *keys) twice() (dicom.Tag, bool) {
	seen := make(map[dicom.Tag]bool, len(k.list))
	for _, e := range k.list {
		if seen[e.tag] {
			return e.tag, true
		}
		seen[e.tag] = true
	}
	return 0, false
}

// Attributes that say how to answer, not what is searched for (PS3.4 §C.4.1.1.3, §C.3.4).
func instructs(t dicom.Tag) bool {
	switch t {
	case tagCharacterSet, tagLevel, tagRetrieveAE, tagTimezone, tagQueryView:
		return true
	}
	return t.Element() == 0
}

// Tags of identifiers.
const (
	tagCharacterSet dicom.Tag = 0x00080005
	tagLevel        dicom.Tag = 0x00080052
	tagQueryView    dicom.Tag = 0x00080053
	tagRetrieveAE   dicom.Tag = 0x00080054
	tagTimezone     dicom.Tag = 0x00080201
	tagTransaction  dicom.Tag = 0x00081195
	tagReferenced   dicom.Tag = 0x00081199
	tagFailed       dicom.Tag = 0x00081198
	tagRefClass     dicom.Tag = 0x00081150
	tagRefInstance  dicom.Tag = 0x00081155
	tagReason       dicom.Tag = 0x00081197
	tagModality     dicom.Tag = 0x00080060
)

// The levels of a query (PS3.4 §C.6.1.1), the uppermost first.
const (
	atPatient = iota
	atStudy
	atSeries
	atImage
)

// level is that at which an identifier asks. Without one, or with one that is not known, the
// archive decides: then only the keys of the uppermost two are counted on.
func (k *keys) level() int {
	switch strings.ToUpper(k.get(tagLevel)) {
	case "PATIENT":
		return atPatient
	case "SERIES":
		return atSeries
	case "IMAGE":
		return atImage
	}
	return atStudy
}

// restricting are the keys by which an archive must be able to match (PS3.4 §C.6.1.1 and §C.6.2.1: unique and required),
// those that restrict next to nothing left out, with the level to which they belong, and the patient's date of birth, by which
// archives do. Any other an archive may ignore, and those of a level below that of the query it does ignore.
func restricting(t dicom.Tag) (level int, ok bool) {
	switch t {
	case dicom.TagPatientID, 0x00100010, 0x00100030:
		return atPatient, true
	case dicom.TagStudyInstanceUID, dicom.TagAccessionNumber, 0x00200010, 0x00080020:
		return atStudy, true
	case dicom.TagSeriesInstanceUID:
		return atSeries, true
	case dicom.TagSOPInstanceUID:
		return atImage, true
	}
	return 0, false
}

// policy returns what a device may ask for.
func (p *Proxy) policy(device string) Policy {
	for _, x := range p.cfg.Policies {
		if len(x.Devices) == 0 || slices.Contains(x.Devices, device) {
			if x.Results == 0 {
				x.Results = DefaultResults
			}
			if x.Literal == 0 {
				x.Literal = DefaultLiteral
			}
			return x
		}
	}
	return Policy{Results: DefaultResults, Literal: DefaultLiteral}
}

// check says why an identifier is not passed on, "" when it is. held: it must be restricted.
func (x *Policy) check(k *keys, held bool) string {
	if tag, twice := k.twice(); twice {
		return fmt.Sprintf("%s stands in it twice", nameOf(tag))
	}
	for _, e := range slices.Concat(k.list, k.inner) {
		if e.value != "" && !instructs(e.tag) && len(x.Keys) > 0 && !slices.Contains(x.Keys, dicom.Keyword(e.tag)) {
			return fmt.Sprintf("it may not be searched by %s", nameOf(e.tag))
		}
	}
	if !held || x.Unrestricted {
		return ""
	}
	level := k.level()
	if slices.ContainsFunc(k.list, func(e key) bool { return e.value != "" && !instructs(e.tag) && x.restricts(e, level) }) {
		return ""
	}
	return "no key restricts it: it asks for everybody"
}

func nameOf(t dicom.Tag) string {
	if name := dicom.Keyword(t); name != "" {
		return name
	}
	return t.String()
}

// restricts reports whether a key leaves out nearly everything at a level.
func (x *Policy) restricts(e key, level int) bool {
	at, known := restricting(e.tag)
	if named := slices.Contains(x.Keys, dicom.Keyword(e.tag)) && !broad(e.tag); !known && !named || known && at > level {
		return false
	}
	switch dicom.VROf(e.tag) {
	case dicom.DA, dicom.DT:
		return days(e.value) <= maxDays
	case dicom.TM:
		return false
	case dicom.UI:
		for uid := range strings.SplitSeq(e.value, `\`) {
			if !dicom.ValidUID(uid) {
				return false
			}
		}
		return true
	}
	for one := range strings.SplitSeq(e.value, `\`) { // some archives take each for a pattern of its own
		if literals(one) < x.Literal {
			return false
		}
	}
	return true
}

// broad reports keys that restrict nothing by themselves though a policy names them: a modality has millions of matches.
func broad(t dicom.Tag) bool {
	return t == tagModality || t == 0x00080061 || t == 0x00100040 || t == 0x00080016
}

// literals counts the characters that are no wildcard and that matching does not pass over.
func literals(s string) int {
	n := 0
	for _, c := range s {
		if c > ' ' && c != '*' && c != '?' && c != '^' && c != '=' {
			n++
		}
	}
	return n
}

// maxDays is how many days a date may leave open, and still restrict.
const maxDays = 31

// days is how many days a date or a range of dates has, more than maxDays where an end is open or cannot be read.
func days(v string) int {
	from, to, ranged := strings.Cut(v, "-")
	if !ranged {
		to = from
	}
	if len(from) < 8 || len(to) < 8 {
		return maxDays + 1
	}
	a, err1 := time.Parse("20060102", from[:8])
	b, err2 := time.Parse("20060102", to[:8])
	if err1 != nil || err2 != nil || b.Before(a) {
		return maxDays + 1
	}
	return int(b.Sub(a).Hours()/24) + 1
}
