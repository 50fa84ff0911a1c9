// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
	"github.com/asepsis/asepsis/prove/receipt"
)

// witnessing asks the configured witnesses to cosign what is published (C2SP
// tlog-witness). Recording and publishing never wait for it.
type witnessing struct {
	mu    sync.Mutex
	seen  []*cosigner
	since time.Time // when the oldest unwitnessed entry was seen to wait
}

// cosigner is one witness.
type cosigner struct {
	key receipt.Key
	url string

	// Guarded by witnessing.mu.
	state Witness
	next  time.Time // not asked before
	fails int
}

// Bounds of what a witness may answer and how long that may take.
const (
	maxAnswer      = 16 << 10
	witnessTimeout = 5 * time.Second
	longestPause   = time.Minute
)

func (w *witnessing) open(c Config, r *Reader) error {
	for _, wc := range c.Witnesses {
		k, err := receipt.ParseKey(wc.Key)
		if err != nil {
			return fmt.Errorf("ledger: witness: %w", err)
		}
		w.seen = append(w.seen, &cosigner{key: k, url: strings.TrimRight(wc.URL, "/") + "/add-checkpoint", state: Witness{Name: k.Name, URL: wc.URL}})
	}
	cp, err := r.WitnessedCheckpoint()
	if err != nil {
		return nil //nolint:nilerr // the startup check said so; witnesses are asked anew
	}
	for _, s := range cp.Cosigned {
		if i := slices.IndexFunc(w.seen, func(x *cosigner) bool { return x.key.Name == s.Witness }); i >= 0 {
			w.seen[i].state.Size, w.seen[i].state.Last = cp.Size, s.Time
		}
	}
	return nil
}

// runWitnesses asks after every checkpoint, and again those who failed.
func (l *Ledger) runWitnesses(ctx context.Context) {
	if len(l.witness.seen) == 0 {
		return
	}
	tick := time.NewTicker(max(l.cfg.Checkpoint/2, 50*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), witnessTimeout)
			l.witnessRound(last) // the last checkpoint, once
			cancel()
			return
		case <-tick.C:
			l.witnessRound(ctx)
		}
	}
}

// witnessRound shows the published checkpoint to every witness that has not signed it
// and is due.
func (l *Ledger) witnessRound(ctx context.Context) {
	note, err := l.tiles.checkpoint()
	if err != nil || note == nil {
		return
	}
	c, err := l.published.open(l.trust, note)
	if err != nil {
		l.deps.Log.Error("the published checkpoint cannot be shown to witnesses", "err", err)
		return
	}
	have, signed, err := l.witnessed()
	if err != nil {
		have, signed = receipt.Checkpoint{}, nil
	}
	defer l.judgeWitnesses(c)
	now := l.deps.Now()
	type answer struct {
		w    *cosigner
		line string
		err  error
	}
	answers := make(chan answer, len(l.witness.seen))
	asked := 0
	l.witness.mu.Lock()
	for _, w := range l.witness.seen {
		if hasSigned(have, c, w.key.Name) || now.Before(w.next) || c.Size == 0 {
			continue
		}
		asked++
		old := w.state.Size
		go func() {
			ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
			defer cancel()
			line, err := l.ask(ctx, w, note, c, old)
			answers <- answer{w, line, err}
		}()
	}
	l.witness.mu.Unlock()
	// Lines of this very checkpoint that came in an earlier round count.
	lines := map[string]string{}
	if bytes.Equal(have.Body, c.Body) {
		lines = cosignatureLines(signed, l.trust)
	}
	for range asked {
		a := <-answers
		l.noteAnswer(a.w, c, a.err)
		if a.err != nil {
			continue
		}
		lines[a.w.key.Name] = a.line
		if len(lines) < l.cfg.Required {
			continue
		}
		// durable before anybody is told that entries are witnessed
		if err := durable.WriteMode(filepath.Join(l.dir, witnessedFile), withLines(note, lines), 0o644); err != nil {
			l.deps.Log.Error("the witnessed checkpoint cannot be written", "err", diskError(err))
		}
	}
}

func hasSigned(have, c receipt.Checkpoint, name string) bool {
	return bytes.Equal(have.Body, c.Body) && slices.ContainsFunc(have.Cosigned, func(s receipt.Cosignature) bool { return s.Witness == name })
}

// noteAnswer writes down how a witness answered.
func (l *Ledger) noteAnswer(w *cosigner, c receipt.Checkpoint, err error) {
	l.witness.mu.Lock()
	defer l.witness.mu.Unlock()
	now := l.deps.Now()
	if err == nil {
		w.state.Size, w.state.Last, w.state.Error, w.state.Failed = c.Size, now, "", time.Time{}
		w.fails, w.next = 0, time.Time{}
		return
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	w.fails++
	w.state.Error, w.state.Failed = err.Error(), now
	w.next = now.Add(min(longestPause, time.Second<<min(w.fails-1, 6)))
	if w.fails == 1 {
		l.deps.Log.Warn("a witness did not sign", "witness", w.key.Name, "err", err)
	}
}

// ask shows a witness a checkpoint, with the proof that it goes on from what the
// witness knows, and returns the signature line.
func (l *Ledger) ask(ctx context.Context, w *cosigner, note []byte, c receipt.Checkpoint, old uint64) (string, error) {
	for range 3 {
		if old > c.Size {
			return "", &hinted{fmt.Errorf("it has signed %d entries, the log has %d: the log was taken back", old, c.Size), "a ledger that was restored from a backup must go on under a new origin"}
		}
		proof, err := l.tiles.consistency(ctx, old, c.Size)
		if err != nil {
			return "", err
		}
		var body bytes.Buffer
		_, _ = fmt.Fprintf(&body, "old %d\n", old)
		for _, h := range proof {
			body.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
		}
		body.WriteByte('\n')
		body.Write(note)
		status, kind, text, err := l.post(ctx, w.url, body.Bytes())
		if err != nil {
			return "", err
		}
		switch {
		case status == http.StatusOK:
			return cosignatureLine(note, text, w.key)
		case status == http.StatusConflict && strings.HasPrefix(kind, "text/x.tlog.size"):
			if old, err = strconv.ParseUint(strings.TrimSpace(text), 10, 53); err != nil {
				return "", errors.New("its answer is no size")
			}
		case status == http.StatusConflict:
			return "", fmt.Errorf("it has signed another log of %d entries under this name", c.Size)
		case status == http.StatusNotFound:
			return "", errors.New("it does not know this log")
		case status == http.StatusForbidden:
			return "", errors.New("it has another key for this log")
		case status == http.StatusUnprocessableEntity:
			return "", errors.New("the log is not the one that it signed before: the proof does not lead from there to here")
		default:
			return "", fmt.Errorf("it answered with status %d", status)
		}
	}
	return "", errors.New("it keeps changing its mind about the size that it signed")
}

func (l *Ledger) post(ctx context.Context, url string, body []byte) (status int, kind, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", "", err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := l.deps.HTTP.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b), err
}

// cosignatureLine finds the witness's line in its answer and checks it.
func cosignatureLine(note []byte, text string, k receipt.Key) (string, error) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "— "+k.Name+" ") || !strings.HasSuffix(line, "\n") {
			continue
		}
		if receipt.CheckCosignature(note, line, k) {
			return line, nil
		}
	}
	return "", errors.New("its signature is wrong, or of another key than the configuration's")
}

// cosignatureLines takes a note's lines of witnesses apart.
func cosignatureLines(note []byte, t *receipt.Trust) map[string]string {
	out := map[string]string{}
	_, block, _ := strings.Cut(string(note), "\n\n")
	for line := range strings.Lines(block) {
		for _, k := range t.Witnesses {
			if strings.HasPrefix(line, "— "+k.Name+" ") {
				out[k.Name] = line
			}
		}
	}
	return out
}

// withLines adds cosignatures to a note, in the order of names.
func withLines(note []byte, lines map[string]string) []byte {
	names := make([]string, 0, len(lines))
	for n := range lines {
		names = append(names, n)
	}
	slices.Sort(names)
	out := bytes.Clone(note)
	for _, n := range names {
		out = append(out, lines[n]...)
	}
	return out
}

// judgeWitnesses computes the unwitnessed window and raises or clears its notice.
func (l *Ledger) judgeWitnesses(c receipt.Checkpoint) {
	have, err := l.WitnessedCheckpoint()
	if err != nil {
		have = receipt.Checkpoint{}
	}
	now := l.deps.Now()
	size := l.size.Load()
	l.witness.mu.Lock()
	switch {
	case have.Size >= size:
		l.witness.since = time.Time{}
	case l.witness.since.IsZero():
		l.witness.since = now
	case have.Size >= c.Size:
		// All that is published is witnessed: what waits is younger than the last checkpoint.
		l.witness.since = now
	}
	since := l.witness.since
	l.witness.mu.Unlock()
	if !since.IsZero() && now.Sub(since) >= l.cfg.Unwitnessed {
		l.notices.raise(l.deps, noticeUnwitnessed, fmt.Sprintf("%d entries since %s", size-have.Size, since.UTC().Format(time.RFC3339)))
	} else {
		l.notices.clear(l.deps, noticeUnwitnessed)
	}
}
