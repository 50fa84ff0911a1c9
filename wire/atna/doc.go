// SPDX-License-Identifier: Apache-2.0

// Package atna writes audit messages as PS3.15 annex A.5 defines them: who did what to which
// patient's studies, in the XML that IHE's ATNA profile carries over syslog.
//
// A Message is a plain value. Append writes it; what Append writes conforms to the schema of
// PS3.15 §A.5.1.1 when Validate finds nothing wrong.
//
// # Limits
//
// Text is made fit for XML: characters that XML cannot hold become U+FFFD, and white space other
// than the blank becomes a blank, since the schema's tokens have no other. Values are cut at
// MaxText bytes. Lists are written as they are: who makes a message bounds it.
//
// # Not done
//
// Messages are not read.
package atna
