// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asepsis/asepsis/guard/gateway/instance"
	"github.com/asepsis/asepsis/platform/durable"
)

// format is what journal.json says.
type format struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Segment is the size of segments, which does not change in a journal.
	Segment int64 `json:"segment"`
}

const (
	formatName    = "asepsis-journal"
	formatVersion = 1
)

// Recovery says what was found when the journal was opened.
type Recovery struct {
	Frames   int           // read from the log
	Records  int           // of which something is awaited, or that the history did not have yet
	Cut      int           // frames that were not acknowledged and are not whole, or whose bytes are not
	Verified int           // records behind the last known flush whose bytes were compared
	Lost     uint64        // frames that were acknowledged and cannot be read: the disk is damaged
	Missing  int           // records whose bytes are awaited and are not there
	Took     time.Duration //
}

// New opens the journal in cfg.Dir, which it makes if there is none. What a crash left is
// settled when it returns. On an error nothing is held.
func New(cfg Config, deps Deps) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("journal: no directory was given")
	}
	dir, err := filepath.Abs(cfg.Dir) // SQLite's addresses have none that is relative
	if err != nil {
		return nil, fmt.Errorf("journal in %s: %w", cfg.Dir, err)
	}
	cfg.Dir = dir
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	j := &Journal{cfg: cfg, log: deps.Log, now: deps.Now, idx: newIndex(), kick: make(chan struct{}, 1), watchers: map[int]func(instance.Record){}, nextNumber: 1}
	j.calendar.log, j.calendar.passed = deps.Log, func(from, to time.Time) time.Duration { return to.Sub(from) }
	j.buffers.New = func() any { b := make([]byte, 0, bufferSize); return &b }
	j.pins.of = map[uint64]*pinned{}
	j.faults.damaged = map[uint64]bool{}
	if err := j.open(); err != nil {
		j.release()
		return nil, fmt.Errorf("journal in %s: %w", cfg.Dir, err)
	}
	return j, nil
}

func (j *Journal) open() error {
	began := time.Now()
	bytes, log := filepath.Join(j.cfg.Dir, "bytes"), filepath.Join(j.cfg.Dir, "log")
	for _, dir := range []string{j.cfg.Dir, bytes, log} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(j.cfg.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.lock = f
	if err := lock(f); err != nil {
		return err
	}
	size, err := j.format()
	if err != nil {
		return err
	}
	j.space.journal = j
	j.segs = &segments{dir: bytes, size: size, stop: int64(j.cfg.Stop), now: j.now, byID: map[uint64]*segment{},
		free: func() (int64, error) { return freeBytes(bytes) }, reclaim: func() bool { return j.reclaim(true) }}
	j.wal = &wal{dir: log, fileSize: min(int64(j.cfg.Log)/4, 16<<20), head: j.head, room: j.space.giveReserve, next: 1}
	if err := j.findSegments(); err != nil {
		return err
	}
	j.space.takeReserve() // what follows may need it: a journal that was cut off on a full disk opens on one
	if err := j.recover(); err != nil {
		return err
	}
	if j.hist, err = openHistory(filepath.Join(j.cfg.Dir, "history.db"), j.log, j.now, j.space.giveReserve); err != nil {
		return err
	}
	now := j.now()
	j.idx.mu.Lock()
	for _, n := range j.idx.byNum {
		if !n.needed {
			j.hist.owe(n.number, n.sequence)
		}
	}
	j.idx.mu.Unlock()
	j.space.measure(now)
	j.opened = now
	j.recovered.Took = time.Since(began)
	r := &j.recovered
	j.log.Info("the journal is open", "dir", j.cfg.Dir, "records", r.Records, "frames", r.Frames, "cut", r.Cut, "verified", r.Verified, "took", r.Took.Round(time.Millisecond).String())
	return nil
}

// format reads or writes journal.json, and returns the size of segments.
func (j *Journal) format() (int64, error) {
	path := filepath.Join(j.cfg.Dir, "journal.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		want := format{formatName, formatVersion, int64(j.cfg.Segment)}
		b, err := json.Marshal(want)
		if err != nil {
			return 0, err
		}
		return want.Segment, durable.Write(path, append(b, '\n'))
	}
	if err != nil {
		return 0, err
	}
	var have format
	if err := json.Unmarshal(b, &have); err != nil || have.Format != formatName {
		return 0, errors.New("journal.json is not that of a journal")
	}
	if have.Version > formatVersion {
		return 0, fmt.Errorf("%w: version %d, and %d is known here", ErrNewer, have.Version, formatVersion)
	}
	if have.Segment < int64(minSegment) || have.Segment > int64(maxSegment) {
		return 0, fmt.Errorf("journal.json: segments of %d bytes", have.Segment)
	}
	return have.Segment, nil
}

// findSegments lists the files with data sets. Those that were being used anew are given up.
func (j *Journal) findSegments() error {
	list, err := os.ReadDir(j.segs.dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		if id, ok := numberOf(d.Name(), "seg-"); ok {
			j.segs.byID[id] = &segment{id: id, needed: map[uint64]int64{}, idle: j.now(), last: j.now()}
			j.segs.lastID = max(j.segs.lastID, id)
		} else if strings.HasPrefix(d.Name(), "free-") {
			if err := os.Remove(filepath.Join(j.segs.dir, d.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func numberOf(name, prefix string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n > 0
}

// head is the payload of a log file's first frame.
type head struct {
	Format   string  `json:"format"`
	Version  int     `json:"version"`
	Numbers  uint64  `json:"numbers"`
	Segment  uint64  `json:"segment"` // no greater one was in use
	Segments []state `json:"segments"`
}

func (j *Journal) head() []byte {
	j.segs.mu.Lock()
	last := j.segs.lastID
	j.segs.mu.Unlock()
	// reserved is read without its lock, which is held by whoever waits for this frame to reserve more.
	b, err := json.Marshal(head{formatName, formatVersion, j.space.reserved.Load(), last, j.segs.states()})
	if err != nil {
		return []byte("{}")
	}
	return b
}

// recover reads the log.
func (j *Journal) recover() error {
	files, err := j.logFiles()
	if err != nil {
		return err
	}
	w := j.wal
	w.files = files
	durable := uint64(0)
	for i := len(files) - 1; i >= 0 && durable == 0; i-- {
		b, err := readLog(files[i])
		if err != nil {
			return err
		}
		if _, err := scan(b, 0, func(f frame, _, _ int) error { durable = max(durable, f.durable); return nil }); err != nil {
			return err
		}
	}
	r := &replay{j: j, durable: durable, from: 0, ends: map[uint64]int64{}}
	for i, f := range files {
		w.lastID = max(w.lastID, f.id)
		b, err := readLog(f)
		if err != nil {
			return err
		}
		if err := r.file(f, b); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f.f.Name()), err)
		}
		if r.cut || i == len(files)-1 && torn(b[f.end:]) {
			// Nothing behind an unfinished group was acknowledged; it must not come back when
			// the log has grown to where it is.
			if err := j.cutLog(f, files); err != nil {
				return err
			}
			break
		}
	}
	w.next, w.durable = r.next(), r.next()-1
	j.nextNumber = max(r.numbers, r.highest+1, 1)
	j.reserved = j.nextNumber
	j.space.reserved.Store(j.reserved)
	j.recovered.Records = len(j.idx.byNum)
	return r.finish()
}

// logFiles opens the log's files, oldest first.
func (j *Journal) logFiles() ([]*logFile, error) {
	list, err := os.ReadDir(j.wal.dir)
	if err != nil {
		return nil, err
	}
	var out []*logFile
	for _, d := range list {
		id, ok := numberOf(d.Name(), "log-")
		if !ok {
			if d.Name() == spareName {
				if err := os.Remove(filepath.Join(j.wal.dir, d.Name())); err != nil {
					return nil, err
				}
			}
			continue
		}
		f, err := os.OpenFile(filepath.Join(j.wal.dir, d.Name()), os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		out = append(out, &logFile{id: id, f: f})
	}
	slices.SortFunc(out, func(a, b *logFile) int { return int(a.id) - int(b.id) })
	return out, nil
}

// maxLogFile bounds what is read of a log file: groups larger than a file make one longer.
const maxLogFile = 1 << 30

func readLog(f *logFile) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f.f, 0, maxLogFile), maxLogFile))
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return b, nil
}

// cutLog empties what follows the end of f, and the files after it.
func (j *Journal) cutLog(f *logFile, files []*logFile) error {
	st, err := f.f.Stat()
	if err != nil {
		return err
	}
	if err := wipe(f.f, f.end, st.Size()-f.end); err != nil {
		return err
	}
	if err := f.f.Sync(); err != nil {
		return err
	}
	at := slices.Index(files, f)
	for _, later := range files[at+1:] {
		j.wal.lastID = max(j.wal.lastID, later.id)
		_ = later.f.Close()
		if err := os.Remove(later.f.Name()); err != nil {
			return err
		}
	}
	j.wal.files = files[:at+1]
	return durable.SyncDir(j.wal.dir)
}

// wipe overwrites a part of a file with zeros.
func wipe(f *os.File, off, n int64) error {
	b := make([]byte, 1<<20)
	for n > 0 {
		m, err := f.WriteAt(b[:min(n, int64(len(b)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}

// same reports whether the bytes of a record are those that it says.
func (j *Journal) same(ctx context.Context, e *envelope) (bool, error) {
	c, err := j.content(e.Extents, e.Record.Bytes, nil)
	if errors.Is(err, instance.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = c.Close() }()
	h := sha256.New()
	if _, err := c.WriteTo(writerFunc(func(p []byte) (int, error) {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		return h.Write(p)
	})); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == e.Record.DataSet, nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// release gives back what open took.
func (j *Journal) release() {
	if j.hist != nil {
		j.hist.close()
	}
	if j.wal != nil {
		j.wal.close()
	}
	if j.segs != nil {
		j.segs.close()
	}
	if j.lock != nil {
		_ = j.lock.Close()
	}
}
