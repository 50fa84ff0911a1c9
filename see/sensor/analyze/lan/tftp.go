// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/asepsis/asepsis/core/event"
	"github.com/asepsis/asepsis/see/sensor/analyze"
	"github.com/asepsis/asepsis/wire/tftp"
)

// tftpProtocol reports requests for files. The transfer itself goes on from a
// new port and is a flow of its own: see tftpDataProtocol.
func tftpProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "tftp",
		Probe: func(_ *analyze.Conn, _ analyze.Dir, head []byte) analyze.Match {
			if tftp.LooksRequest(head) {
				return analyze.Yes
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &tftpFlow{} },
	}
}

// tftpDataProtocol recognises a transfer by what only TFTP sends: an option
// acknowledgement with known options, an error message, or the exact four
// octets of the first acknowledgement.
func tftpDataProtocol() analyze.Protocol {
	return analyze.Protocol{
		Name: "tftp",
		Rank: -1,
		Probe: func(_ *analyze.Conn, _ analyze.Dir, b []byte) analyze.Match {
			if len(b) < 4 || b[0] != 0 {
				return analyze.No
			}
			switch b[1] {
			case tftp.Data:
				if b[2] == 0 && b[3] == 1 && len(b) <= 4+512 {
					return analyze.Maybe // the acknowledgement decides
				}
			case tftp.Ack:
				if len(b) == 4 && b[2] == 0 && b[3] <= 1 {
					return analyze.Yes
				}
			case tftp.Error:
				if p, err := tftp.Parse(b); err == nil && p.Code <= 8 && p.ErrorMsg != "" && len(p.ErrorMsg) == len(b)-5 {
					return analyze.Yes
				}
			case tftp.OptAck:
				if p, err := tftp.Parse(b); err == nil && len(p.Options) > 0 {
					for _, o := range p.Options {
						switch o.Name {
						case "blksize", "timeout", "tsize", "windowsize":
						default:
							return analyze.No
						}
					}
					return analyze.Yes
				}
			}
			return analyze.No
		},
		NewDatagram: func(*analyze.Conn) analyze.Datagram { return &tftpFlow{data: true} },
	}
}

type tftpFlow struct {
	data    bool
	bytes   [2]uint64
	blocks  [2]uint64
	last    [2]uint16
	acks    uint64
	error   string
	code    uint16
	request bool
}

func (f *tftpFlow) Packet(c *analyze.Conn, dir analyze.Dir, payload []byte, missing int) analyze.Verdict {
	p, err := tftp.Parse(payload)
	if err != nil && missing == 0 {
		return analyze.More
	}
	switch p.Op {
	case tftp.Read, tftp.Write:
		orient(c, dir, false)
		if f.request { // asked again
			return analyze.More
		}
		f.request = true
		c.Service("tftp")
		op, verb := "read", "asks for"
		if p.Op == tftp.Write {
			op, verb = "write", "sends"
		}
		attrs := pairs{}
		attrs.add("file", p.File)
		attrs.add("mode", p.Mode)
		for _, o := range p.Options {
			attrs.add("option", o.Name+"="+o.Value)
		}
		application(c, request, "", op, fmt.Sprintf("%s %s the file %s", c.Ends[dir].IP, verb, path.Base(strings.ReplaceAll(p.File, `\`, "/"))), attrs)
	case tftp.Data:
		if p.Block != f.last[dir] { // not a repetition
			f.last[dir] = p.Block
			f.blocks[dir]++
			f.bytes[dir] += uint64(p.Size + missing)
		}
	case tftp.Ack:
		f.acks++
	case tftp.Error:
		f.code, f.error = p.Code, p.ErrorMsg
	}
	return analyze.More
}

func (f *tftpFlow) Close(c *analyze.Conn, _ analyze.End) {
	if f.blocks[0]+f.blocks[1]+f.acks == 0 && f.error == "" {
		return
	}
	attrs := pairs{}
	attrs.add("bytes", strconv.FormatUint(f.bytes[0]+f.bytes[1], 10))
	attrs.add("blocks", strconv.FormatUint(f.blocks[0]+f.blocks[1], 10))
	attrs.add("acknowledgements", strconv.FormatUint(f.acks, 10))
	e := &event.Event{Activity: session, Status: event.StatusSuccess, Message: fmt.Sprintf("A TFTP transfer of %d bytes", f.bytes[0]+f.bytes[1])}
	if f.error != "" {
		e.Status, e.StatusCode, e.StatusDetail = event.StatusFailure, strconv.Itoa(int(f.code)), f.error
		e.Message = "A TFTP transfer failed: " + tftp.ErrorName(f.code)
	}
	e.Detail = &event.Application{Name: "tftp", Operation: "transfer", Attributes: attrs}
	c.Emit(e)
}
