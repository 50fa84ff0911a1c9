// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asepsis/asepsis/core/event"
)

func TestEveryLineOfEveryVersionIsAnEvent(t *testing.T) {
	for _, version := range OCSFVersions() {
		for _, name := range recorded {
			events := eventsOf(t, name)
			var out bytes.Buffer
			o, err := NewOCSF(&out, version, event.Producer{Version: "test"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				o.Emit(e)
			}
			if err := o.Close(); err != nil {
				t.Fatalf("%s %s: %v", version, name, err)
			}
			n := 0
			for line := range bytes.Lines(out.Bytes()) {
				n++
				var v struct {
					ClassUID int64 `json:"class_uid"`
					TypeUID  int64 `json:"type_uid"`
					Time     int64 `json:"time"`
					Metadata struct {
						Version string `json:"version"`
					} `json:"metadata"`
				}
				if err := json.Unmarshal(line, &v); err != nil {
					t.Fatalf("%s %s, line %d: %v\n%s", version, name, n, err, line)
				}
				if v.Metadata.Version != version || v.Time == 0 || v.TypeUID/100 != v.ClassUID {
					t.Fatalf("%s %s, line %d: %+v\n%s", version, name, n, v, line)
				}
				if !bytes.HasSuffix(line, []byte("}\n")) {
					t.Fatalf("%s %s, line %d does not end: %q", version, name, n, line)
				}
			}
			if n != len(events) {
				t.Errorf("%s %s: %d lines of %d events", version, name, n, len(events))
			}
		}
	}
}

// watched is a writer that tells how much reached it.
type watched struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *watched) lines() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.b.String(), "\n")
}

func TestAReaderSeesEventsAfterTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		o, err := NewOCSF(w, event.SchemaVersion, event.Producer{}, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 3; n++ {
			o.Emit(query("a"))
			if got := w.lines(); got != n-1 {
				t.Errorf("%d lines were there before the interval was over, want %d", got, n-1)
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if got := w.lines(); got != n {
				t.Errorf("%d lines were there after the interval, want %d", got, n)
			}
		}
		if err := o.Close(); err != nil { // ends the goroutine, or the bubble fails
			t.Fatal(err)
		}
	})
}

func TestWithoutAnIntervalEventsWaitForTheBufferAndForClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		o, err := NewOCSF(w, event.SchemaVersion, event.Producer{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		o.Emit(query("a"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.lines(); n != 0 {
			t.Errorf("%d lines before Close", n)
		}
		if err := o.Close(); err != nil || w.lines() != 1 {
			t.Errorf("%d lines after Close, %v", w.lines(), err)
		}
	})
}

func TestAWriterThatFailsStopsNothingAndSurfacesAtClose(t *testing.T) {
	for _, flush := range []time.Duration{0, time.Millisecond} {
		for _, left := range []int{0, 1, 100, 70 << 10} {
			synctest.Test(t, func(t *testing.T) {
				w := &full{left: left}
				o, err := NewOCSF(w, event.SchemaVersion, event.Producer{}, flush)
				if err != nil {
					t.Fatal(err)
				}
				for range 400 {
					o.Emit(query("pump-7.lindenhof.example"))
				}
				time.Sleep(10 * time.Millisecond)
				o.Emit(query("late"))
				if err := o.Close(); !errors.Is(err, errFull) {
					t.Errorf("%d bytes of space, flush %v: Close says %v", left, flush, err)
				}
				if got := w.buf.Len(); got > left {
					t.Errorf("%d bytes were written to %d", got, left)
				}
			})
		}
	}
}

func TestAVersionThatNobodyKnowsIsRefused(t *testing.T) {
	for _, v := range []string{"", "1.8", "2.0.0", "1.2.0"} {
		if _, err := NewOCSF(&bytes.Buffer{}, v, event.Producer{}, 0); err == nil {
			t.Errorf("version %q was taken", v)
		}
	}
	if v := OCSFVersions(); len(v) < 3 || v[0] != event.SchemaVersion {
		t.Errorf("versions %v", v)
	}
}
