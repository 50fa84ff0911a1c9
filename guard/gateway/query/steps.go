// SPDX-License-Identifier: Apache-2.0

package query

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/core/theatre"
	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/wire/dicom"
)

// steps are the performed procedure steps that modalities told of, by SOP instance UID: what
// goes on in which room. A step that is begun or has ended is written before its device gets an answer; how many
// instances were held because of it is written within seconds. A file that cannot be written costs
// what it would have kept, and no answer to a device.
type steps struct {
	file string // "" keeps them in memory alone
	log  *slog.Logger
	now  func() time.Time
	// room says what the theatre board has: the state, "" where nobody knows, and since when. May be nil.
	room    func(id string) (theatre.State, time.Time)
	changed func()

	writing sync.Mutex // one writer; what it writes is what it finds under mu

	mu     sync.Mutex
	all    map[string]control.ProcedureStep
	dirty  bool // something is not written yet
	failed bool // the last write did; it is said once
}

// How long a procedure step counts.
const (
	longestStep = 6 * time.Hour    // one that nobody ends: a device that was switched off must not hold up the next case
	afterStep   = 30 * time.Minute // images of it still come
)

// Bounds of steps.
const (
	maxSteps       = 2_000
	maxDeviceSteps = 16 // of one device: who begins more pushes its own out, never another's
	maxStepsFile   = 8 << 20
	boardEvery     = 2 * time.Second // how often rooms are compared with the theatre board
)

func openSteps(dir string, log *slog.Logger, now func() time.Time) *steps {
	s := &steps{log: log, now: now, changed: func() {}, all: map[string]control.ProcedureStep{}}
	if dir == "" {
		return s
	}
	s.file = filepath.Join(dir, "steps.json")
	if err := s.read(); err != nil {
		s.log.Error("the procedure steps that were in progress cannot be read: images of another patient are not held until the next step begins", "file", s.file, "why", err, "hint", "see which case is in which room; the file is written anew")
	}
	return s
}

// stepsFile is what is kept. It names patients by pseudonym alone.
type stepsFile struct {
	Steps []control.ProcedureStep `json:"steps"`
}

func (s *steps) read() error {
	f, err := os.Open(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxStepsFile+1))
	if err != nil {
		return err
	}
	if len(b) > maxStepsFile {
		return fmt.Errorf("it is longer than %d bytes", maxStepsFile)
	}
	var kept stepsFile
	if err := json.Unmarshal(b, &kept); err != nil {
		return err
	}
	now := s.now()
	for _, x := range kept.Steps[:min(len(kept.Steps), maxSteps)] {
		// A clock that was set back must not make a step of hours one of years.
		if most := now.Add(longestStep); x.Until.After(most) {
			x.Until = most
		}
		if dicom.ValidUID(x.UID) && x.Theatre != "" && x.Patient != "" && now.Before(x.Until) {
			s.all[x.UID] = x
		}
	}
	return nil
}

// write makes the steps durable.
func (s *steps) write() error {
	if s.file == "" {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	list := s.sorted()
	s.dirty = false
	s.mu.Unlock()
	err := s.replace(list)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !s.failed {
		s.log.Error("the procedure steps in progress could not be written; after a restart they would not be known", "why", err, "hint", "see the disk that the gateway's directory is on")
	}
	if s.failed = err != nil; s.failed {
		s.dirty = true
	}
	return err
}

// replace replaces the file as a whole: after a power cut it is the old or the new one.
func (s *steps) replace(list []control.ProcedureStep) error {
	b, err := json.Marshal(stepsFile{list})
	if err != nil {
		return err
	}
	return durable.Write(s.file, b)
}

// keep writes what a device told. It is answered also where that fails: the room's case is known as long as the process runs.
func (s *steps) keep() {
	_ = s.write() // it is said, and tried again
	s.changed()
}

// sorted are all steps that count, the newest first. The caller holds mu.
func (s *steps) sorted() []control.ProcedureStep {
	s.expire()
	return slices.SortedFunc(maps.Values(s.all), newestFirst)
}

// expire forgets those that count no more. The caller holds mu.
func (s *steps) expire() {
	now := s.now()
	maps.DeleteFunc(s.all, func(_ string, x control.ProcedureStep) bool { return !now.Before(x.Until) })
}

func newestFirst(a, b control.ProcedureStep) int {
	return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.UID, b.UID))
}

func (s *steps) list() []control.ProcedureStep {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

// finish ends a step. The caller holds mu.
func (s *steps) finish(x control.ProcedureStep, how string) control.ProcedureStep {
	now := s.now().UTC()
	x.Ended, x.Until, x.How = now, now.Add(afterStep), how
	s.all[x.UID] = x
	return x
}

// begin notes that a procedure step was begun in a room. What the same device began before
// and did not end is over: a device does one at a time.
func (s *steps) begin(uid, device, room, patient string) {
	if !dicom.ValidUID(uid) || room == "" || patient == "" {
		return
	}
	s.mu.Lock()
	if x, there := s.all[uid]; there && x.Device != device {
		s.mu.Unlock()
		s.log.Warn("a device began a procedure step that another one has begun; it is left as it is", "device", device, "of", x.Device)
		return
	}
	s.expire()
	var own []control.ProcedureStep
	for _, x := range s.all {
		if x.Device == device && x.UID != uid {
			own = append(own, x)
		}
	}
	slices.SortFunc(own, newestFirst)
	for i, x := range own {
		if i >= maxDeviceSteps-1 {
			delete(s.all, x.UID)
		} else if x.Ended.IsZero() {
			s.finish(x, control.StepFollowed)
		}
	}
	if len(s.all) >= maxSteps {
		s.mu.Unlock()
		s.log.Error("too many procedure steps are known; another one is not noted", "device", device, "steps", maxSteps)
		return
	}
	now := s.now().UTC()
	s.all[uid] = control.ProcedureStep{UID: uid, Device: device, Theatre: room, Patient: patient, Began: now, Until: now.Add(longestStep)}
	s.mu.Unlock()
	s.keep()
}

// end notes that a device completed a step or gave it up: the one that began it.
func (s *steps) end(uid, device, how string) {
	s.mu.Lock()
	x, ok := s.all[uid]
	if ok = ok && x.Ended.IsZero() && x.Device == device; ok {
		s.finish(x, how)
	}
	s.mu.Unlock()
	if ok {
		s.keep()
	}
}

// endBy ends a step for a person, durably.
func (s *steps) endBy(uid, user string) (control.ProcedureStep, bool, error) {
	s.mu.Lock()
	was, ok := s.all[uid]
	if !ok || !was.Ended.IsZero() || !s.now().Before(was.Until) {
		s.mu.Unlock()
		return was, false, nil
	}
	x := was
	x.By = user
	x = s.finish(x, control.StepByPerson)
	s.mu.Unlock()
	if err := s.write(); err != nil {
		s.mu.Lock()
		if s.all[uid] == x {
			s.all[uid] = was
		}
		s.mu.Unlock()
		return was, true, fmt.Errorf("the end of a procedure step could not be written: %w", err)
	}
	s.changed()
	return x, true, nil
}

// hold counts an instance for every step that is in progress in a room.
func (s *steps) hold(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for uid, x := range s.all {
		if x.Theatre == room && x.Ended.IsZero() && now.Before(x.Until) {
			x.Held++
			s.all[uid], s.dirty = x, true
		}
	}
}

func (s *steps) inRoom(room string) (patients []string, known bool) {
	if room == "" {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, x := range s.all {
		if x.Theatre != room || !now.Before(x.Until) {
			continue
		}
		known = known || x.Ended.IsZero()
		if !slices.Contains(patients, x.Patient) {
			patients = append(patients, x.Patient)
		}
	}
	slices.Sort(patients)
	return patients, known
}

// board ends what is in progress in rooms whose case ended after it began, as people or the theatre's
// schedule say: a device that never ends its step holds up nobody. A room of which the board
// knows nothing is left as its devices have it.
func (s *steps) board() {
	if s.room == nil {
		return
	}
	ended := false
	s.mu.Lock()
	for _, x := range s.sorted() {
		if !x.Ended.IsZero() {
			continue
		}
		state, since := s.room(x.Theatre)
		if (state == theatre.Idle || state == theatre.Maintenance) && since.After(x.Began) {
			s.finish(x, control.StepCaseEnded)
			ended = true
		}
	}
	s.mu.Unlock()
	if ended {
		s.keep()
	}
}

// run compares with the board and writes what was counted, until ctx ends.
func (s *steps) run(ctx context.Context) {
	t := time.NewTicker(boardEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			s.flush()
			return
		case <-t.C:
			s.board()
			s.flush()
		}
	}
}

// flush writes what is not written yet.
func (s *steps) flush() {
	s.mu.Lock()
	dirty := s.dirty
	s.mu.Unlock()
	if dirty {
		s.keep()
	}
}
