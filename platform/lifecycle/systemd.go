// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// notifier speaks sd_notify(3): datagrams to the socket that NOTIFY_SOCKET
// names. Without one it is silent.
type notifier struct {
	addr *net.UnixAddr
	log  *slog.Logger
	done chan struct{}
}

// startNotifier says READY=1 once every room is ready, and then feeds the watchdog
// (WATCHDOG_USEC) twice in its time, as long as Readiness answers at all: a room
// that is not ready is no reason to be killed, one that hangs is.
func startNotifier(ctx context.Context, log *slog.Logger, rooms []Room) *notifier {
	n := &notifier{log: log, done: make(chan struct{})}
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		close(n.done)
		return n
	}
	n.addr = &net.UnixAddr{Name: path, Net: "unixgram"} // a leading @ is an abstract name, as in sd_notify
	every := time.Second
	if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		every = min(every, time.Duration(us)*time.Microsecond/2)
	}
	go func() {
		defer close(n.done)
		t := time.NewTicker(every)
		defer t.Stop()
		ready, began := false, time.Now()
		for {
			waiting := ""
			for room, err := range Readiness(ctx, rooms) {
				if err != nil {
					waiting = room + ": " + err.Error()
				}
			}
			// A room whose peer is away keeps trying for ever: the process is up
			// all the same, and the console says what is missing.
			if !ready && (waiting == "" || time.Since(began) > 20*time.Second) {
				ready = true
				n.send("READY=1")
			}
			state := "STATUS=running"
			if waiting != "" {
				state = "STATUS=waiting for " + waiting
			}
			n.send("WATCHDOG=1\n" + state)
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
		}
	}()
	return n
}

func (n *notifier) stopping() { n.send("STOPPING=1") }

func (n *notifier) wait() { <-n.done }

func (n *notifier) send(state string) {
	if n.addr == nil {
		return
	}
	c, err := net.DialUnix("unixgram", nil, n.addr)
	if err == nil {
		_, err = c.Write([]byte(state))
		_ = c.Close()
	}
	if err != nil {
		n.log.Debug("systemd could not be told", "err", err)
	}
}
