// SPDX-License-Identifier: Apache-2.0

// Package related reads and writes multipart bodies (RFC 2046 §5.1) as DICOMweb uses
// them: multipart/related (RFC 2387), parts in binary, gigabytes in one part.
//
// # Strictness
//
// Two programs that see different parts in the same bytes are a way around a
// firewall, so nothing is guessed. Lines end with CRLF. A line that begins with the
// boundary and goes on is an error, not data. A part's header fields are few, on one
// line each, and those that say what the part is stand there once. The only transfer
// encodings are those that change nothing (RFC 2045 §6.2: binary, 8bit, 7bit). A part
// that says its length has it. A body without its closing delimiter is cut off.
//
// # Limits
//
// A Reader holds one buffer of BufferSize and the header of one part. The number of parts,
// the bytes of a part and of its header, and what stands before the first part are bounded;
// nothing is allocated from a length that the sender declares. The time for a body is linear
// in its length, however small the pieces in which it is read. The bytes of the body as
// a whole are the caller's to bound.
package related
