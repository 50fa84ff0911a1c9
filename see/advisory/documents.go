// SPDX-License-Identifier: Apache-2.0

package advisory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/asepsis/asepsis/knowledge"
	"github.com/asepsis/asepsis/platform/store"
)

// Kinds of the documents in the store.
const (
	KindMatch     = "advisory.match"     // by device: Matches
	KindDecision  = "advisory.decision"  // by its ID: Decision
	KindImport    = "advisory.import"    // by its ID: Import
	KindKnowledge = "advisory.knowledge" // IDIndex: the packed index that counts; IDChanged, IDState
)

// IDs of KindKnowledge.
const (
	IDIndex   = "index"
	IDChanged = "changed" // written with every change of the others: its revision tells readers
	IDState   = "state"   // State, written with every pass
)

// State is what the last pass found.
type State struct {
	At        int64  `json:"at"` // ns
	Knowledge string `json:"knowledge"`
	Devices   int    `json:"devices"`
	Matches   int    `json:"matches"`
	Millis    int64  `json:"ms"`
}

// MaxImports bounds what people import.
const MaxImports = 5000

var shipped = sync.OnceValues(func() (*Index, error) { return Decode(knowledge.Index()) })

var shippedBase = sync.OnceValue(func() *Base {
	x, _ := Shipped()
	return NewBase(x)
})

// Shipped returns the index that the program carries, and its fingerprint. Nobody may
// change it.
func Shipped() (*Index, string) {
	x, err := shipped()
	if err != nil {
		panic("BUG: the shipped knowledge: " + err.Error())
	}
	return x, Fingerprint(knowledge.Index())
}

// Library reads what the store knows about advisories and keeps it until it changes. All
// methods may be called concurrently.
type Library struct {
	docs store.Documents

	mu        sync.Mutex
	base      *Base
	print     string
	changed   uint64
	ready     bool
	decisions []Decision
	imports   []Import
}

// NewLibrary makes one. It reads nothing yet.
func NewLibrary(docs store.Documents) *Library { return &Library{docs: docs} }

// Shelf is what a library holds at one moment. It never changes.
type Shelf struct {
	Base      *Base
	Print     string // fingerprint of the index
	Updated   bool   // the index is another than the shipped one
	Changed   uint64 // goes up with every change by a person
	Decisions []Decision
	Imports   []Import
}

// Get returns what the store holds now.
func (l *Library) Get(ctx context.Context) (Shelf, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rev, err := revisionOf(ctx, l.docs, IDChanged)
	if err != nil {
		return Shelf{}, err
	}
	if !l.ready || rev != l.changed {
		idx, err := l.docs.Document(ctx, KindKnowledge, IDIndex)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Shelf{}, err
		}
		if err := l.read(ctx, idx); err != nil {
			return Shelf{}, err
		}
		l.changed, l.ready = rev, true
	}
	_, own := Shipped()
	return Shelf{Base: l.base, Print: l.print, Updated: l.print != own, Changed: l.changed, Decisions: l.decisions, Imports: l.imports}, nil
}

func revisionOf(ctx context.Context, docs store.Documents, id string) (uint64, error) {
	d, err := docs.Document(ctx, KindKnowledge, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return d.Revision, err
}

func (l *Library) read(ctx context.Context, idx store.Document) error {
	x, print := Shipped()
	if len(idx.Body) > 0 {
		y, err := Decode(idx.Body)
		if err != nil {
			return err
		}
		if y.Pinned || !x.newer(y) {
			x, print = y, Fingerprint(idx.Body)
		}
	}
	var decisions []Decision
	err := eachDocument(ctx, l.docs, KindDecision, MaxDecisions, func(d store.Document) error {
		var one Decision
		if err := json.Unmarshal(d.Body, &one); err != nil {
			return err
		}
		one.ID, one.Revision = d.ID, d.Revision
		decisions = append(decisions, one)
		return nil
	})
	if err != nil {
		return err
	}
	imports := slices.Clone(x.Imports)
	var more []Advisory
	for i := range imports {
		if imports[i].Advisory != nil {
			more = append(more, *imports[i].Advisory)
		}
	}
	err = eachDocument(ctx, l.docs, KindImport, MaxImports, func(d store.Document) error {
		var one Import
		if err := json.Unmarshal(d.Body, &one); err != nil {
			return err
		}
		one.ID, one.Revision = d.ID, d.Revision
		if one.Advisory != nil {
			if err := one.Advisory.valid(); err != nil {
				return err
			}
			one.Advisory.Imported = true
			more = append(more, *one.Advisory)
		}
		imports = append(imports, one)
		return nil
	})
	if err != nil {
		return err
	}
	l.base, l.print, l.decisions, l.imports = NewBase(x, more...), print, decisions, imports
	return nil
}

// eachDocument reads all documents of a kind, at most so many.
func eachDocument(ctx context.Context, docs store.Documents, kind string, most int, f func(store.Document) error) error {
	after := ""
	for n := 0; n < most; {
		page, err := docs.DocumentsOf(ctx, kind, after, 1000)
		if err != nil {
			return err
		}
		for _, d := range page {
			if err := f(d); err != nil {
				return fmt.Errorf("document %s %s: %w", kind, d.ID, err)
			}
			after = d.ID
		}
		n += len(page)
		if len(page) < 1000 {
			return nil
		}
	}
	return nil
}

// AllMatches reads the verdicts of all devices.
func AllMatches(ctx context.Context, docs store.Documents, most int) (map[string]Matches, error) {
	out := map[string]Matches{}
	err := eachDocument(ctx, docs, KindMatch, most, func(d store.Document) error {
		var m Matches
		if err := json.Unmarshal(d.Body, &m); err != nil {
			return err
		}
		m.Device = d.ID
		out[d.ID] = m
		return nil
	})
	return out, err
}

// ReadState returns what the last pass found; a zero State before the first.
func ReadState(ctx context.Context, docs store.Documents) (State, uint64, error) {
	d, err := docs.Document(ctx, KindKnowledge, IDState)
	if errors.Is(err, store.ErrNotFound) {
		return State{}, 0, nil
	}
	if err != nil {
		return State{}, 0, err
	}
	var s State
	err = json.Unmarshal(d.Body, &s)
	return s, d.Revision, err
}

// Changed is the write that tells readers of a change; it belongs into the same commit.
func Changed() store.Write {
	return store.Write{Kind: KindKnowledge, ID: IDChanged, Expect: store.AnyRevision, Body: []byte(`{}`)}
}

// DecisionWrite is the write that keeps a decision.
func DecisionWrite(d Decision, expect uint64) (store.Write, error) {
	body, err := json.Marshal(d)
	return store.Write{Kind: KindDecision, ID: d.ID, Expect: expect, Body: body}, err
}

// ImportWrite is the write that keeps an import.
func ImportWrite(i Import) (store.Write, error) {
	body, err := json.Marshal(i)
	if err == nil && len(body) > MaxImport {
		err = fmt.Errorf("is larger than %d MiB when it is taken apart", MaxImport>>20)
	}
	return store.Write{Kind: KindImport, ID: i.ID, Expect: store.AnyRevision, Body: body}, err
}

// PartsOf returns the components that are known to be in a device, from SBOMs of the
// device itself and of its model.
func (s Shelf) PartsOf(vendor, model, id string, aliases []string) []Part {
	var out []Part
	for i := range s.Imports {
		m := &s.Imports[i]
		if m.SBOM == nil || !m.about(vendor, model, id, aliases) {
			continue
		}
		for _, c := range m.SBOM.Components {
			out = append(out, Part{Name: c.Name, Version: c.Version, Supplier: c.Supplier, SBOM: m.Title})
			if len(out) >= maxParts {
				return out
			}
		}
	}
	return slices.Clip(out)
}
