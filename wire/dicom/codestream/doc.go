// SPDX-License-Identifier: Apache-2.0

// Package codestream blanks what the streams of encapsulated pixel data (PS3.5 annex A.4) say beside the image: comments,
// application data, embedded documents and thumbnails. It is for who makes de-identified copies and decodes nothing.
//
// # How it blanks
//
// In place: the bytes of what must go become zero, and nothing moves. A stream keeps its length, and so do its
// fragments: basic and extended offset tables, the lengths of tile-parts and boxes, and the indexes that a stream holds of itself (TLM,
// PLT, PLM, stco) stay true. No coded byte is touched. Fragments may be of any size: a Cleaner holds less than a kilobyte, for video in
// MP4 up to 24 KiB.
//
// # What is blanked
//
//   - JPEG and JPEG-LS (ISO/IEC 10918-1, 14495-1): COM and APP0 to APP15, and what stands behind the end of the image. Left is
//     what decides the colours: the Adobe segment, the JFIF header with a black thumbnail, of APP8 the SPIFF header and HP's colour transform.
//   - JPEG 2000, its part 2 and HTJ2K (ISO/IEC 15444-1, -2, -15): COM in the main and in all tile-part headers, and what stands behind the end. Where
//     the stream is wrapped in a JP2 file, which PS3.5 forbids and files do: all boxes but those that the image needs.
//   - JPEG XL (ISO/IEC 18181-2): all boxes but those of the image: Exif, xml, jumb, brob, jbrd.
//   - MP4 (ISO/IEC 14496-12): all boxes but those of the streams (udta, meta, uuid, free ...), the times of mvhd, tkhd and mdhd, and the handlers'
//     names.
//
// What cannot be blanked without changing the coding is found, and the stream refused: user data of MPEG-2 video, and unregistered or registered user
// data (SEI) of AVC and HEVC, in elementary, program and transport streams and in MP4.
// The parameters that x264 and x265 write there identify nobody and are let through.
//
// # Guarantees
//
// The result does not depend on the pieces in which bytes come. Whatever a stream declares, nothing is allocated from it. A stream that cannot be
// followed to its end is an *Error, never taken for clean: an unknown marker, a length that contradicts what is around it, bytes where a
// marker must be, a frame that begins before the one before it has ended, a frame that ends outside of its coded data. What was given to
// Clean until then must be thrown away. An Error holds no byte of the stream.
//
// # Limits
//
// Coded data is not decoded: what was hidden in it on purpose, in tables or in the numbers of headers, is not found. The ICC profile of
// a JP2 file stays, as the attribute of that name does. Within a bare JPEG XL codestream nothing is looked at (names of layers, a preview). Of MPEG streams audio, private streams and
// service information are not looked at.
package codestream
