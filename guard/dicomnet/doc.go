// SPDX-License-Identifier: Apache-2.0

// Package dicomnet carries DICOM associations over connections: the upper layer
// of PS3.8 and the message service of PS3.7, as requestor and acceptor, SCU and
// SCP, plain and over TLS. The bytes are read and written by wire/dicom/ul and
// wire/dicom/dimse; this package has the connections, the clock and the state.
//
// # Use
//
// A Dialer opens an Association; its methods Echo, Store, Find, Move, Get and those
// of the N-services perform one operation each, and Release ends it. A Server takes
// connections, negotiates, and calls a Handler for every request of a peer: the
// handler is given the negotiated presentation context, the command set and the
// data set as a stream, and returns the status. The two meet: either side of an
// association may invoke and perform, which C-GET and N-EVENT-REPORT need.
//
// # Data sets are streams
//
// A data set is never held. A handler reads it from the connection, and what is sent
// is read from the caller while it is sent; an association holds two buffers of
// Limits.Buffer bytes, whatever the instance's size. Data.WriteTo hands out the
// read buffer itself, so that a hash costs no copy. A handler that does not read
// its data set to the end costs the time to receive it: it is passed over
// before the response is sent.
//
// # Concurrency
//
// One goroutine of an association reads. A message with a data set belongs to
// whom it is for until the last byte was read or Close was called; only then the
// next message is read. Requests of the peer are served each by a goroutine of its own,
// at most as many at once as the asynchronous operations window allows (PS3.7 §D.3.3.3;
// one when it was not negotiated). Operations may be invoked from several goroutines;
// those beyond the window wait. Messages are written one after the other, never
// interleaved (PS3.8 §E.1).
//
// # Time
//
// Every read and write has a deadline: see Timeouts. A peer that keeps to the
// deadlines but sends less than Limits.MinRate bytes a second is cut off too. An operation
// that ends by its context is cancelled with C-CANCEL where the standard has one;
// otherwise, and when the peer ignores it, the association is aborted, because
// nothing may be assumed about one that was left in the middle of a message.
//
// # Errors
//
// What ended an association is a *RejectedError, an *AbortedError, a *ProtocolError,
// a *ContextError, a *StatusError, or an error of the connection, wrapped with
// what was being done. Where a person can act, the error has a Hint. No error holds
// a value of a data set; error comments of peers are passed only to who asked.
//
// # Speed
//
// TCP_NODELAY is set. On Linux TCP_QUICKACK is set again after every read: senders
// that leave Nagle's algorithm on, as most devices do, otherwise wait 40 ms for
// each image, because the receiver's delayed acknowledgement and their own
// algorithm wait for each other.
//
// # Not done
//
// Who may send what is the caller's decision (Server.Negotiate, Handler). Data
// sets are not inspected. Common extended negotiation and SOP class extended
// negotiation are carried, not interpreted.
package dicomnet
