// SPDX-License-Identifier: Apache-2.0

// Package ul reads and writes the protocol data units of the DICOM upper layer
// protocol for TCP/IP (PS3.8 §9.3), with the user information of PS3.8 annex D
// and PS3.7 annex D, and has the protocol machine of PS3.8 §9.2 as a table: Next
// says for a state and an event what to do and which state follows.
//
// # Reading
//
// Scanner takes one direction of a connection in any pieces. Association PDUs,
// which are small, are collected and handed out whole; P-DATA-TF PDUs pass
// through: the header of each presentation data value (PDV) is reported, and its
// bytes are aliases of the input. Nothing is allocated from a declared length.
//
// # Limits
//
// An association PDU may have MaxAssociate bytes, a P-DATA-TF PDU
// Limits.PData bytes. Of an association request MaxContexts presentation
// contexts with MaxTransferSyntaxes each are kept; more are counted. Values of
// sub-items are cut at MaxValue bytes, except UIDs and AE titles, which have
// limits of their own.
//
// # Not done
//
// Connections, timers and the actions of the protocol machine belong to who owns the connection.
// Names, passcodes and tickets of user identity (PS3.7 §D.3.3.7) are not copied:
// they are aliases of the parsed bytes, to be used and forgotten.
package ul
