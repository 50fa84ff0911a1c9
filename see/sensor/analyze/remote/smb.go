// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ntlm"
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

// smbStream follows one connection. Both versions feed the same state: keys of
// SMB1 are its MID, TID and FID.
type smbStream struct {
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

// smbAuth is what is known of the authentication under way.
type smbAuth struct {
	mechanisms []string
	kerberos   bool
	challenge  *ntlm.Message
	answer     *ntlm.Message
	os         string
	account    string
	domain     string
	legacy     bool
	plain      bool
}

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
				s.request1(c, h, bl, in)
			}
			return nil
		})
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

func (s *smbStream) negotiated(c *analyze.Conn, status uint32, n *smb.Negotiate) {
	s.signing = n.SigningMode()
	s.guid = n.GUID.String()
	if len(n.Dialects) > 0 {
		s.dialect = n.Dialects[0]
	}
	tok := ntlm.ParseToken(n.Token)
	s.auth.mechanisms = tok.Mechanisms
	if s.guid != "" && !named(n.GUID) {
		c.Evidence(analyze.Server, device.AttrDeviceID, "smb:"+s.guid, "smb.negotiate.server-guid", device.Claimed)
	}
	c.Evidence(analyze.Server, device.AttrHostname, hostName(n.Server), "smb.negotiate.server", device.Claimed)
	msg := "SMB dialect " + s.dialect + " agreed, signing " + s.signing
	if s.dialect == "" {
		msg = "SMB negotiation"
	}
	d := &event.SMB{Command: "NEGOTIATE", ClientDialects: s.offered, Domain: str(n.Domain)}
	s.emit(c, 99, status, d, msg)
}

// named reports a GUID that Samba makes of the server's name, padded with
// zeros: two servers of one name would be taken for one.
func named(g smb.GUID) bool { return g[12]|g[13]|g[14]|g[15] == 0 }

// token reads a security token of either side.
func (s *smbStream) token(c *analyze.Conn, side analyze.Side, b []byte) {
	if len(b) == 0 {
		return
	}
	t := ntlm.ParseToken(b)
	s.auth.kerberos = s.auth.kerberos || t.Kerberos
	m := t.Message
	if m == nil {
		return
	}
	switch m.Type {
	case ntlm.Challenge:
		s.auth.challenge = m
		c.Evidence(side, device.AttrHostname, hostName(m.ComputerName), "ntlmssp.challenge.computer", device.Claimed)
		c.Evidence(side, device.AttrFQDN, fqdn(m.DNSComputer), "ntlmssp.challenge.dns-computer", device.Claimed)
	case ntlm.Authenticate:
		s.auth.answer = m
		c.Evidence(side, device.AttrHostname, hostName(m.Workstation), "ntlmssp.authenticate.workstation", device.Claimed)
	case ntlm.Negotiate:
		c.Evidence(side, device.AttrHostname, hostName(m.Workstation), "ntlmssp.negotiate.workstation", device.Claimed)
	}
	c.Evidence(side, device.AttrOS, windows(m.Version), "ntlmssp.version", device.Claimed)
}

// windows names the operating system of an NTLM version. 6.1 without a build
// is what Samba and other re-implementations fill in: it says nothing.
func windows(v ntlm.Version) string {
	if v.IsZero() || v.Build == 0 {
		return ""
	}
	return "Windows " + v.String()
}

// loggedOn emits the end of an authentication.
func (s *smbStream) loggedOn(c *analyze.Conn, status uint32, guest, anonymous bool) {
	a := &s.auth
	d := &event.SMB{Command: "SESSION_SETUP", Guest: guest, Domain: str(a.domain), OSVersion: str(a.os), NTLMv1: a.legacy}
	user, how := a.account, ""
	if a.challenge != nil && d.OSVersion == "" {
		d.OSVersion = windows(a.challenge.Version)
	}
	if m := a.answer; m != nil {
		how = "NTLMv2"
		d.Workstation, d.Domain = str(m.Workstation), str(m.Domain)
		user = m.User
		if m.NTLMv1 || m.LMOnly {
			how, d.NTLMv1 = "NTLMv1", true
		}
		anonymous = anonymous || m.Anonymous
		if v := windows(m.Version); v != "" {
			d.OSVersion = v
		}
	} else if a.kerberos {
		how = "Kerberos"
	} else if a.legacy {
		how = "NTLMv1"
	}
	if a.plain {
		how = "password in clear"
	}
	var msg string
	switch {
	case status>>30 == 3:
		msg = "SMB logon refused"
	case anonymous:
		msg = "SMB anonymous session"
	case guest:
		msg = "SMB guest session"
	default:
		msg = "SMB session opened"
	}
	if u := account(c, user); u != "" && !anonymous {
		msg += " for " + str(u)
	}
	if how != "" && !anonymous {
		msg += " with " + how
	}
	if h := machine(user); h != "" {
		c.Evidence(analyze.Client, device.AttrHostname, h, "smb.session-setup.machine-account", device.Claimed)
	}
	s.emit(c, 99, status, d, msg)
	mech := a.mechanisms
	s.auth = smbAuth{mechanisms: mech}
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
	s.emit(c, activity, status, &event.SMB{Command: "CREATE", Share: share, ShareType: t.kind, File: shown}, "SMB "+what+" "+shown+" "+verb)
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
	if f.renamed != "" {
		did = append(did, "renamed to "+redactPath(c, f.renamed))
	}
	if f.deleted {
		did = append(did, "deleted")
	}
	share := ""
	if f.share != "" {
		share = s.share(c, f.share)
	}
	s.emit(c, 99, 0, &event.SMB{Command: "CLOSE", Share: share, File: shown}, "SMB file "+shown+": "+strings.Join(did, ", "))
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
