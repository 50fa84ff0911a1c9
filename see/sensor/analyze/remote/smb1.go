// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/smb"
)

// key1 identifies a request of SMB1: the command is part of it, as a chain has
// several under one MID.
func key1(h smb.Header1, command uint8) uint64 {
	return uint64(h.PID)<<32 | uint64(h.MID)<<8 | uint64(command)
}

// file1 is a FID as the files of SMB2 are named.
func file1(fid uint16) (f smb.FileID) {
	binary.LittleEndian.PutUint16(f[:], fid)
	f[15] = 1
	return f
}

func (s *smbStream) request1(c *analyze.Conn, h smb.Header1, bl smb.Block1, msg []byte) {
	r := smbRequest{command: uint16(bl.Command), tree: uint32(h.TID)}
	if fid, ok := smb.File1(bl); ok {
		r.file, r.known = file1(fid), true
	}
	switch bl.Command {
	case smb.Cmd1Negotiate:
		s.offered = smb.Dialects1(bl)
	case smb.Cmd1SessionSetup:
		a, err := smb.ParseSessionSetup1(bl, h)
		if err != nil {
			return
		}
		s.token(c, analyze.Client, a.Token)
		s.auth.account, s.auth.domain, s.auth.plain = a.Account, a.Domain, a.Plain
		s.auth.legacy = a.LegacyNTLM && a.Account != ""
		s.native(c, analyze.Client, a)
	case smb.Cmd1TreeConnect:
		r.path, _ = smb.TreeConnect1(bl, h)
	case smb.Cmd1NTCreate:
		r.open, _ = smb.ParseCreate1(bl, h)
	case smb.Cmd1WriteAndX:
		if t, ok := smb.Transfer1(msg, bl, false); ok {
			s.bound(c, t.Data)
			r.open.Access = t.Length // the response counts in 16 bits: keep what was asked
		}
	case smb.Cmd1Delete, smb.Cmd1DeleteDirectory:
		r.path, _ = smb.Paths1(bl, h)
	case smb.Cmd1Rename:
		r.path, r.change.Rename = smb.Paths1(bl, h)
	case smb.Cmd1Transaction:
		s.bound(c, rpcWithin(bl.Data))
	}
	s.remember(key1(h, bl.Command), r)
}

// rpcWithin finds a bind in the data of a TRANSACTION: behind the pipe's name
// and padding, aligned to four octets at most 64 in.
func rpcWithin(b []byte) []byte {
	for i := 0; i+4 < len(b) && i < 64; i++ {
		if b[i] == 5 && b[i+1] <= 1 && b[i+2] == 11 {
			return b[i:]
		}
	}
	return nil
}

func (s *smbStream) response1(c *analyze.Conn, h smb.Header1, bl smb.Block1, msg []byte) {
	r, asked := s.take(key1(h, bl.Command), uint16(bl.Command))
	status := h.Status
	if !h.NTStatus && status != 0 {
		status = 0xc0000001 // a DOS error: STATUS_UNSUCCESSFUL
	}
	ok := status>>30 != 3
	switch bl.Command {
	case smb.Cmd1Negotiate:
		i, n, err := smb.ParseNegotiateResponse1(bl, h)
		if err != nil {
			return
		}
		if int(i) < len(s.offered) {
			n.Dialects = s.offered[i : i+1]
		}
		s.negotiated(c, status, n)
	case smb.Cmd1SessionSetup:
		a, err := smb.ParseSessionSetup1(bl, h)
		if err != nil {
			return
		}
		s.token(c, analyze.Server, a.Token)
		s.native(c, analyze.Server, a)
		if a.NativeOS != "" && !strings.Contains(a.NativeLanMan, "Samba") {
			s.auth.os = a.NativeOS
		}
		if status != smb.StatusMoreProcessing {
			s.loggedOn(c, status, a.Guest, asked && s.auth.answer == nil && s.auth.account == "" && !s.auth.kerberos)
		}
	case smb.Cmd1TreeConnect:
		if asked {
			s.connected(c, status, uint32(h.TID), r.path, smb.ParseShare1(bl))
		}
	case smb.Cmd1TreeDisconnect:
		delete(s.trees, uint32(h.TID))
	case smb.Cmd1NTCreate:
		if !asked {
			return
		}
		fid, o, err := smb.ParseOpened1(bl)
		if ok && err != nil {
			return
		}
		s.opening(c, status, r, file1(fid), o)
	case smb.Cmd1Close:
		if asked && ok {
			s.closing(c, r.file)
		}
	case smb.Cmd1ReadAndX:
		if t, there := smb.Transfer1(msg, bl, true); ok && there {
			s.read += uint64(t.Length)
			if f := s.files[r.file]; asked && f != nil {
				f.read += uint64(t.Length)
			}
		}
	case smb.Cmd1WriteAndX:
		if asked && ok {
			s.written += uint64(r.open.Access)
			if f := s.files[r.file]; f != nil {
				f.written += uint64(r.open.Access)
			}
		}
	case smb.Cmd1Delete, smb.Cmd1DeleteDirectory:
		if asked && ok {
			s.deleted++
			s.removed(c, r, smb.CommandName1(bl.Command))
		}
	case smb.Cmd1Rename:
		if asked && ok {
			s.renamed++
			s.removed(c, r, "RENAME")
		}
	}
}

// native gives the names that SMB1 exchanges after logging on.
func (s *smbStream) native(c *analyze.Conn, side analyze.Side, a *smb.SessionSetup) {
	who := "client"
	if side == analyze.Server {
		who = "server"
	}
	samba := strings.Contains(a.NativeLanMan, "Samba") // it calls itself Windows 6.1, or Unix
	if len(a.NativeOS) > 2 && a.NativeOS != "Unix" && !samba {
		c.Evidence(side, device.AttrOS, str(a.NativeOS), "smb.session-setup.native-os."+who, device.Claimed)
	}
	if len(a.NativeLanMan) > 2 {
		c.Evidence(side, device.AttrBanner, str(a.NativeLanMan), "smb.session-setup.native-lanman."+who, device.Claimed)
	}
}

// removed emits a deletion or a renaming by name.
func (s *smbStream) removed(c *analyze.Conn, r smbRequest, command string) {
	t := s.trees[r.tree]
	share := ""
	if t.name != "" {
		share = s.share(c, t.name)
	}
	shown := redactPath(c, r.path)
	msg := "SMB file " + shown + " deleted"
	to := renamed(c, r.path, r.change.Rename)
	if to != "" {
		msg = "SMB file " + shown + " renamed to " + to
	}
	s.emit(c, 99, 0, &event.SMB{Command: command, Share: share, ShareType: t.kind, File: shown, RenamedTo: to, RansomNote: ransomNote(r.change.Rename)}, msg)
}
