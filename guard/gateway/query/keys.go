// SPDX-License-Identifier: Apache-2.0

package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// key is one attribute of an identifier.
type key struct {
	tag   dicom.Tag
	value string
}

// keys collects the attributes of an identifier with their values.
type keys struct {
	list []key
}

// maxKeys bounds an identifier.
const maxKeys = 512

// Header implements dicom.Visitor.
func (k *keys) Header(t *dicom.Token, _ dicom.Tag) int {
	if t.Kind != dicom.Element || len(k.list) >= maxKeys {
		return 0
	}
	return 256
}

// Value implements dicom.Visitor.
func (k *keys) Value(t *dicom.Token, _ dicom.Tag, b []byte) {
	k.list = append(k.list, key{t.Tag, dicom.TrimString(b)})
}

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

// broad reports keys that restrict nothing by themselves: a modality or a level has millions of matches.
func broad(t dicom.Tag) bool {
	return t == tagModality || t == 0x00080061 || t == 0x00100040 || t == 0x00080016
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

// check says why an identifier is not passed on, "" when it is.
func (x *Policy) check(k *keys) string {
	restricted := false
	for _, e := range k.list {
		if instructs(e.tag) || e.value == "" {
			continue
		}
		if name := dicom.Keyword(e.tag); len(x.Keys) > 0 && !slices.Contains(x.Keys, name) {
			if name == "" {
				name = e.tag.String()
			}
			return fmt.Sprintf("it may not be searched by %s", name)
		}
		restricted = restricted || restricts(e, x.Literal)
	}
	if !restricted && !x.Unrestricted {
		return "no key restricts it: it asks for everybody"
	}
	return ""
}

// restricts reports whether a key leaves out nearly everything.
func restricts(e key, literal int) bool {
	if broad(e.tag) {
		return false
	}
	switch dicom.VROf(e.tag) {
	case dicom.DA, dicom.DT:
		from, to, ranged := strings.Cut(e.value, "-")
		return !ranged || from != "" && to != ""
	case dicom.TM:
		return false
	case dicom.UI:
		return dicom.ValidUID(strings.Split(e.value, `\`)[0])
	}
	n := 0
	for _, c := range e.value {
		if c != '*' && c != '?' && c != '^' && c != ' ' && c != '=' {
			n++
		}
	}
	return n >= literal
}
