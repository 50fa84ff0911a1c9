// SPDX-License-Identifier: Apache-2.0

// Package owed keeps statements that a ledger was not told of when they were true, until it is told:
// which images devices were given while it was away.
//
// # Guarantees
//
//   - Add returns nil only when the statement is on the disk: a kill or a power cut after it loses nothing. Several that
//     come at once share one flush.
//   - Pay tells them in the order in which they were added, each until it is told. After a kill some are told again:
//     the same bytes under the same ID, which a ledger takes for one entry.
//   - What waits is bounded, in statements and in bytes of the disk, and so is what opening it costs. Beyond that Add fails with ErrFull,
//     and beyond the share of one device with ErrDevice: one that asks again and again closes nobody else's way.
//
// Methods may be called concurrently; Pay is called by one goroutine at a time.
//
// # The file
//
// One line for each: CRC-32C in hexadecimal, a space, and a JSON object with the statement in its canonical form. Where all were
// told, the file is empty. Lines that cannot be read are passed over and counted; a line without an end was promised to nobody. It is
// made with mode 0600; statements name no patient.
//
// # What is not done
//
// Nothing is written when a statement was told, so that a ledger that works costs no flush here: a kill in the middle of Pay makes
// it begin at the oldest again. Two processes cannot use one file.
package owed
