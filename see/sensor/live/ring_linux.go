// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/asepsis/asepsis/wire/capture"
)

// Layout of a TPACKET_V3 ring, linux/if_packet.h. A block begins with a
// tpacket_block_desc, a frame with a tpacket3_hdr, which a sockaddr_ll follows.
const (
	blockStatus  = 8
	blockFrames  = 12
	blockFirst   = 16
	blockDescLen = 48

	frameNext     = 0
	frameSec      = 4
	frameNsec     = 8
	frameCaptured = 12
	frameLen      = 16
	frameStatus   = 20
	frameMAC      = 24
	frameTCI      = 32
	frameTPID     = 36
	framePktType  = 48 + 10
	frameHdrLen   = 48 + 20

	statusUser      = 1 << 0
	statusVLAN      = 1 << 4
	statusVLANTPID  = 1 << 6
	ringFrameSize   = 2048 // only divides a block for the kernel's arithmetic
	vlanLen         = 4
	ethAddressesLen = 12
)

var hostIsLittleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// ringSource is the capture.Source of one socket.
type ringSource struct {
	handle *Handle
	number int
	fd     int
	cfg    Config
	iface  iface

	mu     sync.Mutex // held by Next and Close, guards what follows
	ring   []byte     // nil once released
	block  int        // the block to look at next, or in use
	inUse  bool       // the block is this process's
	pos    int        // of the next frame within the ring
	left   uint32     // frames left in the block
	ending error      // what Next returns once everything before was delivered
	drain  int        // blocks that may still be delivered then
	until  time.Time  // when to stop waiting for them
	done   error

	stats capture.Stats // used by the goroutine that calls Next
}

func (s *ringSource) mapRing() error {
	name := s.cfg.Interface
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return openError(name, "select TPACKET_V3", err)
	}
	// Room before each frame, in which an address field may be moved.
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_RESERVE, vlanLen); err != nil {
		return openError(name, "reserve room for a VLAN tag", err)
	}
	blocks := (int(s.cfg.RingBytes) + blockBytes - 1) / blockBytes
	req := &unix.TpacketReq3{
		Block_size:     blockBytes,
		Block_nr:       uint32(blocks),
		Frame_size:     ringFrameSize,
		Frame_nr:       uint32(blocks * (blockBytes / ringFrameSize)),
		Retire_blk_tov: uint32(s.cfg.BlockTimeout / time.Millisecond),
	}
	if err := unix.SetsockoptTpacketReq3(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, req); err != nil {
		return openError(name, fmt.Sprintf("create a ring of %d MiB", blocks), err)
	}
	ring, err := unix.Mmap(s.fd, 0, blocks*blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return openError(name, "map the ring", err)
	}
	s.ring = ring
	s.stats = capture.Stats{Format: "live", Interfaces: []capture.InterfaceInfo{{Name: name, Link: s.iface.link, SnapLen: uint32(s.cfg.SnapLen)}}}
	return nil
}

// Next implements capture.Source. See Handle.Sources. Data is part of the ring
// and valid until the next call or until the handle is closed.
func (s *ringSource) Next(f *capture.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.ring == nil {
			return io.EOF
		}
		if s.left > 0 {
			s.left--
			if s.take(f) {
				return nil
			}
			continue
		}
		if s.inUse {
			s.giveBack()
		}
		if s.done != nil {
			return s.done
		}
		if !s.openBlock() && s.wait() {
			*f = capture.Frame{Time: time.Now().Add(-2 * s.cfg.BlockTimeout).UnixNano(), Link: s.iface.link, Tick: true}
			return nil
		}
	}
}

// status is the word by which kernel and process hand a block to each other.
func (s *ringSource) status() *uint32 {
	return (*uint32)(unsafe.Pointer(&s.ring[s.block*blockBytes+blockStatus]))
}

// openBlock begins the next block if the kernel has handed it over.
func (s *ringSource) openBlock() bool {
	if s.ending != nil && s.drain == 0 {
		s.done = s.ending
		return true
	}
	if atomic.LoadUint32(s.status())&statusUser == 0 {
		return false
	}
	if s.ending != nil {
		s.drain--
	}
	b := s.ring[s.block*blockBytes:]
	s.inUse = true
	s.left = binary.NativeEndian.Uint32(b[blockFrames:])
	s.pos = s.block*blockBytes + int(binary.NativeEndian.Uint32(b[blockFirst:]))
	return true
}

func (s *ringSource) giveBack() {
	atomic.StoreUint32(s.status(), 0)
	s.inUse = false
	s.block = (s.block + 1) % (len(s.ring) / blockBytes)
}

// take fills f with the frame at s.pos and moves on. It returns false for frames
// that are not delivered.
func (s *ringSource) take(f *capture.Frame) bool {
	end := (s.block + 1) * blockBytes
	if s.pos < s.block*blockBytes+blockDescLen || s.pos+frameHdrLen > end {
		s.left = 0 // the ring contradicts itself: go on with the next block
		return false
	}
	at := s.pos
	h := s.ring[at : at+frameHdrLen]
	s.pos += int(binary.NativeEndian.Uint32(h[frameNext:]))
	captured := int(binary.NativeEndian.Uint32(h[frameCaptured:]))
	length := int(binary.NativeEndian.Uint32(h[frameLen:]))
	status := binary.NativeEndian.Uint32(h[frameStatus:])
	mac := at + int(binary.NativeEndian.Uint16(h[frameMAC:]))
	if mac+captured > end || captured > blockBytes {
		return false
	}
	if s.iface.loopback && h[framePktType] == unix.PACKET_OUTGOING {
		return false
	}
	data := s.ring[mac : mac+captured : mac+captured]
	tci := binary.NativeEndian.Uint32(h[frameTCI:])
	if s.iface.link == capture.LinkEthernet && captured >= ethAddressesLen && mac-at >= frameHdrLen+vlanLen && (status&statusVLAN != 0 || tci != 0) {
		tpid := uint16(unix.ETH_P_8021Q)
		if status&statusVLANTPID != 0 {
			tpid = binary.NativeEndian.Uint16(h[frameTPID:])
		}
		data = s.ring[mac-vlanLen : mac+captured : mac+captured]
		copy(data, data[vlanLen:vlanLen+ethAddressesLen])
		binary.BigEndian.PutUint16(data[ethAddressesLen:], tpid)
		binary.BigEndian.PutUint16(data[ethAddressesLen+2:], uint16(tci))
		length += vlanLen
	}
	f.Time = int64(binary.NativeEndian.Uint32(h[frameSec:]))*1e9 + int64(binary.NativeEndian.Uint32(h[frameNsec:]))
	f.Data = data
	f.OrigLen = max(length, len(data))
	f.Link = s.iface.link
	f.Interface = 0
	f.Tick = false

	s.stats.Frames++
	s.stats.Bytes += uint64(len(data))
	if f.OrigLen > len(data) {
		s.stats.SnapCut++
	}
	return true
}

// tickEvery is after how long without a frame the time is told.
const tickEvery = 250 * time.Millisecond

// wait returns when there may be a block, or when the capture ends: then ending
// is set, and done once nothing more is to come. It reports whether nothing came
// for tickEvery.
func (s *ringSource) wait() (silent bool) {
	fds := [2]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN | unix.POLLERR}, {Fd: int32(s.handle.wake), Events: unix.POLLIN}}
	watch, timeout := fds[:], int(tickEvery/time.Millisecond)
	if s.ending != nil {
		left := time.Until(s.until)
		if left <= 0 {
			s.done = s.ending
			return false
		}
		watch, timeout = fds[:1], int(left/time.Millisecond)+1
	}
	n, err := unix.Poll(watch, timeout)
	switch {
	case n == 0 && err == nil:
		return s.ending == nil
	case errors.Is(err, unix.EINTR):
	case err != nil:
		s.endWith(openError(s.cfg.Interface, "wait for frames", err))
	case fds[1].Revents != 0:
		s.endWith(io.EOF)
	case fds[0].Revents&^unix.POLLIN != 0:
		code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code == 0 && fds[0].Revents&(unix.POLLNVAL|unix.POLLHUP) == 0 {
			return false
		}
		if err == nil && code != 0 {
			err = unix.Errno(code)
			if _, gone := net.InterfaceByIndex(s.iface.index); gone != nil {
				err = unix.ENODEV
			}
		}
		if err == nil {
			err = unix.EIO
		}
		s.endWith(openError(s.cfg.Interface, "receive", err))
	}
	return false
}

// endWith lets Next return err once the frames that came before are delivered:
// the blocks that are full, and the one that the kernel hands over when its
// timeout is reached. The ring's size bounds how many they are.
func (s *ringSource) endWith(err error) {
	if s.ending != nil {
		return
	}
	s.ending = err
	s.drain = len(s.ring) / blockBytes
	s.until = time.Now().Add(2*s.cfg.BlockTimeout + 10*time.Millisecond)
}

// Stats implements capture.Source.
func (s *ringSource) Stats() capture.Stats {
	st := s.stats
	st.Dropped = s.handle.droppedOf(s.number)
	st.Interfaces = append([]capture.InterfaceInfo(nil), st.Interfaces...)
	return st
}

// release gives the ring and the socket back. Preconditions: s.mu is held.
func (s *ringSource) release() error {
	var errs []error
	if s.ring != nil {
		errs = append(errs, unix.Munmap(s.ring))
		s.ring, s.left, s.inUse = nil, 0, false
	}
	errs = append(errs, unix.Close(s.fd))
	return errors.Join(errs...)
}
