// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"fmt"

	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/smb"
)

func (s *smbStream) request2(c *analyze.Conn, h smb.Header2, msg []byte) {
	r := smbRequest{command: h.Command, tree: h.TreeID}
	r.file, r.known = smb.FileOf(h.Command, msg)
	switch h.Command {
	case smb.Cmd2Negotiate:
		if n, err := smb.ParseNegotiateRequest2(msg); err == nil {
			s.offered = n.Dialects
		}
	case smb.Cmd2SessionSetup:
		if a, err := smb.ParseSessionSetup2(msg, false); err == nil {
			s.token(c, analyze.Client, a.Token)
		}
	case smb.Cmd2TreeConnect:
		r.path, _ = smb.TreeConnect2(msg)
	case smb.Cmd2Create:
		r.open, _ = smb.ParseCreate2(msg)
	case smb.Cmd2SetInfo:
		r.change, _ = smb.ParseSetInfo2(msg)
	case smb.Cmd2Write:
		if t, err := smb.ParseWrite2(msg); err == nil {
			s.bound(c, t.Data)
		}
	case smb.Cmd2Ioctl:
		if i, err := smb.ParseIoctl2(msg, false); err == nil {
			name := smb.IoctlName(i.Code)
			if name == "" {
				name = fmt.Sprintf("0x%08X", i.Code)
			}
			s.ioctls.add(name)
			if i.Code == smb.PipeTransceive {
				s.bound(c, i.Data)
			}
		}
	case smb.Cmd2Cancel, smb.Cmd2OplockBreak: // no response of their own
		return
	}
	s.remember(h.MessageID, r)
}

func (s *smbStream) response2(c *analyze.Conn, h smb.Header2, msg []byte) {
	if h.Status == smb.StatusPending && h.Async {
		return // §3.3.4.2: the response proper follows
	}
	r, asked := s.take(h.MessageID, h.Command)
	ok := h.Status>>30 != 3
	switch h.Command {
	case smb.Cmd2Negotiate:
		if n, err := smb.ParseNegotiateResponse2(msg); ok && err == nil {
			s.negotiated(c, h.Status, n)
		} else if !ok {
			s.negotiated(c, h.Status, &smb.Negotiate{})
		}
	case smb.Cmd2SessionSetup:
		a, err := smb.ParseSessionSetup2(msg, true)
		if err != nil {
			a = &smb.SessionSetup{}
		}
		s.token(c, analyze.Server, a.Token)
		if h.Status != smb.StatusMoreProcessing {
			s.loggedOn(c, h.Status, a.Guest, a.Anonymous)
		}
	case smb.Cmd2TreeConnect:
		if !asked {
			return
		}
		var sh smb.Share
		if ok {
			sh, _ = smb.ParseShare2(msg)
		}
		s.connected(c, h.Status, h.TreeID, r.path, sh)
	case smb.Cmd2TreeDisconnect:
		delete(s.trees, h.TreeID)
	case smb.Cmd2Create:
		if !asked {
			return
		}
		var o smb.Opened
		if ok {
			o, _ = smb.ParseOpened2(msg)
		}
		if r.tree == 0xffffffff {
			r.tree = h.TreeID // a related request leaves it to the server
		}
		s.opening(c, h.Status, r, o.File, o)
	case smb.Cmd2Close:
		if asked && ok {
			s.closing(c, s.fileOf(r))
		}
	case smb.Cmd2Read:
		if t, err := smb.ParseReadResponse2(msg); ok && err == nil {
			s.read += uint64(t.Length)
			if f := s.files[s.fileOf(r)]; asked && f != nil {
				f.read += uint64(t.Length)
			}
		}
	case smb.Cmd2Write:
		if n, err := smb.ParseWriteResponse2(msg); ok && err == nil {
			s.written += uint64(n)
			if f := s.files[s.fileOf(r)]; asked && f != nil {
				f.written += uint64(n)
			}
		}
	case smb.Cmd2SetInfo:
		f := s.files[s.fileOf(r)]
		if !asked || !ok || f == nil {
			return
		}
		if r.change.Rename != "" {
			f.renamed = r.change.Rename
			s.renamed++
		}
		f.deleted = f.deleted || r.change.Delete
	}
}

// fileOf resolves the file that stands for the one before in a compound.
func (s *smbStream) fileOf(r smbRequest) smb.FileID {
	if r.file.IsRelated() {
		return s.last
	}
	return r.file
}
