// SPDX-License-Identifier: Apache-2.0

package firewall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/durable"
)

// lookEvery is how often the file is looked at. It is read when it was the same twice: what is being written is not
// taken for what is meant.
const lookEvery = time.Second

// File is a firewall whose policy is in a file, that is read again when it changes, and can be replaced. Its methods may
// be called from any goroutine.
type File struct {
	*Firewall
	path string
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex // one change at a time
	loaded  time.Time
	problem error
	stamp   stamp
}

type stamp struct {
	size int64
	at   time.Time
}

// Open returns a firewall under the policy in a file. Without a path, or where the file is not there, the embedded policy is in force; one
// that cannot be used is an error, for what it was to stop would go through.
func Open(path string, d Deps, log *slog.Logger, now func() time.Time) (*File, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	f := &File{Firewall: New(Default(), d), path: path, log: log, now: now}
	f.loaded = now()
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// load reads the file. f.mu is held, or nobody else knows f.
func (f *File) load() error {
	if f.path == "" {
		return nil
	}
	f.stamp = f.look()
	p := Default()
	text, err := readLimited(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("the content firewall's policy: %w", err)
	default:
		if p, err = Parse(f.path, text); err != nil {
			return err
		}
	}
	if p.sum != f.Policy() {
		f.Firewall.Set(p)
		f.loaded = f.now()
	}
	return nil
}

func readLimited(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > config.MaxFile {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, config.MaxFile)
	}
	return os.ReadFile(path)
}

func (f *File) look() stamp {
	st, err := os.Stat(f.path)
	if err != nil {
		return stamp{}
	}
	return stamp{st.Size(), st.ModTime()}
}

// Reload reads the file again if it has changed. What cannot be used leaves the policy before in force.
func (f *File) Reload() error {
	if f.path == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.look() == f.stamp {
		return f.problem
	}
	was := f.Policy()
	if f.problem = f.load(); f.problem != nil {
		f.log.Error("the content firewall's policy was not taken over; the one before stays in force", "why", f.problem)
	} else if f.Policy() != was {
		f.log.Info("the content firewall's policy was read again", "sha256", f.Policy())
	}
	return f.problem
}

// Run reads the file again when it changes, until ctx ends.
func (f *File) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	before := f.look()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			now := f.look()
			if now == before {
				_ = f.Reload() // told by State
			}
			before = now
		}
	}
}

// Text returns the policy in force as it is written.
func (f *File) Text() string { return string(f.Current().text) }

// State says since when the policy is in force, and why a newer one is not.
func (f *File) State() control.PolicyState {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := control.PolicyState{SHA256: f.Policy(), Loaded: f.loaded, File: f.path, Rules: int(ruleCount)}
	if f.stamp == (stamp{}) {
		s.File = "" // the embedded policy
	}
	if f.problem != nil {
		s.Error = f.problem.Error()
	}
	return s
}

// Try returns a trial of another policy, with the same knowledge of devices, or what is wrong with the text.
func (f *File) Try(yaml string) (*Trial, []control.Problem) {
	p, err := Parse("policy", []byte(yaml))
	if err != nil {
		return nil, Problems(err)
	}
	return newTrial(p, f.deps), nil
}

// Problems takes an error of Parse apart.
func Problems(err error) []control.Problem {
	var all config.Errors
	if !errors.As(err, &all) {
		return []control.Problem{{What: err.Error()}}
	}
	out := make([]control.Problem, len(all))
	for i, e := range all {
		out[i] = control.Problem{Line: e.Line, Column: e.Column, Field: e.Field, What: e.Message, Hint: e.Hint}
	}
	return out
}

// Set writes another policy to the file, durably, and puts it in force. was is the SHA-256 of the one that it replaces; when that is
// not in force any more, or not in the file, the error is a *control.Refused of a conflict.
func (f *File) Set(yaml, was string) error {
	p, err := Parse("policy", []byte(yaml))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.path == "":
		return &control.Refused{Code: control.Conflict, What: "the policy is the embedded one: there is no file to write it to", Tip: "set a policy file in the gateway’s configuration"}
	case was != f.Policy() || !f.holds(was):
		return &control.Refused{Code: control.Changed, What: "somebody else changed the policy meanwhile", Tip: "load it again, and see whether the change is still meant"}
	}
	if err := durable.Write(f.path, p.text); err != nil {
		return fmt.Errorf("the content firewall's policy: %w", err)
	}
	f.problem = nil
	f.stamp = f.look()
	f.Firewall.Set(p)
	f.loaded = f.now()
	return nil
}

// holds reports that the file has the policy with a sum: nobody edited it since it was read. A file that is not there holds the embedded one, and
// one that could not be used may be replaced.
func (f *File) holds(sum string) bool {
	if f.problem != nil {
		return true
	}
	text, err := readLimited(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.stamp == (stamp{})
	}
	is := sha256.Sum256(text)
	return err == nil && hex.EncodeToString(is[:]) == sum
}
