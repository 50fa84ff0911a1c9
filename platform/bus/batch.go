// SPDX-License-Identifier: Apache-2.0

package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/asepsis/asepsis/platform/record"
)

// Batch is one message of the event stream: events of one sensor in the order
// in which it emitted them, encoded as package record does. Or, with Missing,
// the place of messages that are gone.
type Batch struct {
	Stream    string // identity of the stream, see Bus.Stream
	Pos       uint64 // place in the stream
	Published time.Time
	Site      string // name of the site: that of this bus, or at a hub one of its sites
	Sensor    string
	Run       string // the publisher's life, from its making to its end
	Seq       uint64 // 1 is the first batch of a run
	First     uint64 // events of this run in batches before this one
	Lost      uint64 // events that this run gave up so far: its queue was full
	Events    [][]byte

	// Missing is how many messages that were in the stream were removed before
	// this reader came to them, or never arrived although later ones of the same run
	// did. Such a Batch has no events, and Pos is the last place that it stands for.
	Missing uint64
	// MissingEvents is how many events they held, as far as it is known: counted
	// when the next batch of the same run is read, and then in a Batch with Missing 0.
	MissingEvents uint64
}

// Bounds of a batch.
const (
	batchEvents = 512
	batchBytes  = 256 << 10 // a batch with more than one event is at most this large before compression
	maxBatch    = record.MaxSize + 1024
)

// The form of a message: the magic, the version, the compression, the run (16
// bytes), then as unsigned varints Seq, First, Lost, the length of the sensor's name
// followed by the name, the number of events, and the length of the body before
// compression; then the body: for each event its length as varint and the event.
const (
	batchMagic   = "AsB"
	batchVersion = 1
	bodyPlain    = 0
	bodyZstd     = 1
	runSize      = 16
	maxSensor    = 256
)

var errForeign = errors.New("not a batch of events")

// appendEvent adds an event to a body.
func appendEvent(body, event []byte) []byte {
	body = binary.AppendUvarint(body, uint64(len(event)))
	return append(body, event...)
}

// header is what stands before the body.
type header struct {
	run              [runSize]byte
	seq, first, lost uint64
	sensor           string
	events           int
}

// appendMessage writes a message. The body is compressed where that makes it
// smaller.
func appendMessage(dst []byte, h *header, body []byte, z *zstd.Encoder) []byte {
	dst = append(dst, batchMagic...)
	dst = append(dst, batchVersion)
	kind := len(dst)
	dst = append(dst, bodyZstd)
	dst = append(dst, h.run[:]...)
	dst = binary.AppendUvarint(dst, h.seq)
	dst = binary.AppendUvarint(dst, h.first)
	dst = binary.AppendUvarint(dst, h.lost)
	dst = binary.AppendUvarint(dst, uint64(len(h.sensor)))
	dst = append(dst, h.sensor...)
	dst = binary.AppendUvarint(dst, uint64(h.events))
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	at := len(dst)
	dst = z.EncodeAll(body, dst)
	if len(dst)-at >= len(body) {
		dst = append(dst[:at], body...)
		dst[kind] = bodyPlain
	}
	return dst
}

// scanner reads varints and remembers that one was missing.
type scanner struct {
	b   []byte
	bad bool
}

func (s *scanner) uvarint() uint64 {
	v, n := binary.Uvarint(s.b)
	if n <= 0 {
		s.bad = true
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) bytes(n uint64) []byte {
	if n > uint64(len(s.b)) {
		s.bad = true
		return nil
	}
	v := s.b[:n:n]
	s.b = s.b[n:]
	return v
}

// parseHeader reads what stands before the body.
func parseHeader(msg []byte) (h header, kind byte, size uint64, body []byte, err error) {
	s := scanner{b: msg}
	if string(s.bytes(uint64(len(batchMagic)))) != batchMagic {
		return h, 0, 0, nil, errForeign
	}
	if v := s.bytes(1); len(v) == 1 && v[0] != batchVersion {
		return h, 0, 0, nil, fmt.Errorf("%w of this version, but of version %d", errForeign, v[0])
	}
	if k := s.bytes(1); len(k) == 1 {
		kind = k[0]
	}
	copy(h.run[:], s.bytes(runSize))
	h.seq, h.first, h.lost = s.uvarint(), s.uvarint(), s.uvarint()
	n := s.uvarint()
	h.sensor = string(s.bytes(min(n, maxSensor+1)))
	events := s.uvarint()
	h.events = int(min(events, batchEvents+1))
	size = s.uvarint()
	if s.bad || n > maxSensor || events > batchEvents || size > maxBatch || h.seq == 0 || kind > bodyZstd {
		return h, 0, 0, nil, errForeign
	}
	return h, kind, size, s.b, nil
}

// parseMessage reads a message into its header and its events, which share no
// memory with it.
func parseMessage(msg []byte, z *zstd.Decoder) (header, [][]byte, error) {
	h, kind, size, packed, err := parseHeader(msg)
	if err != nil {
		return h, nil, err
	}
	var body []byte
	if kind == bodyZstd {
		var zh zstd.Header
		if err := zh.Decode(packed); err != nil || zh.HasFCS && zh.FrameContentSize != size {
			return h, nil, errForeign
		}
		if body, err = z.DecodeAll(packed, make([]byte, 0, min(size, uint64(len(packed))*64+64))); err != nil {
			return h, nil, fmt.Errorf("%w: %w", errForeign, err)
		}
	} else {
		body = append(body, packed...)
	}
	if uint64(len(body)) != size {
		return h, nil, errForeign
	}
	s := scanner{b: body}
	events := make([][]byte, 0, h.events)
	for range h.events {
		events = append(events, s.bytes(s.uvarint()))
	}
	if s.bad || len(s.b) > 0 {
		return h, nil, errForeign
	}
	return h, events, nil
}

func newCompressor() *zstd.Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithEncoderCRC(true))
	if err != nil {
		panic("BUG: zstd options: " + err.Error())
	}
	return z
}

// newDecompressor bounds what a message may become.
func newDecompressor() *zstd.Decoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBatch), zstd.WithDecoderMaxWindow(1<<20))
	if err != nil {
		panic("BUG: zstd options: " + err.Error())
	}
	return z
}
