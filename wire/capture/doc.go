// SPDX-License-Identifier: Apache-2.0

// Package capture reads capture files as a stream of frames and writes them.
//
// # What is read
//
//   - pcap (draft-ietf-opsawg-pcap): microseconds and nanoseconds, both byte
//     orders, versions 2.x and 543.0 (whose two length fields are exchanged),
//     the "modified" form 0xa1b2cd34 with its longer record header, and the
//     forms that share a magic with it or with plain pcap and differ only in
//     the length of the record header (Nokia, Red Hat 6.1, SuSE 6.3). Several
//     pcap files laid end to end ("cat a.pcap b.pcap") are read as one.
//   - pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, any
//     number of sections and interfaces, if_tsresol as a power of ten or of
//     two, if_tsoffset, Enhanced, Simple and (obsolete) Packet Blocks, and the
//     drop counts of Interface Statistics Blocks. Name Resolution, Decryption
//     Secrets, Custom and unknown blocks are passed over without being held
//     in memory. Both copies of a block's length are checked.
//   - gzip (RFC 1952) and zstd (RFC 8878) of all of these, with concatenated
//     members. Nothing nested deeper.
//
// The format is recognised by its content, never by a file's name, and input
// is any [io.Reader], so a pipe works: a frame is delivered as soon as its
// bytes are there (the first frame of a pcap also waits for the record header
// after it, which tells the record formats apart).
//
// # Damaged input
//
// Frames before the damage are always delivered. What follows depends:
//
//   - pcap has no framing to fall back on. A record header that cannot be
//     right starts a search, at most 64 KiB long, for two record headers that
//     fit each other; reading goes on there and [Stats.Resyncs] and
//     [Stats.Skipped] say so. When none is found, Next returns a
//     [*CorruptError].
//   - pcapng: a block whose content is wrong but whose two lengths agree is
//     passed over and counted in [Stats.Damaged]. A block whose lengths are
//     wrong ends the stream with a [*CorruptError]; no block is searched for.
//   - Input that ends inside a record or block gives a [*CorruptError] for which
//     errors.Is(err, [ErrTruncated]) holds.
//
// [Options.NoResync] turns both kinds of tolerance off.
//
// # Limits
//
// No memory is reserved because a length field asks for it: the buffer doubles
// only when it is full of bytes that really came. A frame is at most
// [Options.MaxFrame] bytes, a block that must be held whole at most 1 MiB more,
// a source has at most 65,536 interfaces, and names are cut to 256 bytes. A
// compressed input may grow by [Options.MaxDecompressRatio] at most, and a zstd
// window is at most [Options.MaxZstdWindow] bytes.
//
// # Not done
//
// Packet and interface options (comments, hashes, flags, filters) are not
// returned, Simple Packet Blocks have no time of their own and get that of the
// frame before them, a frame check sequence at a frame's end is announced
// ([InterfaceInfo.FCSLen]) but not removed, and formats of other vendors
// (snoop, ERF, NetMon, Sniffer ...) are named in the error, not read.
package capture
