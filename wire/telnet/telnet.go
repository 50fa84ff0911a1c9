// SPDX-License-Identifier: Apache-2.0

// Package telnet reads Telnet: it parts the text from the commands of RFC 854
// and the options of RFC 855, with the subnegotiations of terminal type (RFC
// 1091), terminal speed (1079), window size (1073) and environment (1572).
//
// # Limits
//
// A subnegotiation of which more than MaxSub octets came is read as cut to
// them. Nothing else is kept between calls.
//
// # What is not done
//
// Encryption (RFC 2946) and START_TLS are recognised by option only.
package telnet

import (
	"fmt"

	"github.com/asepsis/asepsis/wire/printable"
)

// Commands (RFC 854 §"TELNET COMMAND STRUCTURE").
const (
	SE   = 240
	SB   = 250
	WILL = 251
	WONT = 252
	DO   = 253
	DONT = 254
	IAC  = 255
)

// Options that matter here.
const (
	OptEcho           = 1
	OptTerminalType   = 24
	OptWindowSize     = 31
	OptTerminalSpeed  = 32
	OptXDisplay       = 35
	OptAuthentication = 37
	OptEncryption     = 38
	OptNewEnviron     = 39
	OptStartTLS       = 46
)

// MaxSub is how much of a subnegotiation is kept.
const MaxSub = 512

// Handler takes what a Reader finds.
type Handler interface {
	// Text takes octets of the conversation; they point into the input.
	Text(b []byte)
	// Option takes a WILL, WONT, DO or DONT.
	Option(verb, option uint8)
	// Sub takes a subnegotiation, cut to MaxSub octets.
	Sub(option uint8, b []byte)
}

// Reader reads one direction. The zero value is ready.
type Reader struct {
	state  state
	verb   uint8
	sub    []byte
	option uint8
}

type state uint8

const (
	text state = iota
	command
	option
	subOption
	sub
	subCommand
)

// Feed consumes all of b. However the stream is cut into calls, the handler
// gets the same octets, options and subnegotiations.
func (r *Reader) Feed(b []byte, h Handler) {
	begin := 0
	for i, c := range b {
		switch r.state {
		case text:
			if c == IAC {
				if begin < i {
					h.Text(b[begin:i])
				}
				r.state = command
			}
		case command:
			r.state, begin = text, i+1
			switch c {
			case WILL, WONT, DO, DONT:
				r.state, r.verb = option, c
			case SB:
				r.state = subOption
			case IAC: // a data octet 255
				begin = i
			}
		case option:
			h.Option(r.verb, c)
			r.state, begin = text, i+1
		case subOption:
			r.option, r.sub, r.state = c, r.sub[:0], sub
		case sub:
			if c == IAC {
				r.state = subCommand
			} else if len(r.sub) < MaxSub {
				r.sub = append(r.sub, c)
			}
		case subCommand:
			switch c {
			case SE:
				h.Sub(r.option, r.sub)
				r.state, begin = text, i+1
			case IAC:
				if len(r.sub) < MaxSub {
					r.sub = append(r.sub, c)
				}
				r.state = sub
			default: // malformed; RFC 855 has no way out but the next SE
				r.state = sub
			}
		}
	}
	if r.state == text && begin < len(b) {
		h.Text(b[begin:])
	}
}

// TerminalType returns the name in a TERMINAL-TYPE IS subnegotiation.
func TerminalType(b []byte) string {
	if len(b) < 2 || b[0] != 0 {
		return ""
	}
	return printable.Text(b[1:], 64)
}

// OptionName returns the name of an option (IANA telnet-options).
func OptionName(o uint8) string {
	switch o {
	case 0:
		return "binary"
	case OptEcho:
		return "echo"
	case 3:
		return "suppress-go-ahead"
	case 5:
		return "status"
	case 6:
		return "timing-mark"
	case OptTerminalType:
		return "terminal-type"
	case 25:
		return "end-of-record"
	case OptWindowSize:
		return "window-size"
	case OptTerminalSpeed:
		return "terminal-speed"
	case 33:
		return "remote-flow-control"
	case 34:
		return "linemode"
	case OptXDisplay:
		return "x-display-location"
	case 36:
		return "environ"
	case OptAuthentication:
		return "authentication"
	case OptEncryption:
		return "encryption"
	case OptNewEnviron:
		return "new-environ"
	case 40:
		return "tn3270e"
	case 42:
		return "charset"
	case 44:
		return "com-port"
	case OptStartTLS:
		return "start-tls"
	case 85, 86:
		return "compress"
	}
	return fmt.Sprintf("option-%d", o)
}

// Looks tells whether b begins with Telnet options. One option is not enough:
// the sequence must be whole, and its options assigned.
func Looks(b []byte) (yes, maybe bool) {
	options := 0
	for i := 0; i < len(b); {
		if b[i] != IAC {
			return options >= 2, false
		}
		if i+1 >= len(b) {
			return options >= 2, true
		}
		switch c := b[i+1]; {
		case c >= WILL && c < IAC:
			if i+2 >= len(b) {
				return options >= 2, true
			}
			if b[i+2] > 49 && (b[i+2] < 85 || b[i+2] > 94) && (b[i+2] < 138 || b[i+2] > 140) && b[i+2] != 200 && b[i+2] != 201 {
				return false, false
			}
			options++
			i += 3
		case c == SB:
			return options >= 1, options == 0
		default:
			return false, false
		}
	}
	return options >= 2, true
}
