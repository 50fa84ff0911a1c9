// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/wire/dicom"
)

// Key is an attribute that is asked for: its path through sequences, and the value that must match ("": any).
type Key struct {
	Path  []dicom.Tag
	Value string
}

// maxPath bounds how deep keys may lie.
const maxPath = 8

// ParseKey reads a key as people write it: "PatientID", "PatientID=FICT*", "0010,0020=FICT*",
// "ScheduledProcedureStepSequence.Modality=CT" (DCMTK's "ScheduledProcedureStepSequence[0].Modality" too).
func ParseKey(s string) (Key, error) {
	path, value, _ := strings.Cut(s, "=")
	k := Key{Value: value}
	parts := strings.Split(path, ".")
	if len(parts) > maxPath {
		return k, fmt.Errorf("key %q: more than %d levels", s, maxPath)
	}
	for i, p := range parts {
		t, err := ParseTag(strings.TrimSuffix(p, "[0]"))
		if err != nil {
			return k, fmt.Errorf("key %q: %w", s, err)
		}
		if i < len(parts)-1 && dicom.VROf(t) != dicom.SQ {
			return k, fmt.Errorf("key %q: %s is no sequence", s, p)
		}
		k.Path = append(k.Path, t)
	}
	if last := k.Path[len(k.Path)-1]; dicom.VROf(last) == dicom.SQ && value != "" {
		return k, fmt.Errorf("key %q: a sequence has no value; name what is in it: %s.Modality=CT", s, path)
	}
	return k, nil
}

// tagError is a tag or keyword that cannot be read.
type tagError struct{ what, hint string }

func (e *tagError) Error() string { return e.what }
func (e *tagError) Hint() string  { return e.hint }

// ParseTag reads a keyword of PS3.6 or a tag: "PatientID", "0010,0020", "(0010,0020)", "00100020".
func ParseTag(s string) (dicom.Tag, error) {
	if t, ok := dicom.TagOf(s); ok {
		return t, nil
	}
	digits := strings.NewReplacer("(", "", ")", "", ",", "").Replace(s)
	if n, err := strconv.ParseUint(digits, 16, 32); err == nil && len(digits) == 8 {
		return dicom.Tag(n), nil
	}
	return 0, &tagError{fmt.Sprintf("%q is neither a keyword nor a tag", s), "keywords are those of PS3.6, such as PatientID; tags look like 0010,0020"}
}

// node is a level of the identifier.
type node struct {
	value    string
	children map[dicom.Tag]*node
}

// Identifier writes keys as the data set of a query, in order, sequences with one item each.
func Identifier(w io.Writer, s dicom.Syntax, keys []Key) error {
	root := &node{children: map[dicom.Tag]*node{}}
	ascii := true
	for _, k := range keys {
		at := root
		for _, t := range k.Path {
			next := at.children[t]
			if next == nil {
				next = &node{children: map[dicom.Tag]*node{}}
				at.children[t] = next
			}
			at = next
		}
		at.value = k.Value
		ascii = ascii && strings.IndexFunc(k.Value, func(r rune) bool { return r > 0x7E }) < 0
	}
	if !ascii && root.children[dicom.TagSpecificCharacterSet] == nil {
		root.children[dicom.TagSpecificCharacterSet] = &node{value: "ISO_IR 192"}
	}
	out := dicom.NewWriter(w, s)
	err := root.write(out)
	return errors.Join(err, out.Close())
}

func (n *node) write(w *dicom.Writer) error {
	tags := make([]dicom.Tag, 0, len(n.children))
	for t := range n.children {
		tags = append(tags, t)
	}
	slices.Sort(tags)
	for _, t := range tags {
		c := n.children[t]
		vr := dicom.VROf(t)
		switch {
		case len(c.children) > 0:
			var err error
			w.Sequence(t, func() { err = c.write(w) })
			if err != nil {
				return err
			}
		case vr == dicom.SQ:
			w.Sequence(t, func() {}) // PS3.4 §C.2.2.2.6: an empty item asks for all of it
		case c.value == "":
			w.Bytes(t, vr, nil)
		case vr.Text() || vr == dicom.UI:
			w.Text(t, vr, strings.Split(c.value, `\`)...)
		case vr == dicom.US || vr == dicom.SS:
			v, err := strconv.ParseInt(c.value, 10, 17)
			if err != nil {
				return fmt.Errorf("key %s: %q is no number of 16 bits", dicom.Keyword(t), c.value)
			}
			w.Uint16(t, vr, uint16(v))
		case vr == dicom.UL || vr == dicom.SL:
			v, err := strconv.ParseInt(c.value, 10, 33)
			if err != nil {
				return fmt.Errorf("key %s: %q is no number of 32 bits", dicom.Keyword(t), c.value)
			}
			w.Uint32(t, vr, uint32(v))
		default:
			return fmt.Errorf("key %s: a value of VR %v cannot be asked for", dicom.Keyword(t), vr)
		}
	}
	return w.Err()
}
