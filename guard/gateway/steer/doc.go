// SPDX-License-Identifier: Apache-2.0

// Package steer is the gateway as people see and steer it: it implements
// control.Control over the journal, the forwarder, the content firewall, the bindings
// and the ledger of one gateway, and keeps what is going on now (Live).
//
// # Two people
//
// What is in quarantine is released or destroyed when two different people said so. The
// word of the first is kept with the instance, in the journal, and survives a restart;
// each word, and each reading of a header in clear, is a statement in the ledger before
// anything happens. Where the ledger does not record, nothing is decided and nothing
// is shown in clear.
//
// A decision is made on a revision of the record: when anything about it changed since
// the person read it, it is refused, and nobody releases what they did not see.
//
// # Privacy
//
// Only HeaderOf reads data sets. Without clear it shows only values of elements that
// identify nobody (PS3.15 Annex E): what the table of the basic profile leaves as it is,
// and no names, free text, private elements or groups of the patient. Values are cut and
// escaped, so that nothing in them acts on who reads.
//
// # Limits
//
// Live keeps MaxEnded conversations that ended, at most maxPerPeer of one address, so
// that one peer that is refused again and again hides nobody else. A dry run examines at
// most a thousand instances, one run at a time.
//
// # What is not done
//
// Who may ask is not held here: permissions are the API's.
package steer
