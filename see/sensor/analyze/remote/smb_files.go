// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/smb"
)

// smbFile is an open file or pipe. Path is as on the wire: it does not leave
// unredacted.
type smbFile struct {
	path          string
	share         string
	pipe          bool
	dir           bool
	read, written uint64
	renamed       string
	deleted       bool
}

type smbTree struct {
	name string
	kind string
}

// connected keeps and emits a tree connect.
func (s *smbStream) connected(c *analyze.Conn, status uint32, id uint32, path string, sh smb.Share) {
	if status == smb.StatusSuccess && len(s.trees) < maxTrees {
		s.trees[id] = smbTree{name: path, kind: sh.Type}
	}
	shown := s.share(c, path)
	if status == smb.StatusSuccess {
		s.shares.add(shown)
	} else {
		s.denied++
	}
	if host, _, ok := strings.Cut(strings.TrimPrefix(path, `\\`), `\`); ok && strings.HasPrefix(path, `\\`) {
		if f := fqdn(host); f != "" && strings.IndexFunc(f, isLetter) >= 0 {
			c.Evidence(analyze.Server, device.AttrFQDN, f, "smb.tree-connect", device.Hint)
		} else {
			c.Evidence(analyze.Server, device.AttrHostname, hostName(host), "smb.tree-connect", device.Hint)
		}
	}
	s.emit(c, 99, status, &event.SMB{Command: "TREE_CONNECT", Share: shown, ShareType: sh.Type}, "SMB share "+shown+" connected")
}

func isLetter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }

// share shows the UNC path of a share. A home share bears a person's name: the
// shares that are known to be none stay as they are.
func (s *smbStream) share(c *analyze.Conn, path string) string {
	i := strings.LastIndexByte(path, '\\')
	name := path[i+1:]
	if strings.HasSuffix(name, "$") && len(name) <= 7 { // IPC$, ADMIN$, C$, print$
		return str(path)
	}
	return str(path[:i+1] + redactShare(c, name))
}

// opening emits a CREATE and keeps the file.
func (s *smbStream) opening(c *analyze.Conn, status uint32, r smbRequest, id smb.FileID, o smb.Opened) {
	t := s.trees[r.tree]
	pipe := t.kind == "pipe"
	shown := redactPath(c, r.open.Path)
	verb := "opened"
	if pipe {
		shown = str(r.open.Path)
	}
	if status>>30 == 3 {
		s.failed++
		verb = "not opened"
	} else {
		s.opened++
		if o.Action == 2 {
			s.created++
			verb = "created"
		} else if o.Action == 0 || o.Action == 3 {
			verb = "overwritten"
		}
		s.last = id
		if len(s.files) < maxOpenFiles {
			s.files[id] = &smbFile{path: r.open.Path, share: t.name, pipe: pipe, dir: o.Directory || r.open.Directory, deleted: r.open.DeleteOnClose}
		}
		if pipe {
			s.pipes.add(strings.ToLower(strings.TrimPrefix(str(r.open.Path), `\`)))
		}
	}
	if shown == "" { // the root of a share is opened all the time
		return
	}
	what := "file"
	switch {
	case pipe:
		what = "pipe"
	case o.Directory || r.open.Directory:
		what = "directory"
	}
	activity := uint8(99)
	if r.open.Disposition <= smb.OverwriteIf {
		activity = [...]uint8{1, 2, 3, 4, 5, 6}[r.open.Disposition]
	}
	share := ""
	if t.name != "" {
		share = s.share(c, t.name)
	}
	s.emit(c, activity, status, &event.SMB{Command: "CREATE", Share: share, ShareType: t.kind, File: shown, RansomNote: !pipe && ransomNote(r.open.Path)}, "SMB "+what+" "+shown+" "+verb)
}

// closing emits what was done to a file, when anything was.
func (s *smbStream) closing(c *analyze.Conn, id smb.FileID) {
	f := s.files[id]
	if f == nil {
		return
	}
	delete(s.files, id)
	if f.deleted {
		s.deleted++
	}
	if f.pipe || f.read+f.written == 0 && f.renamed == "" && !f.deleted {
		return
	}
	shown := redactPath(c, f.path)
	var did []string
	if f.read > 0 {
		did = append(did, plural(f.read, "byte")+" read")
	}
	if f.written > 0 {
		did = append(did, plural(f.written, "byte")+" written")
	}
	to := renamed(c, f.path, f.renamed)
	if to != "" {
		did = append(did, "renamed to "+to)
	}
	if f.deleted {
		did = append(did, "deleted")
	}
	share := ""
	if f.share != "" {
		share = s.share(c, f.share)
	}
	s.emit(c, 99, 0, &event.SMB{Command: "CLOSE", Share: share, File: shown, RenamedTo: to, RansomNote: ransomNote(f.path) || ransomNote(f.renamed)}, "SMB file "+shown+": "+strings.Join(did, ", "))
}

// bound notes the RPC interfaces that a pipe's data binds.
func (s *smbStream) bound(c *analyze.Conn, b []byte) {
	ifs, ok := smb.Bind(b)
	if !ok {
		return
	}
	for _, i := range ifs {
		if s.interfaces.add(i) {
			c.Emit(&event.Event{Activity: message, Message: "RPC interface " + i + " bound over SMB",
				Detail: &event.Application{Name: "dcerpc", Operation: "BIND", Attributes: []event.KV{{Name: "interface", Value: i}, {Name: "transport", Value: "ncacn_np"}}}})
		}
	}
}
