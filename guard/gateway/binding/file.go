// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/control"
	"github.com/asepsis/asepsis/platform/config"
	"github.com/asepsis/asepsis/platform/durable"
)

// lookEvery is how often the file is looked at. It is read when it was the same twice: what is being written is not
// taken for what is meant.
const lookEvery = time.Second

// content is the file.
type content struct {
	Bindings []entry `yaml:"bindings" doc:"What each device may do. A device that is not listed may do nothing."`
}

// entry is control.Binding with what each field is for.
type entry struct {
	Device       string   `yaml:"device" doc:"Device ID: that of its certificate."`
	Name         string   `yaml:"name" doc:"What people call it."`
	Plain        bool     `yaml:"plain" doc:"It may come in clear, known by address and AE title alone. A standing finding."`
	CallingAE    []string `yaml:"calling_ae" doc:"Its own AE titles: store and query may differ."`
	CalledAE     []string `yaml:"called_ae" doc:"The AE titles of the gateway that it may call; empty: all."`
	Addresses    []string `yaml:"addresses" doc:"Addresses or prefixes that it may come from; empty: any, not for plain."`
	SOPClasses   []string `yaml:"sop_classes" doc:"UIDs, groups such as ct and ultrasound, or private; empty: all registered storage classes."`
	Operations   []string `yaml:"operations" doc:"echo, store, find, move, get, worklist, mpps, commitment, qido, wado, stow."`
	Destinations []string `yaml:"destinations" doc:"AE titles that its C-MOVE may name."`
	Theatre      string   `yaml:"theatre" doc:"The theatre that it is in."`
	OnRevocation string   `yaml:"on_revocation" doc:"What a revocation does to its open connections: cut, finish (the default) or alarm."`
}

// Parse reads a bindings file. name stands for it in errors, which are config.Errors with lines.
func Parse(name string, text []byte) (*Set, error) {
	var set *Set
	_, err := config.DecodeChecked(name, text, content{}, func(c *content) error {
		list := make([]control.Binding, len(c.Bindings))
		for i, e := range c.Bindings {
			list[i] = control.Binding{Device: e.Device, Name: e.Name, Plain: e.Plain, CallingAE: e.CallingAE, CalledAE: e.CalledAE, Addresses: e.Addresses,
				SOPClasses: e.SOPClasses, Operations: e.Operations, Destinations: e.Destinations, Theatre: e.Theatre, OnRevocation: e.OnRevocation}
		}
		s, problems := New(list)
		var errs []error
		for _, p := range problems {
			errs = append(errs, config.Invalid(p.Field, p.Hint, "%s", p.What))
		}
		set = s
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	return set, nil
}

// Format writes a bindings file.
func Format(list []control.Binding) []byte {
	var b bytes.Buffer
	b.WriteString("# What each device may do at the DICOM gateway. A device that is not listed may do nothing.\n")
	if len(list) == 0 {
		b.WriteString("bindings: []\n")
		return b.Bytes()
	}
	b.WriteString("bindings:\n")
	for i := range list {
		e := &list[i]
		fmt.Fprintf(&b, "  - device: %s\n", strconv.Quote(e.Device))
		line := func(name, value string) {
			if value != "" {
				fmt.Fprintf(&b, "    %s: %s\n", name, strconv.Quote(value))
			}
		}
		lines := func(name string, values []string) {
			if len(values) == 0 {
				return
			}
			q := make([]string, len(values))
			for i, v := range values {
				q[i] = strconv.Quote(v)
			}
			fmt.Fprintf(&b, "    %s: [%s]\n", name, strings.Join(q, ", "))
		}
		line("name", e.Name)
		if e.Plain {
			b.WriteString("    plain: true\n")
		}
		lines("calling_ae", e.CallingAE)
		lines("called_ae", e.CalledAE)
		lines("addresses", e.Addresses)
		lines("sop_classes", e.SOPClasses)
		lines("operations", e.Operations)
		lines("destinations", e.Destinations)
		line("theatre", e.Theatre)
		line("on_revocation", e.OnRevocation)
	}
	return b.Bytes()
}

// File is a bindings file and the Set of it that is in force.
type File struct {
	path string
	log  *slog.Logger
	set  atomic.Pointer[inForce]

	mu      sync.Mutex // one change at a time
	problem atomic.Pointer[error]
	stamp   stamp
}

type inForce struct {
	set      *Set
	revision string
}

type stamp struct {
	size int64
	at   time.Time
}

// Open reads a bindings file. A file that is not there binds nobody; one that cannot be
// used is an error: what it was to forbid would be unknown.
func Open(path string, log *slog.Logger) (*File, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &File{path: path, log: log}
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) load() error {
	f.stamp = f.look() // before it is read: what is written meanwhile is read again
	text, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text, err = Format(nil), nil
	case err == nil && len(bytes.TrimSpace(text)) == 0:
		err = config.Invalid("bindings", "bindings: [] binds nobody", "the file is empty: %s", f.path)
	}
	if err != nil {
		return fmt.Errorf("bindings: %w", err)
	}
	s, err := Parse(f.path, text)
	if err != nil {
		return err
	}
	f.set.Store(&inForce{s, revision(text)})
	return nil
}

func revision(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func (f *File) look() stamp {
	st, err := os.Stat(f.path)
	if err != nil {
		return stamp{}
	}
	return stamp{st.Size(), st.ModTime()}
}

// Set returns what is in force.
func (f *File) Set() *Set { return f.set.Load().set }

// Revision names what is in force.
func (f *File) Revision() string { return f.set.Load().revision }

// Problem says why a newer file is not in force, nil when it is.
func (f *File) Problem() error {
	if p := f.problem.Load(); p != nil {
		return *p
	}
	return nil
}

// Reload reads the file again if it has changed.
func (f *File) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.look() == f.stamp {
		return f.Problem()
	}
	was, before := f.Revision(), f.Problem()
	err := f.load()
	f.problem.Store(&err)
	if err != nil {
		f.log.Error("the bindings were not taken over; those before stay in force", "why", err)
	} else if f.Revision() != was || before != nil {
		f.log.Info("bindings read again", "devices", len(f.Set().All()), "revision", f.Revision())
	}
	return err
}

// ErrRevision: somebody else changed the bindings in between.
var ErrRevision = errors.New("the bindings were changed meanwhile")

// Check returns ErrRevision where a change that was made from a revision would write over another.
func (f *File) Check(from string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.check(from)
}

func (f *File) check(from string) error {
	if from != "" && (from != f.Revision() || f.edited()) {
		return ErrRevision
	}
	return nil
}

// Replace writes other bindings, durably, and puts them in force. revision is of those
// that the change was made from; "" overwrites whatever is there.
func (f *File) Replace(list []control.Binding, from string) ([]control.Problem, error) {
	if _, problems := New(list); len(problems) > 0 {
		return problems, nil
	}
	text := Format(list)
	if _, err := Parse(f.path, text); err != nil {
		return nil, fmt.Errorf("bindings: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(from); err != nil {
		return nil, err
	}
	if err := durable.Write(f.path, text); err != nil {
		return nil, fmt.Errorf("bindings: %w", err)
	}
	err := f.load()
	f.problem.Store(&err)
	return nil, err
}

// edited reports whether somebody changed the file by hand since it was read: that must not be written over. One that
// could not be used may be.
func (f *File) edited() bool {
	text, err := os.ReadFile(f.path)
	return err == nil && f.Problem() == nil && revision(text) != f.Revision()
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
				_ = f.Reload() // reported by Problem
			}
			before = now
		}
	}
}
