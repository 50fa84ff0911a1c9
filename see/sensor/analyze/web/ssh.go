// SPDX-License-Identifier: Apache-2.0

package web

import (
	"strings"

	"github.com/asepsis/asepsis/core/device"
	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/ssh"
)

func probeSSH(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
	yes, maybe := ssh.Looks(head)
	switch {
	case yes:
		return analyze.Yes
	case maybe:
		return analyze.Maybe
	}
	return analyze.No
}

// sshStream reads both sides' identification and KEXINIT.
type sshStream struct {
	r     [2]ssh.Reader
	began int64
	done  bool
}

var _ analyze.Stream = (*sshStream)(nil)

func (s *sshStream) Data(c *analyze.Conn, dir analyze.Dir, data []byte) (int64, analyze.Verdict) {
	if s.began == 0 {
		s.began = c.Now
	}
	r := &s.r[dir]
	if err := r.Feed(data); err != nil {
		s.finish(c)
		if r.Banner == "" {
			return int64(len(data)), analyze.Reject
		}
		return int64(len(data)), analyze.Done
	}
	if s.r[0].Done() && s.r[1].Done() || strings.HasPrefix(r.Banner, "SSH-1.") && !strings.HasPrefix(r.Banner, "SSH-1.99") {
		s.finish(c)
		return int64(len(data)), analyze.Done
	}
	return int64(len(data)), analyze.More
}

func (s *sshStream) Gap(c *analyze.Conn, _ analyze.Dir, _ int64) analyze.Verdict {
	s.finish(c)
	return analyze.Done
}

func (s *sshStream) Close(c *analyze.Conn, _ analyze.End) { s.finish(c) }

func (s *sshStream) finish(c *analyze.Conn) {
	if s.done {
		return
	}
	s.done = true
	if s.r[0].Banner == "" && s.r[1].Banner == "" {
		return
	}
	client := 0
	if c.Flipped() {
		client = 1
	}
	for d := range s.r {
		switch l := s.r[d].Init; {
		case l == nil:
		case l.FromClient():
			client = d
		case l.FromServer():
			client = 1 - d
		}
	}
	setClient(c, analyze.Dir(client))
	cl, sv := &s.r[client], &s.r[1-client]
	d := &event.SSH{ClientVersion: str(cl.Banner), ServerVersion: str(sv.Banner)}
	c.Encrypted = cl.Init != nil && sv.Init != nil
	if d.ServerVersion != "" {
		c.Service("ssh")
	}
	c.Evidence(analyze.Server, device.AttrBanner, d.ServerVersion, "ssh.identification", device.Claimed)
	c.Evidence(analyze.Client, device.AttrBanner, d.ClientVersion, "ssh.identification.client", device.Claimed)
	c.Evidence(analyze.Server, device.AttrOS, sshOS(d.ServerVersion), "ssh.identification", device.Hint)
	c.Evidence(analyze.Client, device.AttrOS, sshOS(d.ClientVersion), "ssh.identification.client", device.Hint)
	if !c.Full() {
		c.NoteAt(event.ClassSSH, s.began, c.App)
		return
	}
	e := &event.Event{Time: s.began, Activity: 1, Detail: d}
	var notes []string
	if cl.Init != nil {
		d.HASSH = cl.Init.HASSH()
	}
	if sv.Init != nil {
		d.HASSHServer = sv.Init.HASSHServer()
		if w := ssh.Weak(sv.Init.Kex, sv.Init.HostKey, sv.Init.CipherSC, sv.Init.MACSC); len(w) > 0 {
			notes = append(notes, "server offers weak "+strings.Join(w, ","))
		}
	}
	if cl.Init != nil && sv.Init != nil {
		a := ssh.Negotiate(cl.Init, sv.Init)
		d.KexAlgorithm, d.HostKeyAlg, d.Cipher, d.MAC = str(a.Kex), str(a.HostKey), str(a.CipherSC), str(a.MACSC)
		if w := ssh.Weak([]string{a.Kex, a.HostKey, a.CipherCS, a.CipherSC, a.MACCS, a.MACSC}); len(w) > 0 {
			notes = append([]string{"weak algorithm agreed: " + strings.Join(w, ",")}, notes...)
		}
		e.Status = event.StatusSuccess
		if a.Kex == "" || a.CipherCS == "" || a.CipherSC == "" {
			e.Status = event.StatusFailure
			notes = append(notes, "no common algorithm")
		}
	}
	e.StatusDetail = str(strings.Join(notes, "; "))
	e.Message = "SSH connection"
	if d.ServerVersion != "" {
		e.Message += " to " + d.ServerVersion
	}
	if d.Cipher != "" {
		e.Message += " with " + d.KexAlgorithm + ", " + d.Cipher
	}
	c.Emit(e)
}

// sshOS derives an operating system from the software version that
// distributions put into the identification string.
func sshOS(banner string) string {
	for _, o := range []struct{ word, name string }{
		{"Ubuntu", "Ubuntu Linux"}, {"Debian", "Debian Linux"}, {"Raspbian", "Raspbian Linux"}, {"FreeBSD", "FreeBSD"}, {"NetBSD", "NetBSD"},
		{"OpenSSH_for_Windows", "Windows"}, {"Cisco", "Cisco IOS"}, {"dropbear", "embedded Linux"}, {"ROSSSH", "RouterOS"},
	} {
		if strings.Contains(banner, o.word) {
			return o.name
		}
	}
	return ""
}
