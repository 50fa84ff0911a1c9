// SPDX-License-Identifier: Apache-2.0

package query

import (
	"fmt"
	"io"

	"github.com/asepsis/asepsis/wire/dicom"
)

// transaction is what a request for storage commitment, or a report of it, holds.
type transaction struct {
	transaction string
	refs        []reference
	done        []string
	failed      []string
}

// reference is one instance of it.
type reference struct {
	Class    string `json:"class"`
	Instance string `json:"instance"`
}

// maxReferences bounds a transaction.
const maxReferences = 20_000

// referenceReader is a dicom.Visitor.
type referenceReader struct {
	t      transaction
	last   reference
	lastIn dicom.Tag
	many   bool
}

func (x *referenceReader) Header(t *dicom.Token, parent dicom.Tag) int {
	if t.Kind == dicom.ItemStart {
		x.flush()
		x.lastIn = t.Tag
	}
	if t.Kind != dicom.Element {
		return 0
	}
	switch {
	case t.Tag == tagTransaction && parent == 0, (t.Tag == tagRefClass || t.Tag == tagRefInstance) && (parent == tagReferenced || parent == tagFailed):
		return dicom.MaxUID + 2
	}
	return 0
}

func (x *referenceReader) Value(t *dicom.Token, parent dicom.Tag, b []byte) {
	v := dicom.TrimString(b)
	if !dicom.ValidUID(v) {
		return
	}
	switch t.Tag {
	case tagTransaction:
		x.t.transaction = v
	case tagRefClass:
		x.last.Class, x.lastIn = v, parent
	case tagRefInstance:
		x.last.Instance, x.lastIn = v, parent
	}
}

func (x *referenceReader) flush() {
	if x.last.Instance == "" {
		return
	}
	if len(x.t.refs) >= maxReferences {
		x.many = true
		return
	}
	x.t.refs = append(x.t.refs, x.last)
	if x.lastIn == tagFailed {
		x.t.failed = append(x.t.failed, x.last.Instance)
	} else {
		x.t.done = append(x.t.done, x.last.Instance)
	}
	x.last = reference{}
}

func parseReport(b []byte, syntax string) (transaction, error) {
	s, _ := dicom.SyntaxOf(syntax)
	v := &referenceReader{}
	var x dicom.Extractor
	x.Reset(s, dicom.DefaultLimits(), v)
	err := x.Feed(b)
	if err == nil {
		err = x.Tokenizer().End()
	}
	v.flush()
	if v.many && err == nil {
		err = fmt.Errorf("more than %d instances", maxReferences)
	}
	return v.t, err
}

// writeReport makes the data set of an N-EVENT-REPORT (PS3.4 §J.3.3).
func writeReport(w io.Writer, syntax, uid string, done []reference, bad []failure) error {
	s, _ := dicom.SyntaxOf(syntax)
	d := dicom.NewWriter(w, s)
	d.Text(tagTransaction, dicom.UI, uid)
	if len(bad) > 0 {
		items := make([]func(), len(bad))
		for i, f := range bad {
			items[i] = func() {
				d.Text(tagRefClass, dicom.UI, f.Class)
				d.Text(tagRefInstance, dicom.UI, f.Instance)
				d.Uint16(tagReason, dicom.US, f.Reason)
			}
		}
		d.Sequence(tagFailed, items...)
	}
	if len(done) > 0 {
		items := make([]func(), len(done))
		for i, f := range done {
			items[i] = func() {
				d.Text(tagRefClass, dicom.UI, f.Class)
				d.Text(tagRefInstance, dicom.UI, f.Instance)
			}
		}
		d.Sequence(tagReferenced, items...)
	}
	return d.Close()
}
