// SPDX-License-Identifier: Apache-2.0

// Package forward brings instances from the gateway's journal to their destinations: by
// C-STORE over plain connections or TLS, or by STOW-RS.
//
// # What is guaranteed
//
// Each destination has its own queue, made of the journal: what waits survives a kill and a power
// cut, and a slow destination holds up no other. An instance goes as it came, bit for bit, in the
// transfer syntax in which it came, unless the destination asks for de-identification or takes
// only another uncompressed syntax; then the changed form is written out first and has a digest
// before its first byte leaves. Bytes are compared with their SHA-256 on the way: a destination never
// gets the last fragment of an instance that the disk has changed.
//
// An instance counts as delivered when the destination has answered with success or a
// warning, and the journal has that durably. When the gateway ends in between, it is sent again, with
// the same bytes: destinations know it by its SOP instance UID. How many were in doubt at a start is counted.
//
// Every delivery becomes a statement in the ledger (custody.Forwarded, and Altered before it where
// something was changed). When the ledger does not record, routes that fail closed hold their
// instances back, the others deliver, and what the ledger was not told is remembered in the journal and told later.
//
// # Order
//
// First what goes to, or came from, a theatre with a case in progress: there the newest study first, and
// within a study what came first. Then everything else in the order in which it came. Several
// associations of one destination send at the same time, so that neighbours may overtake each other.
//
// # Failure
//
// A destination that cannot be reached, or says that it is out of resources, rests, longer each time, with
// jitter; its instances wait and lose no attempt. What a destination refuses for good is given up at
// once; what failed otherwise is tried again, and given up after Attempts or Age. That an association broke is
// counted against an instance only where the destination took others meanwhile; until it has, that instance is
// tried after all others, urgent or not. What was given up
// keeps its bytes, is a matter for a person, and is tried again when the destination is told to retry.
//
// Age is the time that the gateway ran: a clock that is set, or a gateway that was off, gives nothing up that was not
// tried for a third of it since. While the ledger does not record, nothing is sent on routes that fail closed to find
// out whether it does again.
//
// # Liveness
//
// One instance that takes long, or an association that hangs, holds up no other where there is another association, and is
// ended by Timeouts. Systems that serve few associations are shared in turns by the destinations that have their address.
// What fails again and again is tried less often, and told once.
//
// # Storage commitment
//
// Where the destination is asked for it, a delivery is complete when the destination has taken
// responsibility (PS3.4 annex J). Its report comes on the same association or on one that it opens to the
// gateway, which hands it to CommitmentReport. What it could not commit to is sent again; what it does not report is asked again.
//
// # Concurrency
//
// A Forwarder's methods may be called from several goroutines. Route depends on its arguments alone.
//
// # Not done
//
// Compressed pixel data is not decoded: a destination that does not take an instance's compressed
// transfer syntax does not get the instance, and a person is told.
package forward
