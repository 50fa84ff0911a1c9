// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFollowGoesOnAfterTheLastEventUntilTheTokenIsRefused(t *testing.T) {
	var asked []string
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		say := func(id int) { _, _ = fmt.Fprintf(w, "id: %d\nevent: events\ndata: {\"n\":%d}\n\n", id, id) }
		switch len(asked) {
		case 1:
			say(5)
			say(6)
			_, _ = fmt.Fprint(w, "id: 7\nevent: events\ndata: {\"n\"") // and no more of it
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case 3:
			say(7) // and the server stops
		default:
			http.Error(w, "the token has ended", http.StatusUnauthorized)
		}
	})
	var got, why []string
	err := c.Follow(t.Context(), "/events/stream", nil, func(err error, wait time.Duration) {
		why = append(why, err.Error())
		if wait <= 0 || wait > againMost {
			t.Errorf("the next attempt is in %v", wait)
		}
	}, func(kind, id string, data []byte) error {
		got = append(got, kind+" "+id+" "+string(data))
		return nil
	})
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusUnauthorized {
		t.Errorf("ended with %v", err)
	}
	if want := []string{`events 5 {"n":5}`, `events 6 {"n":6}`, `events 7 {"n":7}`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := []string{"", "6", "6", "7"}; !slices.Equal(asked, want) {
		t.Errorf("asked from %q, want %q", asked, want)
	}
	if len(why) != 3 || !strings.Contains(why[1], "503") || why[2] != errStreamEnded.Error() {
		t.Errorf("broke %d times: %q", len(why), why)
	}
}

func TestFollowThatNeverConnectedSaysWhy(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such field", http.StatusBadRequest) })
	err := c.Follow(t.Context(), "/events/stream", nil, func(error, time.Duration) { t.Error("tried again") }, func(string, string, []byte) error { return nil })
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		t.Errorf("ended with %v", err)
	}
}

func TestFollowEndsWithTheErrorOfItsReader(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "id: 1\ndata: x\n\n") })
	full := errors.New("the pipe is closed")
	err := c.Follow(t.Context(), "/events/stream", nil, func(error, time.Duration) { t.Error("tried again") }, func(string, string, []byte) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("ended with %v", err)
	}
}
