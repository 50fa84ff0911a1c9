// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/guard/gateway/firewall"
	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/config"
)

// lookEvery is how often the policy's file is looked at.
const lookEvery = 2 * time.Second

// PolicyFile is the content firewall with its policy in a file: without the file, the
// policy that is embedded. A file that is changed is put in force within seconds; one
// that cannot be used is not, and the policy before it stays.
type PolicyFile struct {
	*firewall.Firewall
	path string // "" for the embedded policy, which cannot be replaced then
	deps firewall.Deps
	log  *slog.Logger
	now  func() time.Time

	mu     sync.Mutex
	loaded time.Time
	failed string // why a newer file is not in force
	size   int64
	at     time.Time
}

var _ Firewall = (*PolicyFile)(nil)

// OpenPolicy makes the content firewall under the policy of a file. A file that is there
// and cannot be used is an error: what it was to forbid would be unknown.
func OpenPolicy(path string, deps firewall.Deps, log *slog.Logger, now func() time.Time) (*PolicyFile, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	f := &PolicyFile{path: path, deps: deps, log: log, now: now, loaded: now().UTC()}
	p, err := f.read()
	if err != nil {
		return nil, err
	}
	f.Firewall = firewall.New(p, deps)
	return f, nil
}

// read reads the file. The caller holds mu, or is alone.
func (f *PolicyFile) read() (*firewall.Policy, error) {
	if f.path == "" {
		return firewall.Default(), nil
	}
	st, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.size, f.at = 0, time.Time{}
		return firewall.Default(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("policy of the content firewall: %w", err)
	}
	f.size, f.at = st.Size(), st.ModTime()
	if st.Size() > maxPolicy {
		return nil, fmt.Errorf("policy of the content firewall: %s is longer than %d bytes", f.path, maxPolicy)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("policy of the content firewall: %w", err)
	}
	return firewall.Parse(f.path, text)
}

// Run looks at the file until ctx ends.
func (f *PolicyFile) Run(ctx context.Context) error {
	if f.path == "" {
		<-ctx.Done()
		return nil
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			f.Reload()
		}
	}
}

// Reload reads the file again when it changed.
func (f *PolicyFile) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return
	}
	var size int64
	var at time.Time
	if st, err := os.Stat(f.path); err == nil {
		size, at = st.Size(), st.ModTime()
	}
	if size == f.size && at.Equal(f.at) {
		return
	}
	p, err := f.read()
	if err != nil {
		f.size, f.at = size, at // said once for each change
		f.failed = err.Error()
		f.log.Error("the content firewall’s policy was not taken over; the one before stays in force", "why", err)
		return
	}
	f.put(p)
}

// put puts a policy in force. The caller holds mu.
func (f *PolicyFile) put(p *firewall.Policy) {
	f.failed = ""
	if p.SHA256() == f.Policy() {
		return
	}
	f.Firewall.Set(p)
	f.loaded = f.now().UTC()
	f.log.Info("the content firewall has another policy", "sha256", p.SHA256())
}

// Text implements Firewall.
func (f *PolicyFile) Text() string { return string(f.Current().YAML()) }

// State implements Firewall.
func (f *PolicyFile) State() control.PolicyState {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := control.PolicyState{SHA256: f.Policy(), Loaded: f.loaded, Rules: len(firewall.Rules()), Error: f.failed}
	if !f.at.IsZero() {
		s.File = f.path
	}
	return s
}

// Try implements Firewall.
func (f *PolicyFile) Try(yaml string) (instance.Inspector, []control.Problem) {
	p, err := firewall.Parse("policy.yaml", []byte(yaml))
	if err != nil {
		return nil, problems(err)
	}
	return firewall.New(p, f.deps), nil
}

// Set implements Firewall: the file first, durably.
func (f *PolicyFile) Set(yaml, was string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return &control.Refused{Code: control.Conflict, What: "the policy is the embedded one: there is no file to write it to", Tip: "set a policy file in the gateway’s configuration"}
	}
	if was != f.Policy() {
		return ErrPolicy
	}
	p, err := firewall.Parse(f.path, []byte(yaml))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256([]byte(yaml)); p.SHA256() != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("BUG: a policy’s sum is not that of its text")
	}
	if err := writeDurable(f.path, []byte(yaml)); err != nil {
		return fmt.Errorf("policy of the content firewall: %w", err)
	}
	if st, err := os.Stat(f.path); err == nil {
		f.size, f.at = st.Size(), st.ModTime()
	}
	f.put(p)
	return nil
}

// writeDurable replaces a file as a whole: after a power cut it is the old or the new one.
func writeDurable(path string, text []byte) error {
	dir := filepath.Dir(path)
	t, err := os.CreateTemp(dir, ".policy-*")
	if err != nil {
		return err
	}
	_, err = t.Write(text)
	if err = errors.Join(err, t.Sync(), t.Close()); err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		_ = os.Remove(t.Name())
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// problems are what is wrong with a policy, by place.
func problems(err error) []control.Problem {
	var list []control.Problem
	for _, e := range parts(err) {
		x := control.Problem{What: e.Error()}
		var c *config.Error
		if errors.As(e, &c) {
			x = control.Problem{Line: c.Line, Column: c.Column, Field: c.Field, What: c.Message, Hint: c.Hint}
		}
		list = append(list, x)
	}
	return list
}

// parts are the errors that were joined into one.
func parts(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the outermost
		var out []error
		for _, e := range j.Unwrap() {
			out = append(out, parts(e)...)
		}
		return out
	}
	return []error{err}
}
