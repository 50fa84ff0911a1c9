// SPDX-License-Identifier: Apache-2.0

// Package atna sends the gateway's audit messages (PS3.15 §A.5) to the hospital's audit
// repository: syslog of RFC 5424 over mutual TLS (RFC 5425), from a spool on the disk.
//
// # What is guaranteed
//
// A message that Send has taken is on the disk: neither kill -9 nor a power cut loses it. It reaches
// the repository at least once, in the order of Send. Syslog has no acknowledgement of its own,
// so a message counts as delivered when the repository's machine has acknowledged every byte of it
// (on Linux, as TCP says) and the connection has lived on for Config.Settle; when a
// connection breaks, what was not delivered by then is sent again on the next. One on which nothing is acknowledged for
// Config.Timeout is given up. A repository that takes bytes
// and forgets them without ending the connection is beyond what syslog can notice.
//
// The spool is bounded. When it is full, the oldest messages stay, since they are the ones that
// nobody else has any more, and new ones are refused, counted, and told: by Status at once, and by a
// message "Audit Recording Stopped" with the number as soon as there is room. The count survives a restart.
//
// Send waits for the disk, not for the network; several that wait share one flush. Callers
// call it after they have answered a device, never before.
//
// # Patients
//
// The standard wants patients in these messages. Config.Patients says whether they are pseudonyms, as
// everywhere here, or in clear, for repositories whose purpose that is. Clear messages lie in
// the spool in clear, readable for the gateway's user alone, until they are delivered.
// Values of a query are never in a message, in either mode: only which attributes were matched.
//
// # Not done
//
// UDP (RFC 5426) and TCP without TLS. Reading messages. FHIR AuditEvent.
package atna
