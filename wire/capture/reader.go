// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Defaults of Options.
const (
	// DefaultMaxFrame is the greatest snap length that libpcap writes for
	// network interfaces.
	DefaultMaxFrame = 262144
	// DefaultMaxDecompressRatio is above what gzip can reach (about 1030) and
	// above any capture of real traffic with zstd.
	DefaultMaxDecompressRatio = 2000
	// DefaultMaxZstdWindow is what the zstd command accepts and what its
	// --long option produces.
	DefaultMaxZstdWindow = 128 << 20
)

// ratioGrace is how much decompressed input is read before the ratio counts.
const ratioGrace = 64 << 20

// Options are the limits of a reader. The zero value means the defaults.
type Options struct {
	// Name stands in errors, usually the file's name.
	Name string
	// MaxFrame is the greatest captured length of a frame, in bytes. A
	// greater one in the input is damage.
	MaxFrame int
	// MaxDecompressRatio is the greatest ratio of decompressed to compressed
	// bytes, looked at once 64 MiB came out. Negative: unlimited.
	MaxDecompressRatio int
	// MaxZstdWindow is the greatest window, in bytes, that a zstd frame may
	// ask for. The decoder reserves that much address space.
	MaxZstdWindow uint64
	// NoResync makes the first damage the end of the stream.
	NoResync bool
	// View, when set, shows the bytes that the reader would give. An input
	// that is not compressed is then looked at in place instead of being read.
	View View
}

// View shows n bytes of an input from offset off on, fewer with an error (io.EOF
// at the end). They are not written to, and are needed until the next call only.
type View func(off int64, n int) ([]byte, error)

func (o Options) withDefaults() Options {
	if o.MaxFrame <= 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	if o.MaxDecompressRatio == 0 {
		o.MaxDecompressRatio = DefaultMaxDecompressRatio
	}
	if o.MaxZstdWindow == 0 {
		o.MaxZstdWindow = DefaultMaxZstdWindow
	}
	return o
}

// NewReader recognises the format of r and returns its frames. It reads the
// file header, and for pcapng nothing of the first section. Errors are a
// *FormatError (nothing there, or no capture), a *CorruptError (a capture whose
// header is damaged or cut) or the reader's own error, wrapped.
//
// The source holds no resource but memory and needs no closing; r stays the
// caller's.
func NewReader(r io.Reader, opts Options) (Source, error) {
	opts = opts.withDefaults()
	in := &counter{r: r}
	raw := bufio.NewReaderSize(in, windowFirst)
	magic, err := raw.Peek(4)
	if len(magic) == 0 {
		return nil, openError(opts, err)
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, unpackError(opts, "gzip", err)
		}
		return open(&limiter{r: z, in: in, ratio: opts.MaxDecompressRatio}, in, "gzip", opts)
	case len(magic) == 4 && isZstd(binary.LittleEndian.Uint32(magic)):
		// Concurrency 1 decodes in the caller's goroutine, so that nothing
		// has to be closed.
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(max(opts.MaxZstdWindow, zstd.MinWindowSize)))
		if err != nil {
			return nil, unpackError(opts, "zstd", err)
		}
		return open(&limiter{r: z, in: in, ratio: opts.MaxDecompressRatio}, in, "zstd", opts)
	}
	if opts.View != nil {
		in.n = 0
		return openWindow(window{view: func(off int64, n int) ([]byte, error) {
			b, err := opts.View(off, n)
			in.n = max(in.n, off+int64(len(b)))
			return b, err
		}}, in, "", opts)
	}
	return open(raw, in, "", opts)
}

// isZstd accepts a frame's magic and those of skippable frames, which parallel
// compressors put first (RFC 8878 §3.1).
func isZstd(magic uint32) bool {
	return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50
}

// open recognises what is inside the (decompressed) stream r.
func open(r io.Reader, in *counter, packing string, opts Options) (Source, error) {
	return openWindow(newWindow(r), in, packing, opts)
}

func openWindow(w window, in *counter, packing string, opts Options) (Source, error) {
	c := core{w: w, in: in, opts: opts, packing: packing}
	if !c.w.need(4) && c.w.have() == 0 {
		if packing != "" && !errors.Is(c.w.err, io.EOF) {
			return nil, unpackError(opts, packing, c.w.err)
		}
		return nil, openError(opts, c.w.err)
	}
	if c.w.have() >= 4 {
		magic := binary.LittleEndian.Uint32(c.w.at(0, 4))
		if magic == blockSHB {
			s := &ngSource{core: c}
			if err := s.readSection(); err != nil {
				return nil, err
			}
			return s, nil
		}
		if _, ok := pcapMagic(c.w.at(0, 4)); ok {
			s := &pcapSource{core: c}
			if err := s.readHeader(); err != nil {
				return nil, err
			}
			return s, nil
		}
	}
	c.w.need(sniffLen)
	if c.w.err != nil && !errors.Is(c.w.err, io.EOF) && c.w.have() < sniffLen {
		return nil, openError(opts, c.w.err)
	}
	return nil, unknownFormat(opts, c.w.at(0, min(c.w.have(), sniffLen)), packing)
}

func openError(opts Options, err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return &FormatError{Name: opts.Name, Err: ErrEmpty,
			hint: "the capture wrote nothing: check that it ran on the right interface and was ended with its own stop command, not killed"}
	case errors.Is(err, syscall.EISDIR):
		return &FormatError{Name: opts.Name, Err: ErrUnknownFormat, Looks: "a directory",
			hint: "name the capture files in it, for example DIR/*.pcap"}
	}
	if opts.Name != "" {
		return fmt.Errorf("read capture %s: %w", opts.Name, err)
	}
	return fmt.Errorf("read capture: %w", err)
}

func unpackError(opts Options, packing string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = ErrTruncated
	}
	return &CorruptError{Name: opts.Name, Reason: packing + " data", Err: err}
}

// core is what the readers of both formats share.
type core struct {
	w       window
	in      *counter
	opts    Options
	packing string
	format  string
	held    int   // bytes of the record delivered last, still in the window
	done    error // sticky end
	stats   Stats
	ifaces  []InterfaceInfo
	dropped uint64
}

// Stats implements Source.
func (c *core) Stats() Stats {
	s := c.stats
	s.Offset = c.w.offset() + int64(c.held)
	s.InputOffset = c.in.n
	s.Dropped = c.dropped
	s.Interfaces = append([]InterfaceInfo(nil), c.ifaces...)
	s.Format = c.format
	if c.packing != "" {
		s.Format += ", " + c.packing
	}
	return s
}

func (c *core) count(f *Frame) {
	c.stats.Frames++
	c.stats.Bytes += uint64(len(f.Data))
	if f.OrigLen > len(f.Data) {
		c.stats.SnapCut++
	}
}

func (c *core) end(err error) error {
	c.done = err
	return err
}

// corrupt ends the stream at the record or block that begins at the window's
// start.
func (c *core) corrupt(format string, args ...any) error {
	return c.end(&CorruptError{Name: c.opts.Name, Offset: c.w.offset(), Reason: fmt.Sprintf(format, args...)})
}

// short ends the stream where bytes are missing: cleanly when nothing has begun,
// otherwise with the reader's error or ErrTruncated. off is where the record or
// block began.
func (c *core) short(off int64, what string) error {
	err := c.w.err
	switch {
	case errors.Is(err, io.EOF) && c.w.have() == 0 && c.w.offset() == off:
		return c.end(io.EOF)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrTruncated
	}
	return c.end(&CorruptError{Name: c.opts.Name, Offset: off, Reason: what, Err: err})
}

// counter counts the bytes read from the underlying reader.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// limiter ends a decompressed stream that grew out of proportion.
type limiter struct {
	r     io.Reader
	in    *counter
	out   int64
	ratio int
}

func (l *limiter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.out += int64(n)
	if l.ratio > 0 && l.out > ratioGrace && l.out/int64(l.ratio) > l.in.n {
		return 0, fmt.Errorf("%w: %d bytes from %d", ErrDecompressionLimit, l.out, l.in.n)
	}
	return n, err
}
