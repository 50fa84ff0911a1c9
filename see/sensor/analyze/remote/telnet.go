// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/see/sensor/credentials"
	"github.com/asepsis/asepsis/wire/printable"
	"github.com/asepsis/asepsis/wire/telnet"
)

func probeTelnet(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	return matches(telnet.Looks(head))
}

// maxTelnetBanner is how much of the server's text before the login is kept.
const maxTelnetBanner = 1024

// telnetStream watches for the login. What a person types at a prompt is held
// until the line ends, compared with what devices are delivered with, and wiped;
// only the result is kept.
type telnetStream struct {
	r       [2]telnet.Reader
	now     analyze.Dir
	c       *analyze.Conn
	options [2]uint64 // by number, of WILL and DO
	began   int64

	banner   []byte
	prompted bool // a login prompt came: what follows may name a person
	tail     []byte
	password bool // a password prompt came
	typed    bool // and a line was typed behind it
	failed   bool
	open     bool  // lines were typed after the name, and no password was asked for
	user     typed // what was typed at the prompts
	secret   typed
	known    string // name of the published credential that was typed
	terminal string
	encrypts bool
	done     bool
}

var _ analyze.Stream = (*telnetStream)(nil)
var _ telnet.Handler = (*telnetStream)(nil)

func (s *telnetStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if s.began == 0 {
		s.began = c.Now
		c.Service("telnet")
	}
	s.c, s.now = c, dir
	s.r[dir].Feed(data, s)
	s.c = nil
	if s.encrypts || s.password && s.typed && len(s.tail) > 256 {
		s.finish(c)
		return int64(len(data)), analyze.Done
	}
	return int64(len(data)), analyze.More
}

// Text implements telnet.Handler.
func (s *telnetStream) Text(b []byte) {
	if s.c.SideOf(s.now) == analyze.Client {
		s.enter(b)
		return
	}
	if !s.prompted {
		if k := maxTelnetBanner - len(s.banner); k > 0 {
			s.banner = append(s.banner, b[:min(k, len(b))]...)
		}
	}
	if len(s.tail) > 512 {
		s.tail = append(s.tail[:0], s.tail[len(s.tail)-64:]...)
	}
	at := len(s.tail)
	s.tail = append(s.tail, b[:min(len(b), 4096)]...)
	recent := bytes.ToLower(s.tail[max(0, at-24):])
	if !s.password && s.user.done && !bytes.Contains(recent, []byte("last login:")) && bytes.Contains(recent, []byte("login:")) {
		s.user, s.open = typed{}, false // it asks for a name again
		s.tail = s.tail[:0]
	}
	if !s.prompted && (bytes.Contains(recent, []byte("login:")) || bytes.Contains(recent, []byte("username:")) || bytes.Contains(recent, []byte("user:")) || bytes.Contains(recent, []byte("user name:"))) {
		s.prompted = true
		s.tail = s.tail[:0]
	}
	if bytes.Contains(recent, []byte("password:")) || bytes.Contains(recent, []byte("passwd:")) || bytes.Contains(recent, []byte("passcode:")) {
		s.prompted, s.password, s.typed, s.failed, s.open, s.known = true, true, false, false, false, ""
		s.secret = typed{}
		s.tail = s.tail[:0]
	}
	if s.typed && !bytes.Contains(recent, []byte("last login:")) && (bytes.Contains(recent, []byte("incorrect")) || bytes.Contains(recent, []byte("login failed")) || bytes.Contains(recent, []byte("denied")) || bytes.Contains(recent, []byte("login:"))) {
		s.failed = true
		if s.password && bytes.Contains(recent, []byte("login:")) { // and asks again
			s.password, s.user = false, typed{}
			s.tail = s.tail[:0]
		}
	}
}

// typed is a line that is being typed.
type typed struct {
	b    [64]byte
	n    int
	done bool
	long bool
}

// add takes typed octets up to the end of the line.
func (l *typed) add(b []byte) {
	for _, c := range b {
		switch {
		case l.done:
			return
		case c == '\r' || c == '\n':
			l.done = true
		case c == 8 || c == 127: // taken back
			l.n = max(l.n-1, 0)
		case c < ' ':
		case l.n == len(l.b):
			l.long = true
		default:
			l.b[l.n] = c
			l.n++
		}
	}
}

// enter takes what the client typed.
func (s *telnetStream) enter(b []byte) {
	switch {
	case !s.password:
		if s.prompted {
			for i := range b {
				s.open = s.open || s.user.done && b[i] > ' '
				s.user.add(b[i : i+1])
			}
		}
	case !s.typed:
		s.secret.add(b)
		if !s.secret.done {
			return
		}
		s.typed = true
		if s.user.done && !s.user.long && !s.secret.long {
			s.known = credentials.Known("telnet", s.user.b[:s.user.n], s.secret.b[:s.secret.n])
		}
		s.user, s.secret = typed{}, typed{}
	}
}

// Option implements telnet.Handler.
func (s *telnetStream) Option(verb, option uint8) {
	if (verb == telnet.WILL || verb == telnet.DO) && option < 64 {
		s.options[s.now] |= 1 << option
	}
}

// Sub implements telnet.Handler.
func (s *telnetStream) Sub(option uint8, b []byte) {
	switch {
	case option == telnet.OptTerminalType && s.terminal == "":
		s.terminal = telnet.TerminalType(b)
	case (option == telnet.OptEncryption || option == telnet.OptStartTLS) && len(b) > 0 && b[0] == 3: // START (RFC 2946 §2)
		s.encrypts = true
	}
}

func (s *telnetStream) Gap(*analyze.Conn, analyze.Dir, int64) analyze.Verdict { return analyze.More }

func (s *telnetStream) Close(c *analyze.Conn, _ analyze.End) { s.finish(c) }

func (s *telnetStream) finish(c *analyze.Conn) {
	if s.done {
		return
	}
	s.done = true
	var kv attrs
	for o := range uint8(64) {
		if (s.options[0]|s.options[1])&(1<<o) != 0 {
			kv.add("option", telnet.OptionName(o))
		}
	}
	kv.add("terminal_type", s.terminal)
	kv.flag("login_prompt", s.prompted)
	kv.flag("password_in_clear", s.typed && !s.encrypts)
	kv.flag("no_password_asked", s.open && !s.encrypts)
	if !s.failed {
		kv.add("default_credential", s.known)
	}
	kv.flag("encrypted", s.encrypts)
	banner := telnetBanner(s.banner)
	kv.add("banner", banner)
	c.Evidence(analyze.Server, device.AttrBanner, banner, "telnet.banner", device.Claimed)
	if h, _, ok := strings.Cut(string(bytes.ToLower(s.banner)), " login:"); ok && s.prompted {
		if i := strings.LastIndexAny(h, "\r\n "); i >= 0 {
			h = h[i+1:]
		}
		c.Evidence(analyze.Server, device.AttrHostname, hostName(str(h)), "telnet.prompt", device.Hint)
	}
	e := &event.Event{Time: s.began, Activity: session, Detail: &event.Application{Name: "telnet", Operation: "SESSION", Attributes: kv}}
	switch {
	case s.typed && s.failed:
		e.Message, e.Status = "Telnet login with a password in clear refused", event.StatusFailure
	case s.typed:
		e.Message, e.Status = "Telnet login with a password in clear", event.StatusSuccess
	case s.open && !s.encrypts:
		e.Message, e.Status = "Telnet login that no password was asked for", event.StatusSuccess
	case s.prompted:
		e.Message = "Telnet login prompt without a login"
	default:
		e.Message = "Telnet session"
	}
	c.Emit(e)
}

// telnetBanner is what a server says before it asks for a name, in one line.
func telnetBanner(b []byte) string {
	low := printable.LowerASCII(b)
	for _, p := range []string{"login:", "username:", "user name:", "user:", "password:"} {
		if i := bytes.Index(low, []byte(p)); i >= 0 {
			b = b[:i]
			low = low[:i]
		}
	}
	return str(strings.Join(strings.Fields(string(b)), " "))
}
