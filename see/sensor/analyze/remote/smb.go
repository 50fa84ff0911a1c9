// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/smb"
)

// Bounds of one SMB connection.
const (
	// maxSMBMessage is how much of a message is read; the rest is passed over.
	maxSMBMessage = 24 << 10
	maxSMBPending = maxSMBMessage + smb.SessionSize + 4<<10
	// bulkPrefix is how much of a READ response or WRITE request is read: the
	// fixed part and, on a pipe, the head of what DCE/RPC binds.
	bulkPrefix   = 768
	maxRequests  = 256
	maxTrees     = 64
	maxOpenFiles = 512
	maxNames     = 32
)

func probeSMB(c *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	if m := matches(smb.Looks(head)); m != analyze.No || !c.MidStream {
		return m
	}
	if resync(head) >= 0 {
		return analyze.Yes
	}
	return analyze.No
}

// resync finds the next message in a stream whose beginning is unknown: a
// session header directly before the protocol's mark and a plausible header.
func resync(b []byte) int {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("SMB"))
		if i < 0 {
			return -1
		}
		at += i
		if at >= 5 && b[at-5] == 0 && len(b) >= at+5 {
			n := int(b[at-4])<<16 | int(b[at-3])<<8 | int(b[at-2])
			switch smb.KindOf(b[at-1:]) {
			case smb.SMB2:
				if n >= smb.Header2Size && b[at+3] == smb.Header2Size && b[at+4] == 0 {
					return at - 5
				}
			case smb.SMB1:
				if n >= smb.Header1Size+3 {
					return at - 5
				}
			case smb.Encrypted:
				if n >= smb.TransformSize {
					return at - 5
				}
			}
		}
		at += 3
	}
}

// smbRequest is a request that waits for its response.
type smbRequest struct {
	command uint16
	tree    uint32
	path    string
	open    smb.OpenRequest
	file    smb.FileID
	change  smb.Change
	known   bool // file is meaningful
}

// smbStream follows one connection. Both versions feed the same state: keys of
// SMB1 are its MID, TID and FID.
type smbStream struct {
	probes    probes
	lost      [2]bool // the place within the messages is not known
	announced bool
	version1  bool
	offered   []string
	dialect   string
	signing   string
	guid      string
	encrypted bool

	requests map[uint64]smbRequest
	trees    map[uint32]smbTree
	files    map[smb.FileID]*smbFile
	last     smb.FileID // opened last within a compound

	auth smbAuth

	opened, created, deleted, renamed, failed uint64
	read, written, encryptedMessages          uint64
	denied                                    uint64
	pipes, interfaces, ioctls                 names
	shares                                    names
}

// Held implements analyze.Holder: what waits for a response or is open, with a
// path of the usual length each.
func (s *smbStream) Held() int { return 256 * (len(s.requests) + len(s.trees) + len(s.files)) }

// names is a bounded set in the order of appearance.
type names []string

func (n *names) add(s string) bool {
	if s == "" || len(*n) >= maxNames {
		return false
	}
	for _, x := range *n {
		if x == s {
			return false
		}
	}
	*n = append(*n, s)
	return true
}

func newSMB(c *analyze.Conn) *smbStream {
	return &smbStream{requests: map[uint64]smbRequest{}, trees: map[uint32]smbTree{}, files: map[smb.FileID]*smbFile{}, lost: [2]bool{c.MidStream, c.MidStream}}
}

var _ analyze.Stream = (*smbStream)(nil)

func (s *smbStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := int64(0)
	if s.lost[dir] {
		i := resync(data)
		if i < 0 {
			return int64(max(0, len(data)-12)), analyze.More
		}
		s.lost[dir] = false
		used, data = int64(i), data[i:]
	}
	for len(data) >= smb.SessionSize {
		kind, n, err := smb.ParseSession(data)
		if err != nil {
			return used, s.confused(c, dir)
		}
		in := data[smb.SessionSize:]
		want := n
		if kind == smb.SessionMessage {
			if n < 4 {
				return used, s.confused(c, dir)
			}
			if len(in) < min(n, smb.Header2Size) {
				break
			}
			if smb.KindOf(in) == smb.Unknown {
				return used, s.confused(c, dir)
			}
			want = min(n, s.interest(in))
		}
		if len(in) < want {
			break
		}
		if kind == smb.SessionMessage {
			s.message(c, dir, in[:want])
		} else if kind == smb.SessionRequest {
			called, calling := smb.CalledNames(in[:want])
			if called != "*SMBSERVER" {
				c.Evidence(analyze.Server, device.AttrHostname, hostName(called), "smb.session.called", device.Hint)
			}
			c.Evidence(analyze.Client, device.AttrHostname, hostName(calling), "smb.session.calling", device.Claimed)
		}
		used += int64(smb.SessionSize + n)
		if smb.SessionSize+n > len(data) {
			break
		}
		data = data[smb.SessionSize+n:]
	}
	return used, analyze.More
}

// interest is how much of a message is read.
func (s *smbStream) interest(in []byte) int {
	switch smb.KindOf(in) {
	case smb.SMB2:
		h, err := smb.ParseHeader2(in)
		if err == nil && h.Next == 0 && (h.Command == smb.Cmd2Read && h.Response || h.Command == smb.Cmd2Write && !h.Response) {
			return bulkPrefix
		}
	case smb.SMB1:
		if in[4] == smb.Cmd1ReadAndX || in[4] == smb.Cmd1WriteAndX {
			return bulkPrefix
		}
	default:
		return smb.TransformSize
	}
	return maxSMBMessage
}

// confused gives up, unless SMB was certain: then it looks for the next message.
func (s *smbStream) confused(_ *analyze.Conn, dir analyze.Dir) analyze.Verdict {
	if !s.announced {
		return analyze.Reject
	}
	s.lost[dir] = true
	return analyze.Done
}

func (s *smbStream) Gap(_ *analyze.Conn, dir analyze.Dir, _ int64) analyze.Verdict {
	s.lost[dir] = true
	return analyze.More
}

func (s *smbStream) message(c *analyze.Conn, dir analyze.Dir, in []byte) {
	switch smb.KindOf(in) {
	case smb.SMB2:
		first := true
		for len(in) > 0 {
			h, err := smb.ParseHeader2(in)
			if err != nil {
				return
			}
			s.role(c, dir, h.Response)
			msg, rest := in, []byte(nil)
			if h.Next > 0 {
				if h.Next >= len(in) {
					return
				}
				msg, rest = in[:h.Next], in[h.Next:]
			}
			if first {
				s.last = smb.FileID{}
			}
			first = false
			if h.Response {
				s.response2(c, h, msg)
			} else {
				s.request2(c, h, msg)
			}
			in = rest
		}
	case smb.SMB1:
		h, err := smb.ParseHeader1(in)
		if err != nil {
			return
		}
		s.role(c, dir, h.Response)
		s.version1 = true
		_ = smb.Blocks1(in, h, func(bl smb.Block1) error {
			if h.Response {
				s.response1(c, h, bl, in)
			} else {
				s.probe1(c, bl)
				s.request1(c, h, bl, in)
			}
			return nil
		})
	case smb.Compressed:
		s.probeCompressed(c, in)
	case smb.Encrypted:
		s.encryptedMessages++
		if !s.encrypted {
			s.encrypted = true
			s.announce(c)
			c.Encrypted = true
		}
	}
}

func (s *smbStream) role(c *analyze.Conn, dir analyze.Dir, response bool) {
	if !s.announced {
		d := dir
		if response {
			d = dir.Other()
		}
		setClient(c, d)
	}
	if response {
		s.announce(c)
	}
}

func (s *smbStream) announce(c *analyze.Conn) {
	if !s.announced {
		s.announced = true
		c.Service("smb")
	}
}

// remember keeps a request until its response. When too many wait, which no
// client does, the newest are not followed.
func (s *smbStream) remember(id uint64, r smbRequest) {
	if _, ok := s.requests[id]; ok || len(s.requests) < maxRequests {
		s.requests[id] = r
	}
}

// take returns and forgets the request of a response.
func (s *smbStream) take(id uint64, command uint16) (smbRequest, bool) {
	r, ok := s.requests[id]
	if !ok || r.command != command {
		return smbRequest{}, false
	}
	delete(s.requests, id)
	return r, true
}

func (s *smbStream) emit(c *analyze.Conn, activity uint8, status uint32, d *event.SMB, message string) {
	d.NTStatus = smb.StatusName(status)
	if d.Dialect == "" {
		d.Dialect = s.dialect
	}
	if d.Signing == "" {
		d.Signing = s.signing
	}
	d.ServerGUID = s.guid
	d.Encrypted = s.encrypted
	e := &event.Event{Activity: activity, Status: outcome(status>>30 != 3), StatusCode: d.NTStatus, Message: message, Detail: d}
	if status>>30 == 3 {
		e.Message += ": " + d.NTStatus
	}
	c.Emit(e)
}

func (s *smbStream) Close(c *analyze.Conn, _ analyze.End) {
	if !s.announced {
		return
	}
	var kv attrs
	kv.add("dialect", s.dialect)
	kv.list("share", s.shares)
	kv.list("pipe", s.pipes)
	kv.list("rpc_interface", s.interfaces)
	kv.list("ioctl", s.ioctls)
	kv.count("files_opened", s.opened)
	kv.count("files_created", s.created)
	kv.count("files_renamed", s.renamed)
	kv.count("files_deleted", s.deleted)
	kv.count("opens_refused", s.failed)
	kv.count("shares_refused", s.denied)
	kv.count("bytes_read", s.read)
	kv.count("bytes_written", s.written)
	kv.count("encrypted_messages", s.encryptedMessages)
	c.Emit(&event.Event{Activity: session, Status: event.StatusSuccess, Message: "SMB connection: " + plural(s.opened, "file") + " opened, " + plural(s.read, "byte") + " read, " +
		plural(s.written, "byte") + " written", Detail: &event.Application{Name: "smb", Version: s.dialect, Operation: "SESSION", Attributes: kv}})
}
