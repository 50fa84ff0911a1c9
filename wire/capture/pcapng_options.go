// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Options of Interface Description and Interface Statistics Blocks, pcapng
// §4.2 and §4.6.
const (
	optEnd           = 0
	optIfName        = 2
	optIfDescription = 3
	optIfTSResol     = 9
	optIfFCSLen      = 13
	optIfTSOffset    = 14

	optISBReceived = 4
	optISBDropped  = 5
	optISBOSDrop   = 7
)

// maxDropped bounds a drop count so that the sum over maxInterfaces, in many
// merged sources, cannot overflow.
const maxDropped = 1 << 40

// maxText bounds names from a file, in bytes.
const maxText = 256

// nextOption cuts the first option off b. ok is false at the end of the options
// or where an option is longer than what is left.
func (s *ngSource) nextOption(b []byte) (code uint16, value, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	code = s.u16(b)
	n := int(s.u16(b[2:]))
	b = b[4:]
	if code == optEnd || n > len(b) {
		return 0, nil, nil, false
	}
	return code, b[:n], b[min((n+3)&^3, len(b)):], true
}

// describeInterface reads an Interface Description Block. One that is too short
// still takes an index, with a link type that no one decodes, so that the
// following ones keep theirs.
func (s *ngSource) describeInterface(b []byte) (why string) {
	info, clock := InterfaceInfo{Link: linkUnknown}, newClock(6, 0)
	if len(b) < 8 {
		why = "interface description block: too short"
	} else {
		info.Link = LinkType(s.u16(b))
		info.SnapLen = s.u32(b[4:])
		resol, offset := byte(6), int64(0)
		for rest := b[8:]; ; {
			code, v, more, ok := s.nextOption(rest)
			if !ok {
				break
			}
			rest = more
			switch {
			case code == optIfName:
				info.Name = text(v)
			case code == optIfDescription:
				info.Description = text(v)
			case code == optIfTSResol && len(v) == 1:
				resol = v[0]
			case code == optIfFCSLen && len(v) == 1:
				info.FCSLen = int(v[0])
			case code == optIfTSOffset && len(v) == 8:
				offset = int64(s.u64(v))
			}
		}
		clock = newClock(resol, offset)
	}
	s.ifaces = append(s.ifaces, info)
	s.clocks = append(s.clocks, clock)
	return why
}

// statistics reads an Interface Statistics Block. Counts are since the start of
// the capture, so a later block replaces an earlier one.
func (s *ngSource) statistics(b []byte) (why string) {
	if len(b) < 12 {
		return "interface statistics block: too short"
	}
	i := uint64(s.first) + uint64(s.u32(b))
	if i >= uint64(len(s.ifaces)) {
		return "statistics of an interface that was not described"
	}
	var dropped uint64
	for rest := b[12:]; ; {
		code, v, more, ok := s.nextOption(rest)
		if !ok {
			break
		}
		rest = more
		if len(v) != 8 {
			continue
		}
		switch code {
		case optISBReceived:
			s.ifaces[i].Received = s.u64(v)
		case optISBDropped, optISBOSDrop:
			dropped += min(s.u64(v), maxDropped)
		}
	}
	dropped = min(dropped, maxDropped)
	s.dropped += dropped - s.ifaces[i].Dropped
	s.ifaces[i].Dropped = dropped
	return ""
}

// text makes a name from a file fit to show.
func text(b []byte) string {
	b = b[:min(len(b), maxText)]
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case r == 0:
			return out.String()
		case !unicode.IsPrint(r):
			r = utf8.RuneError
		}
		if out.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		out.WriteRune(r)
	}
	return out.String()
}

// blockShort words a block that the input does not hold to its end.
type blockShort struct {
	kind, total uint32
	there       int64
}

func (b blockShort) String() string {
	return fmt.Sprintf("block of type 0x%x and %d bytes, %d are there", b.kind, b.total, b.there)
}
