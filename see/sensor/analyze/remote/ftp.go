// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/credentials"
	"github.com/asepsis/asepsis/wire/ftp"
)

// probeFTP: the greeting "220" is SMTP's as well, and USER is POP3's. The
// greeting decides when it says FTP; else the first command or reply that only
// FTP has does.
func probeFTP(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	for first := true; ; first = false {
		line, n, err := ftp.Line(head)
		if err != nil {
			return analyze.No
		}
		if n == 0 {
			if len(head) > 0 && !letterOrDigit(head[0]) && head[0] != ' ' && head[0] != 0xff || first && len(head) > 512 {
				return analyze.No
			}
			return analyze.Maybe
		}
		head = head[n:]
		if r, err := ftp.ParseReply(line); err == nil {
			up := strings.ToUpper(r.Text)
			switch {
			case strings.Contains(up, "SMTP") || r.Code == 250 && !first && strings.Contains(up, "SIZE"):
				return analyze.No
			case r.Code == 220 && strings.Contains(up, "FTP"), r.Code == 227 || r.Code == 229 || r.Code == 230 && !first || r.Code == 331 || r.Code == 234 && !first || r.Code == 257:
				return analyze.Yes
			case first && r.Code != 220 && r.Code != 120 && r.Code != 421 && r.Code != 530:
				return analyze.No
			}
			continue
		}
		if c, err := ftp.ParseCommand(line); err == nil && ftp.Known(c.Verb) {
			switch {
			case ftp.Own(c.Verb) && c.Verb != "MODE", c.Verb == "AUTH" && (strings.EqualFold(c.Arg, "TLS") || strings.EqualFold(c.Arg, "SSL") || strings.EqualFold(c.Arg, "TLS-C")):
				return analyze.Yes
			case c.Verb == "USER" || c.Verb == "QUIT" || c.Verb == "HOST" || c.Verb == "AUTH":
				continue
			}
			return analyze.No
		}
		if first {
			return analyze.No
		}
	}
}

func letterOrDigit(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// maxFTPWaiting bounds the commands that wait for a reply.
const maxFTPWaiting = 64

// ftpStream follows a control connection.
type ftpStream struct {
	greeted   bool
	announced bool
	waiting   []ftpCommand
	multi     int // code of a reply of several lines that goes on
	first     ftp.Reply
	anonymous bool
	user      string // until PASS comes
	dataPort  uint16
	secure    bool
}

type ftpCommand struct {
	ftp.Command
	port  uint16
	told  bool   // a preliminary reply came
	known string // name of the published credential that a PASS sent
}

var _ analyze.Stream = (*ftpStream)(nil)

func (s *ftpStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	used := 0
	for {
		line, n, err := ftp.Line(data[used:])
		if err != nil {
			return int64(used), analyze.Done
		}
		if n == 0 {
			return int64(used), analyze.More
		}
		used += n
		if !s.announced { // who sends replies is the server
			if _, err := ftp.ParseReply(line); err == nil {
				setClient(c, dir.Other())
			} else if cmd, err := ftp.ParseCommand(line); err == nil && ftp.Known(cmd.Verb) {
				setClient(c, dir)
			} else {
				continue
			}
			s.announced = true
			c.Service("ftp")
		}
		if c.SideOf(dir) == analyze.Client {
			cmd, err := ftp.ParseCommand(line)
			if err != nil {
				continue
			}
			s.command(cmd)
			continue
		}
		if v := s.line(c, line); v != analyze.More {
			return int64(used), v
		}
	}
}

func (s *ftpStream) command(cmd ftp.Command) {
	if len(s.waiting) >= maxFTPWaiting {
		return
	}
	w := ftpCommand{Command: cmd}
	if a, ok := ftp.ParsePort(0, cmd.Verb, cmd.Arg); ok {
		w.port = a.Port()
	}
	if cmd.Verb == "USER" {
		low := strings.ToLower(cmd.Arg)
		s.anonymous = low == "anonymous" || low == "ftp"
		s.user = cmd.Arg[:min(len(cmd.Arg), credentials.MaxLength+1)]
	}
	if cmd.Verb == "PASS" { // compared now and forgotten
		w.known = credentials.Known("ftp", []byte(s.user), []byte(cmd.Arg))
		w.Arg, s.user = "", ""
	}
	s.waiting = append(s.waiting, w)
}

// line takes a line of the server.
func (s *ftpStream) line(c *analyze.Conn, line []byte) analyze.Verdict {
	if s.multi != 0 {
		if !ftp.Ends(line, s.multi) {
			return analyze.More
		}
		s.multi = 0
		return s.reply(c, s.first)
	}
	r, err := ftp.ParseReply(line)
	if err != nil {
		return analyze.More
	}
	if r.More {
		s.multi, s.first = r.Code, r
		return analyze.More
	}
	return s.reply(c, r)
}

func (s *ftpStream) reply(c *analyze.Conn, r ftp.Reply) analyze.Verdict {
	if !s.greeted && len(s.waiting) == 0 {
		s.greeted = true
		if r.Code == 220 {
			text := str(r.Text)
			c.Evidence(analyze.Server, device.AttrBanner, text, "ftp.greeting", device.Claimed)
			if host, _, _ := strings.Cut(text, " "); fqdn(host) != "" {
				c.Evidence(analyze.Server, device.AttrFQDN, host, "ftp.greeting", device.Hint)
			}
			c.Emit(&event.Event{Activity: 99, Status: event.StatusSuccess, StatusCode: "220", Message: "FTP server greets: " + text,
				Detail: &event.FTP{Command: "GREETING", Code: r.Code, Reply: text}})
		} else {
			c.Emit(&event.Event{Activity: 99, Status: event.StatusFailure, StatusCode: strconv.Itoa(r.Code), Message: "FTP server refused the connection",
				Detail: &event.FTP{Command: "GREETING", Code: r.Code}})
		}
		return analyze.More
	}
	s.greeted = true
	if len(s.waiting) == 0 {
		return analyze.More
	}
	w := &s.waiting[0]
	if r.Code < 200 { // preliminary: the end of the transfer is still to come
		w.told = true
		return analyze.More
	}
	s.waiting = append(s.waiting[:0], s.waiting[1:]...)
	return s.answered(c, *w, r)
}

// answered emits a command with its final reply.
func (s *ftpStream) answered(c *analyze.Conn, w ftpCommand, r ftp.Reply) analyze.Verdict {
	d := &event.FTP{Command: w.Verb, Code: r.Code}
	ok := r.Code < 400
	activity, msg := uint8(99), "FTP "+w.Verb
	path := ""
	switch w.Verb {
	case "USER", "PASS", "ACCT", "ADAT":
	case "STOR", "STOU", "APPE":
		activity, path = 1, w.Arg
	case "RETR":
		activity, path = 2, w.Arg
	case "DELE", "RMD", "XRMD":
		activity, path = 4, w.Arg
	case "RNFR", "RNTO":
		activity, path = 5, w.Arg
	case "LIST", "NLST", "MLSD", "MLST":
		activity = 6
		if !strings.HasPrefix(w.Arg, "-") {
			path = w.Arg
		}
	case "CWD", "XCWD", "MKD", "XMKD", "SIZE", "MDTM", "MFMT", "XCRC", "HASH":
		path = w.Arg
	case "STAT", "NOOP":
		activity = 3
	case "TYPE", "STRU", "MODE", "REST", "PROT", "PBSZ", "AUTH", "OPTS", "CLNT":
		d.Arg = str(w.Arg)
	case "SITE", "HELP", "LANG", "HOST", "ALLO":
		d.Arg, _, _ = strings.Cut(str(w.Arg), " ")
	}
	if path != "" {
		if w.Verb == "MDTM" || w.Verb == "MFMT" { // MFMT and some MDTM: time, then path
			if t, p, found := strings.Cut(path, " "); found && len(t) == 14 {
				path = p
			}
		}
		d.Arg = redactPath(c, path)
		msg += " " + d.Arg
	}
	switch w.Verb {
	case "SYST", "FEAT", "TYPE", "AUTH", "QUIT", "ABOR", "MODE":
		d.Reply = str(r.Text)
	}
	switch w.Verb {
	case "PASV", "EPSV":
		if a, found := ftp.ParsePort(r.Code, "", r.Text); found && ok {
			d.DataPort, s.dataPort = a.Port(), a.Port()
		}
	case "PORT", "EPRT":
		if ok {
			d.DataPort, s.dataPort = w.port, w.port
		}
	case "RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD":
		d.DataPort = s.dataPort
	case "SYST":
		if ok {
			c.Evidence(analyze.Server, device.AttrOS, ftpSystem(d.Reply), "ftp.syst", device.Hint)
		}
	}
	switch {
	case w.Verb == "PASS" && s.anonymous && ok:
		msg = "FTP logged on as anonymous"
	case w.Verb == "PASS" && ok:
		msg = "FTP logged on with a password in clear"
		d.Cleartext, d.DefaultCredential = true, w.known
	case w.Verb == "PASS":
		d.Cleartext = !s.anonymous
		msg = "FTP logon refused"
	case w.Verb == "USER" && r.Code == 230:
		msg = "FTP logged on without a password"
	case !ok:
		msg += " refused"
	}
	c.Emit(&event.Event{Activity: activity, Status: outcome(ok), StatusCode: strconv.Itoa(r.Code), Message: msg, Detail: d})
	if w.Verb == "AUTH" && r.Code == 234 {
		s.secure = true
		return analyze.Handoff
	}
	return analyze.More
}

// ftpSystem derives the operating system from the reply to SYST, of which
// "UNIX Type: L8" says nothing, as nearly every server sends it.
func ftpSystem(reply string) string {
	if strings.HasPrefix(reply, "Windows_NT") {
		return "Windows"
	}
	for _, o := range [...]string{"VxWorks", "QNX", "OS/400", "MVS", "VMS", "NetWare", "Nucleus", "Windows_CE"} {
		if strings.Contains(strings.ToUpper(reply), strings.ToUpper(o)) {
			return o
		}
	}
	return ""
}

// Gap goes on with the next line: replies and commands may no longer pair.
func (s *ftpStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict {
	s.waiting, s.multi = nil, 0
	return analyze.More
}

// Close emits what was never answered.
func (s *ftpStream) Close(c *analyze.Conn, _ analyze.End) {
	for _, w := range s.waiting {
		if w.Verb == "QUIT" {
			continue
		}
		d := &event.FTP{Command: w.Verb}
		msg := "FTP " + w.Verb + " without a final answer"
		switch w.Verb {
		case "RETR", "STOR", "APPE", "DELE", "RNTO", "RNFR":
			d.Arg = redactPath(c, w.Arg)
		}
		c.Emit(&event.Event{Activity: 99, Message: msg, Detail: d})
	}
}
