// SPDX-License-Identifier: Apache-2.0

// Package gateway is the DICOM gateway: a security gateway between modalities,
// archives and the processors that make holograms of their images.
//
// # What happens to an association
//
// A listener takes connections, over TLS with both ends authenticated (PS3.15 B.12), or
// in clear for devices that are listed one by one. Who the peer is says its certificate;
// what it may do says its binding (package binding): AE titles, addresses, SOP classes,
// operations. What does not fit is refused with the reason that the standard has for it, and
// named as what it is in the log, in the list of associations and in an event. Every
// operation is checked again against the bindings in force at that moment.
//
// # What happens to an instance
//
// Ingest reads it once: the bytes go to the journal, to SHA-256 and to the content firewall
// as they arrive. Then the verdict decides: it is accepted for its destinations, replaced by a
// sanitised copy, kept in quarantine, or refused. Success is answered when the journal has it on the disk and
// the ledger has recorded who brought it, what it was, and what was made of it. Both are waited for at the same time.
//
// # When something fails
//
// A route says what happens when the ledger or the firewall does (fail). closed: nothing passes,
// and the sender is told with a status that makes it try again. open-and-alarm: the instance passes, people
// are told, and the statement is recorded as soon as the ledger is back; the journal is what remembers it until then.
// An instance that goes several routes passes only where all of them are open. A journal that
// fails or is full refuses on every route.
//
// What a device retrieves has a route by who asks, whichever way. Where that is open, what the ledger must be told is
// on the disk (package owed) before the first byte goes, in a bound; it is open for what the ledger missed alone, never for what
// the firewall did not inspect.
//
// # What is not done
//
// Pixel data is never decoded or changed here. Nothing is forwarded here (package forward).
package gateway
