// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/transparency-dev/tessera/api/layout"

	"github.com/asepsis/asepsis/prove/receipt"
)

// Status returns what there is to know about the log now.
func (l *Ledger) Status() (Status, error) {
	s, err := l.Reader.Status()
	if err != nil {
		return s, err
	}
	l.witness.mu.Lock()
	s.Witnesses = make([]Witness, len(l.witness.seen))
	for i, w := range l.witness.seen {
		s.Witnesses[i] = w.state
	}
	if s.Unwitnessed > 0 {
		s.UnwitnessedSince = l.witness.since
	}
	l.witness.mu.Unlock()
	s.PerMinute = l.rate.perMinute(l.deps.Now())
	s.Audit = l.audit.state()
	return s, nil
}

// Status returns what can be read from the disk: without what the writing process
// alone knows (rate, why witnesses failed).
func (r *Reader) Status() (Status, error) {
	s := Status{Origin: r.trust.Log.Name, Required: r.trust.Required, Witnesses: []Witness{}}
	var err error
	if s.Integrated, s.Size, err = r.sizes(); err != nil {
		return s, err
	}
	p, err := r.Published()
	if err != nil {
		return s, err
	}
	s.Published = checkpointOf(p, r.modified(filepath.Join(logDir, layout.CheckpointPath)))
	w, err := r.WitnessedCheckpoint()
	if err != nil {
		return s, err
	}
	s.Witnessed = checkpointOf(w, r.modified(witnessedFile))
	for _, k := range r.trust.Witnesses {
		x := Witness{Name: k.Name}
		for _, c := range w.Cosigned {
			if c.Witness == k.Name {
				x.Size, x.Last = w.Size, c.Time
			}
		}
		s.Witnesses = append(s.Witnesses, x)
	}
	if s.Required > 0 && s.Size > s.Witnessed.Size {
		s.Unwitnessed = s.Size - s.Witnessed.Size
		s.UnwitnessedSince = s.Witnessed.Time
	}
	s.Audit, err = readAudit(filepath.Join(r.dir, auditFile))
	return s, err
}

func checkpointOf(c receipt.Checkpoint, t time.Time) Checkpoint {
	if c.Body == nil {
		return Checkpoint{}
	}
	return Checkpoint{Size: c.Size, Root: base64.StdEncoding.EncodeToString(c.Root[:]), Time: t}
}

func (r *Reader) modified(name string) time.Time {
	st, err := os.Stat(filepath.Join(r.dir, name))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime().UTC()
}

// rate counts over the last five minutes, in steps of ten seconds.
type rate struct {
	mu    sync.Mutex
	slots [30]struct {
		step int64
		n    int
	}
	began time.Time
}

const rateStep = 10 * time.Second

func (r *rate) add(now time.Time, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = now
	}
	step := now.UnixNano() / int64(rateStep)
	s := &r.slots[step%int64(len(r.slots))]
	if s.step != step {
		s.step, s.n = step, 0
	}
	s.n += n
}

func (r *rate) perMinute(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := now.UnixNano() / int64(rateStep)
	sum := 0
	for _, s := range r.slots {
		if s.step > step-int64(len(r.slots)) && s.step <= step {
			sum += s.n
		}
	}
	window := min(max(now.Sub(r.began), rateStep), time.Duration(len(r.slots))*rateStep)
	return float64(sum) / window.Minutes()
}
