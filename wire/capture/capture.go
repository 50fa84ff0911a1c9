// SPDX-License-Identifier: Apache-2.0

package capture

// Frame is one captured frame. [Source.Next] fills it.
type Frame struct {
	// Time is in nanoseconds since the Unix epoch, UTC. Times before 1970 are
	// 0, times after 2262-04-11 are the greatest int64.
	Time int64
	// Data is what was captured. It is valid until the next call of Next on
	// the source that filled it, and must not be changed.
	Data []byte
	// OrigLen is the length on the wire, at least len(Data), and greater
	// when the frame was cut by the snap length.
	OrigLen int
	Link    LinkType
	// Interface counts the interfaces of a source from 0, over all sections.
	Interface int
	// Tick says that this is no frame: nothing came for a while, and it is Time
	// now. Live sources give some, so that who follows a network learns that it has
	// fallen silent. There is no Data.
	Tick bool
}

// Source is a stream of frames. It is used by one goroutine at a time.
type Source interface {
	// Next fills f with the next frame. It returns io.EOF at the clean end
	// and a *CorruptError when the rest is unreadable (everything before
	// was delivered). The end is final: every later call returns the same
	// error. Next does not allocate per frame.
	Next(f *Frame) error
	// Stats reports what was read up to now.
	Stats() Stats
}

// Stats counts what a source has delivered, and what it could not.
type Stats struct {
	Frames  uint64 // frames delivered
	Bytes   uint64 // captured bytes in them
	SnapCut uint64 // frames delivered shorter than they were on the wire

	Offset      int64 // bytes of decompressed input consumed
	InputOffset int64 // bytes read from the underlying reader, for progress

	Dropped uint64 // frames the capturing host lost, as far as it said so
	Resyncs uint64 // times that reading went on after an insane pcap record header
	Skipped uint64 // bytes passed over by resyncs
	Damaged uint64 // well-framed pcapng blocks with unusable content, passed over

	Interfaces []InterfaceInfo // a copy
	Format     string          // for people, for example "pcapng, zstd"
}

// InterfaceInfo describes an interface of a capture file. Texts are cut to 256
// bytes and hold printable characters only.
type InterfaceInfo struct {
	Name        string
	Description string
	Link        LinkType
	SnapLen     uint32 // 0: unlimited or unknown
	FCSLen      int    // bytes of frame check sequence at the end of each frame, 0: none or unknown
	Received    uint64 // from the last Interface Statistics Block
	Dropped     uint64 // by the interface and by the operating system, from the same
}
