// SPDX-License-Identifier: Apache-2.0

package dicomtool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/asepsis/asepsis/guard/dicomnet"
	"github.com/asepsis/asepsis/wire/dicom"
	"github.com/asepsis/asepsis/wire/dicom/dimse"
)

// SendOptions say what is sent, and how.
type SendOptions struct {
	Paths        []string
	Associations int // at the same time; 1 when less
	// Progress, when not nil, is called after each file, by one goroutine at a time.
	Progress func(done, total int, bytes int64)
}

// Outcome is what became of one file.
type Outcome struct {
	Path        string
	SOPInstance string
	// TransferSyntax is that of the file, SentAs the one it was sent in.
	TransferSyntax, SentAs string
	Status                 dimse.Status // the peer's answer, when Err is nil or a *dicomnet.StatusError
	Bytes                  int64        // of the file
	Err                    error        // nil: stored, perhaps with a warning
}

// SendResult is what became of all files.
type SendResult struct {
	Outcomes []Outcome // in no particular order; every file that was named or found has one
	Stored   int
	Warnings int // among those stored
	Failed   int
	Ignored  int // found in directories, no DICOM files
	Bytes    int64
	Duration time.Duration
}

// maxDials is how many times in a row an association may fail before the rest is given up.
const maxDials = 3

// Send stores files at the peer. The error is of what prevented sending at all; what became of each file is in the result.
func Send(ctx context.Context, p Peer, o SendOptions) (*SendResult, error) {
	files, bad, ignored, err := scan(o.Paths)
	if err != nil {
		return nil, err
	}
	r := &SendResult{Ignored: ignored}
	s := &sender{peer: p, progress: o.Progress, result: r, total: len(files) + len(bad)}
	for _, b := range bad {
		s.note(b)
	}
	begin := time.Now()
	for _, b := range plan(files) {
		queue := make(chan file, len(b.files))
		for _, f := range b.files {
			queue <- f
		}
		close(queue)
		var workers sync.WaitGroup
		for range min(max(o.Associations, 1), len(b.files)) {
			workers.Add(1)
			go func() {
				defer workers.Done()
				s.work(ctx, b.proposals, queue)
			}()
		}
		workers.Wait()
	}
	r.Duration = time.Since(begin)
	return r, context.Cause(ctx)
}

type sender struct {
	peer     Peer
	progress func(int, int, int64)
	total    int

	mu     sync.Mutex
	result *SendResult
}

// note keeps what became of a file.
func (s *sender) note(o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.result
	r.Outcomes = append(r.Outcomes, o)
	switch {
	case o.Err != nil:
		r.Failed++
	default:
		r.Stored++
		r.Bytes += o.Bytes
		if o.Status.Category() == dimse.Warning {
			r.Warnings++
		}
	}
	if s.progress != nil {
		s.progress(len(r.Outcomes), s.total, r.Bytes)
	}
}

// work sends files over one association, and over a new one when that ends.
func (s *sender) work(ctx context.Context, proposals []dicomnet.Proposal, queue <-chan file) {
	var a *dicomnet.Association
	failures := 0
	var last error
	for f := range queue {
		o := Outcome{Path: f.path, SOPInstance: f.meta.SOPInstance, TransferSyntax: f.meta.TransferSyntax, Bytes: f.size}
		if a == nil && failures < maxDials {
			d := s.peer.dialer()
			d.Contexts = proposals
			if a, last = d.Dial(ctx, s.peer.Address); last != nil {
				a = nil
				failures++
				var rejected *dicomnet.RejectedError
				if errors.As(last, &rejected) && rejected.Result == 1 || ctx.Err() != nil { // permanent: asking again changes nothing
					failures = maxDials
				}
			}
		}
		if a == nil {
			o.Err = last
			s.note(o)
			continue
		}
		o.Status, o.SentAs, o.Err = store(ctx, a, &f)
		s.note(o)
		if !a.Usable() { // it ends by itself
			a = nil
		} else {
			failures = 0
		}
	}
	if a != nil {
		_ = a.Release(ctx) // every file was answered
	}
}

// store sends one file.
func store(ctx context.Context, a *dicomnet.Association, f *file) (status dimse.Status, sentAs string, err error) {
	pc, err := a.Info().Select(f.meta.SOPClass, false, f.meta.TransferSyntax)
	if err != nil {
		for _, ts := range syntaxes(f)[1:] {
			if other, oerr := a.Info().Select(f.meta.SOPClass, false, ts...); oerr == nil {
				pc, err = other, nil
			}
		}
	}
	if err != nil {
		return 0, "", err
	}
	in, err := os.Open(f.path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = in.Close() }()
	d, err := dicom.OpenFile(bufio.NewReaderSize(in, 256<<10))
	if err != nil {
		return 0, "", err
	}
	i := dicomnet.Instance{SOPClass: f.meta.SOPClass, SOPInstance: f.meta.SOPInstance, TransferSyntax: pc.TransferSyntax, Data: d.Data}
	if pc.TransferSyntax == f.meta.TransferSyntax {
		status, err = a.Store(ctx, i)
		return status, pc.TransferSyntax, err
	}
	to, _ := dicom.SyntaxOf(pc.TransferSyntax)
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		terr := dicom.Transcode(w, d.Data, d.Syntax, to, dicom.DefaultLimits())
		w.CloseWithError(terr) // nil is io.EOF
		written <- terr
	}()
	i.Data = r
	status, err = a.Store(ctx, i)
	_ = r.Close()
	if terr := <-written; terr != nil && !errors.Is(terr, io.ErrClosedPipe) {
		err = fmt.Errorf("cannot be written in %s: %w", dicom.UIDName(pc.TransferSyntax), terr)
	}
	return status, pc.TransferSyntax, err
}
