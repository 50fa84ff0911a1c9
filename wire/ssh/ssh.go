// SPDX-License-Identifier: Apache-2.0

// Package ssh reads what SSH shows before it is encrypted: the identification
// strings (RFC 4253 §4.2) and the algorithm negotiation (KEXINIT, §7.1) of
// both sides, and what follows from them: the algorithms that will be used, and
// HASSH, the fingerprint of a side's offers as its authors published it.
//
// # Limits
//
// At most MaxBanner bytes may come before and in the identification string, and
// a packet may have MaxPacket bytes; more is an error.
//
// # What is not done
//
// Key exchange itself is not read. SSH 1 is recognised by its identification
// string only.
package ssh

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strings"
)

// Bounds of reading.
const (
	MaxBanner = 8 << 10
	MaxPacket = 35000 // RFC 4253 §6.1
)

// Errors of reading.
var (
	ErrBanner = errors.New("SSH identification string malformed")
	ErrPacket = errors.New("SSH packet malformed")
)

// Lists are the algorithms of a KEXINIT, in order of preference.
type Lists struct {
	Kex, HostKey                 []string
	CipherCS, CipherSC           []string // client to server, server to client
	MACCS, MACSC                 []string
	CompressionCS, CompressionSC []string
	raw                          [8]string
}

// Reader reads one direction until its KEXINIT. The zero value is ready.
type Reader struct {
	Banner string   // identification string without line end, "" before it was seen
	Before []string // lines that came before it
	Init   *Lists   // nil before KEXINIT was seen

	buf  []byte
	read int
}

// Done reports that nothing readable can follow.
func (r *Reader) Done() bool { return r.Init != nil }

// Feed consumes all of data.
func (r *Reader) Feed(data []byte) error {
	for len(data) > 0 && !r.Done() {
		if r.Banner == "" {
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				if r.read += len(data); r.read > MaxBanner {
					return ErrBanner
				}
				r.buf = append(r.buf, data...)
				return nil
			}
			if r.read += i + 1; r.read > MaxBanner {
				return ErrBanner
			}
			r.buf = append(r.buf, data[:i]...)
			data = data[i+1:]
			line := bytes.TrimSuffix(r.buf, []byte{'\r'})
			switch {
			case bytes.HasPrefix(line, []byte("SSH-")):
				r.Banner = string(line[:min(len(line), 255)])
			case len(r.Before) < 8: // RFC 4253 §4.2: the server may send other lines first
				r.Before = append(r.Before, string(line[:min(len(line), 255)]))
			}
			r.buf = r.buf[:0]
			continue
		}
		// The binary packet protocol, in clear until NEWKEYS (RFC 4253 §6).
		if len(r.buf) < 5 {
			k := min(5-len(r.buf), len(data))
			r.buf = append(r.buf, data[:k]...)
			data = data[k:]
			if len(r.buf) < 5 {
				return nil
			}
		}
		n := int(r.buf[0])<<24 | int(r.buf[1])<<16 | int(r.buf[2])<<8 | int(r.buf[3])
		if n < 5 || n > MaxPacket || int(r.buf[4]) > n-1 {
			return ErrPacket
		}
		k := min(4+n-len(r.buf), len(data))
		r.buf = append(r.buf, data[:k]...)
		data = data[k:]
		if len(r.buf) < 4+n {
			return nil
		}
		payload := r.buf[5 : 4+n-int(r.buf[4])]
		if len(payload) > 0 && payload[0] == 20 { // SSH_MSG_KEXINIT
			l, err := parseInit(payload)
			if err != nil {
				return err
			}
			r.Init, r.buf = l, nil
			return nil
		}
		if len(payload) == 0 || payload[0] > 4 { // DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG may come before
			return ErrPacket
		}
		r.buf = r.buf[:0]
	}
	return nil
}

func parseInit(b []byte) (*Lists, error) {
	if len(b) < 17 {
		return nil, ErrPacket
	}
	b = b[17:] // type and cookie
	var raw [8]string
	for i := range raw {
		if len(b) < 4 {
			return nil, ErrPacket
		}
		n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		if uint64(n) > uint64(len(b)-4) {
			return nil, ErrPacket
		}
		raw[i] = string(b[4 : 4+n])
		b = b[4+n:]
	}
	l := &Lists{Kex: names(raw[0]), HostKey: names(raw[1]), CipherCS: names(raw[2]), CipherSC: names(raw[3]),
		MACCS: names(raw[4]), MACSC: names(raw[5]), CompressionCS: names(raw[6]), CompressionSC: names(raw[7])}
	l.raw = raw
	return l, nil
}

// names splits a name-list, 64 names at most.
func names(s string) []string {
	if s == "" {
		return nil
	}
	var out []string
	for n := range strings.SplitSeq(s, ",") {
		if len(out) == 64 {
			break
		}
		out = append(out, n)
	}
	return out
}

// HASSH returns the fingerprint of a client: MD5 of its key exchange list and
// its lists of ciphers, MACs and compressions from client to server, joined by ";".
func (l *Lists) HASSH() string { return hassh(l.raw[0], l.raw[2], l.raw[4], l.raw[6]) }

// HASSHServer returns the fingerprint of a server, of the lists from server to client.
func (l *Lists) HASSHServer() string { return hassh(l.raw[0], l.raw[3], l.raw[5], l.raw[7]) }

func hassh(lists ...string) string {
	sum := md5.Sum([]byte(strings.Join(lists, ";")))
	return hex.EncodeToString(sum[:])
}

// FromClient reports that the lists can only be a client's: they carry a
// client's signal (RFC 8308 §2.1, OpenSSH's strict key exchange).
func (l *Lists) FromClient() bool {
	return contains(l.Kex, "ext-info-c") || contains(l.Kex, "kex-strict-c-v00@openssh.com")
}

// FromServer is FromClient for servers.
func (l *Lists) FromServer() bool {
	return contains(l.Kex, "ext-info-s") || contains(l.Kex, "kex-strict-s-v00@openssh.com")
}

// Agreed are the algorithms that follow from both sides' lists.
type Agreed struct{ Kex, HostKey, CipherCS, CipherSC, MACCS, MACSC string }

// Negotiate applies RFC 4253 §7.1: the first of the client's names that the
// server has as well. An empty field means that there is none.
func Negotiate(client, server *Lists) Agreed {
	a := Agreed{
		Kex: first(client.Kex, server.Kex), HostKey: first(client.HostKey, server.HostKey),
		CipherCS: first(client.CipherCS, server.CipherCS), CipherSC: first(client.CipherSC, server.CipherSC),
		MACCS: first(client.MACCS, server.MACCS), MACSC: first(client.MACSC, server.MACSC),
	}
	if aead(a.CipherCS) {
		a.MACCS = "<implicit>"
	}
	if aead(a.CipherSC) {
		a.MACSC = "<implicit>"
	}
	return a
}

func first(client, server []string) string {
	for _, c := range client {
		if strings.HasPrefix(c, "ext-info-") || strings.HasPrefix(c, "kex-strict-") {
			continue // signals, not algorithms (RFC 8308 §2.1)
		}
		for _, s := range server {
			if c == s {
				return c
			}
		}
	}
	return ""
}

func aead(cipher string) bool {
	return strings.Contains(cipher, "gcm") || strings.Contains(cipher, "poly1305") || strings.HasPrefix(cipher, "AEAD_")
}

// Weak lists the names among offered that today's guidance advises against
// (RFC 9142 for key exchange, RFC 8758 for RC4, RFC 8332 for ssh-rsa with
// SHA-1; CBC, MD5 and truncated or SHA-1 MACs by common practice).
func Weak(offered ...[]string) []string {
	var out []string
	for _, list := range offered {
		for _, n := range list {
			if weak(n) && len(out) < 64 && !contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

func contains(l []string, s string) bool {
	for _, x := range l {
		if x == s {
			return true
		}
	}
	return false
}

func weak(n string) bool {
	switch n {
	case "diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1",
		"rsa1024-sha1", "ssh-rsa", "ssh-dss", "none", "hmac-md5", "hmac-md5-96", "hmac-sha1", "hmac-sha1-96",
		"hmac-md5-etm@openssh.com", "hmac-md5-96-etm@openssh.com", "hmac-sha1-etm@openssh.com", "hmac-sha1-96-etm@openssh.com",
		"hmac-ripemd160", "umac-64@openssh.com", "umac-64-etm@openssh.com", "3des-cbc", "des-cbc", "blowfish-cbc", "cast128-cbc", "arcfour", "arcfour128", "arcfour256":
		return true
	}
	return strings.HasSuffix(n, "-cbc") || strings.HasPrefix(n, "gss-group1-sha1-")
}

// Looks tells whether b begins an SSH stream: the identification string with a
// version of the protocol.
func Looks(b []byte) (yes, maybe bool) {
	const p = "SSH-"
	n := min(len(b), len(p))
	if string(b[:n]) != p[:n] {
		return false, false
	}
	if len(b) < 6 {
		return false, true
	}
	return (b[4] == '1' || b[4] == '2') && b[5] == '.', false
}
