// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
)

// Models are the information models that can be asked (PS3.4 §C.6, §K.6), by the words of the command line.
var models = map[string]struct{ uid, level string }{
	"patient":  {"1.2.840.10008.5.1.4.1.2.1.1", "PATIENT"},
	"study":    {"1.2.840.10008.5.1.4.1.2.2.1", "STUDY"},
	"worklist": {dicom.UIDModalityWorklistFind, ""},
}

// FindOptions say what is asked.
type FindOptions struct {
	Model string // patient, study or worklist
	Keys  []Key
	Limit int // matches after which the query is cancelled; 0: none
}

// Match is one match of a query.
type Match struct {
	Data   []byte // the identifier
	Syntax dicom.Syntax
}

// maxMatch bounds an identifier.
const maxMatch = 1 << 20

var errEnough = errors.New("as many matches as were asked for")

// Find asks the peer and calls each with every match. complete is false when Limit ended the query.
func Find(ctx context.Context, p Peer, o FindOptions, each func(*Match) error) (complete bool, err error) {
	m, ok := models[o.Model]
	if !ok {
		return false, fmt.Errorf("no information model %q: it is patient, study or worklist", o.Model)
	}
	keys := o.Keys
	level := func(k Key) bool { return len(k.Path) == 1 && k.Path[0] == dicom.TagQueryRetrieveLevel }
	if m.level != "" && !slices.ContainsFunc(keys, level) {
		keys = append([]Key{{Path: []dicom.Tag{dicom.TagQueryRetrieveLevel}, Value: m.level}}, keys...)
	}
	d := p.dialer()
	d.Contexts = []dicomnet.Proposal{{AbstractSyntax: m.uid, TransferSyntaxes: dicomnet.UncompressedSyntaxes()}}
	a, err := d.Dial(ctx, p.Address)
	if err != nil {
		return false, err
	}
	defer a.Abort() // does nothing after Release
	pc, err := a.Info().Select(m.uid, false)
	if err != nil {
		return false, err
	}
	s, _ := dicom.SyntaxOf(pc.TransferSyntax)
	var id bytes.Buffer
	if err := Identifier(&id, s, keys); err != nil {
		return false, err
	}
	n := 0
	_, err = a.Find(ctx, dicomnet.Query{SOPClass: m.uid, Identifier: &id}, func(r *dicomnet.Response) error {
		if r.Data == nil {
			return errors.New("a match without an identifier (PS3.4 §C.4.1.1.3.2)")
		}
		b, err := io.ReadAll(io.LimitReader(r.Data, maxMatch+1))
		if err != nil {
			return err
		}
		if len(b) > maxMatch {
			return fmt.Errorf("a match of more than %d bytes", maxMatch)
		}
		if err := each(&Match{b, s}); err != nil {
			return err
		}
		if n++; o.Limit > 0 && n >= o.Limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	return err == nil, a.Release(ctx)
}

// Values returns the text of the attributes at the paths of keys, "" where a match has none. In a sequence
// the first item counts.
func (m *Match) Values(keys []Key) ([]string, error) {
	out := make([]string, len(keys))
	r := dicom.NewReader(bytes.NewReader(m.Data), m.Syntax, dicom.DefaultLimits())
	var path []dicom.Tag // of sequences
	var items []int      // begun in each
	var charset dicom.CharacterSet
	for {
		t, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err
		}
		switch t.Kind {
		case dicom.SequenceStart:
			path, items = append(path, t.Tag), append(items, 0)
		case dicom.SequenceEnd:
			path, items = path[:len(path)-1], items[:len(items)-1]
		case dicom.ItemStart:
			items[len(items)-1]++
		case dicom.Element:
			v, err := r.Value(dicom.MaxKeep)
			if err != nil {
				return out, err
			}
			if t.Tag == dicom.TagSpecificCharacterSet && len(path) == 0 {
				charset = dicom.ParseCharacterSet(v)
			}
			if slices.ContainsFunc(items, func(n int) bool { return n > 1 }) {
				continue
			}
			for i, k := range keys {
				if k.Path[len(k.Path)-1] == t.Tag && slices.Equal(k.Path[:len(k.Path)-1], path) {
					out[i] = charset.Decode(v)
				}
			}
		}
	}
}
