// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// RetrieveOptions say what is retrieved (PS3.4 §C.4.2, §C.4.3).
type RetrieveOptions struct {
	Model string // patient or study
	// Keys name what is retrieved. Where they are not the unique keys of a level alone, such as a study's UID, the peer
	// is asked first (C-FIND) what they match, and all of that is retrieved.
	Keys []Key
	// Limit is how many matches may be retrieved; 0: any number. More are an error, before anything is retrieved.
	Limit int
	// Wait is how long the peer may say and send nothing while it retrieves.
	Wait time.Duration
	// Progress, when not nil, is called now and then, by one goroutine at a time; total is 0 while the peer does not say it.
	Progress func(done, total int, bytes int64)
}

// DefaultWait is Wait where it is 0.
const DefaultWait = 5 * time.Minute

// model is an information model in which one can retrieve.
type model struct {
	move, get string
	first     int // level
}

var retrievals = map[string]model{
	"patient": {"1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.1.3", 0},
	"study":   {"1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3", 1},
}

// levels are those of a query, with the unique key of each (PS3.4 §C.6.1.1, §C.6.2.1).
var levels = [...]struct {
	name   string
	unique dicom.Tag
}{{"PATIENT", dicom.TagPatientID}, {"STUDY", dicom.TagStudyInstanceUID}, {"SERIES", dicom.TagSeriesInstanceUID}, {"IMAGE", dicom.TagSOPInstanceUID}}

// request is one retrieval: a level, and the unique keys down to it.
type request struct {
	keys     []Key
	answered bool  // and yet not all of it came
	broken   error // why the association ended before an answer
}

// hinted is an error with what a person can do about it.
type hinted struct {
	error
	hint string
}

func (e *hinted) Hint() string  { return e.hint }
func (e *hinted) Unwrap() error { return e.error }

// target is what keys ask for.
type target struct {
	level  int
	unique []Key // down to the level; without a value where none was given
	others []Key // that match something else
}

func (o *RetrieveOptions) target() (target, error) {
	m, ok := retrievals[o.Model]
	if !ok {
		return target{}, fmt.Errorf("no information model %q to retrieve in: it is patient or study", o.Model)
	}
	values := map[dicom.Tag]string{}
	t := target{level: -1}
	deepest := m.first
	for _, k := range o.Keys {
		at := slices.IndexFunc(levels[m.first:], func(l struct {
			name   string
			unique dicom.Tag
		}) bool {
			return len(k.Path) == 1 && k.Path[0] == l.unique
		})
		switch {
		case len(k.Path) == 1 && k.Path[0] == dicom.TagQueryRetrieveLevel:
			for i, l := range levels {
				if l.name == k.Value && i >= m.first {
					t.level = i
				}
			}
			if t.level < 0 {
				return t, &hinted{fmt.Errorf("no level %q in the %s model", k.Value, o.Model), "levels are PATIENT (with --model patient), STUDY, SERIES and IMAGE"}
			}
		case k.Value == "": // nothing comes back from a retrieval
		case at >= 0:
			values[k.Path[0]] = k.Value
			deepest = max(deepest, m.first+at)
		default:
			t.others = append(t.others, k)
		}
	}
	if t.level < 0 {
		t.level = deepest
	}
	if deepest > t.level {
		return t, fmt.Errorf("%s is below the level %s", dicom.Keyword(levels[deepest].unique), levels[t.level].name)
	}
	if len(values)+len(t.others) == 0 {
		return t, &hinted{errors.New("nothing says what to retrieve"), "give a key with a value: -k StudyInstanceUID=1.2.3, or -k PatientID=FICT-0001"}
	}
	for _, l := range levels[m.first : t.level+1] {
		t.unique = append(t.unique, Key{Path: []dicom.Tag{l.unique}, Value: values[l.unique]})
	}
	return t, nil
}

// direct reports keys that a retrieval takes as they are: one value of each level above, one or several of the last.
func (t *target) direct() bool {
	for i, k := range t.unique {
		if k.Value == "" || strings.ContainsAny(k.Value, "*?") || i+1 < len(t.unique) && strings.Contains(k.Value, `\`) {
			return false
		}
	}
	return len(t.others) == 0
}

// resolve returns the retrievals that keys stand for.
func (o *RetrieveOptions) resolve(ctx context.Context, p Peer) ([]request, error) {
	t, err := o.target()
	if err != nil {
		return nil, err
	}
	level := Key{Path: []dicom.Tag{dicom.TagQueryRetrieveLevel}, Value: levels[t.level].name}
	if t.direct() {
		return []request{{keys: append([]Key{level}, t.unique...)}}, nil
	}
	var out []request
	seen := map[string]bool{}
	f := FindOptions{Model: o.Model, Keys: slices.Concat([]Key{level}, t.unique, t.others)}
	_, err = Find(ctx, p, f, func(m *Match) error {
		v, err := m.Values(t.unique)
		if err != nil {
			return err
		}
		r := request{keys: []Key{level}}
		for i, k := range t.unique {
			if v[i] == "" {
				return fmt.Errorf("a match without %s (PS3.4 §C.4.1.1.3.2)", dicom.Keyword(k.Path[0]))
			}
			r.keys = append(r.keys, Key{Path: k.Path, Value: v[i]})
		}
		if s := strings.Join(v, `\`); !seen[s] {
			seen[s] = true
			out = append(out, r)
		}
		if o.Limit > 0 && len(out) > o.Limit { // not Find's limit, which counts what is there twice
			return errEnough
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("find what to retrieve: %w", err)
	case o.Limit > 0 && len(out) > o.Limit:
		return nil, &hinted{fmt.Errorf("the keys match more than %d %s", o.Limit, map[string]string{"PATIENT": "patients", "STUDY": "studies", "SERIES": "series", "IMAGE": "images"}[level.Value]),
			"give more keys, or a higher --limit"}
	}
	return out, nil
}

// answer is what came of one retrieval, as the peer says.
type answer struct {
	completed, failed, warnings int
	missing                     []string // SOP instances (0008,0058)
	err                         error
}

// asked sends one retrieval and reads the answers to it.
func asked(ctx context.Context, a *dicomnet.Association, class, destination string, r *request, w *watch, each func(done, total int)) (answer, error) {
	pc, err := a.Info().Select(class, false)
	if err != nil {
		return answer{}, err
	}
	s, _ := dicom.SyntaxOf(pc.TransferSyntax)
	var id bytes.Buffer
	if err := Identifier(&id, s, r.keys); err != nil {
		return answer{}, err
	}
	var out answer
	take := func(rsp *dicomnet.Response) error {
		w.touch()
		c := &rsp.Command
		if c.Present&(dimse.HasCompleted|dimse.HasFailed|dimse.HasWarning) != 0 {
			out.completed, out.failed, out.warnings = int(c.Completed), int(c.Failed), int(c.Warning)
			done := out.completed + out.failed + out.warnings
			each(done, done+int(c.Remaining))
		}
		if rsp.Data == nil {
			return nil
		}
		var err error
		out.missing, err = failedInstances(rsp.Data, s)
		return err
	}
	q := dicomnet.Query{SOPClass: class, Identifier: &id, Destination: destination}
	final := dimse.Command{}
	if destination == "" {
		final, err = a.Get(ctx, q, take)
	} else {
		final, err = a.Move(ctx, q, take)
	}
	var status *dicomnet.StatusError
	switch {
	case errors.As(err, &status): // the association can still be used
		out.err, err = err, nil
	case err == nil && final.Status.Category() == dimse.Cancel:
		err = errors.New("the peer cancelled the retrieval")
	case err != nil && ctx.Err() != nil: // why it was ended, not how the peer took that
		err = context.Cause(ctx)
	}
	return out, err
}

// maxFailed bounds the list of what could not be sent.
const maxFailed = 4 << 20

// failedInstances reads Failed SOP Instance UID List (0008,0058) out of a response. What is no UID is left out.
func failedInstances(src io.Reader, s dicom.Syntax) (out []string, err error) {
	r := dicom.NewReader(io.LimitReader(src, maxFailed), s, dicom.DefaultLimits())
	for {
		t, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, fmt.Errorf("the list of instances that were not sent: %w", err)
		case t.Kind != dicom.Element || t.Depth != 0 || t.Tag != tagFailedInstances:
			continue
		}
		v, err := r.Value(maxFailed)
		if err != nil {
			return out, err
		}
		for uid := range strings.SplitSeq(string(v), `\`) {
			if uid = strings.Trim(uid, " \x00"); dicom.ValidUID(uid) {
				out = append(out, uid)
			}
		}
	}
}

const tagFailedInstances dicom.Tag = 0x00080058

// watch ends a retrieval in which nothing happens any more.
type watch struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// newWatch returns a context that ends with ctx, and with a cause that is a dicomnet.ErrTimeout when touch was not called for as long as limit.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	limit = cmp.Or(limit, DefaultWait)
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watch{limit, time.AfterFunc(limit, func() {
		cancel(&hinted{fmt.Errorf("%w: the peer said and sent nothing for %v", dicomnet.ErrTimeout, limit), "an archive that must fetch from slow storage first may need a longer --wait"})
	}), cancel}
}

// touch says that something happened. It may be called by several goroutines.
func (w *watch) touch() { w.timer.Reset(w.limit) }

// stop must be called once nothing is waited for.
func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}
