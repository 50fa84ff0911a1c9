// SPDX-License-Identifier: Apache-2.0

// Package hl7 reads and writes HL7 Version 2 messages in the encoding rules
// "ER7" (HL7 v2.1 to v2.9, Chapter 2, §2.5 to §2.7 and §2.10 for batches).
//
// A Message is a set of views into the bytes that were parsed: nothing is
// copied or decoded until it is asked for, and a Message that is used again
// allocates nothing. Segments, fields, repetitions, components and
// subcomponents are found by scanning; indices begin at 1, as the standard
// counts. MSH-1 is the field separator itself, likewise FHS-1 and BHS-1.
//
// # Tolerance
//
// Any four or five encoding characters are taken that are printable, not
// alphanumeric and different from each other, as well as fewer, as old senders
// leave them out. Segments end with CR, LF or CRLF. A header needs no MSH-9.
// Bytes before the header that are white space are skipped.
//
// # Limits
//
// MaxSegments segments a message and MaxMessages messages a batch: what follows
// is not looked at and Truncated is set. MaxFields, MaxReps and MaxParts bound
// how far an index reaches. Text is bounded by the caller.
//
// # What is not done
//
// No conformance check against message structures, no data types, no XML
// encoding (v2.xml). Character sets: ASCII, UNICODE UTF-8 and 8859/1 are
// converted; in the others (8859/2 to 8859/15, ISO IR 14, 87, 159, GB 18030,
// KS X 1001, CNS 11643, BIG-5, UTF-16, UTF-32) bytes over 0x7F become U+FFFD,
// unless they happen to be valid UTF-8, which many senders that name another
// set send.
package hl7
