// SPDX-License-Identifier: Apache-2.0

// Package lifecycle runs the rooms of a process together: started in order,
// stopped in the reverse order, each given time to drain.
//
// A room that ends before it is asked to, with or without an error, ends them
// all: what keeps the process alive (a person, systemd) then sees that something is
// wrong. Rooms that can recover do so by themselves and do not return.
//
// Under systemd (Type=notify) the process says when it is ready, that it is
// stopping, and while it is alive and no room is stuck it feeds the watchdog.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Room is one part of the process.
type Room struct {
	Name string
	// Run returns when ctx ends, after it has drained.
	Run func(ctx context.Context) error
	// Ready reports whether the room does its work now; nil for always. It is
	// called often and returns soon.
	Ready func(ctx context.Context) error
	// Drain is how long Run may take after ctx ended; 0 for DefaultDrain.
	Drain time.Duration
}

// DefaultDrain is how long a room may take to stop.
const DefaultDrain = 15 * time.Second

// StuckError says that a room did not stop in time.
type StuckError struct {
	Room  string
	After time.Duration
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("%s did not stop within %s", e.Room, e.After)
}

// Run starts all rooms and returns when ctx ends or one of them does, after all
// have stopped. The error is that of the room that ended first, joined with those of
// rooms that could not stop cleanly.
func Run(ctx context.Context, log *slog.Logger, rooms ...Room) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ended struct {
		name string
		err  error
	}
	first := make(chan ended, len(rooms))
	all := make([]*running, len(rooms))
	for i, r := range rooms {
		x := start(r)
		all[i] = x
		go func() {
			<-x.done
			first <- ended{r.Name, x.err}
		}()
	}
	notifier := startNotifier(ctx, log, rooms)
	var err error
	select {
	case <-ctx.Done():
	case e := <-first:
		if e.err != nil {
			err = fmt.Errorf("%s: %w", e.name, e.err)
		} else {
			err = fmt.Errorf("%s: ended by itself", e.name)
		}
	}
	notifier.stopping()
	for i := len(rooms) - 1; i >= 0; i-- {
		if e := all[i].stop(); e != nil {
			log.Error("a room did not stop cleanly", "room", rooms[i].Name, "err", e)
			if err == nil || !errors.Is(err, e) {
				err = errors.Join(err, fmt.Errorf("%s: %w", rooms[i].Name, e))
			}
		}
	}
	cancel()
	notifier.wait()
	return err
}

// running is a room that was started.
type running struct {
	room   Room
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done
}

func start(r Room) *running {
	ctx, cancel := context.WithCancel(context.Background())
	x := &running{room: r, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		x.err = r.Run(ctx)
	}()
	return x
}

// stop asks a room to end and waits for it.
func (x *running) stop() error {
	x.cancel()
	drain := x.room.Drain
	if drain == 0 {
		drain = DefaultDrain
	}
	t := time.NewTimer(drain)
	defer t.Stop()
	select {
	case <-x.done:
		if errors.Is(x.err, context.Canceled) {
			return nil
		}
		return x.err
	case <-t.C:
		return &StuckError{x.room.Name, drain}
	}
}

// Readiness asks each room whether it does its work, for at most a second each.
// The map holds nil for those that do.
func Readiness(ctx context.Context, rooms []Room) map[string]error {
	out := make(map[string]error, len(rooms))
	for _, r := range rooms {
		if r.Ready == nil {
			out[r.Name] = nil
			continue
		}
		c, cancel := context.WithTimeout(ctx, time.Second)
		out[r.Name] = r.Ready(c)
		cancel()
	}
	return out
}
