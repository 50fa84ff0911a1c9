// SPDX-License-Identifier: Apache-2.0

// Package journal keeps instances durably from the moment that a gateway acknowledges
// them until nobody needs them any more. It is the gateway's instance.Vault.
//
// # What is guaranteed
//
// Draft.Seal and Change return when bytes and record are on the disk: neither a kill nor
// a power cut after that loses them, as far as the disk keeps what it says of fdatasync. What was not
// acknowledged is either there whole after a crash, with the digest that its record
// says, or not at all. Numbers are never used twice, those of drafts that a crash took included.
// Readers see only what is durable.
//
// When a flush fails, what the disk has is not known: the journal then refuses
// everything until it is opened again, which finds out (ErrFailed).
//
// # On the disk
//
//	journal.json         format and version; a newer one is refused
//	lock                 held by the one process that has the journal
//	bytes/seg-…          segments: files of one size with the data sets, each from a multiple of 4096 on
//	log/log-…            the log: every state of every record, as JSON in frames with a checksum
//	history.db           records of which nothing is awaited any more, for lists (SQLite)
//	reserve              room for the log when others have filled the disk
//
// Directories are 0700, files 0600. The data sets are not encrypted here: where the
// site asks for that, the file system below does it.
//
// # How
//
// A draft appends to a lane, a stretch of a segment that nobody else writes to. Nothing
// is created, renamed or preallocated for an instance; the next segment is made before it is needed. Seal hands the record to the log,
// and everybody who waits at that moment shares one flush of the log and one of each segment that was
// written to, both at the same time. That a record may reach the disk before its bytes is settled when the
// journal is opened: the bytes of records behind the last point that was known to be durable are compared with
// their SHA-256.
//
// The log is the truth. When it has grown to a multiple of what is needed, the oldest
// file is read, what in it still counts is appended again, and the file is used anew. What is
// awaited (a delivery that waits or was given up, quarantine) is known in memory by
// some 310 bytes an instance, and found by each of its names: the UIDs and digests under which it came and went.
// The record itself is read from the log. Records of which nothing is awaited go to
// the history, in batches, and from there come lists over millions. A damaged history is set
// aside and costs lists of the past, never an instance.
//
// A segment is used anew, oldest first, when nothing in it is needed and its time
// (Config.Retention) or room (Config.Retain) is over, or the disk runs low. Needed instances that keep an old and otherwise
// free segment are moved out of it. Destroyed takes the bytes off the disk at once.
//
// # Limits
//
// The disk's room has two marks. Below Warn free bytes a person is told and finished
// instances are given up early; when a new segment would leave less than Stop, Create and
// Write fail with instance.ErrFull. State changes go on into what is left, and into the reserve.
// A record has at most 1 MiB as JSON. Lists are bounded by Query.Limit.
//
// A background scrub reads everything that is kept again and again, and what is not what it was
// is a matter for a person and refused to readers that come later.
//
// # Not done
//
// Nothing is replicated; RAID and a second gateway are the site's. On systems other than Linux the
// journal works, with whole-file syncs and without giving room back inside of a segment.
package journal
