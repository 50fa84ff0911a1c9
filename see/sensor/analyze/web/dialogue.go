// SPDX-License-Identifier: Apache-2.0

package web

import (
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/http1"
)

// dialogue reads a connection on which both sides send messages in the shape of
// HTTP/1 and either may ask: RTSP and SIP.
type dialogue struct{ parser [2]*http1.Parser }

func newDialogue(parser func() *http1.Parser) dialogue {
	return dialogue{[2]*http1.Parser{parser(), parser()}}
}

// listener is told of each message, which the parser holds, in the order of its
// direction.
type listener interface {
	heard(c *analyze.Conn, dir analyze.Dir, p *http1.Parser)
}

func (d *dialogue) read(c *analyze.Conn, dir analyze.Dir, data []byte, to listener) (used int64, _ analyze.Verdict) {
	p := d.parser[dir]
	for {
		n, ev, err := p.Next(data)
		used += n
		data = data[min(n, int64(len(data))):]
		if err != nil {
			return used, analyze.Reject
		}
		switch ev {
		case http1.None:
			return used, analyze.More
		case http1.GotMessage:
			to.heard(c, dir, p)
		case http1.GotTunnel:
			return used, analyze.Reject
		}
	}
}

// Gap implements the part of analyze.Stream: the next message is looked for.
func (d *dialogue) Gap(_ *analyze.Conn, dir analyze.Dir, n int64) analyze.Verdict {
	d.parser[dir].Lost(n)
	return analyze.More
}
