// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/asepsis/asepsis/platform/durable"
)

// wal is the log: files of frames, written in groups. Whoever finds no group being
// written writes the next one, for all who came until then.
type wal struct {
	dir      string
	fileSize int64
	head     func() []byte // payload of a file's first frame
	room     func() bool   // gives the reserve up; false when it is gone

	making sync.Mutex // one makes or releases a spare at a time

	mu      sync.Mutex
	spare   string     // path of a file that the log may grow by; "" when there is none
	files   []*logFile // oldest first; the last is written to
	lastID  uint64
	next    uint64 // sequence number of the next frame
	durable uint64
	pending *group
	busy    bool
	failed  error
	marked  bool   // the last frame, once it is durable, says that all before is
	buffer  []byte // of the group before, used again
	groups  uint64 // flushed, and the frames in them
	frames  uint64
}

// logFile is one file of the log.
type logFile struct {
	id   uint64
	f    *os.File
	end  int64 // behind its last frame
	live int64 // bytes of frames that still count
	// unsettled are frames that are durable and whose writer has not said yet what they replace.
	unsettled int
}

// place is where a frame is.
type place struct {
	file *logFile
	at   int64
	size int64
}

// group is frames that are flushed together.
type group struct {
	buf   []byte
	last  uint64
	count uint64
	segs  []*segment
	lead  chan struct{} // tells one who waits to write it
	done  chan struct{}
	file  *logFile
	base  int64
	err   error
}

func logName(id uint64) string { return fmt.Sprintf("log-%016d", id) }

// append adds a frame and returns when it, and what was written to segs before, is on the disk. The caller
// notes it and calls settled then.
func (w *wal) append(k kind, payload []byte, segs ...*segment) (place, uint64, error) {
	if len(payload) > maxPayload {
		return place{}, 0, fmt.Errorf("a record has %d bytes, more than %d", len(payload), maxPayload)
	}
	w.mu.Lock()
	if w.failed != nil {
		w.mu.Unlock()
		return place{}, 0, w.failed
	}
	g := w.pending
	if g == nil {
		g = &group{buf: w.buffer, lead: make(chan struct{}, 1), done: make(chan struct{})}
		w.pending, w.buffer = g, nil
	}
	sequence := w.next
	w.next++
	w.marked = k == markFrame && w.durable+1 == sequence
	at := len(g.buf)
	g.buf = appendFrame(g.buf, &frame{sequence: sequence, durable: w.durable, kind: k, payload: payload})
	size := len(g.buf) - at
	g.last = sequence
	g.count++
	for _, s := range segs {
		if !slices.Contains(g.segs, s) {
			g.segs = append(g.segs, s)
		}
	}
	leads := !w.busy
	w.busy = true
	w.mu.Unlock()
	if !leads {
		select {
		case <-g.done:
		case <-g.lead:
			leads = true
		}
	}
	if leads {
		w.commit()
	}
	if g.err != nil {
		return place{}, 0, g.err
	}
	return place{g.file, g.base + int64(at), int64(size)}, sequence, nil
}

// commit writes the group that waits, and hands the lead on.
func (w *wal) commit() {
	w.mu.Lock()
	g := w.pending
	w.pending = nil
	failed := w.failed
	w.mu.Unlock()
	if g.err = failed; failed == nil {
		g.err = w.write(g)
	}
	w.mu.Lock()
	switch {
	case g.err == nil:
		w.durable = g.last
		w.groups++
		w.frames += g.count
	case errors.Is(g.err, errNotBegun):
		// Nothing was written: these numbers, and those given out since, go to who comes next.
		w.next, w.marked = g.last-g.count+1, false
		if p := w.pending; p != nil {
			p.err = g.err
			w.pending = nil
			close(p.done)
		}
	case w.failed == nil:
		w.failed = fmt.Errorf("%w: %w", ErrFailed, g.err)
	}
	if cap(g.buf) <= maxBuffer {
		w.buffer = g.buf[:0]
	}
	g.buf = nil
	if w.pending != nil {
		w.pending.lead <- struct{}{}
	} else {
		w.busy = false
	}
	w.mu.Unlock()
	close(g.done)
}

// errNotBegun: a group was not written because there is no file for it. Later ones may be.
var errNotBegun = errors.New("the log cannot grow")

// maxBuffer bounds what is kept of a large group.
const maxBuffer = 1 << 20

// errUnsettled: later.
var errUnsettled = errors.New("the file is in use")

// zeros pads to the end of a page, so that a page is never read before it is written.
var zeros [pageSize]byte

func (w *wal) write(g *group) error {
	f := w.files[len(w.files)-1]
	if f.end > 0 && f.end+int64(len(g.buf)) > w.fileSize {
		var err error
		if f, err = w.rotate(g); err != nil {
			return fmt.Errorf("%w: %w", errNotBegun, err)
		}
	}
	n := len(g.buf)
	end := f.end + int64(n)
	if tail := end % pageSize; tail != 0 {
		g.buf = append(g.buf, zeros[tail:]...)
	}
	if _, err := f.f.WriteAt(g.buf, f.end); err != nil {
		return fmt.Errorf("write the log: %w", diskError(err))
	}
	errs := make(chan error, len(g.segs))
	for _, s := range g.segs {
		go func() { errs <- flush(s.file) }() // received below
	}
	err := flush(f.f)
	for range g.segs {
		if serr := <-errs; err == nil {
			err = serr
		}
	}
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	g.file, g.base = f, f.end
	w.mu.Lock()
	f.end = end
	f.unsettled += int(g.count)
	w.mu.Unlock()
	return nil
}

// settled says that whoever appended the frame at p has noted it. Until then its file stays.
func (w *wal) settled(p place) {
	w.mu.Lock()
	p.file.unsettled--
	w.mu.Unlock()
}

// rotate begins the next file. Its head has the sequence number of the frame that follows.
func (w *wal) rotate(g *group) (*logFile, error) {
	f, err := w.fresh()
	if err != nil {
		return nil, fmt.Errorf("begin a file of the log: %w", diskError(err))
	}
	w.mu.Lock()
	durable := w.durable
	w.mu.Unlock()
	b := appendFrame(nil, &frame{sequence: g.last - g.count + 1, durable: durable, kind: headFrame, payload: w.head()})
	if _, err := f.f.WriteAt(b, 0); err != nil {
		_ = f.f.Close()
		return nil, fmt.Errorf("begin a file of the log: %w", diskError(err))
	}
	f.end = int64(len(b))
	w.mu.Lock()
	w.files = append(w.files, f)
	w.mu.Unlock()
	return f, nil
}

// fresh gives the next file: the spare if there is one.
func (w *wal) fresh() (*logFile, error) {
	w.mu.Lock()
	w.lastID++
	f := &logFile{id: w.lastID}
	spare := w.spare
	w.spare = ""
	w.mu.Unlock()
	path := filepath.Join(w.dir, logName(f.id))
	var err error
	if spare != "" {
		err = os.Rename(spare, path)
	} else if err = w.make(path); err != nil && w.room() {
		err = w.make(path)
	}
	if err == nil {
		f.f, err = os.OpenFile(path, os.O_RDWR, 0o600)
	}
	if err == nil {
		if err = durable.SyncDir(w.dir); err != nil {
			_ = f.f.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// make makes a file with its room.
func (w *wal) make(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err = preallocate(f, w.fileSize); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

const spareName = "spare"

// prepare makes sure that the log can grow by a file without asking the disk for room:
// shortening it needs that.
func (w *wal) prepare() error {
	w.making.Lock()
	defer w.making.Unlock()
	w.mu.Lock()
	has := w.spare != "" || w.failed != nil
	w.mu.Unlock()
	if has {
		return nil
	}
	path := filepath.Join(w.dir, spareName)
	if err := w.make(path); err != nil {
		return diskError(err)
	}
	w.mu.Lock()
	w.spare = path
	w.mu.Unlock()
	return nil
}

// release takes the oldest file out of the log, unless somebody has yet to note a frame in it.
// Precondition: nothing in it counts.
func (w *wal) release() error {
	w.making.Lock()
	defer w.making.Unlock()
	w.mu.Lock()
	f := w.files[0]
	if f.unsettled > 0 {
		w.mu.Unlock()
		return errUnsettled
	}
	w.files = w.files[1:]
	keep := w.spare == ""
	w.mu.Unlock()
	path := f.f.Name()
	_ = f.f.Close()
	if !keep {
		return os.Remove(path)
	}
	// Until it is used anew it is only a name that recovery passes over, and then its frames are old ones.
	spare := filepath.Join(w.dir, spareName)
	if err := os.Rename(path, spare); err != nil {
		return err
	}
	w.mu.Lock()
	w.spare = spare
	w.mu.Unlock()
	return nil
}

// sizes returns how much the log has, and how much of it counts.
func (w *wal) sizes() (total, live int64, files int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		total += f.end
		live += f.live
	}
	return total, live, len(w.files)
}

// counts says that the frame at to took the place of that at from.
func (w *wal) counts(from, to place) {
	w.mu.Lock()
	if from.file != nil {
		from.file.live -= from.size
	}
	if to.file != nil {
		to.file.live += to.size
	}
	w.mu.Unlock()
}

// read returns a frame's payload.
func (w *wal) read(p place) ([]byte, error) {
	b := make([]byte, p.size)
	if _, err := p.file.f.ReadAt(b, p.at); err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	f, _, err := parseFrame(b)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return f.payload, nil
}

// close waits for the group being written and closes the files.
func (w *wal) close() {
	for {
		w.mu.Lock()
		busy := w.busy
		if !busy {
			w.failed = ErrClosed
			for _, f := range w.files {
				_ = f.f.Close()
			}
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		time.Sleep(time.Millisecond) // a flush, at most
	}
}
