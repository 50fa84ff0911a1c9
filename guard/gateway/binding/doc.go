// SPDX-License-Identifier: Apache-2.0

// Package binding says what each device may do at the DICOM gateway: which
// certificate may use which AE titles, from where, for what.
//
// DICOM's own names prove nothing: an AE title is whatever a peer writes into its
// request. A Binding ties names to a device, and the device to its certificate, so that
// an association is one device's or nobody's. Devices that have no TLS are bound by
// address and AE title alone, listed one by one.
//
// # Guarantees
//
// A Set is valid as a whole or not made: two plain devices that could be mistaken for
// each other, an operation that does not exist, an AE title that no peer can send are
// problems, with the line where they stand. A Set never changes. A File holds the one in
// force and replaces it when the file does; what cannot be used is reported and what was
// there stays in force. Everything is safe for concurrent use.
//
// # Not done
//
// Nothing here asks for certificates or looks at the network: who the peer is comes
// from prove/identity/trust.
package binding
