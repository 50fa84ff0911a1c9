// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/wire/capture"
)

// Handle is an open capture on one interface.
type Handle struct {
	sources []*ringSource
	wake    int         // eventfd, readable once the capture is to end
	stop    func() bool // detaches from the context
	once    sync.Once   // the end was signalled

	mu                         sync.Mutex // guards what follows, and the sockets against closing
	closed                     bool
	received, dropped, freezes uint64
	droppedBy                  []uint64 // by source
}

// Open starts to capture. It acquires the sockets and their rings, so that
// privileges can be dropped afterwards. Close must be called, also after ctx has
// ended. Errors are of type *Error.
func Open(ctx context.Context, cfg Config) (*Handle, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, openError(cfg.Interface, "open an event descriptor", err)
	}
	h := &Handle{wake: wake, droppedBy: make([]uint64, cfg.Workers)}
	if err := h.open(cfg); err != nil {
		_ = h.Close()
		return nil, err
	}
	h.stop = context.AfterFunc(ctx, h.end)
	return h, nil
}

func (h *Handle) open(cfg Config) error {
	on, err := findInterface(cfg.Interface)
	if err != nil {
		return err
	}
	var group int
	for i := range cfg.Workers {
		// Protocol 0: nothing is received before the socket is bound.
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return openError(cfg.Interface, "open a packet socket", err)
		}
		s := &ringSource{handle: h, number: i, fd: fd, cfg: cfg, iface: on}
		h.sources = append(h.sources, s)
		if err := s.mapRing(); err != nil {
			return err
		}
		// A bound socket takes all frames until it is in the fan-out group.
		// A filter that takes none keeps those away, so that no frame comes
		// from two sources.
		if err := setFilter(fd, 0); err != nil {
			return openError(cfg.Interface, "set the opening filter", err)
		}
		addr := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: on.index}
		if err := unix.Bind(fd, addr); err != nil {
			return openError(cfg.Interface, "bind", err)
		}
		if on.loopback {
			// Saves the ring from copies that Next leaves out anyway; since 4.20.
			_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		}
		if cfg.Workers > 1 {
			if group, err = joinFanout(fd, i == 0, group, cfg.Rollover); err != nil {
				return openError(cfg.Interface, "join the fan-out group", err)
			}
		}
		if cfg.Promiscuous && i == 0 {
			mreq := &unix.PacketMreq{Ifindex: int32(on.index), Type: unix.PACKET_MR_PROMISC}
			if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, mreq); err != nil {
				return openError(cfg.Interface, "enter promiscuous mode", err)
			}
		}
	}
	for _, s := range h.sources {
		if err := setFilter(s.fd, uint32(cfg.SnapLen)); err != nil {
			return openError(cfg.Interface, "set the snap length", err)
		}
	}
	return nil
}

// setFilter makes a socket take so many bytes of each frame, or no frame at all.
// It replaces an earlier filter in one step.
func setFilter(fd int, take uint32) error {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: take}}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &program[0]})
}

// joinFanout puts a socket into a fan-out group. The first one gets a group
// number that no one else has.
func joinFanout(fd int, first bool, group int, rollover bool) (int, error) {
	mode := unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_DEFRAG
	if rollover {
		mode |= unix.PACKET_FANOUT_FLAG_ROLLOVER
	}
	if !first {
		return group, unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group|mode<<16)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (mode|unix.PACKET_FANOUT_FLAG_UNIQUEID)<<16); err != nil {
		return 0, err
	}
	v, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	return v & 0xffff, err
}

func networkOrder(v uint16) uint16 {
	if hostIsLittleEndian {
		return bits.ReverseBytes16(v)
	}
	return v
}

// Sources returns one source for each worker. Next blocks until there is a
// frame, the context ends (io.EOF, after the frames that came before), or the
// interface goes down (an *Error with ErrInterfaceDown). Different sources may be
// used by different goroutines.
func (h *Handle) Sources() []capture.Source {
	out := make([]capture.Source, len(h.sources))
	for i, s := range h.sources {
		out[i] = s
	}
	return out
}

// Stats returns the frames that were put into the rings, those that were lost
// because a ring was full, and how often a ring became full. It may be called
// from any goroutine, and after Close, when it returns the last counts.
func (h *Handle) Stats() (received, dropped, freezes uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.collect()
	return h.received, h.dropped, h.freezes
}

func (h *Handle) droppedOf(source int) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.collect()
	return h.droppedBy[source]
}

// collect adds the kernel's counts, which reading sets back to 0. Preconditions:
// h.mu is held.
func (h *Handle) collect() {
	if h.closed {
		return
	}
	for i, s := range h.sources {
		st, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			continue
		}
		// tp_packets includes tp_drops.
		h.received += uint64(st.Packets - st.Drops)
		h.dropped += uint64(st.Drops)
		h.droppedBy[i] += uint64(st.Drops)
		h.freezes += uint64(st.Freeze_q_cnt)
	}
}

// end makes every Next return.
func (h *Handle) end() {
	h.once.Do(func() {
		// The event descriptor is this process's own; nothing leaves it. The
		// number is not 0 in either byte order, and not the forbidden ^0.
		_, _ = unix.Write(h.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1})
	})
}

// Close ends the capture and releases everything. It waits for calls of Next in
// progress; frames delivered before must no longer be used, as their memory is
// gone. Later calls of Next return io.EOF. Closing again does nothing.
func (h *Handle) Close() error {
	if h.stop != nil {
		h.stop()
	}
	h.end()
	for _, s := range h.sources {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.collect()
	h.closed = true
	var errs []error
	for _, s := range h.sources {
		errs = append(errs, s.release())
	}
	if err := unix.Close(h.wake); err != nil {
		errs = append(errs, fmt.Errorf("close the event descriptor: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return &Error{Err: err, hint: "nothing is left to do; the kernel releases the rest at exit"}
	}
	return nil
}
