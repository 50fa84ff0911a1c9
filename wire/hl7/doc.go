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
// encoding (v2.xml). Text stays in the character set that MSH-18 names; package
// charset reads it. Messages in UTF-16 and UTF-32 are not found, and in BIG-5 and GB 18030
// a second byte that is a delimiter parts the field.
package hl7
